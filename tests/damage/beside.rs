//! An audit beside a server at work: what is half-way is no finding, and what is wrong still is.

use crate::store::{Store, webp};
use crate::support::until_within;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use vinylvault::cache::disk::Disk;
use vinylvault::cache::index::{Admission, Index, Limits, Scope};
use vinylvault::cache::verify::{Class, Finding, Outcome, repair};
use vinylvault::key::{CacheKey, Digest, Variant};

/// A server's disk and index at work: covers come, go and are replaced as fast as they can.
struct Work {
    done: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Work {
    fn start(disk: Arc<Disk>, index: Arc<Index>) -> Work {
        let (done, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (is_over, count) = (Arc::clone(&done), Arc::clone(&rounds));
        let work = move || {
            while !is_over.load(Ordering::Relaxed) {
                let round = count.fetch_add(1, Ordering::Relaxed);
                let names = (0..8).map(|number| (round % 7 * 8 + number).to_string());
                let batch = names.map(|name| admission(&disk, &name, round)).collect();
                let (landed, wait) = mpsc::channel();
                index.admit(batch, Box::new(move |_| landed.send(()).unwrap()));
                wait.recv().unwrap();
                if round % 10 == 9 {
                    index.purge(Scope::All).unwrap();
                }
            }
        };
        Work { done, rounds, thread: std::thread::spawn(work) }
    }

    /// Batches begun.
    fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }

    fn stop(self) {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

fn admission(disk: &Disk, name: &str, round: u64) -> Admission {
    let content = webp(&format!("{name} of {round}"), 400);
    Admission {
        key: CacheKey::of(&format!("work {name}")),
        variant: Variant::Detail,
        bytes: 400,
        digest: Digest::of(&content),
        asked: None,
        temp: disk.write_temp(&content).unwrap(),
    }
}

#[test]
fn admissions_evictions_and_clears_under_way_are_no_findings() {
    let store = Store::with(10);
    let disk = Arc::new(Disk::open(&store.root()).unwrap());
    // Room for a third of what comes.
    let limits = Limits { bytes_max: 15_000, free_bytes_min: 0, fingerprint: "v1".into(), originals: None };
    let index = Arc::new(Index::open(Arc::clone(&disk), limits).unwrap());
    let work = Work::start(disk, Arc::clone(&index));
    let mut audits = 0;
    until_within(Duration::from_secs(60), "thirty batches and ten audits", || {
        audits += 1;
        assert_eq!(store.audit().0, [], "audit {audits}");
        audits >= 10 && work.rounds() >= 30
    });
    work.stop();
    index.stop();
}

#[test]
fn what_is_wrong_is_told_beside_a_server_too_and_not_repaired() {
    let store = Store::with(10);
    let victims: Vec<_> = store.covers.keys().copied().take(3).collect();
    let open = store.open();
    fs::remove_file(store.path(victims[0])).unwrap();
    fs::write(store.path(victims[1]), b"").unwrap();
    fs::write(store.path(victims[2]).with_extension("txt"), b"stray").unwrap();
    let (findings, _) = store.audit();
    let mut classes: Vec<Class> = findings.iter().map(|finding: &Finding| finding.class).collect();
    classes.sort();
    assert_eq!(classes, [Class::Missing, Class::Empty, Class::Stray]);
    assert!(findings.iter().all(|finding| finding.outcome == Outcome::Found));
    let error = repair(&store.root(), &mut |_| panic!("nothing may happen")).unwrap_err();
    assert!(error.to_string().contains("another vinylvault is using it"), "{error}");
    drop(open);
    assert_eq!(store.repair().len(), 3);
}
