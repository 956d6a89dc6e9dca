//! Two hundred damages of `index.db`: the start always succeeds, no wrong byte is served, and what is
//! whole is served again.

use crate::chance::{Chance, rounds};
use crate::store::{Open, Store, fifo, limits, link_to, object, replace};
use crate::support::{folder::Folder, until};
use rusqlite::Connection;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vinylvault::cache::disk::Disk;
use vinylvault::cache::index::{Index, IndexError};
use vinylvault::cache::verify::{Class, audit};

/// Where the header of an SQLite file says which version of ours wrote it (fileformat2, 1.3).
const VERSION_BYTES: std::ops::Range<usize> = 60..64;
const COVERS: usize = 20;

/// Does harm to the database at a path.
type Damage = fn(&Path);

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    /// SQLite cannot but notice.
    Plain,
    /// A row may say something else, and nobody can know.
    Subtle,
}

/// Another program's database, and a file that is nobody's business.
struct Outside {
    folder: Folder,
}

impl Outside {
    fn new() -> Outside {
        let folder = Folder::new();
        let other = Connection::open(folder.join("other.db")).unwrap();
        other.execute_batch("CREATE TABLE rendition(a); INSERT INTO rendition VALUES (1)").unwrap();
        Outside { folder }
    }
}

/// Does one harm to the database at `path`, whose good bytes are `good`.
fn harm(path: &Path, good: &[u8], chance: &mut Chance, outside: &Outside) -> (Harm, Option<Vec<u8>>) {
    let other = outside.folder.join("other.db");
    let (pages, page) = (good.len() / 4096, 4096);
    let mut bad = good.to_vec();
    let harm = match chance.below(12) {
        0 => {
            // Past the version, which alone says nothing (`Newer`).
            let at = (64 + chance.below(100 - 64 + VERSION_BYTES.start)) % 100;
            bad[at] ^= 1 << chance.below(8);
            Harm::Subtle
        }
        1 | 2 => {
            for _ in 0..=chance.below(8) {
                let at = 100 + chance.below(bad.len() - 100);
                bad[at] ^= 1 << chance.below(8);
            }
            Harm::Subtle
        }
        3 => {
            bad.truncate(1 + chance.below(bad.len() - 1));
            Harm::Plain
        }
        4 => {
            let at = chance.below(pages) * page;
            bad[at..at + page].fill(0);
            Harm::Plain
        }
        5 => {
            let at = chance.below(pages) * page;
            bad[at..at + page].copy_from_slice(&chance.bytes(page));
            Harm::Plain
        }
        6 => {
            bad = chance.some_bytes(3 * page);
            Harm::Plain
        }
        7 => {
            bad.clear();
            Harm::Plain
        }
        8 => {
            fs::write(path.with_extension("db-wal"), chance.some_bytes(20_000)).unwrap();
            Harm::Plain
        }
        9 => {
            bad = fs::read(&other).unwrap();
            Harm::Plain
        }
        10 => {
            put_in_the_way(path, &other, chance);
            return (Harm::Plain, None);
        }
        _ => {
            swap_pages(&mut bad, page, chance);
            Harm::Subtle
        }
    };
    fs::write(path, &bad).unwrap();
    (harm, Some(bad))
}

/// Something that is no file in the place of the database or of what SQLite keeps beside it.
fn put_in_the_way(path: &Path, other: &Path, chance: &mut Chance) {
    let odd = path.with_extension(["db", "db-wal", "db-shm"][chance.below(3)]);
    match chance.below(3) {
        0 => replace(&odd, |odd| fs::create_dir_all(odd.join("deep")).unwrap()),
        1 => replace(&odd, fifo),
        _ => replace(&odd, link_to(other)),
    }
}

fn swap_pages(bad: &mut [u8], page: usize, chance: &mut Chance) {
    let pages = bad.len() / page;
    let (one, other) = (chance.below(pages) * page, chance.below(pages) * page);
    let moved = bad[one..one + page].to_vec();
    bad.copy_within(other..other + page, one);
    bad[other..other + page].copy_from_slice(&moved);
}

/// As it was, with nothing of an earlier round beside it.
fn reset(store: &Store, good: &[u8]) {
    for entry in fs::read_dir(store.root()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("index.db") {
            replace(&path, |_| {});
        }
    }
    fs::write(store.root().join("index.db"), good).unwrap();
    for (cover, content) in &store.covers {
        let path = store.path(*cover);
        if !fs::read(&path).is_ok_and(|there| there == *content) {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }
}

#[test]
fn a_start_survives_two_hundred_damages_of_the_index_and_serves_what_is_whole() {
    let (store, outside) = (Store::with(COVERS), Outside::new());
    let good = fs::read(store.root().join("index.db")).unwrap();
    let other = fs::read(outside.folder.join("other.db")).unwrap();
    let mut served_all = 0;
    rounds(1000..1200, |seed, chance| {
        reset(&store, &good);
        let (harm, bad) = harm(&store.root().join("index.db"), &good, chance, &outside);
        let begun = Instant::now();
        let open = start(&store);
        assert!(begun.elapsed() < Duration::from_secs(20), "the start took {:?}", begun.elapsed());
        match harm {
            // Asking for what it does not find, a server finds the damage.
            Harm::Plain => until("all is served again", || {
                open.index.settle().unwrap();
                open.served(&store.covers).len() == store.covers.len()
            }),
            Harm::Subtle => drop(open.served(&store.covers)),
        }
        served_all += usize::from(open.served(&store.covers).len() == store.covers.len());
        drop(open);
        if seed % 4 == 0 {
            store.repair();
            store.served();
        }
        assert_eq!(fs::read(outside.folder.join("other.db")).unwrap(), other, "through a link: {bad:?}");
    });
    assert!(served_all > 170, "of 200 starts only {served_all} served everything");
}

fn start(store: &Store) -> Open {
    let disk = Arc::new(Disk::open(&store.root()).unwrap());
    let index = Index::open(Arc::clone(&disk), limits()).unwrap_or_else(|error| panic!("no start: {error}"));
    Open { disk, index }
}

#[test]
fn the_audit_tells_a_damaged_index_and_a_repair_builds_it_anew() {
    let store = Store::with(COVERS);
    let path = store.root().join("index.db");
    let good = fs::read(&path).unwrap();
    let damages: [(&str, Damage); 6] = [
        ("garbage", |path| fs::write(path, b"no database at all, and no header of one".repeat(200)).unwrap()),
        ("truncated", |path| fs::write(path, &fs::read(path).unwrap()[..5000]).unwrap()),
        ("a folder", |path| replace(path, |path| fs::create_dir(path).unwrap())),
        ("a FIFO", |path| replace(path, fifo)),
        ("a row of no program's", |path| {
            let db = Connection::open(path).unwrap();
            db.execute_batch("INSERT INTO rendition VALUES (x'00', 7, 1, x'00', 1, NULL)").unwrap();
        }),
        ("its index", |path| {
            // Only a look at every page can tell.
            let db = Connection::open(path).unwrap();
            let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'rendition_by_access'";
            let root: u32 = db.query_row(root, [], |row| row.get(0)).unwrap();
            drop(db);
            let mut bytes = fs::read(path).unwrap();
            bytes[root as usize * 4096 - 1] ^= 1;
            fs::write(path, bytes).unwrap();
        }),
    ];
    for (name, damage) in damages {
        reset(&store, &good);
        damage(&path);
        let (findings, _) = store.audit();
        assert_eq!(findings.len(), 1, "{name}: {findings:?}");
        assert_eq!(
            (findings[0].class, findings[0].object.as_path()),
            (Class::Database, Path::new("index.db"))
        );
        let repaired = store.repair();
        assert_eq!(repaired.len(), 1, "{name}: {repaired:?}");
        let aside = fs::read_dir(store.root()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(aside.filter(|name| name.to_string_lossy().contains(".damaged-")).count(), 1, "{name}");
        assert_eq!(store.served().len(), store.covers.len(), "{name}");
    }
}

#[test]
fn without_an_index_the_files_are_judged_by_themselves() {
    let store = Store::with(4);
    fs::remove_file(store.root().join("index.db")).unwrap();
    assert_eq!(store.audit().0, [], "the next start builds it");
    let cover = *store.covers.keys().next().unwrap();
    fs::write(store.path(cover), b"RIFF").unwrap();
    let (findings, _) = store.audit();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!((findings[0].class, &findings[0].object), (Class::Altered, &object(cover)));
}

#[test]
fn a_newer_index_is_refused_and_every_byte_of_it_kept() {
    let store = Store::with(4);
    let path = store.root().join("index.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA user_version = 99").unwrap();
    drop(db);
    let before = fs::read(&path).unwrap();
    let disk = Arc::new(Disk::open(&store.root()).unwrap());
    assert!(matches!(Index::open(disk, limits()).err(), Some(IndexError::Newer { version: 99, .. })));
    let error = audit(&store.root(), &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("newer vinylvault") && !error.contains('\n'), "{error}");
    assert!(vinylvault::cache::verify::repair(&store.root(), &mut |_| {}).is_err());
    assert_eq!(fs::read(&path).unwrap(), before);
    for log in ["index.db-wal", "index.db-shm"] {
        assert!(!store.root().join(log).exists(), "{log}");
    }
}
