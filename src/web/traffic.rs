//! How requests were answered since the start, by route and status. Owns these counts and nothing else.
//!
//! A cover from memory is one atomic addition, which the cache has made already when it says that it has
//! it (`Counter::MemoryHits`); so here such an answer is not counted again but reckoned from there.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The name of a route, for what is one and what is none: a fixed set.
pub type RouteName = &'static str;

#[derive(Default)]
pub struct Traffic {
    /// Bounded: names of routes times the statuses that we give.
    answers: Mutex<BTreeMap<(RouteName, u16), u64>>,
    /// Covers from memory that the client had already (304).
    known: AtomicU64,
}

impl Traffic {
    pub fn answered(&self, route: RouteName, status: u16) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry((route, status)).or_default() += 1;
    }

    /// An answer from memory. One with a body, the most frequent of all, costs nothing here.
    pub fn answered_from_memory(&self, status: u16) {
        if status != 200 {
            self.known.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All answers; `from_memory` of them were covers from memory, answered under the name `cover`.
    pub fn answers(&self, cover: RouteName, from_memory: u64) -> BTreeMap<(RouteName, u16), u64> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = self.known.load(Ordering::Relaxed).min(from_memory);
        for (status, count) in [(200, from_memory - known), (304, known)] {
            if count > 0 {
                *answers.entry((cover, status)).or_default() += count;
            }
        }
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_from_memory_are_reckoned_and_all_others_counted() {
        let traffic = Traffic::default();
        for (route, status) in [("grid", 200), ("cover", 200), ("cover", 200), ("cover", 404)] {
            traffic.answered(route, status);
        }
        for status in [200, 304, 200, 304, 200] {
            traffic.answered_from_memory(status);
        }
        let expected = [(("cover", 200), 5), (("cover", 304), 2), (("cover", 404), 1), (("grid", 200), 1)];
        assert_eq!(traffic.answers("cover", 5), BTreeMap::from(expected));
    }
}
