//! Reading a store without owning it: beside a running server, after it ended, after a kill, in a folder
//! that cannot be written, from version 1 and from a copy. The folder stays as it was, to the byte.

use crate::{Folder, Store, key, webp};
use rusqlite::Connection;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use vinylvault::cache::failure::{Class, Failure};
use vinylvault::cache::index::{Admission, AtRest, Counter, Index, IndexError};
use vinylvault::cache::stats::Bounds;
use vinylvault::key::{Digest, Timestamp, Variant};
use vinylvault::source::Source;

/// Names the folder for a copy of this test program that is to read it.
const CHILD_ROOT: &str = "VINYLVAULT_TEST_CHILD_ROOT";
/// Nobody in particular; root may write where nobody may.
const STRANGER: u32 = 65_534;
const BOUNDS: Bounds = Bounds { disk_bytes_max: 1_000, free_bytes_min: 7, memory_bytes_max: 9 };
const URL: &str = "https://example.org/a.jpg";

/// Two thumbnails, a detail, a source, a failure and some counts.
fn fill(store: &Store) {
    store.admit("a", 20);
    store.admit("b", 30);
    store.admit_all(vec![store.admission("a", Variant::Detail, &webp("a", 50))]);
    store.index.register(vec![Source::parse(URL).unwrap()]).unwrap();
    store.index.count(Counter::Misses, 3);
    store.index.count(Counter::Failed(Class::Absent), 1);
    let failure = Failure::after(None, Class::Absent, true, "gone".into(), None, Timestamp::now());
    store.index.note_failure(key("lost"), failure);
    store.index.settle().unwrap();
}

/// Reads in a process of its own, as a command does, and sees that the folder stays as it was.
#[track_caller]
fn assert_read(root: &Path, what: &str) {
    assert_read_by(&mut reader(root), root, what);
}

#[track_caller]
fn assert_read_by(reader: &mut Command, root: &Path, what: &str) {
    let before = listing(root);
    let output = reader.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{what}: {said}");
    assert_eq!(listing(root), before, "{what}: something was written");
}

fn reader(root: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "at_rest::the_child_reads", "--nocapture"]).env(CHILD_ROOT, root);
    command
}

/// Does nothing in an ordinary run; in the child it reads what [`fill`] has put there.
#[test]
fn the_child_reads() {
    let Some(root) = std::env::var_os(CHILD_ROOT).map(PathBuf::from) else { return };
    let store = AtRest::open(&root).unwrap().expect("there is an index");
    let stats = store.stats(BOUNDS).unwrap().to_json();
    for (name, expected) in [
        ("thumbnail_count", 2),
        ("detail_count", 1),
        ("thumbnail_bytes", 50),
        ("detail_bytes", 50),
        ("total_size_bytes", 100),
        ("misses", 3),
        ("failures", 1),
        ("negative_entries", 1),
        ("cache_limit_bytes", 1_000),
    ] {
        assert_eq!(stats[name], expected, "{name} in {stats}");
    }
    for name in ["uptime_seconds", "started_at", "rss_bytes"] {
        assert!(stats[name].is_null(), "{name}");
    }
    assert!(stats["free_bytes"].as_u64().unwrap() > 0);
    let row = store.row(key("b"), Variant::Thumbnail).unwrap().unwrap();
    assert_eq!((row.bytes, row.digest), (30, Digest::of(&webp("b", 30))));
    assert!(store.row(key("b"), Variant::Detail).unwrap().is_none());
    assert_eq!(store.registered(Source::parse(URL).unwrap().key()).unwrap().as_deref(), Some(URL));
    assert_eq!(store.failure(key("lost")).unwrap().unwrap().reason, "gone");
    let age = Timestamp::now().0 - store.accessed_at(key("b"), Variant::Thumbnail).unwrap().unwrap().0;
    assert!((0..600).contains(&age), "{age}");
}

/// Name, length, time of change and content of everything in the folder.
fn listing(root: &Path) -> Vec<(String, u64, i64, i64, Digest)> {
    let mut files: Vec<_> = fs::read_dir(root)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let facts = entry.metadata().unwrap();
            let content = if facts.is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() };
            let content = Digest::of(&content);
            let name = entry.file_name().into_string().unwrap();
            (name, facts.len(), facts.mtime(), facts.mtime_nsec(), content)
        })
        .collect();
    files.sort_by(|one, other| one.0.cmp(&other.0));
    files
}

/// The folder as a kill would leave it: a copy of all files while the server runs.
fn killed(folder: &Folder) -> Folder {
    let left = Folder::new();
    fs::create_dir(left.cache()).unwrap();
    for entry in fs::read_dir(folder.cache()).unwrap().flatten() {
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), left.path(entry.file_name().to_str().unwrap())).unwrap();
        }
    }
    left
}

fn may_write(folder: &Folder, mode: u32) {
    for entry in fs::read_dir(folder.cache()).unwrap().flatten() {
        if entry.file_type().unwrap().is_file() {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode & 0o666)).unwrap();
        }
    }
    fs::set_permissions(folder.cache(), fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_store_is_read_beside_its_server_and_after_every_kind_of_end() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 1_000);
    fill(&store);
    assert_read(&folder.cache(), "running");
    let left = killed(&folder);
    assert!(fs::metadata(left.path("index.db-wal")).unwrap().len() > 0, "else this tests nothing");
    assert_read(&left.cache(), "killed");
    fs::remove_file(left.path("index.db-shm")).unwrap();
    assert_read(&left.cache(), "killed and copied without its shared memory");
    drop(store);
    assert!(!folder.path("index.db-wal").exists(), "else this tests nothing");
    assert_read(&folder.cache(), "closed");
}

#[test]
fn a_folder_that_cannot_be_written_is_read_all_the_same() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 1_000);
    fill(&store);
    let left = killed(&folder);
    let bare = killed(&folder);
    fs::remove_file(bare.path("index.db-shm")).unwrap();
    for (what, folder) in [("running", &folder), ("killed", &left), ("without shared memory", &bare)] {
        assert_read_by_a_stranger(folder, what);
    }
    drop(store);
    assert_read_by_a_stranger(&folder, "closed");
}

#[track_caller]
fn assert_read_by_a_stranger(folder: &Folder, what: &str) {
    may_write(folder, 0o555);
    let mut reader = reader(&folder.cache());
    if rustix::process::geteuid().is_root() {
        reader.uid(STRANGER);
    }
    if reader.output().is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
        println!("skipped: a stranger may not run this test program where it lies");
    } else {
        assert_read_by(&mut reader, &folder.cache(), what);
    }
    may_write(folder, 0o755);
}

#[test]
fn a_name_with_every_sign_that_an_address_knows_is_a_name() {
    let folder = Folder::new();
    let root = folder.cache().join("a b?mode=memory#c%41&d=1");
    let store = Store::open(&root, 1_000);
    fill(&store);
    assert_read(&root, "running");
    drop(store);
    assert_read(&root, "closed");
}

#[test]
fn what_was_never_built_is_nothing_and_what_is_newer_says_so() {
    let folder = Folder::new();
    assert!(AtRest::open(&folder.cache()).unwrap().is_none());
    fs::create_dir(folder.cache()).unwrap();
    assert!(AtRest::open(&folder.cache()).unwrap().is_none());
    fs::write(folder.path("index.db"), b"").unwrap();
    assert!(AtRest::open(&folder.cache()).unwrap().is_none());
    assert_eq!(fs::read_dir(folder.cache()).unwrap().count(), 1, "nothing was made");
    fs::write(folder.path("index.db"), b"no database at all, but long enough to be one".repeat(50)).unwrap();
    assert!(matches!(AtRest::open(&folder.cache()), Err(IndexError::Open { .. })));
    fs::remove_file(folder.path("index.db")).unwrap();
    drop(Store::open(&folder.cache(), 1_000));
    Connection::open(folder.path("index.db")).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    assert!(matches!(AtRest::open(&folder.cache()), Err(IndexError::Newer { version: 99, .. })));
}

/// A filled index that statements made that of an older program; it is read as it is.
#[track_caller]
fn left_by(program: &str, statements: &str) -> Folder {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 1_000);
    fill(&store);
    drop(store);
    Connection::open(folder.path("index.db")).unwrap().execute_batch(statements).unwrap();
    assert_read(&folder.cache(), program);
    folder
}

#[test]
fn version_1_is_read_as_it_is_and_keeps_its_covers_and_counts_when_a_server_takes_it_over() {
    // As the program of version 1 left it: no hours, one count of failures and one of evictions.
    let folder = left_by(
        "version 1",
        "ALTER TABLE failure DROP COLUMN url; ALTER TABLE rendition DROP COLUMN asked;
         DROP TABLE hour; DELETE FROM counter; PRAGMA user_version = 1;
         INSERT INTO counter VALUES ('misses', 3), ('failures', 1), ('evictions', 5);",
    );
    assert_eq!(AtRest::open(&folder.cache()).unwrap().unwrap().history(Timestamp::now()).unwrap(), []);
    let store = Store::open(&folder.cache(), 1_000);
    assert_eq!((store.totals().thumbnails, store.totals().details, store.totals().evictions), (2, 1, 5));
    assert_eq!(store.index.counts().failures(), 1);
    let is_whole = |index: &Index| index.registered(Source::parse(URL).unwrap().key()).is_some();
    assert!(is_whole(&store.index) && store.read("a").is_some());
    store.index.count(Counter::DiskHits, 2);
    drop(store);
    let store = AtRest::open(&folder.cache()).unwrap().unwrap();
    assert_eq!(store.history(Timestamp::now()).unwrap()[0].counts.get(Counter::DiskHits), 2);
}

#[test]
fn version_2_keeps_its_failures_and_covers_and_from_then_on_the_side_that_was_asked_for() {
    let folder = left_by(
        "version 2",
        "ALTER TABLE failure DROP COLUMN url; ALTER TABLE rendition DROP COLUMN asked; PRAGMA user_version = 2;",
    );
    let store = Store::open(&folder.cache(), 1_000);
    let failure = store.index.failure(key("lost")).unwrap();
    let source = Source::parse(URL).unwrap();
    assert!(failure.url.is_none() && failure.concerns(&source), "of whichever URL it was");
    assert_eq!((store.read("a").is_some(), store.index.asked(key("a"))), (true, None));
    let small = Admission { asked: Some(150), ..store.admission("a", Variant::Detail, &webp("a", 60)) };
    store.admit_all(vec![small]);
    store.index.note_failure(key("lost"), failure.of(&source));
    store.index.settle().unwrap();
    drop(store);
    let store = Store::open(&folder.cache(), 1_000);
    assert_eq!((store.index.asked(key("a")), store.index.asked(key("b"))), (Some(150), None));
    let failure = store.index.failure(key("lost")).unwrap();
    assert!(failure.concerns(&source) && !failure.concerns(&Source::parse("https://example.org/b").unwrap()));
    let generation = store.totals().generation;
    store.admit_all(vec![store.admission("a", Variant::Detail, &webp("a", 70))]);
    assert_eq!((store.index.asked(key("a")), store.totals().generation), (None, generation + 1));
}
