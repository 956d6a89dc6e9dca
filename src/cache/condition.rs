//! Whether the cache can do its work, for `/ready` and metrics. Owns what counts as working; what to
//! say of it is `web`'s. A full cache works, and so does an empty one.

use super::index::Totals;
use super::trouble::Act;
use super::{ImageCache, Store};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// What works and what does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The index has its thread.
    pub index: bool,
    /// The card did what was last asked of it.
    pub writing: bool,
    /// The free minimum is kept, or could be by removing covers.
    pub space: bool,
    /// Nobody has asked for a stop.
    pub serving: bool,
}

impl ImageCache {
    /// Whether everything works, for `/ready`.
    pub fn condition(&self) -> Condition {
        let store = &self.store;
        let totals = store.index.totals();
        let has_trouble = |totals: &Totals| totals.last_error.is_some() || store.troubles.last().is_some();
        let writing = !totals.as_ref().is_ok_and(has_trouble);
        if !writing && store.troubles.probe_is_due(Instant::now()) {
            store.probe();
        }
        let held = totals.as_ref().map_or(0, |totals| totals.bytes);
        let free = store.disk.free_bytes();
        // At the floor the cache gives up its own, so only what others have taken counts.
        let space = free.is_ok_and(|free| free.saturating_add(held) >= store.bounds.free_bytes_min);
        let serving = !self.stopping.load(Ordering::Acquire);
        Condition { index: totals.is_ok(), writing, space, serving }
    }
}

impl Store {
    /// Writes a file that nobody needs, and has the index write too: what works again says so by itself.
    fn probe(&self) {
        // Not through the index, which would give up covers for it.
        match self.disk.write_temp(b"probe") {
            Ok(_gone_again) => {
                self.troubles.done(Act::Writing);
                self.index.probe();
            }
            Err(error) => self.troubles.refused(Act::Writing, &error),
        }
    }
}
