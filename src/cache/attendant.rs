//! The thread that looks after what only time moves on: patience that ends, jobs that were put
//! off, preloads with room for the next source, covers in memory that nobody looks at any more. Owns
//! no state; asleep while nobody needs it.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::Store;
use super::fetch::Fetcher;
use super::flight::{Landing, Passenger};
use super::jobs::{self, JobId};
use crate::heap;
use crate::key::{Timestamp, Variant};
use crate::source::Source;

/// How often patience, put-off jobs and preloads are looked after while there are any.
const ATTENDANCE: Duration = Duration::from_millis(100);

/// A cover leaves memory when nobody has asked for it in the last five to ten minutes: it is still on
/// the card, and reading it from there takes a fraction of a millisecond.
const FORGET_PAUSE: Duration = Duration::from_secs(5 * 60);

/// Looks after patience, put-off jobs and preloads; asleep while there are none.
pub(super) struct Attendant {
    pub store: Arc<Store>,
    pub fetcher: Arc<Fetcher>,
    pub stopping: Arc<AtomicBool>,
}

impl Attendant {
    pub fn attend(&self, rung: &Receiver<()>) {
        let mut forget_at = Instant::now() + FORGET_PAUSE;
        while !self.stopping.load(Ordering::Relaxed) {
            let until_forgetting = forget_at.saturating_duration_since(Instant::now());
            let pause = if self.is_needed() { ATTENDANCE.min(until_forgetting) } else { until_forgetting };
            if rung.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
            let now = Instant::now();
            if now >= forget_at {
                self.store.memory.forget_unused();
                heap::give_back();
                forget_at = now + FORGET_PAUSE;
            }
            self.store.flights.expire(now);
            self.fetcher.requeue_due(now);
            self.store.jobs.advance(now, |id, source| self.fly(id, source));
        }
    }

    fn is_needed(&self) -> bool {
        self.store.flights.count().waiting > 0 || self.fetcher.has_deferred() || self.store.jobs.has_waiting()
    }

    /// Breaks off when the queue is full.
    fn fly(&self, id: JobId, source: Source) -> ControlFlow<()> {
        let key = source.key();
        let is_here = Variant::ALL.into_iter().all(|variant| self.store.index.row(key, variant).is_some());
        let failure = || self.store.failure(&source, Timestamp::now());
        // A small cover whose larger original cannot be had is a cover all the same.
        if is_here && (!self.store.is_outdone_by(&source) || failure().is_some()) {
            self.store.jobs.was_here(id, source);
            return ControlFlow::Continue(());
        }
        if let Some(failure) = failure() {
            self.store.jobs.landed(id, source, Landing::Failed(failure));
            return ControlFlow::Continue(());
        }
        let bell: Sender<()> = self.fetcher.bell.clone();
        let errand = jobs::errand(&self.store.jobs, id, source.clone(), bell);
        match self.store.flights.board(key, Passenger::Errand(errand)) {
            Some(flight) => self.fetcher.submit(flight, source, self.store.index.expect()),
            None => ControlFlow::Continue(()),
        }
    }
}
