//! What the accept loop, the pool, the lane and the warden share: the way of an answer from a thread
//! to a socket. Owns the count of answers owed and the counters; decides nothing about connections.

use super::errands::{Errand, Errands};
use super::graveyard::Corpse;
use super::lane::{Lane, Sent, Straggler, send};
use super::line::{Due, Line, Peer, Register, Remains, Turn};
use super::reply::{Complain, Parting, render};
use super::{Counts, Limits};
use std::cell::RefCell;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tiny_http::{Request, Server};

/// A thread keeps its buffer up to this size; one huge page must not stay for ever.
const BUFFER_KEPT_MAX: usize = 256 * 1024;

pub(super) struct Shared {
    pub limits: Limits,
    pub complain: Complain,
    pub register: Register,
    pub lane: Lane,
    pub errands: Errands,
    pub tally: Tally,
    /// No new requests.
    pub stopping: AtomicBool,
    /// Nothing more at all.
    pub shut: AtomicBool,
    /// One body at a time is read from the wire.
    pub reading: AtomicBool,
    owed: Mutex<u64>,
    settled: Condvar,
    restart: Mutex<Option<String>>,
    server: Weak<Server>,
}

/// Counters for the page of statistics.
#[derive(Default)]
pub(super) struct Tally {
    pub connections: AtomicU64,
    pub requests: AtomicU64,
    pub refused: AtomicU64,
    pub overloads: AtomicU64,
    pub cut: AtomicU64,
    pub lost: AtomicU64,
    pub kicks: AtomicU64,
}

impl Tally {
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            connections: read(&self.connections),
            requests: read(&self.requests),
            refused: read(&self.refused),
            overloads: read(&self.overloads),
            cut: read(&self.cut),
            lost: read(&self.lost),
            kicks: read(&self.kicks),
        }
    }
}

impl Shared {
    pub fn new(limits: Limits, complain: Complain, server: Weak<Server>) -> io::Result<Shared> {
        Ok(Shared {
            limits,
            complain,
            register: Register::default(),
            lane: Lane::default(),
            errands: Errands::new()?,
            tally: Tally::default(),
            stopping: AtomicBool::new(false),
            shut: AtomicBool::new(false),
            reading: AtomicBool::new(false),
            owed: Mutex::new(0),
            settled: Condvar::new(),
            restart: Mutex::default(),
            server,
        })
    }

    /// Wakes the accept loop, which then looks whether it should end.
    pub fn unblock(&self) {
        if let Some(server) = self.server.upgrade() {
            server.unblock();
        }
    }

    pub fn demand_restart(&self, reason: String) {
        *self.restart.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        self.unblock();
    }

    pub fn restart_demanded(&self) -> Option<String> {
        self.restart.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One more answer is owed.
    pub fn owe(&self) {
        *self.owed.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    fn settle(&self) {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        *owed = owed.saturating_sub(1);
        if *owed == 0 {
            self.settled.notify_all();
        }
    }

    /// Waits until nothing is owed, at most for `patience`; tells how many answers still are.
    pub fn wait_settled(&self, patience: Duration) -> u64 {
        let owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.settled.wait_timeout_while(owed, patience, |owed| *owed > 0);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Takes the answer of a request that has arrived: writes it, or keeps it until its turn.
    pub fn deliver(self: &Arc<Self>, line: Arc<Line>, ticket: u64, due: Due) {
        match line.hand_in(ticket, due) {
            Turn::Now(due) => self.write_out(line, due),
            Turn::Later => {}
            Turn::Never(due) => {
                self.discard(line.peer, due.request, due.remains);
                self.settle();
            }
        }
    }

    /// Writes the answer at the head of the line, and those that waited behind it.
    pub fn write_out(self: &Arc<Self>, line: Arc<Line>, due: Due) {
        let mut next = Some(due);
        while let Some(due) = next {
            if let Remains::Held(_) = due.remains {
                return self.errands.ask(Errand::Bury(line, due));
            }
            let parting = due.parting;
            let Some(sent) = self.write(&line, due) else { return };
            self.sent(&line, parting, sent);
            next = self.next_of(&line, Instant::now());
        }
    }

    /// `None`: somebody else finishes it and goes on with the line.
    fn write(self: &Arc<Self>, line: &Arc<Line>, due: Due) -> Option<Sent> {
        thread_local! { static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) }; }
        BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            buffer.shrink_to(BUFFER_KEPT_MAX);
            render(&due.reply, due.parting, due.portion, buffer);
            let mut writer = due.request.into_writer();
            let now = Instant::now();
            let sent = match self.lane.is_slow(line.peer.address, now) {
                true => Sent::Partly(0),
                false => send(&mut *writer, buffer, 0),
            };
            let Sent::Partly(count) = sent else { return Some(sent) };
            if count > 0 {
                self.lane.remember(line.peer.address, now);
            }
            let bytes = buffer[count..].to_vec();
            let (line, parting) = (line.clone(), due.parting);
            let straggler = Straggler { line, parting, writer, bytes, sent: 0, progress_at: now };
            self.lane.join(straggler).is_err().then_some(Sent::Gone)
        })
    }

    /// An answer left, or its client did.
    pub fn sent(&self, line: &Arc<Line>, parting: Parting, sent: Sent) {
        if sent == Sent::Gone {
            self.cut(line);
        } else if parting == Parting::HangUp {
            line.close_to_new();
            self.errands.ask(Errand::HangUp(line.peer));
        }
    }

    /// The next answer of the line that is ready, after one was written.
    pub fn next_of(&self, line: &Line, now: Instant) -> Option<Due> {
        let next = line.written(now);
        self.settle();
        next
    }

    /// Gives a connection up and has it shut down.
    pub fn cut(&self, line: &Line) {
        if self.bury_line(line) {
            self.errands.ask(Errand::Cut(line.peer));
        }
    }

    /// Discards what waits for a connection that is gone, or going; tells whether that was news.
    pub fn bury_line(&self, line: &Line) -> bool {
        let Some(waiting) = line.die() else { return false };
        for due in waiting {
            self.discard(line.peer, due.request, due.remains);
            self.settle();
        }
        true
    }

    /// Lets go of a request without a word to the client.
    pub fn discard(&self, peer: Peer, request: Request, remains: Remains) {
        match remains {
            // Not `drop(request)`: that would write a 500, and wait for its turn to do so.
            Remains::Nothing => drop(request.into_writer()),
            Remains::Held(length) => {
                self.errands.ask(Errand::CutAndRelease(peer, Corpse::new(request, length)));
            }
        }
    }
}
