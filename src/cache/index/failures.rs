//! Failures that the table does not have yet, so that a failure counts from the moment it is noted.
//! Also all that remembers them while the card cannot be written.

use crate::cache::failure::Failure;
use crate::key::CacheKey;
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Far more than the channel holds notes, so nothing waiting to be committed is dropped; under 1 MB.
const PENDING_MAX: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// Which of several notes about one key; later ones are larger.
pub(super) type Number = u64;

pub(super) struct Failures {
    pending: Mutex<Pending>,
}

struct Pending {
    newest: Number,
    by_key: LruCache<CacheKey, (Number, Option<Failure>)>,
}

impl Failures {
    pub fn new() -> Failures {
        Failures { pending: Mutex::new(Pending { newest: 0, by_key: LruCache::new(PENDING_MAX) }) }
    }

    /// `None` for a failure notes that it is over.
    pub fn put(&self, key: CacheKey, failure: Option<Failure>) -> Number {
        let mut pending = self.lock();
        pending.newest += 1;
        let number = pending.newest;
        pending.by_key.put(key, (number, failure));
        number
    }

    /// What is pending for a key: `Some(None)` says that it has no failure whatever the table says.
    pub fn get(&self, key: CacheKey) -> Option<Option<Failure>> {
        self.lock().by_key.peek(&key).map(|(_, failure)| failure.clone())
    }

    pub fn newest(&self) -> Number {
        self.lock().newest
    }

    /// The table has it now, unless something newer was noted meanwhile.
    pub fn committed(&self, key: CacheKey, number: Number) {
        let mut pending = self.lock();
        if pending.by_key.peek(&key).is_some_and(|(newest, _)| *newest == number) {
            pending.by_key.pop(&key);
        }
    }

    /// Drops what was noted up to `number`.
    pub fn clear_until(&self, number: Number) {
        self.lock().by_key.retain(|_, (noted, _)| *noted > number);
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
