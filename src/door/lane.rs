//! The slow lane: answers whose client does not take them as fast as they are written. Owns the rest
//! of such answers and the one thread that pushes them on; the accept loop and the pool never wait
//! for a client.

use super::line::Line;
use super::reply::Parting;
use super::shared::Shared;
use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Write};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Answers in the lane; each holds at most its own bytes. Past it the connection is cut.
const WAITING_MAX: usize = 64;
/// No byte taken for so long: the client is not reading, and is cut.
const NO_PROGRESS_MAX: Duration = Duration::from_secs(10);
/// How long an address that let us wait is served from the lane only, so that it can hold up the
/// accept loop once a minute and no more.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Addresses remembered; the oldest goes first.
const ADDRESSES_MAX: usize = 256;

/// How far a write came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Whole,
    /// The client's window and our buffer are full; so many bytes are out.
    Partly(usize),
    Gone,
}

/// Writes `bytes[from..]` as far as it goes without waiting longer than the socket's write timeout.
pub(super) fn send(writer: &mut dyn Write, bytes: &[u8], from: usize) -> Sent {
    let mut done = from;
    while done < bytes.len() {
        match writer.write(&bytes[done..]) {
            Ok(0) => return Sent::Gone,
            Ok(count) => {
                done += count;
                // A short count means that the timeout ran out while waiting for room.
                if done < bytes.len() {
                    return Sent::Partly(done);
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if waits(&error) => return Sent::Partly(done),
            Err(_) => return Sent::Gone,
        }
    }
    match writer.flush() {
        Ok(()) => Sent::Whole,
        Err(error) if waits(&error) => Sent::Partly(done),
        Err(_) => Sent::Gone,
    }
}

fn waits(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// An answer on its way, and the line that waits behind it.
pub(super) struct Straggler {
    pub line: Arc<Line>,
    pub parting: Parting,
    pub writer: Box<dyn Write + Send>,
    pub bytes: Vec<u8>,
    pub sent: usize,
    pub progress_at: Instant,
}

#[derive(Default)]
pub(super) struct Lane {
    state: Mutex<State>,
    changed: Condvar,
    /// Spares the hit path the lock while nobody is slow, which is always but under attack.
    anybody_slow: AtomicBool,
}

#[derive(Default)]
struct State {
    /// Not tried yet by the lane.
    fresh: VecDeque<Straggler>,
    /// Tried, and no room.
    stuck: VecDeque<Straggler>,
    slow: HashMap<IpAddr, Instant>,
    closed: bool,
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this address let us wait lately, so that its answers go through the lane.
    pub fn is_slow(&self, address: IpAddr, now: Instant) -> bool {
        if !self.anybody_slow.load(Ordering::Relaxed) {
            return false;
        }
        let mut state = self.lock();
        state.slow.retain(|_, since| now.duration_since(*since) < REMEMBERED);
        self.anybody_slow.store(!state.slow.is_empty(), Ordering::Relaxed);
        state.slow.contains_key(&address)
    }

    pub fn remember(&self, address: IpAddr, now: Instant) {
        let mut state = self.lock();
        if state.slow.len() >= ADDRESSES_MAX
            && let Some(oldest) = state.slow.iter().min_by_key(|entry| *entry.1).map(|entry| *entry.0)
        {
            state.slow.remove(&oldest);
        }
        state.slow.insert(address, now);
        self.anybody_slow.store(true, Ordering::Relaxed);
    }

    /// Gives the answer back when the lane is full or closed: the connection must then be cut.
    pub fn join(&self, straggler: Straggler) -> Result<(), Straggler> {
        let mut state = self.lock();
        if state.closed || state.fresh.len() + state.stuck.len() >= WAITING_MAX {
            return Err(straggler);
        }
        state.fresh.push_back(straggler);
        self.changed.notify_one();
        Ok(())
    }

    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Fresh ones first: a client that reads is served before one that is known not to.
    fn next(&self) -> Option<Straggler> {
        let mut state = self.lock();
        loop {
            if let Some(straggler) = state.fresh.pop_front() {
                return Some(straggler);
            }
            if state.closed {
                return None;
            }
            if let Some(straggler) = state.stuck.pop_front() {
                return Some(straggler);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn put_back(&self, straggler: Straggler) {
        self.lock().stuck.push_back(straggler);
    }
}

/// The lane's thread: until [`Lane::close`].
pub(super) fn push_on(shared: &Arc<Shared>) {
    while let Some(mut straggler) = shared.lane.next() {
        let before = straggler.sent;
        let sent = send(&mut *straggler.writer, &straggler.bytes, before);
        let now = Instant::now();
        match sent {
            Sent::Partly(count) => {
                if count > before {
                    straggler.progress_at = now;
                }
                straggler.sent = count;
                shared.lane.remember(straggler.line.peer.address, now);
                if now.duration_since(straggler.progress_at) > NO_PROGRESS_MAX {
                    end(shared, straggler, Sent::Gone, now);
                } else {
                    shared.lane.put_back(straggler);
                }
            }
            sent => end(shared, straggler, sent, now),
        }
    }
}

fn end(shared: &Arc<Shared>, straggler: Straggler, sent: Sent, now: Instant) {
    let Straggler { line, parting, writer, .. } = straggler;
    drop(writer);
    shared.sent(&line, parting, sent);
    if let Some(due) = shared.next_of(&line, now) {
        shared.write_out(line, due);
    }
}
