//! The writing connection and what it adds up to. Every transaction of the index goes through
//! [`Ledger::commit`], so that sums, counters and what callers are told never part from the tables.

use super::counters::Counts;
use super::history::{Ending, Moment, Running};
use super::rows::Held;
use super::schema::{self, Opened};
use super::{Shared, Totals};
use crate::cache::disk::DiskError;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use std::fmt;
use std::sync::{Arc, PoisonError};

pub(super) struct Ledger {
    pub db: Connection,
    pub held: Held,
    /// What callers are told; published with every commit.
    pub told: Totals,
    shared: Arc<Shared>,
    stored: Counts,
    running: Running,
    ending: Ending,
}

impl Ledger {
    pub fn new(opened: Opened, shared: Arc<Shared>) -> rusqlite::Result<Ledger> {
        let stored = opened.counts;
        let running = Running::begin(&opened.db, Moment::now(), stored)?;
        let told =
            Totals { generation: opened.generation, last_cleanup: opened.last_cleanup, ..Totals::default() };
        let (db, held) = (opened.db, opened.held);
        let mut ledger = Ledger { db, held, told, shared, stored, running, ending: Ending::No };
        ledger.publish();
        Ok(ledger)
    }

    /// Goes on with another database, into which every counter is yet to be stored.
    pub fn replace(&mut self, opened: Opened) -> rusqlite::Result<()> {
        self.running = self.running.next(&opened.db, Moment::now(), &self.stored)?;
        self.db = opened.db;
        self.held = opened.held;
        self.told.generation = opened.generation.max(self.told.generation.saturating_add(1));
        self.stored = Counts::default();
        self.publish();
        Ok(())
    }

    /// One transaction: `work`, the counters as they are, and the hour if it is over. An error leaves
    /// everything as it was.
    pub fn commit<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut Held) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let mut held = self.held;
        let transaction = Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate)?;
        let done = work(&transaction, &mut held)?;
        let counts = self.shared.counters.counts();
        counts.store(&transaction, &self.stored)?;
        let running = self.running.advance(&transaction, Moment::now(), &counts, &held, self.ending)?;
        transaction.commit()?;
        self.held = held;
        self.stored = counts;
        self.running = running;
        self.told.commits += 1;
        self.publish();
        Ok(done)
    }

    /// Whether the hour is over and something was counted in it; one in which nothing was just ends.
    pub fn hour_waits(&mut self) -> rusqlite::Result<bool> {
        let (moment, counts) = (Moment::now(), self.shared.counters.counts());
        if !self.running.is_over(moment) {
            return Ok(false);
        }
        let waits = self.running.waits(&counts) || counts != self.stored;
        if !waits {
            self.running = self.running.next(&self.db, moment, &counts)?;
            self.publish();
        }
        Ok(waits)
    }

    /// The next commit is the last one; whether there is anything for it to store.
    pub fn end(&mut self) -> bool {
        self.ending = Ending::Soon;
        let counts = self.shared.counters.counts();
        self.running.waits(&counts) || counts != self.stored
    }

    /// Notes why something was not written. Said once, not once a cover.
    pub fn note_trouble(&mut self, trouble: &Trouble) {
        let line = trouble.to_string();
        if self.told.last_error.as_ref() != Some(&line) {
            log::warn!("covers are not being kept: {line}");
        }
        self.told.last_error = Some(line);
        self.publish();
    }

    pub fn note_success(&mut self) {
        if self.told.last_error.take().is_some() {
            log::info!("covers are being kept again");
        }
        self.publish();
    }

    pub fn publish(&mut self) {
        let counts = self.shared.counters.counts();
        self.told.thumbnails = self.held.thumbnails;
        self.told.details = self.held.details;
        self.told.thumbnail_bytes = self.held.thumbnail_bytes;
        self.told.detail_bytes = self.held.detail_bytes;
        self.told.bytes = self.held.bytes();
        self.told.failures = self.held.failures;
        self.told.evictions = counts.evictions();
        self.told.refused = counts.refused();
        let told = self.told.clone();
        *self.shared.totals.lock().unwrap_or_else(PoisonError::into_inner) = told;
        *self.shared.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.running);
    }
}

/// Why something could not be written.
#[derive(Debug)]
pub(super) enum Trouble {
    Table(rusqlite::Error),
    Disk(DiskError),
    /// Less than the free minimum is left, and nothing of ours is left to remove.
    NoSpace {
        free_bytes: u64,
    },
}

impl Trouble {
    /// Whether an eviction may help.
    pub fn is_full(&self) -> bool {
        match self {
            Trouble::Table(error) => {
                // A log that cannot grow is `SQLITE_FULL`; its shared memory that cannot is an I/O error.
                error.sqlite_error_code() == Some(ErrorCode::DiskFull)
                    || error
                        .sqlite_error()
                        .is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
            }
            Trouble::Disk(error) => error.is_full(),
            Trouble::NoSpace { .. } => false,
        }
    }

    pub fn is_damage(&self) -> bool {
        matches!(self, Trouble::Table(error) if schema::is_damage(error))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Table(error) => write!(f, "cannot write index.db: {error}"),
            Trouble::Disk(error) => write!(f, "{error}"),
            Trouble::NoSpace { free_bytes } => {
                write!(f, "cannot keep covers: {free_bytes} bytes are free, less than the minimum")
            }
        }
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Trouble {
        Trouble::Table(error)
    }
}

impl From<DiskError> for Trouble {
    fn from(error: DiskError) -> Trouble {
        Trouble::Disk(error)
    }
}
