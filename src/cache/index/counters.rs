//! Counts of events that survive a restart. Held in memory; the thread stores them with other
//! commits, so counting costs no write.

use super::rows;
use crate::cache::failure::Class;
use crate::key::Variant;
use rusqlite::Connection;
use std::sync::atomic::{AtomicU64, Ordering};

/// Events counted by callers and by the index itself. Added to the stored counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counter {
    MemoryHits,
    DiskHits,
    /// Requests for covers that were not here, the next two kinds included.
    Misses,
    /// Misses answered with a placeholder at once: the origin was not to be asked.
    Placeholders,
    /// Misses that joined a download under way.
    Coalesced,
    Downloads,
    DownloadedBytes,
    /// Milliseconds that the downloads took, added up.
    DownloadMs,
    /// Covers given up, by why.
    Failed(Class),
    /// Renditions removed, by why.
    Removed(Removal),
    /// Bytes of the renditions that were evicted: of [`Removal::EVICTIONS`].
    EvictedBytes,
    /// Renditions that were larger than the whole budget.
    TooLarge,
}

/// How a request for a cover was met: each is exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    Memory,
    Disk,
    /// By a new download.
    Miss,
    /// By a download under way.
    Coalesced,
    /// By the placeholder at once: the origin was not to be asked.
    Placeholder,
}

impl Met {
    pub const ALL: [Met; 5] = [Met::Memory, Met::Disk, Met::Miss, Met::Coalesced, Met::Placeholder];

    /// The name used in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Met::Memory => "hit_mem",
            Met::Disk => "hit_disk",
            Met::Miss => "miss",
            Met::Coalesced => "coalesced",
            Met::Placeholder => "placeholder",
        }
    }

    /// The stored counters that it belongs to.
    fn counters(self) -> &'static [Counter] {
        match self {
            Met::Memory => &[Counter::MemoryHits],
            Met::Disk => &[Counter::DiskHits],
            Met::Miss => &[Counter::Misses],
            Met::Coalesced => &[Counter::Misses, Counter::Coalesced],
            Met::Placeholder => &[Counter::Misses, Counter::Placeholders],
        }
    }
}

/// Requests since the start: by size in the order of [`Variant::ALL`], and by how they were met in the
/// order of [`Met::ALL`].
pub type Requests = [[u64; Met::ALL.len()]; Variant::ALL.len()];

/// Why a rendition was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Removal {
    /// The budget was reached, and it had been used longest ago.
    Lru,
    /// The file system was too full.
    MinFree,
    /// The owner wanted everything gone that had not been used for some time.
    Age,
    /// The owner wanted everything gone.
    Manual,
    /// It was made by another recipe.
    Recipe,
    /// Its file was not what its row promised.
    Damage,
}

impl Removal {
    pub const ALL: [Removal; 6] =
        [Removal::Lru, Removal::MinFree, Removal::Age, Removal::Manual, Removal::Recipe, Removal::Damage];

    /// What the cache did for want of room.
    pub const EVICTIONS: [Removal; 2] = [Removal::Lru, Removal::MinFree];

    pub fn name(self) -> &'static str {
        match self {
            Removal::Lru => "lru",
            Removal::MinFree => "min_free",
            Removal::Age => "age",
            Removal::Manual => "manual",
            Removal::Recipe => "recipe",
            Removal::Damage => "damage",
        }
    }
}

const FIRST_CLASS: usize = 8;
const FIRST_REMOVAL: usize = FIRST_CLASS + Class::ALL.len();
const EVICTED_BYTES: usize = FIRST_REMOVAL + Removal::ALL.len();
const TOO_LARGE: usize = EVICTED_BYTES + 1;

/// What the counters are called in the tables `counter` and `hour`, in the order of their slots. The
/// names are stored: a new counter is a new name, and a new column of `hour`.
pub(super) const NAMES: [&str; TOO_LARGE + 1] = [
    "memory_hits",
    "disk_hits",
    "misses",
    "placeholders",
    "coalesced",
    "downloads",
    "downloaded_bytes",
    "download_ms",
    "failures_absent",
    // Before there were classes.
    "failures",
    "failures_refused",
    "failures_throttled",
    "failures_broken",
    "failures_unreachable",
    "failures_forbidden",
    "failures_unreadable",
    // Before there were reasons.
    "evictions",
    "removed_min_free",
    "removed_age",
    "removed_manual",
    "removed_recipe",
    "removed_damage",
    "evicted_bytes",
    "refused",
];

impl Counter {
    /// Every counter, each once.
    pub fn all() -> impl Iterator<Item = Counter> {
        [
            Counter::MemoryHits,
            Counter::DiskHits,
            Counter::Misses,
            Counter::Placeholders,
            Counter::Coalesced,
            Counter::Downloads,
            Counter::DownloadedBytes,
            Counter::DownloadMs,
        ]
        .into_iter()
        .chain(Class::ALL.map(Counter::Failed))
        .chain(Removal::ALL.map(Counter::Removed))
        .chain([Counter::EvictedBytes, Counter::TooLarge])
    }

    fn slot(self) -> usize {
        match self {
            Counter::MemoryHits => 0,
            Counter::DiskHits => 1,
            Counter::Misses => 2,
            Counter::Placeholders => 3,
            Counter::Coalesced => 4,
            Counter::Downloads => 5,
            Counter::DownloadedBytes => 6,
            Counter::DownloadMs => 7,
            Counter::Failed(class) => FIRST_CLASS + class as usize,
            Counter::Removed(removal) => FIRST_REMOVAL + removal as usize,
            Counter::EvictedBytes => EVICTED_BYTES,
            Counter::TooLarge => TOO_LARGE,
        }
    }
}

/// The value of each counter: at one moment, or between two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; NAMES.len()]);

impl Counts {
    pub fn get(&self, counter: Counter) -> u64 {
        self.0[counter.slot()]
    }

    /// Covers given up, for whatever reason.
    pub fn failures(&self) -> u64 {
        Class::ALL.into_iter().map(|class| self.get(Counter::Failed(class))).sum()
    }

    /// Renditions that went for want of room.
    pub fn evictions(&self) -> u64 {
        Removal::EVICTIONS.into_iter().map(|removal| self.get(Counter::Removed(removal))).sum()
    }

    /// Renditions that were larger than the whole budget.
    pub fn refused(&self) -> u64 {
        self.get(Counter::TooLarge)
    }

    /// What was counted after `earlier`.
    pub fn since(&self, earlier: &Counts) -> Counts {
        Counts(std::array::from_fn(|slot| self.0[slot].saturating_sub(earlier.0[slot])))
    }

    pub fn plus(&self, other: &Counts) -> Counts {
        Counts(std::array::from_fn(|slot| self.0[slot].saturating_add(other.0[slot])))
    }

    pub fn is_zero(&self) -> bool {
        *self == Counts::default()
    }

    #[cfg(test)]
    pub(super) fn of(counter: Counter, value: u64) -> Counts {
        let mut counts = Counts::default();
        counts.0[counter.slot()] = value;
        counts
    }

    pub(super) fn from_values(values: [u64; NAMES.len()]) -> Counts {
        Counts(values)
    }

    /// In the order of [`NAMES`].
    pub(super) fn values(&self) -> &[u64; NAMES.len()] {
        &self.0
    }

    /// What the table says; a name that is not there yet is 0.
    pub(super) fn load(db: &Connection) -> rusqlite::Result<Counts> {
        let mut counts = Counts::default();
        for (name, value) in NAMES.into_iter().zip(&mut counts.0) {
            *value = rows::counter(db, name)?;
        }
        Ok(counts)
    }

    /// Stores what differs from `stored`.
    pub(super) fn store(&self, db: &Connection, stored: &Counts) -> rusqlite::Result<()> {
        for ((name, value), before) in NAMES.into_iter().zip(self.0).zip(stored.0) {
            if value != before {
                rows::put_counter(db, name, value)?;
            }
        }
        Ok(())
    }
}

/// All counters as they run.
pub(super) struct Counters {
    values: [AtomicU64; NAMES.len()],
    /// In the order of [`Requests`]. One addition a request: what the stored counters have of it is
    /// reckoned when they are read.
    requests: [[AtomicU64; Met::ALL.len()]; Variant::ALL.len()],
    /// What was stored when the program started.
    loaded: Counts,
}

impl Counters {
    pub fn starting_at(loaded: Counts) -> Counters {
        Counters { values: loaded.0.map(AtomicU64::new), requests: Default::default(), loaded }
    }

    pub fn add(&self, counter: Counter, by: u64) {
        // A u64 of bytes lasts for centuries of downloads; wrapping is no case to build for.
        self.values[counter.slot()].fetch_add(by, Ordering::Relaxed);
    }

    pub fn met(&self, variant: Variant, met: Met) {
        self.requests[variant as usize][met as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub fn requests(&self) -> Requests {
        let read =
            |of: &[AtomicU64; Met::ALL.len()]| std::array::from_fn(|met| of[met].load(Ordering::Relaxed));
        std::array::from_fn(|size| read(&self.requests[size]))
    }

    pub fn counts(&self) -> Counts {
        let mut counts = Counts(std::array::from_fn(|slot| self.values[slot].load(Ordering::Relaxed)));
        for requests in self.requests() {
            for (met, count) in Met::ALL.into_iter().zip(requests) {
                met.counters().iter().for_each(|counter| counts.0[counter.slot()] += count);
            }
        }
        counts
    }

    pub fn since_start(&self) -> Counts {
        self.counts().since(&self.loaded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_once_and_found_in_every_counter_that_it_belongs_to() {
        let counters = Counters::starting_at(Counts::of(Counter::Misses, 10));
        for met in Met::ALL {
            counters.met(Variant::Detail, met);
        }
        counters.met(Variant::Thumbnail, Met::Coalesced);
        assert_eq!(counters.requests(), [[0, 0, 0, 1, 0], [1; 5]]);
        let (all, run) = (counters.counts(), counters.since_start());
        assert_eq!((all.get(Counter::Misses), run.get(Counter::Misses)), (14, 4));
        for (counter, count) in [
            (Counter::MemoryHits, 1),
            (Counter::DiskHits, 1),
            (Counter::Coalesced, 2),
            (Counter::Placeholders, 1),
        ] {
            assert_eq!((all.get(counter), run.get(counter)), (count, count), "{counter:?}");
        }
    }

    #[test]
    fn each_counter_has_a_name_and_a_slot_of_its_own() {
        let name = |counter: Counter| NAMES[counter.slot()];
        let slots: Vec<usize> = Counter::all().map(Counter::slot).collect();
        assert_eq!(slots, (0..NAMES.len()).collect::<Vec<_>>());
        for class in Class::ALL.into_iter().filter(|class| *class != Class::Failed) {
            assert_eq!(name(Counter::Failed(class)), format!("failures_{}", class.name()));
        }
        for removal in Removal::ALL.into_iter().filter(|removal| *removal != Removal::Lru) {
            assert_eq!(name(Counter::Removed(removal)), format!("removed_{}", removal.name()));
        }
        let mut names = NAMES.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), NAMES.len());
    }
}
