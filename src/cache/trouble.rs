//! What the card refused last, until it does the same thing again. Owns when that is worth a line in
//! the log; what is done about it is decided where it happens.

use super::disk::DiskError;
use log::{info, warn};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a card that refused to be written is tried again for `/ready` alone.
const PROBE_EVERY: Duration = Duration::from_secs(60);

/// What is done with a card. A card that went read-only is still read, so one says nothing of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Reading,
    Writing,
}

#[derive(Default)]
pub struct Troubles {
    /// Whether there are any: what works is not asked to take a lock for saying so.
    any: AtomicBool,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    refused: [Option<String>; 2],
    probed_at: Option<Instant>,
}

impl Troubles {
    /// Logged when it changes, not when it repeats: a read-only card would fill the journal.
    pub fn refused(&self, act: Act, error: &DiskError) {
        let text = error.to_string();
        let mut last = self.lock();
        let is_news = last.refused[act as usize].as_ref() != Some(&text);
        last.refused[act as usize] = Some(text);
        self.any.store(true, Ordering::Release);
        drop(last);
        if is_news {
            warn!("the cache goes on without the disk cause={error}");
        }
    }

    pub fn done(&self, act: Act) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let mut last = self.lock();
        let was_refused = last.refused[act as usize].take().is_some();
        self.any.store(last.refused.iter().any(Option::is_some), Ordering::Release);
        drop(last);
        if was_refused {
            info!("the disk works again act={act:?}");
        }
    }

    /// Writing first: a cover that is not kept is downloaded again.
    pub fn last(&self) -> Option<String> {
        let last = self.lock();
        last.refused[Act::Writing as usize].clone().or_else(|| last.refused[Act::Reading as usize].clone())
    }

    /// Whether it is time to try again, which counts as having tried.
    pub fn probe_is_due(&self, now: Instant) -> bool {
        let mut last = self.lock();
        let is_due = last.probed_at.is_none_or(|at| now.saturating_duration_since(at) >= PROBE_EVERY);
        if is_due {
            last.probed_at = Some(now);
        }
        is_due
    }

    fn lock(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
