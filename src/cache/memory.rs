//! The newest renditions and JPEG twins, up to a number of bytes (crate `lru`). Knows no files
//! and no rows; what is dropped here is still on disk.

use crate::key::{CacheKey, Rendition, Variant};
use lru::LruCache;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What an entry costs beside its picture, bytes: list node, table slot and the two allocations'
/// headers. Counted, so that 100,000 tiny pictures do not slip past the budget.
pub const ENTRY_OVERHEAD: u64 = 192;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    WebP,
    Jpeg,
}

impl Format {
    pub const ALL: [Format; 2] = [Format::WebP, Format::Jpeg];
}

/// A least-recently-used map whose bytes never exceed its budget.
pub struct Memory {
    bytes_max: u64,
    entries: Mutex<Entries>,
}

/// How often a hit on one entry is reported to the index, which itself writes an access time only
/// when the stored one is an hour old: between two reports a hit costs no message to its thread.
const TOUCH_EVERY: Duration = Duration::from_secs(3_600);

/// Whether the index should hear of a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    Due,
    Fresh,
}

struct Kept {
    rendition: Rendition,
    reported: Option<Instant>,
    /// The age in which it was last used.
    age: u64,
}

struct Entries {
    by_name: LruCache<(CacheKey, Variant, Format), Kept>,
    bytes: u64,
    /// How often [`Memory::forget_unused`] was called.
    age: u64,
}

impl Memory {
    /// `bytes_max` counts pictures and [`ENTRY_OVERHEAD`]s; with 0 nothing is kept.
    pub fn new(bytes_max: u64) -> Memory {
        let entries = Entries { by_name: LruCache::unbounded(), bytes: 0, age: 0 };
        Memory { bytes_max, entries: Mutex::new(entries) }
    }

    pub fn get(&self, key: CacheKey, variant: Variant, format: Format) -> Option<Rendition> {
        self.lock().used(&(key, variant, format)).map(|kept| kept.rendition.clone())
    }

    /// Whether it is here; no access counts.
    pub fn has(&self, key: CacheKey, variant: Variant, format: Format) -> bool {
        self.lock().by_name.contains(&(key, variant, format))
    }

    /// As [`Memory::get`], for a viewer: the access counts, and at times the index should hear of it.
    pub fn hit(
        &self,
        key: CacheKey,
        variant: Variant,
        format: Format,
        now: Instant,
    ) -> Option<(Rendition, Touch)> {
        let mut entries = self.lock();
        let kept = entries.used(&(key, variant, format))?;
        let is_fresh = kept.reported.is_some_and(|at| now.saturating_duration_since(at) < TOUCH_EVERY);
        if is_fresh {
            return Some((kept.rendition.clone(), Touch::Fresh));
        }
        kept.reported = Some(now);
        Some((kept.rendition.clone(), Touch::Due))
    }

    /// Keeps `rendition`, dropping the least recently used. One larger than the whole budget is not
    /// kept and drops nobody, but an older one of its name goes, for it is no longer true.
    pub fn put(&self, key: CacheKey, variant: Variant, format: Format, rendition: Rendition) {
        let name = (key, variant, format);
        let fits = cost(&rendition) <= self.bytes_max;
        let mut dropped = Vec::new();
        let mut entries = self.lock();
        dropped.extend(entries.take(&name));
        if fits {
            entries.bytes += cost(&rendition);
            let age = entries.age;
            entries.by_name.put(name, Kept { rendition, reported: None, age });
        }
        while entries.bytes > self.bytes_max {
            dropped.extend(entries.take_oldest());
        }
        // The lock goes first: giving pictures back to the allocator need not hold up a hit.
        drop(entries);
        drop(dropped);
    }

    /// Drops all variants and formats of a key.
    pub fn remove(&self, key: CacheKey) {
        let mut entries = self.lock();
        for variant in Variant::ALL {
            for format in Format::ALL {
                entries.take(&(key, variant, format));
            }
        }
    }

    pub fn clear(&self) {
        let mut entries = self.lock();
        entries.by_name = LruCache::unbounded();
        entries.bytes = 0;
    }

    /// Drops what nobody has used since the last call: called now and then, it gives the memory of
    /// covers that were looked at once back to the machine, which may have other uses for it.
    pub fn forget_unused(&self) {
        let mut dropped = Vec::new();
        let mut entries = self.lock();
        let age = entries.age;
        while entries.by_name.peek_lru().is_some_and(|(_, oldest)| oldest.age < age) {
            dropped.extend(entries.take_oldest());
        }
        entries.age += 1;
        if entries.by_name.is_empty() {
            // The table itself stays as large as it ever was.
            entries.by_name = LruCache::unbounded();
        }
        drop(entries);
        drop(dropped);
    }

    /// Bytes held now, overheads included; never more than [`Memory::bytes_max`].
    pub fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn used(&mut self, name: &(CacheKey, Variant, Format)) -> Option<&mut Kept> {
        let age = self.age;
        let kept = self.by_name.get_mut(name)?;
        kept.age = age;
        Some(kept)
    }

    fn take(&mut self, name: &(CacheKey, Variant, Format)) -> Option<Rendition> {
        let Kept { rendition, .. } = self.by_name.pop(name)?;
        self.bytes -= cost(&rendition);
        Some(rendition)
    }

    fn take_oldest(&mut self) -> Option<Rendition> {
        let (_, Kept { rendition, .. }) = self.by_name.pop_lru()?;
        self.bytes -= cost(&rendition);
        Some(rendition)
    }
}

fn cost(rendition: &Rendition) -> u64 {
    rendition.len() + ENTRY_OVERHEAD
}
