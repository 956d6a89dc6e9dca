//! Access times on their way to the table. Most never get there: a stored time that is fresh within
//! the hour is good enough (as relatime does for files), and then a hit writes nothing. The exact
//! order of the newest accesses is kept here and used when something is evicted.

use super::Entry;
use super::clock::{SECOND, Stamp};
use super::rows;
use lru::LruCache;
use rusqlite::Connection;
use std::num::NonZeroUsize;

/// Renditions whose access times are held, least recent dropped: about 400 kB, and some 60 pages of covers.
const HELD_MAX: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");
/// A stored time older than this is worth a write: an hour.
const FRESH: Stamp = 60 * 60 * SECOND;

pub(super) struct Touches {
    held: LruCache<Entry, Times>,
    due: usize,
}

#[derive(Clone, Copy)]
struct Times {
    stored: Stamp,
    touched: Stamp,
}

impl Times {
    fn is_due(self) -> bool {
        self.touched - self.stored > FRESH
    }
}

/// Which access times go to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Those stored more than an hour before: enough while nothing is evicted.
    Due,
    /// Each: before an eviction, whose order should be exact, and at stop.
    All,
}

impl Touches {
    pub fn new() -> Touches {
        Touches { held: LruCache::new(HELD_MAX), due: 0 }
    }

    /// Notes an access. Reads the stored time once for a rendition that is not held.
    pub fn note(&mut self, db: &Connection, entry: Entry, now: Stamp) -> rusqlite::Result<()> {
        if let Some(times) = self.held.get_mut(&entry) {
            let was_due = times.is_due();
            times.touched = now;
            self.due += usize::from(!was_due && times.is_due());
            return Ok(());
        }
        let Some(stored) = rows::accessed_at(db, entry)? else { return Ok(()) };
        let times = Times { stored, touched: now.max(stored) };
        self.due += usize::from(times.is_due());
        if let Some((_, dropped)) = self.held.push(entry, times) {
            self.due -= usize::from(dropped.is_due());
        }
        Ok(())
    }

    /// Whether anything is worth a write of its own.
    pub fn any_due(&self) -> bool {
        self.due > 0
    }

    /// Whether noting `entry` would push out a time that should have been stored.
    pub fn would_drop_due(&self, entry: &Entry) -> bool {
        self.held.len() >= HELD_MAX.get()
            && !self.held.contains(entry)
            && self.held.peek_lru().is_some_and(|(_, oldest)| oldest.is_due())
    }

    pub fn any(&self, which: Which) -> bool {
        match which {
            Which::Due => self.any_due(),
            Which::All => self.held.iter().any(|(_, times)| times.touched > times.stored),
        }
    }

    /// Puts times into the table; they count as stored after [`Touches::stored`].
    pub fn write(&self, db: &Connection, which: Which) -> rusqlite::Result<()> {
        for (entry, times) in self.held.iter() {
            let worth = match which {
                Which::Due => times.is_due(),
                Which::All => times.touched > times.stored,
            };
            if worth {
                rows::touch(db, *entry, times.touched)?;
            }
        }
        Ok(())
    }

    /// The transaction with the times of [`Touches::write`] was committed.
    pub fn stored(&mut self, which: Which) {
        for (_, times) in self.held.iter_mut() {
            if which == Which::All || times.is_due() {
                times.stored = times.touched;
            }
        }
        self.due = 0;
    }

    /// The row was replaced or is gone.
    pub fn drop_entry(&mut self, entry: &Entry) {
        if let Some(times) = self.held.pop(entry) {
            self.due -= usize::from(times.is_due());
        }
    }

    pub fn clear(&mut self) {
        *self = Touches::new();
    }
}
