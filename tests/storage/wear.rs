//! What is written, and what is not: access times, counters, group commits, and a start that reads
//! only the index.

use crate::{Folder, Store, clear_of_the_hours_end, key, webp};
use rusqlite::{Connection, params};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use vinylvault::cache::index::Counter;
use vinylvault::key::Variant;

const HOUR: i64 = 3600 * 1_000_000;

#[test]
fn a_thousand_repeated_hits_write_nothing() {
    clear_of_the_hours_end();
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 10_000);
    for number in 0..20 {
        store.admit(&number.to_string(), 20);
    }
    let before = (files(&folder), store.totals().commits);
    for hit in 0..1000 {
        store.index.touch(key(&(hit % 20).to_string()), Variant::Thumbnail);
        store.index.count(Counter::DiskHits, 1);
        assert!(store.read(&(hit % 20).to_string()).is_some());
    }
    store.index.settle().unwrap();
    assert_eq!((files(&folder), store.totals().commits), before);
}

#[test]
fn the_first_hits_of_a_day_share_one_transaction() {
    clear_of_the_hours_end();
    let folder = Folder::new();
    Store::open(&folder.cache(), 1_000_000);
    let old = now() - 2 * HOUR;
    insert_rows(&folder, 900, old);
    let store = Store::open(&folder.cache(), 1_000_000);
    let before = files(&folder);
    for _ in 0..3 {
        for number in 0..900 {
            store.index.touch(key(&number.to_string()), Variant::Thumbnail);
        }
        store.index.settle().unwrap();
    }
    assert_eq!((files(&folder), store.totals().commits), (before, 0));
    store.admit("rides along", 20);
    assert_eq!(store.totals().commits, 1);
    let times = access_times(&folder);
    assert_eq!(times.len(), 901);
    assert!(times.iter().all(|at| *at > now() - HOUR), "each is stored");
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "no two are the same");
}

#[test]
fn more_due_hits_than_memory_holds_are_stored_not_lost() {
    clear_of_the_hours_end();
    let folder = Folder::new();
    Store::open(&folder.cache(), 1_000_000);
    insert_rows(&folder, 6000, now() - 2 * HOUR);
    let store = Store::open(&folder.cache(), 1_000_000);
    for number in 0..6000 {
        store.index.touch(key(&number.to_string()), Variant::Thumbnail);
        if number % 500 == 0 {
            store.index.settle().unwrap();
        }
    }
    store.index.settle().unwrap();
    assert_eq!(store.totals().commits, 1, "once, when memory was full");
    store.index.stop();
    assert!(access_times(&folder).iter().all(|at| *at > now() - HOUR));
}

#[test]
fn counters_survive_a_restart_and_cost_no_write_of_their_own() {
    clear_of_the_hours_end();
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 40);
    for (number, counter) in outside().enumerate() {
        store.index.count(counter, number as u64 + 1);
        store.index.count(counter, 100);
    }
    store.index.settle().unwrap();
    assert_eq!(store.totals().commits, 0);
    for name in ["a", "b", "c"] {
        store.admit(name, 20);
    }
    store.admit("d", 41);
    drop(store);
    for _ in 0..2 {
        let store = Store::open(&folder.cache(), 40);
        for (number, counter) in outside().enumerate() {
            assert_eq!(store.index.counted(counter), number as u64 + 101, "{counter:?}");
        }
        assert_eq!((store.totals().evictions, store.totals().refused), (1, 1));
    }
}

#[test]
fn a_start_and_a_stop_without_work_write_no_row() {
    clear_of_the_hours_end();
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 1000);
    store.admit("a", 20);
    drop(store);
    let before = files(&folder);
    drop(Store::open(&folder.cache(), 1000));
    assert_eq!(files(&folder), before);
}

#[test]
fn admissions_that_wait_together_share_a_commit() {
    const ADMISSIONS: u64 = 200;
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 1_000_000);
    let batches: Vec<_> = (0..ADMISSIONS)
        .map(|number| {
            let name = number.to_string();
            store.admission(&name, Variant::Detail, &webp(&name, 50))
        })
        .collect();
    let (landed, wait) = mpsc::channel();
    for admission in batches {
        let landed = landed.clone();
        store.index.admit(vec![admission], Box::new(move |_| landed.send(()).unwrap()));
    }
    for _ in 0..ADMISSIONS {
        wait.recv().unwrap();
    }
    let commits = store.totals().commits;
    println!("{ADMISSIONS} admissions: {commits} commits");
    assert_eq!(store.totals().details, ADMISSIONS);
    assert!(commits <= ADMISSIONS / 4, "{commits} commits");
}

/// Admits a cover of its own; what comes back is told when it has landed.
fn admit_one(store: &Store, name: &str) -> mpsc::Receiver<()> {
    let (landed, wait) = mpsc::channel();
    let admission = store.admission(name, Variant::Detail, &webp(name, 50));
    store.index.admit(vec![admission], Box::new(move |_| landed.send(()).unwrap()));
    wait
}

#[test]
fn covers_wait_for_those_that_are_on_their_way_and_share_a_commit() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 1_000_000);
    let on_its_way = store.index.expect();
    let landings: Vec<_> = (0..20).map(|number| admit_one(&store, &number.to_string())).collect();
    drop(on_its_way);
    landings.iter().for_each(|landed| landed.recv().unwrap());
    assert_eq!((store.totals().details, store.totals().commits), (20, 1));
}

#[test]
fn a_cover_that_stays_away_holds_the_others_up_for_a_moment_and_a_stop_for_none() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 1_000_000);
    let _stays_away = store.index.expect();
    admit_one(&store, "a").recv_timeout(Duration::from_secs(20)).unwrap();
    let waits = admit_one(&store, "b");
    let begun = Instant::now();
    store.index.hurry();
    waits.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(4), "not the five seconds of patience");
}

#[test]
fn who_asks_does_not_wait_for_covers_on_their_way() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 1_000_000);
    let _on_its_way = store.index.expect();
    let landed = admit_one(&store, "a");
    store.index.settle().unwrap();
    landed.try_recv().unwrap();
}

#[test]
fn a_start_with_100_000_rows_does_not_walk() {
    let folder = Folder::new();
    Store::open(&folder.cache(), u64::MAX);
    insert_rows(&folder, 100_000, now());
    let started = Instant::now();
    let store = Store::open(&folder.cache(), u64::MAX);
    println!("start with 100,000 rows: {:?}", started.elapsed());
    // Their files are not there, which a walk would have found.
    assert_eq!((store.totals().thumbnails, store.totals().bytes), (100_000, 2_000_000));
}

/// What the index does not count itself.
fn outside() -> impl Iterator<Item = Counter> {
    Counter::all()
        .filter(|counter| !matches!(counter, Counter::Removed(_) | Counter::EvictedBytes | Counter::TooLarge))
}

/// Sizes and times of change of the database and its log.
fn files(folder: &Folder) -> Vec<(u64, i64, i64)> {
    ["index.db", "index.db-wal"]
        .iter()
        .filter_map(|name| fs::metadata(folder.path(name)).ok())
        .map(|facts| (facts.len(), facts.mtime(), facts.mtime_nsec()))
        .collect()
}

/// Rows of 20-byte thumbnails named by number; their files are missing, which a start must not notice.
fn insert_rows(folder: &Folder, count: i64, accessed_at: i64) {
    let mut db = Connection::open(folder.path("index.db")).unwrap();
    let transaction = db.transaction().unwrap();
    let mut insert = transaction.prepare("INSERT INTO rendition VALUES (?1, 0, 20, ?2, ?3, NULL)").unwrap();
    for number in 0..count {
        let name = key(&number.to_string());
        insert.execute(params![name.as_bytes(), [7u8; 20], accessed_at + number]).unwrap();
    }
    drop(insert);
    transaction.commit().unwrap();
}

fn access_times(folder: &Folder) -> Vec<i64> {
    let db = Connection::open(folder.path("index.db")).unwrap();
    let mut query = db.prepare("SELECT accessed_at FROM rendition ORDER BY accessed_at").unwrap();
    query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_micros()).unwrap()
}
