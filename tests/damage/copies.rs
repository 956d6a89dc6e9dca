//! The automatic copies: one a day, none while nothing changes, seven kept, and no clock that makes a good
//! one go or the wrong one newest.

use crate::collection::{ALBUMS, Shelf, albums, read_all};
use crate::store::picture_of;
use rustix::fs::{CWD, Timespec, Timestamps};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use vinylvault::collection::{Collection, Copies, ImportMode, KEPT, Kept};
use vinylvault::key::Timestamp;

/// 2026-09-21T14:13:20Z.
const NOW: i64 = 1_790_000_000;
const DAY: i64 = 86_400;

fn keep(shelf: &Shelf, now: i64) -> Kept {
    let kept = shelf.copies().keep(Timestamp(now)).unwrap();
    if let Kept::Made(path) = &kept {
        // As the file system would have it, with the same clock.
        set_time(path, now);
    }
    kept
}

fn set_time(path: &Path, seconds: i64) {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, rustix::fs::AtFlags::empty()).unwrap();
}

fn made(shelf: &Shelf, now: i64) -> String {
    match keep(shelf, now) {
        Kept::Made(path) => path.file_name().unwrap().to_str().unwrap().to_owned(),
        kept => panic!("{kept:?}"),
    }
}

/// One album more than before.
fn change(shelf: &Shelf) {
    let collection = shelf.open().unwrap();
    let count = usize::try_from(collection.count().unwrap()).unwrap();
    collection.import(&albums(count, count + 1), ImportMode::Write).unwrap();
}

fn names(shelf: &Shelf) -> Vec<String> {
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    shelf.copies().list().iter().map(|copy| name(&copy.path)[11..21].to_owned()).collect()
}

#[test]
fn a_day_has_one_copy_and_a_day_without_a_change_none() {
    let shelf = Shelf::with_copy();
    assert_eq!(names(&shelf), ["2026-09-21"]);
    set_time(&shelf.copies().list()[0].path, NOW);
    change(&shelf);
    assert_eq!(keep(&shelf, NOW + 3600), Kept::Today);
    assert_eq!(made(&shelf, NOW + DAY), "vinylvault-2026-09-22.db");
    let before = picture_of(shelf.folder.path());
    for hour in 0..100 {
        let kept = keep(&shelf, NOW + DAY + hour * 3600);
        assert!(matches!(kept, Kept::Unchanged | Kept::Today), "hour {hour}: {kept:?}");
    }
    assert_eq!(picture_of(shelf.folder.path()), before, "nothing is written while nothing changes");
    change(&shelf);
    assert_eq!(made(&shelf, NOW + 9 * DAY), "vinylvault-2026-09-30.db");
}

#[test]
fn a_copy_is_for_the_owner_alone_and_a_collection_by_itself() {
    let shelf = Shelf::with_copy();
    let copy = shelf.copies().list().remove(0);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&copy.path), mode(copy.path.parent().unwrap())), (0o600, 0o700));
    assert_eq!(fs::read_dir(copy.path.parent().unwrap()).unwrap().count(), 1, "no log and no part beside it");
    let elsewhere = shelf.folder.join("elsewhere.db");
    fs::copy(&copy.path, &elsewhere).unwrap();
    assert_eq!(read_all(&Collection::open(&elsewhere).unwrap()), ALBUMS);
}

#[test]
fn an_empty_collection_is_not_copied() {
    let shelf = Shelf { folder: crate::support::folder::Folder::new() };
    shelf.open().unwrap();
    assert_eq!(shelf.copies().keep(Timestamp(NOW)).unwrap(), Kept::Empty);
    assert!(!shelf.folder.join("copies").exists());
}

#[test]
fn the_newest_seven_are_kept_and_files_of_others_are_not_touched() {
    let shelf = Shelf::with_copy();
    let strange = ["vinylvault-2026-02-30.db", "vinylvault-2020-01-01.db.bak", "my copy.db"];
    for name in strange {
        fs::write(shelf.folder.join("copies").join(name), b"mine").unwrap();
    }
    for day in 1..=9 {
        change(&shelf);
        made(&shelf, NOW + day * DAY);
    }
    assert_eq!(names(&shelf).len(), KEPT);
    assert_eq!(names(&shelf)[0], "2026-09-30");
    assert_eq!(names(&shelf)[KEPT - 1], "2026-09-24");
    for name in strange {
        assert!(shelf.folder.join("copies").join(name).exists(), "{name}");
    }
}

#[test]
fn a_clock_that_starts_in_1970_costs_no_good_copy() {
    let shelf = Shelf::with_copy();
    for day in 1..=6 {
        change(&shelf);
        made(&shelf, NOW + day * DAY);
    }
    let good = names(&shelf);
    // No change: whatever the clock says, there is nothing to copy.
    assert_eq!(keep(&shelf, 60), Kept::Unchanged);
    assert_eq!(keep(&shelf, i64::MIN), Kept::Unchanged);
    change(&shelf);
    assert_eq!(made(&shelf, 60), "vinylvault-2026-09-28.db", "newer than the newest, as it is");
    assert_eq!(names(&shelf)[1..], good[..KEPT - 1]);
    change(&shelf);
    assert_eq!(keep(&shelf, 3660), Kept::Today, "one a day by that clock too");
    // The clock is right again.
    assert_eq!(made(&shelf, NOW + 8 * DAY), "vinylvault-2026-09-29.db");
}

#[test]
fn a_copy_of_the_future_does_not_end_the_copying_and_is_not_the_newest_for_ever() {
    let shelf = Shelf::with_copy();
    change(&shelf);
    assert_eq!(made(&shelf, 2_147_483_647), "vinylvault-2038-01-19.db");
    // Back in the present: the last copy is years ahead.
    for (day, name) in [(1, "2038-01-20"), (2, "2038-01-21"), (3, "2038-01-22")] {
        change(&shelf);
        assert_eq!(made(&shelf, NOW + day * DAY), format!("vinylvault-{name}.db"));
        change(&shelf);
        assert_eq!(keep(&shelf, NOW + day * DAY + 7200), Kept::Today);
    }
    let count = shelf.open().unwrap().count().unwrap();
    fs::write(shelf.path(), b"damaged").unwrap();
    assert_eq!(shelf.open().unwrap().count().unwrap(), count - 1, "the last copy, not the one of 2038-01-19");
    // As far as four digits go.
    change(&shelf);
    made(&shelf, i64::MAX);
    change(&shelf);
    assert!(shelf.copies().keep(Timestamp(NOW + 9 * DAY)).is_ok());
}

#[test]
fn programs_that_ask_at_once_make_one_copy() {
    let shelf = Shelf::with_copy();
    change(&shelf);
    let path = Arc::new(shelf.path());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let path = Arc::clone(&path);
            std::thread::spawn(move || Copies::beside(&path).keep(Timestamp(NOW + DAY)).unwrap())
        })
        .collect();
    let kept: Vec<Kept> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(kept.iter().filter(|kept| matches!(kept, Kept::Made(_))).count(), 1, "{kept:?}");
    assert_eq!(names(&shelf), ["2026-09-22", "2026-09-21"]);
}

#[test]
fn what_a_killed_copy_left_is_removed_by_the_next() {
    let shelf = Shelf::with_copy();
    fs::write(shelf.folder.join("copies/copy.part"), b"half").unwrap();
    change(&shelf);
    made(&shelf, NOW + DAY);
    assert!(!shelf.folder.join("copies/copy.part").exists());
}

#[test]
fn a_damaged_collection_is_never_copied() {
    let shelf = Shelf::with_copy();
    change(&shelf);
    let mut bytes = fs::read(shelf.path()).unwrap();
    let page = bytes.len() - 3 * 4096;
    bytes[page..page + 4096].fill(0x33);
    fs::write(shelf.path(), bytes).unwrap();
    let kept = shelf.copies().keep(Timestamp(NOW + DAY));
    // The damaged page may be of an index, which a copy does not take along.
    if let Ok(Kept::Made(path)) = kept {
        assert_eq!(read_all(&Collection::open(&path).unwrap()), ALBUMS + 1);
    }
}
