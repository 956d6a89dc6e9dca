//! Failures, sources, purges and the thread's end.

use crate::{Folder, Store, covers, key, webp};
use rusqlite::Connection;
use std::fs;
use std::sync::mpsc;
use vinylvault::cache::failure::{Class, Failure};
use vinylvault::cache::index::{IndexError, Limits, Purged, Scope};
use vinylvault::key::{Timestamp, Variant};
use vinylvault::source::Source;

const NOW: Timestamp = Timestamp(1_790_000_000);

fn failed(reason: &str) -> Failure {
    Failure::after(None, Class::Failed, false, reason.into(), None, NOW)
}

#[test]
fn a_failure_counts_at_once_and_survives_a_restart() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 1000);
    let first = failed("the origin answered 500");
    store.index.note_failure(key("a"), first.clone());
    assert_eq!(store.index.failure(key("a")), Some(first.clone()));
    let second = Failure::after(Some(&first), Class::Absent, true, "gone".into(), None, NOW);
    store.index.note_failure(key("a"), second.clone());
    store.index.note_failure(key("b"), first);
    store.index.clear_failure(key("b"));
    assert_eq!((store.index.failure(key("a")), store.index.failure(key("b"))), (Some(second.clone()), None));
    drop(store);
    let store = Store::open(&folder.cache(), 1000);
    assert_eq!((store.index.failure(key("a")), store.index.failure(key("b"))), (Some(second), None));
    store.index.clear_failure(key("b"));
    store.index.settle().unwrap();
    assert_eq!(store.totals().commits, 0, "clearing what is not there costs nothing");
    store.index.clear_failure(key("a"));
    assert_eq!(store.index.failure(key("a")), None);
}

#[test]
fn known_sources_cost_no_write_and_a_new_url_replaces_the_old() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 1000);
    let source = |url: &str| Source::parse(url).unwrap();
    let (a, b) = (source("https://example.com/a.jpg"), source("https://example.com/b.jpg"));
    store.index.register(vec![a.clone(), b.clone(), a.clone()]).unwrap();
    assert_eq!(store.index.registered(a.key()).as_deref(), Some("https://example.com/a.jpg"));
    let commits = store.totals().commits;
    store.index.register(vec![b.clone(), a.clone()]).unwrap();
    store.index.register(vec![]).unwrap();
    assert_eq!(store.totals().commits, commits);
    // The same picture under the same canonical string, spelled differently.
    let respelled = source("HTTPS://example.com:443/a.jpg");
    assert_eq!(respelled.key(), a.key());
    store.index.register(vec![respelled.clone()]).unwrap();
    assert_eq!(store.index.registered(a.key()).as_deref(), Some(respelled.url()));
    drop(store);
    let store = Store::open(&folder.cache(), 1000);
    assert_eq!(store.index.registered(b.key()).as_deref(), Some(b.url()));
    assert_eq!(store.index.registered(key("nobody")), None);
}

#[test]
fn a_purge_takes_what_was_queued_before_it_and_nothing_after() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 1000);
    store.admit("a", 20);
    store.index.note_failure(key("f"), failed("before"));
    let generation = store.totals().generation;
    let [b, c] = ["b", "c"].map(|name| store.admission(name, Variant::Thumbnail, &webp(name, 30)));
    let (landed, wait) = mpsc::channel();
    let land = || {
        let landed = landed.clone();
        Box::new(move |_| landed.send(()).unwrap())
    };
    store.index.admit(vec![b], land());
    let purged = store.index.purge(Scope::All).unwrap();
    assert_eq!(purged, Purged { renditions: 2, bytes: 50 });
    store.index.admit(vec![c], land());
    wait.recv().unwrap();
    wait.recv().unwrap();
    assert_eq!(store.present("abc"), "c");
    assert_eq!(store.index.failure(key("f")), None);
    assert_eq!(store.totals().generation, generation + 1);
    assert!(store.totals().last_cleanup.is_some());
    assert_eq!(covers(&folder.cache()).len(), 1);
    drop(store);
    let store = Store::open(&folder.cache(), 1000);
    assert_eq!((store.present("abc").as_str(), store.index.failure(key("f"))), ("c", None));
    assert_eq!(store.totals().generation, generation + 1);
    assert!(store.totals().last_cleanup.is_some());
}

#[test]
fn a_purge_by_age_spares_what_was_touched_or_admitted_since() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 1000);
    for name in ["a", "b", "c"] {
        store.admit(name, 20);
    }
    drop(store);
    let db = Connection::open(folder.path("index.db")).unwrap();
    db.execute("UPDATE rendition SET accessed_at = accessed_at - 40 * 86400 * 1000000", []).unwrap();
    drop(db);
    let store = Store::open(&folder.cache(), 1000);
    store.index.touch(key("b"), Variant::Thumbnail);
    store.admit("d", 20);
    let month_ago = Timestamp(Timestamp::now().0 - 30 * 86_400);
    let purged = store.index.purge(Scope::NotAccessedSince(month_ago)).unwrap();
    assert_eq!(purged, Purged { renditions: 2, bytes: 40 });
    assert_eq!(store.present("abcd"), "bd");
    assert_eq!(store.index.purge(Scope::NotAccessedSince(month_ago)).unwrap(), Purged::default());
}

#[test]
fn a_large_purge_lets_others_through_and_keeps_what_they_bring() {
    const ROWS: u64 = 20_000;
    let folder = Folder::new();
    Store::open(&folder.cache(), u64::MAX);
    let db = Connection::open(folder.path("index.db")).unwrap();
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
                INSERT INTO rendition SELECT randomblob(20), i % 2, 10, zeroblob(20), i, NULL FROM n";
    db.execute(rows, [ROWS as i64]).unwrap();
    drop(db);
    let store = Store::open(&folder.cache(), u64::MAX);
    // Half of the old rows are details, and none of the new ones: so many are left when each new one lands.
    let mut left_at: Vec<u64> = Vec::new();
    let purged = std::thread::scope(|scope| {
        let purge = scope.spawn(|| store.index.purge(Scope::All).unwrap());
        let (landed, wait) = mpsc::channel();
        let mut held = None;
        while left_at.last() != Some(&0) {
            let admission =
                store.admission(&format!("new {}", left_at.len()), Variant::Thumbnail, &webp("new", 20));
            // The thread stands still in the callback of one until the next is queued: however slow this
            // machine is, something waits for its turn all the time.
            let (go_on, going_on) = mpsc::channel::<()>();
            let landed = landed.clone();
            let callback = move |_| {
                landed.send(()).unwrap();
                let _ = going_on.recv();
            };
            store.index.admit(vec![admission], Box::new(callback));
            drop(held.replace(go_on));
            wait.recv().unwrap();
            // Hits of what is being purged must not save it.
            store.index.touch(key("new 0"), Variant::Thumbnail);
            left_at.push(store.totals().details);
        }
        drop(held);
        purge.join().unwrap()
    });
    let new = left_at.len() as u64;
    // Those that landed before the purge began go with the old ones, and no later one does.
    let before = left_at.iter().filter(|left| **left == ROWS / 2).count() as u64;
    assert!((ROWS..=ROWS + before).contains(&purged.renditions), "{purged:?}, {before} landed before");
    left_at.dedup();
    assert!(left_at.len() > 10, "admissions got through at {left_at:?} only");
    assert_eq!(store.totals().thumbnails, ROWS + new - purged.renditions);
    assert!(store.read(&format!("new {}", new - 1)).is_some());
}

#[test]
fn renditions_of_another_recipe_are_gone_after_the_start() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 1000);
    store.admit("a", 20);
    let generation = store.totals().generation;
    drop(store);
    let limits = Limits { bytes_max: 1000, free_bytes_min: 0, fingerprint: "v2".into(), originals: None };
    let store = Store::with(&folder.cache(), limits.clone());
    assert!(store.read("a").is_none() && covers(&folder.cache()).is_empty());
    assert!(store.totals().generation > generation);
    store.admit("a", 30);
    drop(store);
    assert_eq!(Store::with(&folder.cache(), limits).read("a").unwrap().len(), 30);
}

#[test]
fn a_stopped_index_says_so_and_still_keeps_its_duties() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 1000);
    store.admit("a", 20);
    let late = store.admission("b", Variant::Thumbnail, &webp("b", 20));
    store.index.stop();
    store.index.stop();
    let (landed, wait) = mpsc::channel();
    store.index.admit(vec![late], Box::new(move |_| landed.send(()).unwrap()));
    wait.recv().unwrap();
    assert_eq!(fs::read_dir(folder.path("tmp")).unwrap().count(), 0);
    assert_eq!(store.index.purge(Scope::All), Err(IndexError::Stopped));
    assert!(matches!(store.index.totals(), Err(IndexError::Stopped)));
    assert_eq!(store.index.settle(), Err(IndexError::Stopped));
    store.index.touch(key("a"), Variant::Thumbnail);
    store.index.forget(key("a"), Variant::Thumbnail);
    store.index.note_failure(key("a"), failed("late"));
    assert!(!folder.path("index.db-wal").exists(), "the log is folded into the database");
}

#[test]
fn a_callback_that_panics_ends_nobody_else() {
    let folder = Folder::new();
    let store = Store::open(&folder.cache(), 1000);
    let admission = store.admission("a", Variant::Thumbnail, &webp("a", 20));
    store.index.admit(vec![admission], Box::new(|_| panic!("a test's panic, to be survived")));
    store.admit("b", 20);
    assert_eq!(store.present("ab"), "ab");
}

#[test]
fn sources_and_failures_have_a_limit_and_the_oldest_idle_ones_go() {
    let folder = Folder::new();
    Store::open(&folder.cache(), 1000).admit("kept", 20);
    let db = Connection::open(folder.path("index.db")).unwrap();
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)";
    let sources = format!("{numbers} INSERT INTO source SELECT randomblob(20), 'https://x/' || i, i FROM n");
    db.execute(&sources, [199_999]).unwrap();
    db.execute("INSERT INTO source VALUES (?1, 'https://kept', 0)", [key("kept").as_bytes()]).unwrap();
    let failures =
        format!("{numbers} INSERT INTO failure SELECT randomblob(20), 0, 'old', 1, i, i, NULL FROM n");
    db.execute(&failures, [50_000]).unwrap();
    drop(db);
    let store = Store::open(&folder.cache(), 1000);
    let new = Source::parse("https://example.com/new.jpg").unwrap();
    store.index.register(vec![new.clone()]).unwrap();
    store.index.note_failure(key("new"), failed("new"));
    store.index.settle().unwrap();
    assert!(store.index.registered(new.key()).is_some() && store.index.failure(key("new")).is_some());
    assert!(store.index.registered(key("kept")).is_some(), "it has a rendition");
    drop(store);
    let db = Connection::open(folder.path("index.db")).unwrap();
    let fact = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(fact("SELECT count(*) FROM source"), 198_000);
    assert_eq!(fact("SELECT min(added_at) FROM source WHERE added_at > 0"), 2002);
    assert_eq!(fact("SELECT count(*) FROM failure"), 49_500);
    assert_eq!(fact("SELECT min(failed_at) FROM failure"), 502);
}
