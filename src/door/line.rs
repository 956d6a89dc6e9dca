//! One connection's answers, kept in the order of its requests. Owns who may write when; writes nothing.
//!
//! tiny_http writes a pipelined answer only after the one before it and blocks the writing thread until
//! then. So an answer that is not at the head of its line waits here as a value, and whoever answers
//! the head writes the rest: no thread ever waits for another's answer, whatever a client pipelines.

use super::reply::{Parting, Portion, Reply};
use std::collections::{HashMap, VecDeque};
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tiny_http::Request;

/// Unanswered requests of one connection; browsers pipeline none, tiny_http would queue any number.
const PIPELINED_MAX: usize = 32;

/// Who is at the other end. Without scope and flow label, which the kernel's tables leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Peer {
    pub address: IpAddr,
    pub port: u16,
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Peer {
        // An IPv4 client of an IPv6 listener is known by its IPv4 address everywhere.
        Peer { address: address.ip().to_canonical(), port: address.port() }
    }
}

/// A request with its answer, ready to be written.
pub(super) struct Due {
    pub request: Request,
    pub reply: Reply,
    pub parting: Parting,
    pub portion: Portion,
    pub remains: Remains,
}

/// How the request may be let go of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remains {
    /// Dropping it touches nothing.
    Nothing,
    /// Only once its socket is shut down: dropping it would allocate this many bytes and read them
    /// from the client, or let tiny_http take what follows for a request.
    Held(u64),
}

/// What became of an answer handed in.
pub(super) enum Turn {
    /// Write it now, then ask [`Line::written`] for the next.
    Now(Due),
    /// Kept for whoever writes the one before it.
    Later,
    /// Nobody is listening any more: discard it.
    Never(Due),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    Welcome,
    /// Nothing more is taken from this connection.
    Closed,
    /// More unanswered requests than anybody honest has.
    TooMany,
}

pub(super) struct Line {
    pub peer: Peer,
    state: Mutex<State>,
}

struct State {
    unanswered: VecDeque<Slot>,
    /// Somebody is writing the answer at the head.
    writing: bool,
    door: Door,
    /// Since when somebody reads a body from the wire.
    reading: Option<Instant>,
    requests: u64,
    last_request: Option<Instant>,
    last_answer: Option<Instant>,
}

struct Slot {
    ticket: u64,
    due: Option<Due>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    /// Answers go out, requests do not come in.
    ClosedToNew,
    /// Nothing goes either way.
    Dead,
}

/// What the warden wants to know of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub requests: u64,
    pub unanswered: usize,
    /// `None`: the line was just entered.
    pub last_request: Option<Instant>,
    pub reading: Option<Instant>,
    pub last_answer: Option<Instant>,
}

impl Line {
    fn new(peer: Peer) -> Line {
        let unanswered = VecDeque::new();
        let state = State {
            unanswered,
            writing: false,
            door: Door::Open,
            reading: None,
            requests: 0,
            last_request: None,
            last_answer: None,
        };
        Line { peer, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a request. The accept loop calls this in order of acceptance.
    pub fn arrive(&self, ticket: u64, now: Instant) -> Arrival {
        let mut state = self.lock();
        if state.door != Door::Open {
            return Arrival::Closed;
        }
        if state.unanswered.len() >= PIPELINED_MAX {
            return Arrival::TooMany;
        }
        state.requests += 1;
        state.last_request = Some(now);
        state.unanswered.push_back(Slot { ticket, due: None });
        Arrival::Welcome
    }

    pub fn hand_in(&self, ticket: u64, due: Due) -> Turn {
        let mut state = self.lock();
        if state.door == Door::Dead {
            state.unanswered.retain(|slot| slot.ticket != ticket);
            return Turn::Never(due);
        }
        let first = state.unanswered.front().is_some_and(|slot| slot.ticket == ticket);
        if first && !state.writing {
            state.writing = true;
            return Turn::Now(due);
        }
        match state.unanswered.iter_mut().find(|slot| slot.ticket == ticket) {
            Some(slot) => {
                slot.due = Some(due);
                Turn::Later
            }
            None => Turn::Never(due),
        }
    }

    /// The answer at the head is out: the next one, if it is ready and the caller should write it.
    pub fn written(&self, now: Instant) -> Option<Due> {
        let mut state = self.lock();
        state.unanswered.pop_front();
        state.last_answer = Some(now);
        let next = state.unanswered.front_mut().and_then(|slot| slot.due.take());
        state.writing = next.is_some();
        next
    }

    /// For as long as the value lives, a body is being read from this connection.
    pub fn read_body_from(self: &Arc<Line>, now: Instant) -> Reading {
        self.lock().reading = Some(now);
        Reading(self.clone())
    }

    /// Takes no further request; what was accepted is still answered.
    pub fn close_to_new(&self) {
        let mut state = self.lock();
        if state.door == Door::Open {
            state.door = Door::ClosedToNew;
        }
    }

    /// Nobody is listening: gives back the answers that waited, to be discarded; the first time only.
    pub fn die(&self) -> Option<Vec<Due>> {
        let mut state = self.lock();
        if state.door == Door::Dead {
            return None;
        }
        state.door = Door::Dead;
        let mut waited = Vec::new();
        // Those without an answer yet leave by `hand_in`, the one being written by `written`.
        for mut slot in mem::take(&mut state.unanswered) {
            match slot.due.take() {
                Some(due) => waited.push(due),
                None => state.unanswered.push_back(slot),
            }
        }
        Some(waited)
    }

    pub fn standing(&self) -> Standing {
        let state = self.lock();
        Standing {
            requests: state.requests,
            unanswered: state.unanswered.len(),
            last_request: state.last_request,
            reading: state.reading,
            last_answer: state.last_answer,
        }
    }
}

/// See [`Line::read_body_from`].
pub(super) struct Reading(Arc<Line>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.lock().reading = None;
    }
}

/// All lines, by peer. The accept loop enters them, the warden takes out those whose connection is gone.
#[derive(Default)]
pub(super) struct Register {
    lines: Mutex<HashMap<Peer, Arc<Line>>>,
}

impl Register {
    fn lock(&self) -> MutexGuard<'_, HashMap<Peer, Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The peer's line, and whether it was not known before.
    pub fn line(&self, peer: Peer) -> (Arc<Line>, Acquaintance) {
        let mut lines = self.lock();
        if let Some(line) = lines.get(&peer) {
            return (line.clone(), Acquaintance::Known);
        }
        let line = Arc::new(Line::new(peer));
        lines.insert(peer, line.clone());
        (line, Acquaintance::New)
    }

    pub fn find(&self, peer: Peer) -> Option<Arc<Line>> {
        self.lock().get(&peer).cloned()
    }

    pub fn all(&self) -> Vec<Arc<Line>> {
        self.lock().values().cloned().collect()
    }

    pub fn forget(&self, peer: Peer) {
        self.lock().remove(&peer);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acquaintance {
    New,
    Known,
}
