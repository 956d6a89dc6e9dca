//! The thread itself: waits for notes, takes what is waiting, and hands each kind to its keeper.

use super::clock::{Clock, Stamp};
use super::commit::{Batch, Bound, FAILURES_MAX, SOURCES_MAX};
use super::counters::Counters;
use super::failures::Failures;
use super::gather::{Gathered, LINGER};
use super::ledger::{Ledger, Trouble};
use super::notes::{Note, Notes};
use super::purge::Purge;
use super::reader::Reader;
use super::schema::Opened;
use super::touches::{Touches, Which};
use super::{Entry, IndexError, Limits, Shared, history, rows, schema};
use crate::cache::disk::Disk;
use crate::key::Timestamp;
use crate::sqlite::{self, Check};
use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};
use rusqlite::Connection;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it is looked whether something has waited too long.
const TICK: Duration = Duration::from_secs(10 * 60);
/// Due access times wait this long for a commit to ride along with: each changes a page of its own.
/// What a power cut takes of them costs a cover its place in the order of eviction, and no more.
const TOUCHES_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// All that the thread owns.
pub(super) struct Keeper {
    pub disk: Arc<Disk>,
    pub limits: Limits,
    pub shared: Arc<Shared>,
    pub ledger: Ledger,
    pub clock: Clock,
    pub touches: Touches,
    pub purges: VecDeque<Purge>,
    pub sources: Bound,
    pub failures: Bound,
    touches_stored_at: Instant,
    condition: Condition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Sound,
    /// The database must be built anew before anything else.
    Damaged,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Go,
    Stop,
}

/// Opens the database, purges what another recipe made, and starts the thread.
pub(super) fn start(disk: Arc<Disk>, limits: Limits) -> Result<(Arc<Shared>, JoinHandle<()>), IndexError> {
    let path = disk.index_path();
    let failed = |cause: String| IndexError::Open { path: path.clone(), cause };
    let (keeper, receiver) = match Keeper::open(&disk, &limits)? {
        // Opening does not read every table to its end; a start does, and must come about.
        Err(trouble) if trouble.is_damage() => {
            schema::set_aside(&path, &trouble.to_string(), Timestamp::now())?;
            Keeper::open(&disk, &limits)?
        }
        opened => opened,
    }
    .map_err(|trouble| failed(trouble.to_string()))?;
    let shared = Arc::clone(&keeper.shared);
    let thread = std::thread::Builder::new()
        .name("index".into())
        .spawn(move || {
            let _open = Open(keeper.shared.clone());
            // Dropped before `_open`: first nobody can send, then what was sent is let go.
            let receiver = receiver;
            keeper.run(&receiver);
        })
        .map_err(|error| failed(format!("no thread for it: {error}")))?;
    Ok((shared, thread))
}

/// The channel is open while this lives, so that callers hear of the thread's end, a panic included.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        if std::thread::panicking() {
            log::error!("the index thread panicked: covers are served but no longer kept");
        }
        self.0.notes.close();
    }
}

impl Keeper {
    /// The inner error may be one that another database cures.
    fn open(
        disk: &Arc<Disk>,
        limits: &Limits,
    ) -> Result<Result<(Keeper, Receiver<Note>), Trouble>, IndexError> {
        let opened = schema::open(disk, &limits.fingerprint, Timestamp::now())?;
        Ok(Keeper::over(opened, disk, limits))
    }

    fn over(opened: Opened, disk: &Arc<Disk>, limits: &Limits) -> Result<(Keeper, Receiver<Note>), Trouble> {
        let (notes, receiver) = Notes::channel();
        let now = Instant::now();
        let shared = Arc::new(Shared {
            notes: Arc::new(notes),
            reader: Reader::open(&disk.index_path())?,
            counters: Counters::starting_at(opened.counts),
            failures: Failures::new(),
            totals: Mutex::default(),
            running: Mutex::default(),
        });
        let is_another_recipe = opened.fingerprint != limits.fingerprint;
        let are_other_originals = limits.originals.is_some() && opened.originals != limits.originals;
        let mut keeper = Keeper {
            clock: Clock::starting_after(opened.newest_access, now),
            sources: Bound::new(SOURCES_MAX, opened.sources),
            failures: Bound::new(FAILURES_MAX, opened.held.failures.iter().sum()),
            ledger: Ledger::new(opened, shared.clone())?,
            touches: Touches::new(),
            purges: VecDeque::new(),
            touches_stored_at: now,
            condition: Condition::Sound,
            shared,
            disk: Arc::clone(disk),
            limits: limits.clone(),
        };
        if is_another_recipe {
            keeper.purge_for_another_recipe()?;
        }
        if are_other_originals {
            keeper.forget_for_other_originals()?;
        }
        keeper.disk.note_recipe(&keeper.limits.fingerprint)?;
        Ok((keeper, receiver))
    }

    fn run(mut self, notes: &Receiver<Note>) {
        // The budget may have been lowered since the last time.
        if let Err(trouble) = self.make_room(&[]) {
            self.trouble(&trouble);
        }
        let mut tick_at = Instant::now() + TICK;
        loop {
            // Also when the hour ends, so that what comes after it is counted to the next one.
            let hour_at = Instant::now() + history::rest_of(Timestamp::now());
            let flow = match self.next(notes, tick_at.min(hour_at)) {
                Ok(first) => {
                    let group = self.gather(first, notes, hour_at);
                    self.work(group)
                }
                Err(RecvTimeoutError::Timeout) => Flow::Go,
                Err(RecvTimeoutError::Disconnected) => Flow::Stop,
            };
            if flow == Flow::Stop {
                return self.stop();
            }
            self.purge_step();
            let now = Instant::now();
            if now >= tick_at.min(hour_at) {
                self.tick();
            }
            if now >= tick_at {
                tick_at = now + TICK;
            }
            if self.condition == Condition::Damaged
                && let Err(error) = self.recover()
            {
                log::error!("{error}: covers are served from memory but no longer kept");
                return;
            }
        }
    }

    /// The next note. While a purge is going on there is always something to do, so nothing is waited for.
    fn next(&self, notes: &Receiver<Note>, until: Instant) -> Result<Note, RecvTimeoutError> {
        if self.purges.is_empty() {
            return notes.recv_deadline(until);
        }
        notes.try_recv().map_err(|error| match error {
            TryRecvError::Empty => RecvTimeoutError::Timeout,
            TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
        })
    }

    /// What is here already, and what comes within a moment when more is on its way.
    fn gather(&self, first: Note, notes: &Receiver<Note>, until: Instant) -> Vec<Note> {
        let until = until.min(Instant::now() + LINGER);
        let mut gathered = Gathered::new(self.limits.bytes_max);
        gathered.push(first);
        loop {
            while !gathered.is_full()
                && let Ok(note) = notes.try_recv()
            {
                gathered.push(note);
            }
            if !gathered.may_wait() || !self.purges.is_empty() || !self.shared.notes.is_expecting() {
                return gathered.into_notes();
            }
            match notes.recv_deadline(until) {
                Ok(note) => gathered.push(note),
                Err(_) => return gathered.into_notes(),
            }
        }
    }

    /// What may share a commit is gathered; what depends on order ends the gathering.
    fn work(&mut self, group: Vec<Note>) -> Flow {
        let mut batch = Batch::default();
        for note in group {
            match note {
                Note::Admit(admissions, landed) => batch.admit(admissions, landed),
                Note::Forget(entry) => batch.forget(entry),
                Note::Register(sources, reply) => batch.register(sources, reply),
                Note::Failure(key, failure, number) => batch.failure(key, failure, number),
                Note::Touch(entry) => self.touch(entry),
                Note::Purge { scope, failures, reply } => {
                    self.write(std::mem::take(&mut batch));
                    self.begin_purge(scope, failures, reply);
                }
                Note::MakeRoom(reply) => {
                    self.write(std::mem::take(&mut batch));
                    reply.give(self.evict_share(&[]).map_err(|trouble| self.refusal(&trouble)));
                }
                Note::Probe => self.probe(),
                Note::Suspect => self.check(),
                Note::Nudge => {}
                Note::Settle(reply) => {
                    self.write(std::mem::take(&mut batch));
                    reply.give(Ok(()));
                }
                Note::Stop => {
                    self.write(batch);
                    return Flow::Stop;
                }
            }
        }
        self.write(batch);
        Flow::Go
    }

    /// A stamp for what happens now.
    pub fn stamp(&mut self) -> Stamp {
        self.clock.stamp(Timestamp::now(), Instant::now())
    }

    pub fn trouble(&mut self, trouble: &Trouble) {
        self.ledger.note_trouble(trouble);
        if trouble.is_damage() {
            self.condition = Condition::Damaged;
        }
    }

    /// Notes the trouble and says it to the caller who asked.
    pub fn refusal(&mut self, trouble: &Trouble) -> IndexError {
        self.trouble(trouble);
        IndexError::Statement(trouble.to_string())
    }

    /// Stores access times unless that would save renditions from a purge of everything.
    pub fn flush(&mut self, which: Which) -> Result<(), Trouble> {
        if !self.may_flush() {
            return Ok(());
        }
        let touches = &self.touches;
        self.ledger.commit(|db, _| Ok(touches.write(db, which)?))?;
        self.touches.stored(which);
        self.touches_stored_at = Instant::now();
        Ok(())
    }

    fn touch(&mut self, entry: Entry) {
        let now = self.stamp();
        let mut noted = Ok(());
        if self.touches.would_drop_due(&entry) {
            noted = self.flush(Which::Due);
        }
        let noted = noted.and_then(|()| Ok(self.touches.note(&self.ledger.db, entry, now)?));
        if let Err(trouble) = noted {
            self.trouble(&trouble);
        }
    }

    fn tick(&mut self) {
        let touches_wait = self.touches.any_due() && self.touches_stored_at.elapsed() >= TOUCHES_WAIT;
        let hour_waits = self.ledger.hour_waits().map_err(Trouble::from);
        let stored = hour_waits.and_then(|hour_waits| match hour_waits {
            _ if touches_wait => self.flush(Which::Due),
            true => self.ledger.commit(|_, _| Ok(())),
            false => Ok(()),
        });
        if let Err(trouble) = stored {
            self.trouble(&trouble);
        }
    }

    fn stop(mut self) {
        let counts_wait = self.ledger.end();
        let stored = match self.touches.any(Which::All) && self.may_flush() {
            true => self.flush(Which::All),
            false if counts_wait => self.ledger.commit(|_, _| Ok(())),
            false => Ok(()),
        };
        if let Err(trouble) = stored {
            self.trouble(&trouble);
        }
        // The reader goes first: while it is open the log is not removed.
        self.shared.reader.close();
        let checkpoint = self.ledger.db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        if let Err(error) = checkpoint.and_then(|()| self.ledger.db.close().map_err(|(_, error)| error)) {
            log::warn!("cannot close index.db in order, the next start replays its log: {error}");
        }
    }

    /// Writes a page that says nothing, to learn whether writing works again.
    fn probe(&mut self) {
        let now = Timestamp::now().0.to_string();
        match self.ledger.commit(|db, _| Ok(rows::put_fact(db, schema::PROBED, &now)?)) {
            Ok(()) => self.ledger.note_success(),
            Err(trouble) => self.trouble(&trouble),
        }
    }

    fn check(&mut self) {
        // A card that cannot be read now says nothing about the database.
        if matches!(sqlite::flaw(&self.ledger.db, Check::Structure), Ok(Some(_))) {
            self.condition = Condition::Damaged;
        }
    }

    /// Sets the damaged database aside and builds another from the files; until then, every look-up misses.
    fn recover(&mut self) -> Result<(), IndexError> {
        let path = self.disk.index_path();
        let failed =
            |error: rusqlite::Error| IndexError::Open { path: path.clone(), cause: error.to_string() };
        self.shared.reader.close();
        self.ledger.db = Connection::open_in_memory().map_err(failed)?;
        self.purges.clear();
        self.touches.clear();
        let cause = self.ledger.told.last_error.clone().unwrap_or_else(|| "failed its check".into());
        schema::set_aside(&path, &cause, Timestamp::now())?;
        let opened = schema::open(&self.disk, &self.limits.fingerprint, Timestamp::now())?;
        self.clock = Clock::starting_after(self.clock.newest().max(opened.newest_access), Instant::now());
        self.ledger.replace(opened).map_err(failed)?;
        self.shared.reader.reopen(&path).map_err(failed)?;
        self.condition = Condition::Sound;
        if let Err(trouble) = self.make_room(&[]) {
            self.trouble(&trouble);
        }
        Ok(())
    }
}
