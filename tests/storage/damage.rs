//! Damaged files are never served; a damaged index is built anew; nothing is followed out of the folder.

use crate::{Folder, Store, covers, key, webp};
use rusqlite::Connection;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use vinylvault::cache::disk::{Disk, DiskError};
use vinylvault::cache::index::{Index, IndexError, Limits};
use vinylvault::key::{Digest, Variant};

fn limits() -> Limits {
    Limits { bytes_max: 1_000_000, free_bytes_min: 0, fingerprint: "v1".into(), originals: None }
}

/// Does harm to the first file; the second is a good one.
type Damage = fn(&Path, &Path);
/// Does harm to the database at a path.
type IndexDamage = fn(&Path);

const DAMAGES: [(&str, Damage); 12] = [
    ("truncated", |file, _| File::options().write(true).open(file).unwrap().set_len(150).unwrap()),
    ("longer", |file, _| File::options().write(true).open(file).unwrap().set_len(201).unwrap()),
    ("emptied", |file, _| fs::write(file, b"").unwrap()),
    ("one bit flipped", |file, _| flip(file, 137)),
    ("one bit of the header flipped", |file, _| flip(file, 5)),
    ("zeroed", |file, _| fs::write(file, [0; 200]).unwrap()),
    ("swapped", |file, other| fs::copy(other, file).map(drop).unwrap()),
    ("gone", |file, _| fs::remove_file(file).unwrap()),
    ("a link to a good file", |file, other| {
        fs::rename(file, other.with_extension("moved")).unwrap();
        symlink(other.with_extension("moved"), file).unwrap();
    }),
    ("a FIFO", |file, _| {
        fs::remove_file(file).unwrap();
        assert!(Command::new("mkfifo").arg(file).status().unwrap().success());
    }),
    ("a folder with something in it", |file, _| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
        fs::write(file.join("something"), b"x").unwrap();
    }),
    ("in a folder that is a link", |file, other| {
        let folder = file.parent().unwrap();
        let elsewhere = other.with_extension("elsewhere");
        fs::rename(folder, &elsewhere).unwrap();
        symlink(&elsewhere, folder).unwrap();
    }),
];

#[test]
fn a_damaged_file_is_never_served_and_the_next_one_is() {
    for (name, damage) in DAMAGES {
        let folder = Folder::new();
        let store = Store::open(&folder.cache(), 1_000_000);
        store.admit("a", 200);
        store.admit("other", 200);
        damage(&store.file("a"), &store.file("other"));
        assert!(store.read("a").is_none(), "{name}");
        store.index.forget(key("a"), Variant::Thumbnail);
        store.index.forget(key("other"), Variant::Thumbnail);
        store.index.settle().unwrap();
        assert!(store.index.row(key("a"), Variant::Thumbnail).is_none(), "{name}: the row is gone");
        assert!(store.read("other").is_some(), "{name}: a good one is not forgotten");
        store.admit("a", 200);
        assert_eq!(store.read("a").unwrap().bytes(), webp("a", 200), "{name}");
        assert_eq!((store.totals().bytes, store.totals().last_error), (400, None), "{name}");
    }
}

#[test]
fn a_new_rendition_takes_the_place_of_whatever_is_there() {
    for (name, damage) in DAMAGES {
        let folder = Folder::new();
        let store = Store::open(&folder.cache(), 1_000_000);
        store.admit("a", 200);
        store.admit("other", 200);
        damage(&store.file("a"), &store.file("other"));
        store.admit("a", 200);
        assert_eq!(store.read("a").unwrap().bytes(), webp("a", 200), "{name}");
        assert_eq!(fs::read_dir(folder.path("tmp")).unwrap().count(), 0, "{name}: nothing lies around");
    }
}

#[test]
fn nothing_is_written_or_deleted_through_a_link() {
    let folder = Folder::new();
    let outside = Folder::new();
    let store = Store::open(&folder.cache(), 1_000_000);
    store.admit("a", 200);
    let (file, shard) = (store.file("a"), store.file("a").parent().unwrap().to_owned());
    let elsewhere = outside.path("elsewhere");
    fs::create_dir_all(elsewhere.parent().unwrap()).unwrap();
    fs::rename(&shard, &elsewhere).unwrap();
    symlink(&elsewhere, &shard).unwrap();
    store.index.purge(vinylvault::cache::index::Scope::All).unwrap();
    let there = elsewhere.join(file.file_name().unwrap());
    assert!(there.exists(), "a purge does not reach outside");
    fs::write(&there, b"precious").unwrap();
    store.admit("a", 200);
    assert_eq!(fs::read(&there).unwrap(), b"precious");
    assert!(!fs::symlink_metadata(&shard).unwrap().is_symlink() && store.read("a").is_some());
}

#[test]
fn a_damaged_index_is_set_aside_and_built_from_the_files() {
    let damages: [(&str, IndexDamage); 6] = [
        ("not a database", |db| {
            fs::write(db, "this is no database, however long it may be".repeat(50)).unwrap()
        }),
        ("truncated", |db| File::options().write(true).open(db).unwrap().set_len(5000).unwrap()),
        ("header zeroed", |db| {
            File::options().write(true).open(db).unwrap().write_all_at(&[0; 100], 0).unwrap()
        }),
        ("page of the totals zeroed", |db| zero_root(db, "rendition_by_access")),
        ("another program's", |db| {
            fs::remove_file(db).unwrap();
            let db = Connection::open(db).unwrap();
            db.execute_batch("CREATE TABLE rendition(a); PRAGMA user_version = 1").unwrap();
        }),
        ("half-way", |db| Connection::open(db).unwrap().execute_batch("DROP TABLE source").unwrap()),
    ];
    for (name, damage) in damages {
        let folder = Folder::new();
        filled(&folder);
        damage(&folder.path("index.db"));
        let store = Store::open(&folder.cache(), 1_000_000);
        assert_adopted(&store, name);
        assert_eq!(set_aside(&folder), 1, "{name}: it is kept for whoever wants to look");
        drop(store);
        assert_adopted(&Store::open(&folder.cache(), 1_000_000), name);
    }
}

#[test]
fn a_missing_index_is_built_from_the_files_and_only_whole_ones_are_adopted() {
    let folder = Folder::new();
    let store = filled(&folder);
    let (truncated, misplaced) = (store.file("3"), store.file("4"));
    drop(store);
    File::options().write(true).open(&truncated).unwrap().set_len(50).unwrap();
    fs::rename(&misplaced, truncated.with_file_name(misplaced.file_name().unwrap())).unwrap();
    fs::write(truncated.with_file_name("notes.txt"), b"alien").unwrap();
    fs::write(folder.path("covers/detail/alien"), b"alien").unwrap();
    for name in ["index.db", "index.db-wal"] {
        let _ = fs::remove_file(folder.path(name));
    }
    let store = Store::open(&folder.cache(), 1_000_000);
    assert_eq!(store.present("0123456789"), "01256789");
    assert_eq!((store.totals().bytes, covers(&folder.cache()).len()), (800, 8));
    drop(store);
    fs::remove_file(folder.path("index.db")).unwrap();
    let another = Limits { fingerprint: "v2".into(), ..limits() };
    let store = Store::with(&folder.cache(), another);
    assert_eq!((store.totals().bytes, covers(&folder.cache()).len()), (0, 0), "nor those of another recipe");
}

#[test]
fn an_index_damaged_while_running_is_built_anew_without_a_restart() {
    let folder = Folder::new();
    drop(filled(&folder));
    let store = Store::open(&folder.cache(), 1_000_000);
    zero_root(&folder.path("index.db"), "rendition");
    let deadline = Instant::now() + Duration::from_secs(30);
    // Each look asks the thread to see to it; a page that is still cached hides the damage for a while.
    let mut number = 0;
    while set_aside(&folder) == 0 || store.present("0123456789") != "0123456789" {
        assert!(Instant::now() < deadline, "not healed");
        number += 1;
        store.admit(&format!("new {number}"), 20);
    }
    store.admit("after", 20);
    assert!(store.read("after").is_some());
    assert_eq!(store.totals().last_error, None);
}

#[test]
fn an_index_beyond_repair_says_so_and_holds_nobody_up() {
    let folder = Folder::new();
    drop(filled(&folder));
    let store = Store::open(&folder.cache(), 1_000_000);
    let waiting = store.admission("waiting", Variant::Thumbnail, &webp("waiting", 20));
    zero_root(&folder.path("index.db"), "rendition");
    fs::remove_dir_all(folder.cache()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while store.index.settle().is_ok() {
        assert!(Instant::now() < deadline, "not noticed");
        assert!(store.index.row(key("3"), Variant::Thumbnail).is_none());
    }
    assert!(matches!(store.index.totals(), Err(IndexError::Stopped)), "health can say so");
    store.admit_all(vec![waiting]);
    assert_eq!(store.index.purge(vinylvault::cache::index::Scope::All), Err(IndexError::Stopped));
    assert!(store.index.write_temp(b"x").is_err());
}

#[test]
fn no_mutation_of_the_index_serves_a_wrong_byte_or_stops_the_start() {
    let folder = Folder::new();
    drop(filled(&folder));
    let good = fs::read(folder.path("index.db")).unwrap();
    let covers_before: Vec<_> = covers(&folder.cache())
        .into_iter()
        .map(|cover| (fs::read(&cover.path).unwrap(), cover.path))
        .collect();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..60 {
        let mut bad = good.clone();
        for _ in 0..=round % 8 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let at = usize::try_from(random).unwrap() % bad.len();
            bad[at] ^= (random >> 40) as u8 | 1;
        }
        bad.truncate(if round % 10 == 9 { usize::try_from(random).unwrap() % bad.len() } else { bad.len() });
        for name in ["index.db-wal", "index.db-shm"] {
            let _ = fs::remove_file(folder.path(name));
        }
        fs::write(folder.path("index.db"), &bad).unwrap();
        for (content, path) in &covers_before {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let disk = std::sync::Arc::new(Disk::open(&folder.cache()).unwrap());
        match Index::open(disk.clone(), limits()) {
            Ok(index) => {
                let store = Store { disk, index };
                for number in 0..10 {
                    let name = number.to_string();
                    if let Some(found) = store.read(&name) {
                        assert_eq!(found.bytes(), webp(&name, 100), "round {round}");
                    }
                }
                store.admit("new", 100);
                store.index.settle().unwrap();
            }
            // A flipped version number is indistinguishable from a later program's.
            Err(error) => assert!(matches!(error, IndexError::Newer { .. }), "round {round}: {error}"),
        }
    }
    assert!(set_aside(&folder) <= 3, "damaged databases do not pile up");
}

#[test]
fn a_newer_database_is_refused_in_a_clear_line_and_left_alone() {
    let folder = Folder::new();
    drop(filled(&folder));
    Connection::open(folder.path("index.db")).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let disk = std::sync::Arc::new(Disk::open(&folder.cache()).unwrap());
    let error = Index::open(disk, limits()).err().unwrap();
    assert!(matches!(error, IndexError::Newer { version: 99, .. }));
    assert!(error.to_string().contains("newer vinylvault") && !error.to_string().contains('\n'), "{error}");
    assert_eq!((set_aside(&folder), covers(&folder.cache()).len()), (0, 10));
}

#[test]
fn a_second_opener_is_refused_at_once_and_touches_nothing() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 1000);
    let temp = store.disk.write_temp(b"in progress").unwrap();
    let error = Disk::open(&folder.cache()).err().unwrap();
    assert!(matches!(error, DiskError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("another vinylvault is using it"));
    assert_eq!(fs::read_dir(folder.path("tmp")).unwrap().count(), 1, "tmp/ is the first one's");
    drop((temp, store));
    Store::open(&folder.cache(), 1000);
}

#[test]
fn the_folder_is_the_owners_alone_tagged_and_empty_of_leftovers() {
    let folder = Folder::new();
    drop(filled(&folder));
    fs::write(folder.path("tmp/17.part"), b"half").unwrap();
    fs::create_dir_all(folder.path("tmp/deep/folder")).unwrap();
    let store = Store::open(&folder.cache(), 1_000_000);
    store.admit("new", 20);
    assert_eq!(fs::read_dir(folder.path("tmp")).unwrap().count(), 0);
    let tag = fs::read_to_string(folder.path("CACHEDIR.TAG")).unwrap();
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"));
    store.disk.save_placeholder(Variant::Detail, &webp("p", 40)).unwrap();
    assert_eq!(fs::read(folder.path("covers/placeholders/placeholder_detail.webp")).unwrap().len(), 40);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for name in ["", "covers", "covers/detail", "tmp", "covers/placeholders"] {
        assert_eq!(mode(&folder.path(name)), 0o700, "{name}");
    }
    for name in ["lock", "index.db", "index.db-wal", "covers/placeholders/placeholder_detail.webp"] {
        assert_eq!(mode(&folder.path(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&store.file("new")), 0o600);
}

#[test]
fn a_row_promises_length_and_digest() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 1000);
    store.admit("a", 20);
    let read = |bytes, digest| store.disk.read(key("a"), Variant::Thumbnail, bytes, digest).unwrap();
    assert!(read(20, Digest::of(&webp("a", 20))).is_some());
    assert!(read(21, Digest::of(&webp("a", 20))).is_none());
    assert!(read(20, Digest::of(&webp("b", 20))).is_none());
    assert!(store.disk.read(key("a"), Variant::Detail, 20, Digest::of(&webp("a", 20))).unwrap().is_none());
}

/// Ten thumbnails of 100 bytes, `0` to `9`.
fn filled(folder: &Folder) -> Store {
    let store = Store::open(&folder.cache(), 1_000_000);
    for number in 0..10 {
        store.admit(&number.to_string(), 100);
    }
    store
}

fn assert_adopted(store: &Store, name: &str) {
    assert_eq!(store.present("0123456789"), "0123456789", "{name}");
    assert_eq!((store.totals().thumbnails, store.totals().bytes), (10, 1000), "{name}");
}

fn set_aside(folder: &Folder) -> usize {
    let names = fs::read_dir(folder.cache()).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_str().unwrap().contains(".damaged-")).count()
}

fn flip(file: &Path, at: u64) {
    let file = File::options().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 4], at).unwrap();
}

/// Zeroes the root page of a table or index in the database file.
fn zero_root(path: &Path, name: &str) {
    let db = Connection::open(path).unwrap();
    let root: i64 =
        db.query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [name], |row| row.get(0)).unwrap();
    let page: i64 = db.query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
    drop(db);
    let zeroes = vec![0; usize::try_from(page).unwrap()];
    let file = File::options().write(true).open(path).unwrap();
    file.write_all_at(&zeroes, u64::try_from((root - 1) * page).unwrap()).unwrap();
}
