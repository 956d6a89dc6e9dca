//! What callers tell the index's thread, the bounded way there, and the duties that travel along:
//! a reply that is owed and a callback that must run. Each is kept by `Drop` however the thread ends.

use super::failures::Number;
use super::{Admission, Entry, IndexError, Purged, Scope};
use crate::cache::failure::Failure;
use crate::key::CacheKey;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Notes waiting for the thread: several group commits' worth, some hundred kB at worst.
const WAITING_MAX: usize = 1024;
/// Covers on their way to the card: one commit's worth being written, half a one gathering. Each is
/// held in memory until it is there; past this a slow card slows the downloads.
const ADMITTED_MAX: usize = 96;

pub(super) enum Note {
    Admit(Vec<Admission>, Landed),
    Touch(Entry),
    Forget(Entry),
    Register(Vec<(CacheKey, String)>, Reply<()>),
    /// `None`: it is over.
    Failure(CacheKey, Option<Failure>, Number),
    /// `failures`: which of the pending failures are older than this purge.
    Purge {
        scope: Scope,
        failures: Number,
        reply: Reply<Purged>,
    },
    /// The disk was full for a temporary file.
    MakeRoom(Reply<()>),
    /// Nothing has been written since a write failed.
    Probe,
    /// A reader found the database damaged.
    Suspect,
    /// Whoever was waited for is not coming.
    Nudge,
    Settle(Reply<()>),
    Stop,
}

/// The callers' end of the channel.
///
/// The sender is taken away when the thread ends, and with its last clone goes the channel and every
/// note in it: a note that was sent a moment too late still keeps its duties.
pub(super) struct Notes {
    sender: Mutex<Option<Sender<Note>>>,
    places: (Sender<()>, Receiver<()>),
    expected: AtomicUsize,
    is_hurried: AtomicBool,
}

/// A cover's place on its way to the card.
pub(super) struct Place(Receiver<()>);

/// The word that a cover may follow: while one is held, those that are here wait for it a little.
pub struct Expected(Arc<Notes>);

impl Notes {
    pub fn channel() -> (Notes, Receiver<Note>) {
        let (sender, receiver) = bounded(WAITING_MAX);
        let notes = Notes {
            sender: Mutex::new(Some(sender)),
            places: bounded(ADMITTED_MAX),
            expected: AtomicUsize::new(0),
            is_hurried: AtomicBool::new(false),
        };
        (notes, receiver)
    }

    /// Waits while [`ADMITTED_MAX`] covers are on their way.
    pub fn place(&self) -> Place {
        let (taken, free) = &self.places;
        // Never disconnected: both ends are ours.
        let _ = taken.send(());
        Place(free.clone())
    }

    pub fn expect(self: &Arc<Self>) -> Expected {
        self.expected.fetch_add(1, Ordering::AcqRel);
        Expected(Arc::clone(self))
    }

    pub fn is_expecting(&self) -> bool {
        self.expected.load(Ordering::Acquire) > 0 && !self.is_hurried.load(Ordering::Acquire)
    }

    /// From now on nothing waits for company.
    pub fn hurry(&self) {
        self.is_hurried.store(true, Ordering::Release);
        self.offer(Note::Nudge);
    }

    /// Waits while the channel is full.
    pub fn send(&self, note: Note) -> Result<(), IndexError> {
        let sender = self.sender().ok_or(IndexError::Stopped)?;
        sender.send(note).map_err(|_| IndexError::Stopped)
    }

    /// Drops the note when the channel is full.
    pub fn offer(&self, note: Note) {
        if let Some(sender) = self.sender() {
            // Full or closed: what is offered is advice.
            let _ = sender.try_send(note);
        }
    }

    pub fn is_open(&self) -> bool {
        self.sender().is_some()
    }

    pub fn close(&self) {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn sender(&self) -> Option<Sender<Note>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // There is one: it was put there for this place.
        let _ = self.0.try_recv();
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        if self.0.expected.fetch_sub(1, Ordering::AcqRel) == 1 {
            // A full channel means that the thread is at work, and looks for itself when it is not.
            self.0.offer(Note::Nudge);
        }
    }
}

/// The duty to answer one caller; dropped unanswered, the caller hears [`IndexError::Stopped`].
pub(super) struct Reply<T>(Sender<Result<T, IndexError>>);

pub(super) struct Answer<T>(Receiver<Result<T, IndexError>>);

impl<T> Reply<T> {
    pub fn pair() -> (Reply<T>, Answer<T>) {
        let (sender, receiver) = bounded(1);
        (Reply(sender), Answer(receiver))
    }

    pub fn give(self, answer: Result<T, IndexError>) {
        // The caller may be gone.
        let _ = self.0.send(answer);
    }
}

impl<T> Answer<T> {
    pub fn wait(self) -> Result<T, IndexError> {
        self.0.recv().unwrap_or(Err(IndexError::Stopped))
    }
}

/// The duty to tell the owner of a batch that it has landed or never will.
pub(super) struct Landed {
    callback: Option<Box<dyn FnOnce(bool) + Send>>,
    is_kept: bool,
}

impl Landed {
    pub fn new(callback: Box<dyn FnOnce(bool) + Send>) -> Landed {
        Landed { callback: Some(callback), is_kept: false }
    }

    /// Tells it now; dropped untold, nothing of the batch is kept.
    pub fn tell(mut self, is_kept: bool) {
        self.is_kept = is_kept;
    }
}

impl Drop for Landed {
    fn drop(&mut self) {
        // A caller's panic must not take the index along, nor abort during another one.
        let is_kept = self.is_kept;
        if let Some(callback) = self.callback.take()
            && catch_unwind(AssertUnwindSafe(|| callback(is_kept))).is_err()
        {
            log::error!("a callback panicked after its batch had landed");
        }
    }
}
