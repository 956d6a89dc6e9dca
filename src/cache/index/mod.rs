//! The tables of `index.db` and the thread that owns them. Knows no HTTP and no pixels.
//!
//! One thread writes: callers send it notes through a bounded channel and it
//! commits what is waiting at once, and what is about to come with it. Reads use a connection of
//! their own and wait for no commit. Order of an admission: file fsynced in `tmp/`, room made, row
//! committed, file renamed, folder fsynced, caller told. Order of a removal: file unlinked, folder fsynced, row deleted. So at every
//! instant each file has a row and the rows add up to no less than the files.

mod at_rest;
mod audit;
mod clock;
mod commit;
mod copy;
mod counters;
mod error;
mod evict;
mod failed;
mod failures;
mod gather;
mod history;
mod ledger;
mod notes;
mod purge;
mod reader;
mod rows;
mod schema;
mod thread;
mod touches;

pub use at_rest::AtRest;
pub use audit::{Audit, Sight};
pub use copy::{Extent, IndexCopy, Listed, Rows, drop_rows};
pub use counters::{Counter, Counts, Met, Removal, Requests};
pub use error::IndexError;
pub use history::{HOURS_MAX, Hour};
pub use notes::Expected;

use crate::cache::disk::{Disk, DiskError, Temp};
use crate::cache::failure::{Class, Failure};
use crate::key::{CacheKey, Digest, Timestamp, Variant};
use crate::source::Source;
use counters::Counters;
use failures::Failures;
use history::Running;
use notes::{Landed, Note, Notes, Reply};
use reader::Reader;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

#[derive(Clone, Debug)]
pub struct Limits {
    /// Disk budget of renditions, bytes.
    pub bytes_max: u64,
    /// Space left free on the file system whatever the budget says, bytes.
    pub free_bytes_min: u64,
    /// Fingerprint of the recipe; renditions of another one are purged at open.
    pub fingerprint: String,
    /// What an original may be, in any words: under other ones, those that were refused as too large or
    /// no picture are forgotten at open, to be asked for once more. `None`: as it was.
    pub originals: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub bytes: u64,
    pub digest: Digest,
}

/// A finished temporary file on its way into the cache.
#[derive(Debug)]
pub struct Admission {
    pub key: CacheKey,
    pub variant: Variant,
    pub bytes: u64,
    pub digest: Digest,
    /// The side that the origin was asked for, pixels, where a larger original would make more of it.
    pub asked: Option<u32>,
    pub temp: Temp,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    pub renditions: u64,
    pub bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    NotAccessedSince(Timestamp),
}

impl Scope {
    /// What was not accessed for so many days; 0 is everything, also what a clock that was ahead has
    /// stamped with a time to come.
    pub fn unused_for_days(days: i64, now: Timestamp) -> Scope {
        match days {
            0 => Scope::NotAccessedSince(Timestamp(i64::MAX)),
            days => Scope::NotAccessedSince(Timestamp(now.0.saturating_sub(days.saturating_mul(86_400)))),
        }
    }
}

/// What the tables say now.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub thumbnails: u64,
    pub details: u64,
    pub thumbnail_bytes: u64,
    pub detail_bytes: u64,
    /// Bytes of all renditions' files: what the budget limits.
    pub bytes: u64,
    /// Failures that are remembered, in the order of [`Class::ALL`].
    pub failures: [u64; Class::ALL.len()],
    /// When a purge last ended.
    pub last_cleanup: Option<Timestamp>,
    /// For want of room.
    pub evictions: u64,
    /// Renditions that were larger than the whole budget.
    pub refused: u64,
    /// Raised by each purge of everything, and when covers make way for larger ones; differs between
    /// caches too.
    pub generation: u64,
    /// Why the last attempt to write failed; `None` again when one succeeds.
    pub last_error: Option<String>,
    /// Transactions since the index was opened.
    pub commits: u64,
}

/// A rendition's name, as rows and files have it.
type Entry = (CacheKey, Variant);

pub struct Index {
    disk: Arc<Disk>,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What callers and the thread both see; each part is a leaf lock or atomic.
struct Shared {
    notes: Arc<Notes>,
    reader: Reader,
    counters: Counters,
    failures: Failures,
    totals: Mutex<Totals>,
    /// `None` before the thread has started.
    running: Mutex<Option<Running>>,
}

impl Index {
    /// Opens `index.db`, or builds it from the files when it is missing or damaged (a damaged one is
    /// set aside). Renditions of another fingerprint are purged before this returns.
    ///
    /// # Errors
    /// [`IndexError::Newer`] for a database of a later program; [`IndexError::Open`] for the rest.
    pub fn open(disk: Arc<Disk>, limits: Limits) -> Result<Index, IndexError> {
        let (shared, thread) = thread::start(disk.clone(), limits)?;
        Ok(Index { disk, shared, thread: Mutex::new(Some(thread)) })
    }

    /// The row of a rendition; reads only, opens no write transaction.
    pub fn row(&self, key: CacheKey, variant: Variant) -> Option<Row> {
        self.read(|db| rows::row(db, (key, variant)))
    }

    /// The side that the origin of a cover's detail was asked for, pixels; `None` where it is not here, or
    /// no larger original would make more of it.
    pub fn asked(&self, key: CacheKey) -> Option<u32> {
        self.read(|db| rows::asked(db, (key, Variant::Detail)))
    }

    /// [`Disk::write_temp`], but a full disk gives up its oldest renditions for one more try.
    pub fn write_temp(&self, bytes: &[u8]) -> Result<Temp, DiskError> {
        match self.disk.write_temp(bytes) {
            Err(error) if error.is_full() => {
                // Without a thread there is no room to be made, and the second try says so.
                let _ = self.ask(Note::MakeRoom);
                self.disk.write_temp(bytes)
            }
            written => written,
        }
    }

    /// Queues a cover's renditions (blocks while many are on their way: a slow card slows the
    /// downloads). `landed` runs once, after the files are in place or were refused, and hears whether
    /// all of them are kept. It runs on the index's thread and must not call back into the index.
    pub fn admit(&self, batch: Vec<Admission>, landed: Box<dyn FnOnce(bool) + Send>) {
        let place = self.shared.notes.place();
        let landed = Landed::new(Box::new(move |is_kept| {
            let _given_back = place;
            landed(is_kept);
        }));
        // A note that cannot be sent is dropped, and dropping it runs `landed`.
        let _ = self.shared.notes.send(Note::Admit(batch, landed));
    }

    /// Says that a cover is on its way to [`Index::admit`]: those that are here share a commit with
    /// it, if it comes within five seconds.
    pub fn expect(&self) -> Expected {
        self.shared.notes.expect()
    }

    /// From now on nothing waits for company: the first step of a stop.
    pub fn hurry(&self) {
        self.shared.notes.hurry();
    }

    /// Notes an access; dropped when the channel is full, for access times are advice.
    pub fn touch(&self, key: CacheKey, variant: Variant) {
        self.shared.notes.offer(Note::Touch((key, variant)));
    }

    pub fn count(&self, counter: Counter, by: u64) {
        self.shared.counters.add(counter, by);
    }

    pub fn counted(&self, counter: Counter) -> u64 {
        self.counts().get(counter)
    }

    /// Counts a request for a cover.
    pub fn met(&self, variant: Variant, met: Met) {
        self.shared.counters.met(variant, met);
    }

    /// Those since the start of this process.
    pub fn requests(&self) -> Requests {
        self.shared.counters.requests()
    }

    /// What was counted in all.
    pub fn counts(&self) -> Counts {
        self.shared.counters.counts()
    }

    /// What was counted since the start of this process: the counts of metrics, which must not fall
    /// back after a kill to what was last stored.
    pub fn counts_since_start(&self) -> Counts {
        self.shared.counters.since_start()
    }

    /// The hours of the 30 days before `now` in which something happened, oldest first and at most
    /// [`HOURS_MAX`] of them, the one that goes on included.
    pub fn history(&self, now: Timestamp) -> Vec<Hour> {
        // Over a connection of its own: 720 rows would hold up everybody who looks for a cover.
        let path = self.disk.index_path();
        let recorded = schema::connect_to_read(&path).and_then(|db| history::read(&db, now));
        let recorded = self.told(recorded.map(Some)).unwrap_or_default();
        let running = *self.shared.running.lock().unwrap_or_else(PoisonError::into_inner);
        let (thumbnails, details) = {
            let totals = self.shared.totals.lock().unwrap_or_else(PoisonError::into_inner);
            (totals.thumbnail_bytes, totals.detail_bytes)
        };
        let running = running.and_then(|running| running.recorded(&self.counts(), thumbnails, details));
        history::shown(recorded, running)
    }

    /// When a rendition was last accessed, as far as the table knows: within the day.
    pub fn accessed_at(&self, key: CacheKey, variant: Variant) -> Option<Timestamp> {
        self.read(|db| rows::accessed_at(db, (key, variant))).map(clock::timestamp)
    }

    /// The file behind a row was missing or wrong: the thread looks again and drops the row if so.
    pub fn forget(&self, key: CacheKey, variant: Variant) {
        // A full channel drops it: the next viewer of this cover will say it again.
        self.shared.notes.offer(Note::Forget((key, variant)));
    }

    /// Remembers sources (preload, image?url=); returns when committed. Known ones cost no write; a
    /// known key with another URL takes the new one, since signed URLs expire.
    pub fn register(&self, sources: Vec<Source>) -> Result<(), IndexError> {
        let sources: BTreeMap<CacheKey, String> =
            sources.into_iter().map(|source| (source.key(), source.url().to_owned())).collect();
        let new: Vec<(CacheKey, String)> =
            sources.into_iter().filter(|(key, url)| self.registered(*key).as_ref() != Some(url)).collect();
        if new.is_empty() { Ok(()) } else { self.ask(|reply| Note::Register(new, reply)) }
    }

    /// The URL registered for a key, if any.
    pub fn registered(&self, key: CacheKey) -> Option<String> {
        self.read(|db| rows::source(db, key))
    }

    /// Remembers a failure: at once for [`Index::failure`], on disk with the next commit.
    pub fn note_failure(&self, key: CacheKey, failure: Failure) {
        let number = self.shared.failures.put(key, Some(failure.clone()));
        let _ = self.shared.notes.send(Note::Failure(key, Some(failure), number));
    }

    /// Forgets a failure; costs nothing where there is none.
    pub fn clear_failure(&self, key: CacheKey) {
        if self.failure(key).is_some() {
            let number = self.shared.failures.put(key, None);
            let _ = self.shared.notes.send(Note::Failure(key, None, number));
        }
    }

    pub fn failure(&self, key: CacheKey) -> Option<Failure> {
        match self.shared.failures.get(key) {
            Some(newer_than_the_table) => newer_than_the_table,
            None => self.read(|db| failed::read(db, key)),
        }
    }

    /// Removes renditions and says how many. `All` also forgets failures and starts a new
    /// generation; what was queued before it goes too, what is admitted afterwards stays.
    pub fn purge(&self, scope: Scope) -> Result<Purged, IndexError> {
        let failures = self.shared.failures.newest();
        self.ask(|reply| Note::Purge { scope, failures, reply })
    }

    /// # Errors
    /// [`IndexError::Stopped`] when the thread has ended: nothing will be kept any more.
    pub fn totals(&self) -> Result<Totals, IndexError> {
        if !self.shared.notes.is_open() {
            return Err(IndexError::Stopped);
        }
        Ok(self.shared.totals.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// After a write failed: tries one that nobody needs, so that [`Totals::last_error`] is not older than
    /// its reason. Returns at once.
    pub fn probe(&self) {
        self.shared.notes.offer(Note::Probe);
    }

    /// Returns when everything sent before has been done.
    pub fn settle(&self) -> Result<(), IndexError> {
        self.ask(Note::Settle)
    }

    /// Flushes access times and counters, checkpoints, ends the thread. A second call does nothing.
    pub fn stop(&self) {
        let _ = self.shared.notes.send(Note::Stop);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            log::error!("the index thread had panicked");
        }
    }

    fn ask<T>(&self, note: impl FnOnce(Reply<T>) -> Note) -> Result<T, IndexError> {
        let (reply, answer) = Reply::pair();
        self.shared.notes.send(note(reply))?;
        answer.wait()
    }

    fn read<T>(&self, query: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<Option<T>>) -> Option<T> {
        self.told(self.shared.reader.query(query))
    }

    /// What was read; what cannot be is nothing, and damage is looked after.
    fn told<T>(&self, answer: rusqlite::Result<Option<T>>) -> Option<T> {
        match answer {
            Ok(answer) => answer,
            Err(error) => {
                log::debug!("cannot read index.db: {error}");
                if schema::is_damage(&error) {
                    self.shared.notes.offer(Note::Suspect);
                }
                None
            }
        }
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.stop();
    }
}
