//! What an attack does to everybody else: honest clients who go on meanwhile, the server's memory, and how
//! long it takes to come to rest. Owns the measuring and the figures that all attacks are held to.

use crate::client::{SOON, Server, until};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Honest clients, each of whom asks anew on a connection of its own after this pause.
const CLIENTS: usize = 4;
const PAUSE: Duration = Duration::from_millis(50);
/// Requests in all at the least, however short the attack.
const ASKED_MIN: usize = 40;
/// Good requests go on, or are back within this: a second by the table that is printed, and as long as two
/// SYNs that were held back on a machine that has other work.
pub const BACK_WITHIN: Duration = Duration::from_secs(5);
/// What an attack may cost in memory at any moment, kB.
pub const GROWN_KB_MAX: u64 = 20_000;
/// Until threads and descriptors are back.
const REST_WITHIN: Duration = Duration::from_secs(20);
/// Of a server that nobody is connected to.
const THREADS_AT_REST: usize = 16;
const DESCRIPTORS_AT_REST: usize = 16;

/// Also when the attack panics, or the honest would go on for ever.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the honest clients saw.
#[derive(Debug, Default)]
pub struct Account {
    asked: usize,
    served: usize,
    slowest: Duration,
    failing_since: Option<Instant>,
    /// From the beginning of a request that failed to the next answer to anybody.
    outage: Duration,
    /// Resident memory at its highest, over what it was before.
    grown_kb: u64,
}

impl Account {
    fn note(&mut self, started: Instant, served: bool, grown_kb: u64) {
        self.asked += 1;
        self.grown_kb = self.grown_kb.max(grown_kb);
        if !served {
            self.failing_since.get_or_insert(started);
            return;
        }
        self.served += 1;
        self.slowest = self.slowest.max(started.elapsed());
        if let Some(since) = self.failing_since.take() {
            self.outage = self.outage.max(since.elapsed());
        }
    }

    /// So many of a hundred honest requests were answered.
    #[track_caller]
    pub fn served_percent(&self, least: usize) {
        assert!(self.served * 100 >= self.asked * least, "{self:?}");
    }

    #[track_caller]
    pub fn grown_at_most(&self, kb: u64) {
        assert!(self.grown_kb <= kb, "{self:?}");
    }

    /// Whatever failed, somebody was answered so soon after.
    #[track_caller]
    pub fn back_within(&self, most: Duration) {
        assert!(self.failing_since.is_none() && self.outage <= most, "{self:?}");
    }
}

/// Counts honest requests during `attack`, which ends with every socket of its own closed; prints a row
/// of the table of attacks. That threads and descriptors come back is judged here, being the same for all.
#[track_caller]
pub fn during(server: &Server, name: &str, attack: impl FnOnce()) -> Account {
    during_from("127.0.0.1", server, name, attack)
}

/// [`during`], with honest clients at an address of their own: attacks come from 127.0.0.1.
#[track_caller]
pub fn during_from(address: &str, server: &Server, name: &str, attack: impl FnOnce()) -> Account {
    let before = server.resident_kb();
    let account = Mutex::new(Account::default());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let goes_on = || {
                    let account = account.lock().unwrap();
                    account.asked < ASKED_MIN || account.failing_since.is_some_and(|at| at.elapsed() < SOON)
                };
                while !over.load(Ordering::Relaxed) || goes_on() {
                    let started = Instant::now();
                    let served = server.serves_from(address);
                    let grown_kb = server.resident_kb().saturating_sub(before);
                    account.lock().unwrap().note(started, served, grown_kb);
                    std::thread::sleep(PAUSE);
                }
            });
        }
        let end = End(&over);
        attack();
        drop(end);
    });
    let account = account.into_inner().unwrap();
    let rested = comes_to_rest(server);
    let Account { asked, served, slowest, outage, grown_kb, .. } = &account;
    println!(
        "| {name} | {served} of {asked} | {} ms | {} ms | {:.1} MB | {:.1} s |",
        slowest.as_millis(),
        outage.as_millis(),
        *grown_kb as f64 / 1000.0,
        rested.as_secs_f64()
    );
    account
}

#[track_caller]
fn comes_to_rest(server: &Server) -> Duration {
    let started = Instant::now();
    until("threads and descriptors are back", REST_WITHIN, || {
        server.threads() <= THREADS_AT_REST && server.descriptors() <= DESCRIPTORS_AT_REST
    });
    started.elapsed()
}
