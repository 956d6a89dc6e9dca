//! What an import promises to the shelf: the same file twice changes nothing, copies are told
//! apart, and what is known is never erased. The collection is a real file.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use vinylvault::collection::import::{Reading, read_bytes};
use vinylvault::collection::{Album, Collection, CollectionError, ImportMode, ImportReport, Query, Record};

const DISCOGS: &str = "Catalog#,Artist,Title,Label,Format,Rating,Released,release_id,CollectionFolder,Date Added,\
                       Collection Media Condition,Collection Sleeve Condition,Collection Notes\r\n";

/// A folder of its own that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("vinylvault-import-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("vinylvault.db")
    }

    fn open(&self) -> Collection {
        Collection::open(&self.file()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn reading(text: &str) -> Reading {
    read_bytes(text.as_bytes(), "albums").unwrap()
}

fn import(collection: &Collection, text: &str) -> ImportReport {
    let reading = reading(text);
    assert_eq!(reading.skipped, [], "nothing of this file is bad");
    collection.import(&reading.albums, ImportMode::Write).unwrap()
}

fn counts(report: &ImportReport) -> (u64, u64, u64) {
    (report.added, report.updated, report.unchanged)
}

fn shelf(collection: &Collection) -> Vec<Album> {
    collection.page(&Query::default()).unwrap().albums
}

fn one(text: &str) -> Record {
    let mut reading = reading(text);
    assert_eq!((reading.albums.len(), reading.skipped.len()), (1, 0), "{reading:?}");
    reading.albums.remove(0)
}

#[test]
fn the_same_file_twice_changes_nothing_and_identical_lines_are_copies() {
    let folder = Folder::new();
    let collection = folder.open();
    let line = "X 1,A,B,L,LP,4,1970,5,F,2020-01-01 10:00:00,,,\n";
    let text = format!("{DISCOGS}{line}{line}X 2,C,D,L,LP,,1971,6,F,,,,\n");
    assert_eq!(counts(&import(&collection, &text)), (3, 0, 0));
    let before = shelf(&collection);
    assert_eq!(counts(&import(&collection, &text)), (0, 0, 3));
    assert_eq!(shelf(&collection), before);
    assert_eq!(counts(&import(&collection, &format!("{DISCOGS}{line}{line}{line}"))), (1, 0, 2));
    assert_eq!(collection.count().unwrap(), 4);
}

#[test]
fn a_dry_run_tells_the_same_and_writes_nothing() {
    let folder = Folder::new();
    let collection = folder.open();
    let reading = reading("artist,title\nA,B\nA,B\nC,\n");
    let dry = collection.import(&reading.albums, ImportMode::DryRun).unwrap();
    assert_eq!((dry.added, collection.count().unwrap()), (2, 0));
    let report = dry.with_lines_of(reading.clone());
    assert_eq!(
        report.to_string(),
        "Nothing was written. 2 records: 2 added, 0 updated, 0 unchanged\n1 skipped:\n  line 4: no title by `C`"
    );
    assert_eq!(report.to_json()["skipped"][0]["line"], 4);
    assert_eq!(collection.import(&reading.albums, ImportMode::Write).unwrap().added, 2);
}

#[test]
fn an_import_never_erases_what_is_known() {
    let folder = Folder::new();
    let collection = folder.open();
    import(&collection, "artist,title,catno,year,rating,notes,genre\nA,B,X 1,1970,5,dear,Jazz\n");
    let report = import(&collection, "artist,title,catno,year,label\na,b,X 1,1971,L\n");
    assert_eq!(counts(&report), (0, 1, 0));
    let album = shelf(&collection).remove(0);
    assert_eq!(
        (album.record.year, album.record.rating, album.record.notes.as_deref()),
        (Some(1971), Some(5), Some("dear"))
    );
    assert_eq!((album.record.labels, album.record.genres), (vec!["L".to_owned()], vec!["Jazz".to_owned()]));
}

#[test]
fn another_pressing_does_not_overwrite_this_one() {
    let folder = Folder::new();
    let collection = folder.open();
    import(&collection, "artist,title,catno\nThe Beatles,Abbey Road,PCS 7088\n");
    let report = import(
        &collection,
        "artist,title,catno\nThe Beatles,Abbey Road,SO-383\nThe Beatles,Abbey Road,PCS 7088\n",
    );
    assert_eq!(counts(&report), (1, 0, 1));
}

#[test]
fn copies_that_came_as_csv_are_recognised_when_they_come_from_the_api() {
    let folder = Folder::new();
    let collection = folder.open();
    let csv = format!(
        "{DISCOGS}X,A,B,L,LP,,1970,5,F,2020-01-01 10:00:00,,,first\nX,A,B,L,LP,,1970,5,F,2021-01-01 10:00:00,,,second\n"
    );
    import(&collection, &csv);
    let ids: Vec<i64> = shelf(&collection).iter().map(|album| album.id).collect();
    // The API lists the later one first; its date tells which is which.
    let item = |instance: u32, date: &str| {
        format!(
            r#"{{"id": 5, "instance_id": {instance}, "date_added": "{date}", "basic_information":
             {{"title": "B", "artists": [{{"name": "A"}}], "labels": [{{"name": "L", "catno": "X"}}]}}}}"#
        )
    };
    let late = item(9, "2021-01-01T10:00:00-08:00");
    let early = item(8, "2020-01-01T10:00:00-08:00");
    let json = format!("[{late}, {early}, {late}]");
    let report = import(&collection, &json);
    assert_eq!((counts(&report), report.repeated), ((0, 2, 0), 1));
    let again = import(&collection, &json);
    assert_eq!((counts(&again), again.repeated), ((0, 0, 2), 1));
    let after = shelf(&collection);
    assert_eq!(after.iter().map(|album| album.id).collect::<Vec<_>>(), ids);
    assert_eq!(after[0].record.notes.as_deref(), Some("first"));
    assert_eq!(import(&collection, &csv).unchanged, 2);
}

#[test]
fn one_record_has_a_thousand_copies_at_most() {
    let folder = Folder::new();
    let collection = folder.open();
    let text = "artist,title\n".to_owned() + &"A,B\n".repeat(1_001);
    let report = import(&collection, &text);
    assert_eq!((report.added, report.too_many_copies), (1_000, 1));
    assert_eq!(import(&collection, &text).unchanged, 1_000);
}

#[test]
fn covers_are_known_by_their_keys_and_survive_an_import_without_them() {
    let folder = Folder::new();
    let collection = folder.open();
    let url = "https://img.example/covers/1.jpg";
    let with = |cover: &str| {
        format!(
            r#"[{{"artist": "A", "title": "B", "cover": "{cover}", "thumb": "https://img.example/t.jpg"}}]"#
        )
    };
    import(&collection, &with(url));
    import(&collection, r#"[{"artist": "A", "title": "B"}]"#);
    let album = shelf(&collection).remove(0);
    assert_eq!(album.record.cover_url.as_deref(), Some(url));
    assert_eq!(collection.cover_url(album.key.unwrap()).unwrap().as_deref(), Some(url));
    assert_eq!(collection.covers_before(i64::MAX, 9).unwrap(), [(album.id, url.to_owned())]);

    let archived = one("artist,title,mbid\nA,B,4E6D9FCE-1b1a-4a5c-b8f5-5a0a1e2f3c4d\n").cover_url.unwrap();
    assert_eq!(
        archived,
        "https://coverartarchive.org/release/4e6d9fce-1b1a-4a5c-b8f5-5a0a1e2f3c4d/front-500"
    );
    let none = one(r#"[{"artist": "A", "title": "B", "cover": "https://s.discogs.com/images/spacer.gif"}]"#);
    assert_eq!(none.cover_url, None);
    let bad = reading(r#"[{"artist": "A", "title": "B", "cover": "file:///etc/passwd"}]"#);
    assert_eq!((bad.albums[0].cover_url.as_deref(), bad.warnings.len()), (None, 1));
}

#[test]
fn the_file_is_the_owners_alone_and_a_newer_or_foreign_one_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    drop(folder.open());
    let mode = std::fs::metadata(folder.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let raw = |sql: &str, path: &Path| rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
    raw("PRAGMA user_version = 99", &folder.file());
    let error = Collection::open(&folder.file()).err().unwrap();
    assert!(matches!(error, CollectionError::Newer { found: 99, known: 1, .. }), "{error}");
    assert_eq!(error.to_string().lines().count(), 1);

    let foreign = folder.0.join("other.db");
    raw("CREATE TABLE notes (text)", &foreign);
    assert!(matches!(Collection::open(&foreign), Err(CollectionError::Foreign { .. })));
    let junk = folder.0.join("junk.db");
    std::fs::write(&junk, "no database at all, but long enough to be asked".repeat(40)).unwrap();
    let error = Collection::open(&junk).err().unwrap();
    assert!(!error.is_transient());
    assert!(error.to_string().contains("junk.db"), "{error}");
}
