//! What the accept loop and the answering threads ask of the warden, and the bell that wakes it. Owns
//! the list only. Each connection asks for at most one thing of each kind, so the limit of connections
//! is the limit of the list.

use super::graveyard::Corpse;
use super::line::{Due, Line, Peer};
use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub(super) enum Errand {
    /// Answer without reading the body, then hang up.
    Bury(Arc<Line>, Due),
    /// The last answer is out: say so, wait a little, close.
    HangUp(Peer),
    /// Close at once.
    Cut(Peer),
    /// Close at once, and only then let go of the request.
    CutAndRelease(Peer, Corpse),
}

pub(super) struct Errands {
    list: Mutex<Vec<Errand>>,
    bell: OwnedFd,
    /// Rung once, and never silenced.
    end: OwnedFd,
    rung: AtomicBool,
}

impl Errands {
    pub fn new() -> io::Result<Errands> {
        let bell = || eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let (bell, end) = (bell()?, bell()?);
        Ok(Errands { list: Mutex::default(), bell, end, rung: AtomicBool::new(false) })
    }

    pub fn ask(&self, errand: Errand) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).push(errand);
        self.ring();
    }

    /// Wakes the warden; one system call however often it is rung before it looks.
    pub fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            // Fails only when the count is full, and then it is awake.
            let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
        }
    }

    /// Wakes everybody for good.
    pub fn ring_the_end(&self) {
        self.ring();
        // Fails only when the count is full, and then it has been rung.
        let _ = rustix::io::write(&self.end, &1u64.to_ne_bytes());
    }

    pub fn end(&self) -> &OwnedFd {
        &self.end
    }

    pub fn bell(&self) -> &OwnedFd {
        &self.bell
    }

    pub fn silence(&self) -> Rung {
        // In this order: whoever rings between the two wakes the next look.
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        match self.rung.swap(false, Ordering::AcqRel) {
            true => Rung::Yes,
            false => Rung::No,
        }
    }

    /// Somebody is to be cut off, who sends meanwhile what tiny_http keeps.
    pub fn are_urgent(&self) -> bool {
        let list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.iter().any(|errand| matches!(errand, Errand::Cut(_) | Errand::CutAndRelease(..)))
    }

    pub fn take(&self) -> Vec<Errand> {
        mem::take(&mut *self.list.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rung {
    Yes,
    No,
}
