//! The budget: exact at the edge, oldest first, also over a restart and under watch.

use crate::{Folder, Store, covers, key, webp};
use rusqlite::{Connection, OpenFlags};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use vinylvault::cache::index::Limits;
use vinylvault::key::{CacheKey, Variant};

#[test]
fn renditions_that_exactly_fill_the_cache_stay() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 60);
    for name in ["a", "b", "c"] {
        store.admit(name, 20);
    }
    assert_eq!(store.present("abc"), "abc");
    assert_eq!((store.totals().bytes, store.totals().evictions), (60, 0));
}

#[test]
fn one_byte_more_than_the_cache_holds_costs_the_oldest() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 60);
    for name in ["a", "b"] {
        store.admit(name, 20);
    }
    store.admit("c", 21);
    assert_eq!(store.present("abc"), "bc");
    assert_eq!((store.totals().bytes, store.totals().evictions), (41, 1));
    assert!(!store.file("a").exists());
}

#[test]
fn the_oldest_goes_first_also_after_a_restart() {
    let folder = Folder::new();
    let names = ["a", "b", "c", "d"];
    for name in names {
        // All within one second, and each in a run of its own.
        Store::open(&folder.cache(), 80).admit(name, 20);
    }
    for (count, name) in ["e", "f", "g"].iter().enumerate() {
        let store = Store::open(&folder.cache(), 80);
        store.admit(name, 20);
        assert_eq!(store.present("abcdefg"), "abcdefg"[count + 1..count + 5]);
    }
}

#[test]
fn a_touched_rendition_outlives_older_accesses() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 60);
    for name in ["a", "b", "c"] {
        store.admit(name, 20);
    }
    store.index.touch(key("a"), Variant::Thumbnail);
    store.admit("d", 20);
    assert_eq!(store.present("abcd"), "acd");
    store.index.touch(key("c"), Variant::Thumbnail);
    store.index.stop();
    drop(store);
    let store = Store::open(&folder.cache(), 60);
    store.admit("e", 40);
    assert_eq!(store.present("acde"), "ce", "order at stop holds after a restart");
}

#[test]
fn a_rendition_larger_than_the_whole_budget_is_refused_and_counted() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 60);
    store.admit("a", 60);
    store.admit("b", 61);
    assert_eq!(store.present("ab"), "a");
    assert_eq!((store.totals().refused, store.totals().evictions), (1, 0));
    assert_eq!(fs::read_dir(folder.path("tmp")).unwrap().count(), 0, "its temporary file is gone");
}

#[test]
fn a_batch_larger_than_the_budget_leaves_its_newest() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 60);
    let batch = "abcdefg".chars().map(|name| {
        let name = name.to_string();
        store.admission(&name, Variant::Thumbnail, &webp(&name, 20))
    });
    store.admit_all(batch.collect());
    let present = store.present("abcdefg");
    assert!(present.ends_with('g') && "abcdefg".ends_with(&present), "{present}");
    assert_eq!(store.totals().bytes, 20 * present.len() as u64);
}

#[test]
fn a_large_cache_is_evicted_down_to_95_percent_once() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 100 * 1000);
    for number in 0..101 {
        store.admit(&format!("cover {number}"), 1000);
    }
    // 101 kB would be one too many; 95 kB is the low water mark.
    assert_eq!((store.totals().bytes, store.totals().evictions), (95_000, 6));
    assert!(store.read("cover 5").is_none() && store.read("cover 6").is_some());
}

#[test]
fn another_content_of_the_same_rendition_counts_once() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 100);
    store.admit("a", 60);
    store.admit("a", 90);
    assert_eq!((store.totals().thumbnails, store.totals().bytes, store.totals().evictions), (1, 90, 0));
    store.admit("a", 90);
    assert_eq!(store.read("a").unwrap().bytes(), webp("a", 90));
    let twice = [80, 70].map(|bytes| store.admission("a", Variant::Thumbnail, &webp("a", bytes)));
    store.admit_all(twice.into());
    assert_eq!(store.totals().bytes, 70, "of one batch the last counts");
    assert_eq!(covers(&folder.cache()).len(), 1);
}

#[test]
fn a_lowered_budget_holds_from_the_start() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 1000);
    for number in 0..10 {
        store.admit(&number.to_string(), 100);
    }
    drop(store);
    let store = Store::open(&folder.cache(), 250);
    store.index.settle().unwrap();
    assert_eq!(store.present("0123456789"), "89");
    assert_eq!(covers(&folder.cache()).len(), 2);
}

#[test]
fn a_free_minimum_that_cannot_be_kept_stops_admissions_only() {
    let folder = Folder::new();
    Store::open(&folder.cache(), 1000).admit("a", 20);
    let limits =
        Limits { bytes_max: 1000, free_bytes_min: u64::MAX / 4, fingerprint: "v1".into(), originals: None };
    let store = Store::with(&folder.cache(), limits);
    store.admit("b", 20);
    assert_eq!(store.present("ab"), "", "what there was made room, and it was not enough");
    assert!(store.totals().last_error.unwrap().contains("less than the minimum"));
    assert_eq!(store.totals().bytes, 0);
    drop(store);
    let store = Store::open(&folder.cache(), 1000);
    store.admit("b", 20);
    assert_eq!((store.present("ab").as_str(), store.totals().last_error), ("b", None));
}

/// Three writers over a budget of a few kB; a fourth thread looks all the time.
#[test]
fn whoever_looks_sees_no_file_without_a_row_and_never_more_than_the_budget() {
    const BUDGET: u64 = 6_000;
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), BUDGET);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let db = Connection::open_with_flags(folder.path("index.db"), flags).unwrap();
            let mut looks = 0;
            while !done.load(Ordering::Relaxed) {
                look(&folder, &db, BUDGET);
                looks += 1;
            }
            looks
        });
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let store = &store;
                scope.spawn(move || {
                    for number in 0..150 {
                        store.admit(&format!("{writer}/{}", number % 40), 100 + number * 7 % 900);
                    }
                })
            })
            .collect();
        let ended = writers.into_iter().map(|writer| writer.join()).collect::<Vec<_>>();
        done.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok));
        let looks: u32 = watcher.join().unwrap();
        assert!(looks > 20, "only {looks} looks");
    });
    assert!(store.totals().evictions > 100);
}

/// A listing is not of one moment, so what looks wrong counts only for files that were there, the
/// very same ones, before and after.
fn look(folder: &Folder, db: &Connection, budget: u64) {
    let before = covers(&folder.cache());
    let mut statement =
        db.prepare_cached("SELECT bytes FROM rendition WHERE key = ?1 AND variant = ?2").unwrap();
    let mut row = |key: CacheKey, variant: Variant| {
        statement.query_row((key.as_bytes(), variant.number()), |row| row.get::<_, i64>(0)).ok()
    };
    let rows: Vec<_> = before.iter().map(|cover| row(cover.key, cover.variant)).collect();
    let after = covers(&folder.cache());
    let mut bytes = 0;
    for (cover, row) in before.iter().zip(rows).filter(|(cover, _)| after.contains(cover)) {
        assert_eq!(row, Some(cover.bytes as i64), "{} and its row", cover.path.display());
        bytes += cover.bytes;
    }
    assert!(bytes <= budget, "{bytes} bytes on disk");
}
