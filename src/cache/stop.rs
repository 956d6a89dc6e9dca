//! How the cache ends: nobody waits any more, what is under way gets a moment, the index is closed.
//! Owns the one deadline that all of it shares.

use super::ImageCache;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// From the word to stop until the index is closed: the whole program has five seconds, and the door
/// may have taken four of them for its last answers.
const STOP_MAX: Duration = Duration::from_millis(4_500);

/// Past the patience of every viewer.
const ALL_PATIENCE: Duration = Duration::from_secs(3_600);

impl ImageCache {
    /// Patience is over for everyone: who waits, for a cover or for a preload, is answered now, and
    /// nobody waits any more. The first step of a stop, so that the door has no answers to wait for.
    pub fn hang_up(&self) {
        self.hung_up_at.get_or_init(Instant::now);
        self.stopping.store(true, Ordering::Release);
        self.store.flights.expire(Instant::now() + ALL_PATIENCE);
        self.store.jobs.close();
    }

    /// Gives renders under way a moment, flushes access times and counters, closes the index.
    pub fn stop(&self) {
        self.hang_up();
        self.store.index.hurry();
        let hung_up_at = self.hung_up_at.get().copied().unwrap_or_else(Instant::now);
        self.fetcher.close(hung_up_at + STOP_MAX);
        self.store.index.stop();
    }
}
