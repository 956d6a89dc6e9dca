//! A kill at any moment and a full disk: what is whole is served, the rest is forgotten.

use crate::{Folder, Store, covers, key, webp};
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use vinylvault::cache::failure::{Class, Failure};
use vinylvault::key::{Digest, Timestamp, Variant};

/// Names the folder for a copy of this test program that is to be killed.
const CHILD_FOLDER: &str = "VINYLVAULT_TEST_CHILD_FOLDER";
const CHILD_BUDGET: u64 = 20_000;

#[test]
fn thirty_kills_leave_no_file_without_a_row_and_no_wrong_byte() {
    let folder = Folder::new();
    let (mut ghosts, mut whole) = (0, 0);
    for round in 0..30 {
        let mut child = spawn_child(&folder.cache());
        let deadline = Instant::now() + Duration::from_secs(30);
        let progress = folder.path("progress");
        while !progress.exists() {
            assert!(Instant::now() < deadline, "the child did not begin");
            std::thread::sleep(Duration::from_millis(1));
        }
        // Another moment each time; nothing is waited for, the moment is the point.
        std::thread::sleep(Duration::from_micros(1700 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        fs::remove_file(&progress).unwrap();
        let found = inspect(&folder);
        ghosts += found.ghosts;
        whole += found.whole;
    }
    println!("30 kills: {whole} whole renditions seen, {ghosts} rows without a file");
    assert!(whole > 30);
    let store = Store::open(&folder.cache(), CHILD_BUDGET);
    store.admit("after", 500);
    assert!(store.read("after").is_some());
}

struct Inspection {
    whole: u32,
    ghosts: u32,
}

/// Looks at what a kill left, before and after the next start.
fn inspect(folder: &Folder) -> Inspection {
    let files = covers(&folder.cache());
    let db = Connection::open(folder.path("index.db")).unwrap();
    let check: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let sum: i64 =
        db.query_row("SELECT coalesce(sum(bytes), 0) FROM rendition", [], |row| row.get(0)).unwrap();
    let rows: i64 = db.query_row("SELECT count(*) FROM rendition", [], |row| row.get(0)).unwrap();
    for file in &files {
        let row: (i64, Vec<u8>) = db
            .query_row(
                "SELECT bytes, digest FROM rendition WHERE key = ?1 AND variant = ?2",
                (file.key.as_bytes(), file.variant.number()),
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap_or_else(|error| panic!("{} has no row: {error}", file.path.display()));
        let content = fs::read(&file.path).unwrap();
        assert_eq!((row.0, row.1.as_slice()), (content.len() as i64, &Digest::of(&content).as_bytes()[..]));
    }
    assert!(files.iter().map(|file| file.bytes).sum::<u64>() as i64 <= sum && sum as u64 <= CHILD_BUDGET);
    drop(db);
    let store = Store::open(&folder.cache(), CHILD_BUDGET);
    assert_eq!(store.totals().bytes, sum as u64);
    for file in &files {
        let row = store.index.row(file.key, file.variant).unwrap();
        assert!(store.disk.read(file.key, file.variant, row.bytes, row.digest).unwrap().is_some());
    }
    assert_eq!(fs::read_dir(folder.path("tmp")).unwrap().count(), 0);
    let whole = u32::try_from(files.len()).unwrap();
    Inspection { whole, ghosts: u32::try_from(rows).unwrap() - whole }
}

fn spawn_child(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::the_child_works_until_it_is_killed", "--nocapture"])
        .env(CHILD_FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Does nothing in an ordinary run; in the child it admits, evicts, forgets and purges for ever.
#[test]
fn the_child_works_until_it_is_killed() {
    let Ok(folder) = std::env::var(CHILD_FOLDER) else { return };
    let store = Store::open(&PathBuf::from(&folder), CHILD_BUDGET);
    store.admit("first", 300);
    fs::write(PathBuf::from(&folder).join("progress"), b"").unwrap();
    std::thread::scope(|scope| {
        for writer in 0..3_u64 {
            let store = &store;
            scope.spawn(move || {
                for number in 0.. {
                    let name = format!("{writer}/{}", number % 60);
                    store.admit(&name, 100 + usize::try_from(number * 37 % 1900).unwrap());
                    store.index.touch(key(&name), Variant::Thumbnail);
                    if number % 10 == writer {
                        let _ = fs::remove_file(store.file(&name));
                        store.index.forget(key(&name), Variant::Thumbnail);
                    }
                    if number % 97 == 96 {
                        store.index.purge(vinylvault::cache::index::Scope::All).unwrap();
                    }
                }
            });
        }
    });
}

#[test]
fn a_full_disk_costs_the_oldest_and_no_more() {
    let folder = Folder::new();
    let Some(disk) = SmallDisk::mount(&folder.cache(), "1m") else { return };
    let store = Store::open(&folder.cache(), u64::MAX);
    // Far more than the disk holds; the budget would allow it all.
    for number in 0..300 {
        store.admit(&format!("cover {number}"), 9000);
    }
    let totals = store.totals();
    assert!(totals.evictions > 100 && totals.thumbnails > 20, "{totals:?}");
    assert!(store.read("cover 299").is_some() && store.read("cover 0").is_none());
    assert_rows_match_files(&folder, &store);

    // Somebody else fills what is left.
    let stray = disk.fill();
    let batch: Vec<_> = (0..5).map(|number| format!("late {number}")).collect();
    for name in &batch {
        if let Ok(temp) = store.index.write_temp(&webp(name, 9000)) {
            drop(temp);
        }
    }
    assert_rows_match_files(&folder, &store);
    fs::remove_file(stray).unwrap();
    for name in &batch {
        store.admit(name, 9000);
        assert!(store.read(name).is_some());
    }
    assert_eq!(store.totals().last_error, None);
    assert_rows_match_files(&folder, &store);
}

#[test]
fn a_disk_without_room_for_the_index_refuses_cleanly_and_heals() {
    let folder = Folder::new();
    let Some(disk) = SmallDisk::mount(&folder.cache(), "512k") else { return };
    let store = Store::open(&folder.cache(), u64::MAX);
    store.admit("a", 3000);
    let waiting = store.admission("b", Variant::Thumbnail, &webp("b", 3000));
    let stray = disk.fill();
    // Eviction gives back what "a" held, and no more is to be had.
    store.admit_all(vec![waiting]);
    let failure = Failure::after(None, Class::Failed, false, "x".repeat(300), None, Timestamp::now());
    for number in 0..300 {
        store.index.note_failure(key(&number.to_string()), failure.clone());
    }
    store.index.settle().unwrap();
    assert!(store.totals().last_error.is_some(), "health can say so");
    assert_eq!(store.index.failure(key("299")), Some(failure), "remembered all the same");
    // A file goes before its row, and the row of "a" may have found no room to go: it may count
    // what is no longer there, never less than what is.
    assert_every_file_is_counted(&folder, &store);
    fs::remove_file(stray).unwrap();
    store.admit("c", 3000);
    assert!(store.read("c").is_some());
    assert_eq!(store.totals().last_error, None);
    // What a viewer of "a" would set off: the index looks for itself and drops a row without a file.
    store.index.forget(key("a"), Variant::Thumbnail);
    assert_rows_match_files(&folder, &store);
}

fn assert_every_file_is_counted(folder: &Folder, store: &Store) {
    let files = covers(&folder.cache());
    for file in &files {
        assert_eq!(store.index.row(file.key, file.variant).unwrap().bytes, file.bytes);
    }
    assert!(store.totals().bytes >= files.iter().map(|file| file.bytes).sum::<u64>());
}

fn assert_rows_match_files(folder: &Folder, store: &Store) {
    store.index.settle().unwrap();
    assert_every_file_is_counted(folder, store);
    let files = covers(&folder.cache());
    let totals = store.totals();
    assert_eq!(totals.thumbnails + totals.details, files.len() as u64, "no ghosts: {totals:?}");
    assert_eq!(totals.bytes, files.iter().map(|file| file.bytes).sum::<u64>());
    assert_eq!(fs::read_dir(folder.path("tmp")).unwrap().count(), 0);
}

/// A tmpfs, unmounted at the end. Needs root; says so where it is missing.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, size: &str) -> Option<SmallDisk> {
        fs::create_dir_all(at).unwrap();
        let options = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            println!("skipped: mounting a tmpfs is not permitted here");
            return None;
        }
        Some(SmallDisk(at.to_owned()))
    }

    /// Fills it to the last byte with a stray file, whose path is returned.
    fn fill(&self) -> PathBuf {
        let stray = self.0.join("stray");
        let mut file = fs::File::create(&stray).unwrap();
        while std::io::Write::write(&mut file, &[1; 512]).is_ok_and(|written| written > 0) {}
        stray
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the store over it may be dropped later.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
