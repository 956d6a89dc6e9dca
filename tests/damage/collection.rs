//! Two hundred damages of `vinylvault.db`: it comes back from the newest good copy, what was there is kept,
//! and what is no damage is not touched.

use crate::chance::{Chance, rounds};
use crate::store::{fifo, link_to, picture_of, replace};
use crate::support::folder::Folder;
use rusqlite::Connection;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use vinylvault::collection::{Collection, CollectionError, Copies, ImportMode, Kept, Query, Record, examine};
use vinylvault::key::Timestamp;

const NOW: Timestamp = Timestamp(1_790_000_000);
const DAY: i64 = 86_400;
pub const ALBUMS: usize = 150;

pub fn albums(from: usize, to: usize) -> Vec<Record> {
    let album = |number: usize| Record {
        artist: format!("Artist {}", number % 40),
        title: format!("Title {number:04}"),
        year: Some(1950 + i32::try_from(number % 70).unwrap()),
        labels: vec![format!("Label {}", number % 9)],
        genres: vec!["Jazz".to_owned(), format!("Genre {}", number % 7)],
        formats: vec!["LP, Album".to_owned()],
        notes: Some("a note that makes the row longer ".repeat(number % 5)),
        cover_url: Some(format!("https://example.com/{number}.jpg")),
        ..Record::default()
    };
    (from..to).map(album).collect()
}

/// A data folder with a collection at rest and one copy of it.
pub struct Shelf {
    pub folder: Folder,
}

impl Shelf {
    pub fn with_copy() -> Shelf {
        let shelf = Shelf { folder: Folder::new() };
        shelf.open().unwrap().import(&albums(0, ALBUMS), ImportMode::Write).unwrap();
        assert!(matches!(shelf.copies().keep(NOW), Ok(Kept::Made(_))));
        shelf
    }

    pub fn path(&self) -> PathBuf {
        self.folder.join("vinylvault.db")
    }

    pub fn copies(&self) -> Copies {
        Copies::beside(&self.path())
    }

    pub fn open(&self) -> Result<Collection, CollectionError> {
        Collection::open_or_restore(&self.path(), NOW)
    }

    /// Files that were set aside, with their content.
    pub fn aside(&self) -> Vec<(String, Option<Vec<u8>>)> {
        let entries = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let is_aside = |path: &PathBuf| path.to_string_lossy().contains(".damaged-");
        entries
            .filter(is_aside)
            .map(|path| {
                let is_file = fs::symlink_metadata(&path).unwrap().is_file();
                (
                    path.file_name().unwrap().to_str().unwrap().to_owned(),
                    is_file.then(|| fs::read(path).unwrap()),
                )
            })
            .collect()
    }

    fn reset(&self, good: &[u8]) {
        for entry in fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap().starts_with("vinylvault.db") {
                replace(&path, |_| {});
            }
        }
        fs::write(self.path(), good).unwrap();
    }
}

/// Every album, page by page; panics where one cannot be read.
#[track_caller]
pub fn read_all(collection: &Collection) -> usize {
    let mut read = 0;
    for page in 1.. {
        let page = collection.page(&Query { page, ..Query::default() }).unwrap();
        for album in &page.albums {
            assert_eq!(collection.album(album.id).unwrap().unwrap().id, album.id);
        }
        read += page.albums.len();
        if page.page == page.pages {
            break;
        }
    }
    collection.facets().unwrap();
    collection.cover_url(vinylvault::key::CacheKey::from_bytes([7; 20])).unwrap();
    read
}

/// Does one harm; the bytes that are then there, where it is a file.
fn harm(path: &Path, good: &[u8], chance: &mut Chance, other: &Path) -> Option<Vec<u8>> {
    let (pages, page) = (good.len() / 4096, 4096);
    let mut bad = good.to_vec();
    match chance.below(12) {
        0 => {
            let at = chance.below(100);
            bad[at] ^= 1 << chance.below(8);
        }
        1..=3 => {
            for _ in 0..=chance.below(8) {
                let at = 100 + chance.below(bad.len() - 100);
                bad[at] ^= 1 << chance.below(8);
            }
        }
        4 => bad.truncate(1 + chance.below(bad.len() - 1)),
        5 => {
            let at = chance.below(pages) * page;
            bad[at..at + page].fill(0);
        }
        6 => {
            let at = chance.below(pages) * page;
            bad[at..at + page].copy_from_slice(&chance.bytes(page));
        }
        7 => bad = chance.some_bytes(3 * page),
        8 => bad.clear(),
        9 => {
            // SQLite ignores a log that is none, and so the collection is as it was.
            fs::write(path.with_extension("db-wal"), chance.some_bytes(20_000)).unwrap();
        }
        10 => bad = fs::read(other).unwrap(),
        _ => {
            let odd = path.with_extension(["db", "db-wal", "db-shm"][chance.below(3)]);
            match chance.below(3) {
                0 => replace(&odd, |odd| fs::create_dir(odd).unwrap()),
                1 => replace(&odd, fifo),
                // A link to a file that is no database; the file stays what it is.
                _ => replace(&odd, link_to(&other.with_extension("txt"))),
            }
            return None;
        }
    }
    fs::write(path, &bad).unwrap();
    Some(bad)
}

#[test]
fn two_hundred_damages_cost_no_album_and_what_was_there_is_kept() {
    let outside = Folder::new();
    let other = outside.join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE t(a); INSERT INTO t VALUES (1)").unwrap();
    fs::write(outside.join("other.txt"), "precious ".repeat(1000)).unwrap();
    let before = picture_of(outside.path());
    let shelf = Shelf::with_copy();
    let good = fs::read(shelf.path()).unwrap();
    let (mut restored, mut refused) = (0, 0);
    rounds(2000..2200, |_, chance| {
        shelf.reset(&good);
        let bad = harm(&shelf.path(), &good, chance, &other);
        match shelf.open() {
            Ok(collection) => {
                assert_eq!(read_all(&collection), ALBUMS);
                collection.import(&albums(0, 3), ImportMode::Write).unwrap();
                restored += usize::from(!shelf.aside().is_empty());
                let kept = shelf.aside().into_iter().find(|(name, _)| !name.contains("db-"));
                if let (Some(bad), Some((name, content))) = (&bad, kept) {
                    assert!(content.as_ref() == Some(bad), "{name} is what was there");
                }
            }
            // Another program's, by its tables or by its number: not ours to move away.
            Err(CollectionError::Foreign { .. } | CollectionError::Newer { .. }) => {
                assert!(Some(fs::read(shelf.path()).unwrap()) == bad);
                assert!(shelf.aside().is_empty());
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
        assert_eq!(picture_of(outside.path()), before);
    });
    assert!(restored > 100 && refused < 50, "restored {restored}, refused {refused}");
}

#[test]
fn the_newest_good_copy_is_restored_and_a_bad_one_is_not() {
    let shelf = Shelf::with_copy();
    for (day, upto) in [(1, ALBUMS + 10), (2, ALBUMS + 20), (3, ALBUMS + 30)] {
        shelf.open().unwrap().import(&albums(0, upto), ImportMode::Write).unwrap();
        assert!(matches!(shelf.copies().keep(Timestamp(NOW.0 + day * DAY)), Ok(Kept::Made(_))));
    }
    let [newest, second, third, _oldest] = &shelf.copies().list()[..] else { panic!("four copies") };
    fs::write(&newest.path, b"garbage").unwrap();
    let mut bytes = fs::read(&second.path).unwrap();
    let half = bytes.len() / 2;
    bytes[half..half + 4096].fill(0xaa);
    fs::write(&second.path, bytes).unwrap();
    let copy = fs::read(&third.path).unwrap();
    fs::write(shelf.path(), b"a dying card").unwrap();
    assert_eq!(examine(&shelf.path()).unwrap().len(), 3, "the collection and two copies");
    assert_eq!(read_all(&shelf.open().unwrap()), ALBUMS + 10);
    assert_eq!(fs::read(&third.path).unwrap(), copy, "the copy is still there");
    assert_eq!(shelf.aside(), [(format!("vinylvault.db.damaged-{}", NOW.0), Some(b"a dying card".to_vec()))]);
    assert_eq!(examine(&shelf.path()).unwrap().len(), 2, "the bad copies are still bad");
}

#[test]
fn without_a_good_copy_the_collection_is_empty_and_the_damaged_one_kept() {
    for has_bad_copy in [false, true] {
        let shelf = Shelf::with_copy();
        let copy = shelf.copies().list().remove(0).path;
        match has_bad_copy {
            true => fs::write(&copy, b"bad").unwrap(),
            false => fs::remove_file(&copy).unwrap(),
        }
        fs::write(shelf.path(), b"bad too").unwrap();
        fs::write(shelf.folder.join("vinylvault.db-wal"), b"its log").unwrap();
        assert_eq!(read_all(&shelf.open().unwrap()), 0);
        let mut aside = shelf.aside();
        aside.retain(|(name, _)| !name.ends_with("-shm"));
        aside.sort();
        let name = format!("vinylvault.db.damaged-{}", NOW.0);
        let expected = [(name.clone(), b"bad too"), (format!("{name}-wal"), b"its log")];
        let expected: Vec<_> =
            expected.into_iter().map(|(name, content)| (name, Some(content.to_vec()))).collect();
        assert_eq!(aside, expected);
        shelf.open().unwrap().import(&albums(0, 3), ImportMode::Write).unwrap();
        assert_eq!(read_all(&shelf.open().unwrap()), 3, "and is a collection like any other");
    }
}

#[test]
fn a_collection_that_is_gone_or_empty_comes_back_and_a_kill_half_way_is_no_loss() {
    let shelf = Shelf::with_copy();
    fs::remove_file(shelf.path()).unwrap();
    assert_eq!(read_all(&shelf.open().unwrap()), ALBUMS, "gone");
    File::create(shelf.path()).unwrap();
    assert_eq!(read_all(&shelf.open().unwrap()), ALBUMS, "empty");
    // As a kill leaves it between the two renames.
    fs::rename(shelf.path(), shelf.folder.join("vinylvault.db.damaged-1")).unwrap();
    fs::write(shelf.folder.join("vinylvault.db.restored"), b"half a copy").unwrap();
    assert_eq!(read_all(&shelf.open().unwrap()), ALBUMS, "half-way");
    assert!(!shelf.folder.join("vinylvault.db.restored").exists());
}

#[test]
fn indexes_that_do_not_agree_with_their_tables_cost_nothing() {
    let shelf = Shelf::with_copy();
    // Not in any copy: it would be lost by a restore.
    shelf.open().unwrap().import(&albums(0, ALBUMS + 5), ImportMode::Write).unwrap();
    let db = Connection::open(shelf.path()).unwrap();
    db.execute_batch(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE INDEX album_by_date ON album (title, id)' WHERE name = 'album_by_date';",
    )
    .unwrap();
    drop(db);
    let flaws = examine(&shelf.path()).unwrap();
    assert!(flaws.iter().any(|flaw| flaw.cause.contains("album_by_date")), "{flaws:?}");
    assert!(matches!(Collection::open(&shelf.path()), Err(CollectionError::Damaged { .. })));
    assert_eq!(read_all(&shelf.open().unwrap()), ALBUMS + 5);
    assert!(shelf.aside().is_empty());
    assert_eq!(examine(&shelf.path()).unwrap(), []);
}

#[test]
fn rows_without_their_album_and_text_that_is_none_are_found() {
    let shelf = Shelf::with_copy();
    let db = Connection::open(shelf.path()).unwrap();
    db.execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO tag VALUES (0, 'x', 99999, 'X')").unwrap();
    assert!(examine(&shelf.path()).unwrap()[0].cause.contains("albums that are not there"));
    db.execute_batch("UPDATE album SET title = CAST(x'ff20ff' AS TEXT) WHERE id = 3").unwrap();
    let flaws = examine(&shelf.path()).unwrap();
    assert!(flaws.len() == 1 && flaws[0].cause.to_lowercase().contains("utf-8"), "{flaws:?}");
    drop(db);
    assert_eq!(read_all(&shelf.open().unwrap()), ALBUMS, "restored");
}

#[test]
fn looking_changes_nothing() {
    let shelf = Shelf::with_copy();
    let before = picture_of(shelf.folder.path());
    assert_eq!(examine(&shelf.path()).unwrap(), []);
    assert_eq!(picture_of(shelf.folder.path()), before);
    let nowhere = Folder::new();
    assert_eq!(examine(&nowhere.join("vinylvault.db")).unwrap(), []);
    assert_eq!(fs::read_dir(nowhere.path()).unwrap().count(), 0);
    // As a kill leaves it, with its last import in the log only.
    let open = shelf.open().unwrap();
    open.import(&albums(0, ALBUMS + 5), ImportMode::Write).unwrap();
    let killed = Folder::new();
    for name in ["vinylvault.db", "vinylvault.db-wal"] {
        fs::copy(shelf.folder.join(name), killed.join(name)).unwrap();
    }
    let log = fs::read(killed.join("vinylvault.db-wal")).unwrap();
    assert!(!log.is_empty());
    assert_eq!(examine(&killed.join("vinylvault.db")).unwrap(), []);
    assert_eq!(fs::read(killed.join("vinylvault.db-wal")).unwrap(), log);
    assert_eq!(read_all(&Collection::open(&killed.join("vinylvault.db")).unwrap()), ALBUMS + 5);
}

#[test]
fn a_newer_collection_is_refused_and_every_byte_of_it_kept() {
    let shelf = Shelf::with_copy();
    Connection::open(shelf.path()).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let before = picture_of(shelf.folder.path());
    for error in [shelf.open().err().unwrap(), examine(&shelf.path()).unwrap_err()] {
        assert!(matches!(error, CollectionError::Newer { found: 99, .. }), "{error}");
        assert!(error.to_string().contains("newer VinylVault") && !error.to_string().contains('\n'));
    }
    assert_eq!(picture_of(shelf.folder.path()), before);
}

#[test]
fn a_lock_is_no_damage() {
    let shelf = Shelf::with_copy();
    let other = Connection::open(shelf.path()).unwrap();
    other
        .execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; UPDATE album SET rating = 5; COMMIT",
        )
        .unwrap();
    // Ten seconds later: the patience that an import of another process is given.
    let error = shelf.open().err().expect("it is locked");
    assert!(error.is_transient(), "{error}");
    assert!(shelf.aside().is_empty());
    drop(other);
    assert_eq!(read_all(&shelf.open().unwrap()), ALBUMS);
}

#[test]
fn a_link_to_a_place_that_is_not_there_is_no_damage() {
    let (shelf, stick) = (Shelf::with_copy(), Folder::new());
    fs::rename(shelf.path(), stick.join("kept elsewhere.db")).unwrap();
    link_to(&stick.join("kept elsewhere.db"))(&shelf.path());
    assert_eq!(read_all(&shelf.open().unwrap()), ALBUMS, "the owner may keep it elsewhere");
    fs::rename(stick.join("kept elsewhere.db"), stick.join("not mounted")).unwrap();
    let error = shelf.open().err().expect("it is not there");
    assert!(matches!(error, CollectionError::File { .. }), "{error}");
    assert!(fs::symlink_metadata(shelf.path()).unwrap().is_symlink() && shelf.aside().is_empty());
    assert!(!stick.join("kept elsewhere.db").exists(), "nothing is made in its place");
}

#[test]
fn a_full_disk_is_no_damage() {
    let shelf = Shelf::with_copy();
    let small = Folder::new();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=512k", "tmpfs"]).arg(small.path()).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        println!("skipped: mounting a tmpfs is not permitted here");
        return;
    }
    let unmount = Unmount(small.path().to_owned());
    fs::create_dir(small.join("copies")).unwrap();
    fs::copy(shelf.path(), small.join("vinylvault.db")).unwrap();
    let filled = File::create(small.join("stray")).unwrap();
    while std::io::Write::write(&mut &filled, &[1; 512]).is_ok_and(|written| written > 0) {}
    let path = small.join("vinylvault.db");
    let error = Collection::open_or_restore(&path, NOW).err().expect("no room for the log's index");
    assert!(!matches!(error, CollectionError::Damaged { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), fs::read(shelf.path()).unwrap());
    assert!(Copies::beside(&path).keep(NOW).is_err());
    assert_eq!(fs::read_dir(small.join("copies")).unwrap().count(), 0, "no half copy is left");
    drop(unmount);
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn damage_while_running_is_what_check_tells_until_the_next_start() {
    let shelf = Shelf::with_copy();
    let collection = shelf.open().unwrap();
    collection.check().unwrap();
    // From the third page on: the header stays, so only a page of the tables tells.
    let mut bytes = fs::read(shelf.path()).unwrap();
    bytes[4096..].fill(0x5a);
    fs::write(shelf.path(), bytes).unwrap();
    let failed = (1..20).any(|page| {
        collection.page(&Query { page, text: Some(format!("title {page}")), ..Query::default() }).is_err()
    });
    assert!(failed, "nothing was read from the file");
    let error = collection.check().unwrap_err();
    assert!(matches!(error, CollectionError::Damaged { .. }), "{error}");
    drop(collection);
    let collection = shelf.open().unwrap();
    collection.check().unwrap();
    assert_eq!(read_all(&collection), ALBUMS);
}
