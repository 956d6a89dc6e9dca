//! Covers that are here from a smaller original than the origin has: Discogs gives the same picture by
//! a small and a large address, and whichever came first made the renditions. Owns when a cover is
//! fetched anew for that; what is here stays until the larger one has come.

use super::flight::{Errand, Passenger};
use super::{ImageCache, Store};
use crate::key::{CacheKey, Timestamp, Variant};
use crate::source::Source;
use std::sync::atomic::Ordering;

impl ImageCache {
    /// Whether a larger original of a cover that is here would be welcome.
    pub fn is_small(&self, key: CacheKey) -> bool {
        self.store.index.asked(key).is_some()
    }

    /// Fetches a cover anew that is here from a smaller original than `source` asks for; nobody waits.
    pub fn improve(&self, source: Source) {
        let is_of_use = !self.stopping.load(Ordering::Acquire) && self.store.is_outdone_by(&source);
        if !is_of_use || self.store.failure(&source, Timestamp::now()).is_some() {
            return;
        }
        let errand = Errand { delivered: Box::new(|| ()), landed: Box::new(|_| ()) };
        if let Some(flight) = self.store.flights.board(source.key(), Passenger::Errand(errand)) {
            // With a full queue the next look at the cover asks again.
            let _ = self.fetcher.submit(flight, source, self.store.index.expect());
        }
    }
}

impl Store {
    /// Whether `source` asks for a larger original than the one that its renditions were made of. An
    /// address only signed anew asks for the same, and what failed to come larger is not asked for again.
    pub(super) fn is_outdone_by(&self, source: &Source) -> bool {
        let asked = self.index.asked(source.key());
        asked.is_some_and(|asked| source.asked_side().is_none_or(|side| side > asked))
    }

    /// What is noted beside a rendition: the side that was asked for, where that is less than it could show.
    pub(super) fn short_of(&self, variant: Variant, source: &Source) -> Option<u32> {
        let side = self.renderer.recipe().side(variant);
        source.asked_side().filter(|asked| variant == Variant::Detail && *asked < side)
    }
}
