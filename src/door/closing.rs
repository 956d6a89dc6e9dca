//! Connections that the door is taking leave of. Owns the order: last answer, end of our half, a little
//! patience while the client reads it, then the end; and only then is the request released.

use super::census::Row;
use super::graveyard::Corpse;
use super::line::Peer;
use rustix::net::RecvFlags;
use socket2::SockRef;
use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// How long a client may take to read its last answer; what it sends meanwhile is read and forgotten,
/// or the reset that follows unread bytes would take the answer with it.
const LINGER: Duration = Duration::from_secs(2);
/// Read and forgotten at most, in all and at one look.
const DRAINED_MAX: usize = 8 * 1024 * 1024;
const DRAINED_PER_LOOK: usize = 1024 * 1024;
/// Shut down for so long and still held by tiny_http: it will not come back.
const LOST_AFTER: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Closing {
    leaving: HashMap<Peer, Leaving>,
}

struct Leaving {
    since: Instant,
    stream: Option<TcpStream>,
    drained: usize,
    corpse: Option<Corpse>,
}

impl Closing {
    /// Ends our half and waits for the client to end its own.
    pub fn hang_up(&mut self, peer: Peer, stream: TcpStream, corpse: Option<Corpse>, now: Instant) {
        // An error means that the client was faster.
        let _ = stream.shutdown(Shutdown::Write);
        let leaving = Leaving { since: now, stream: Some(stream), drained: 0, corpse };
        self.leaving.insert(peer, leaving);
    }

    /// Ends both halves now. What was not sent yet is forgotten, and a client that goes on sending is
    /// told by a reset when tiny_http closes: otherwise the kernel would keep both for a minute.
    pub fn cut(&mut self, peer: Peer, stream: Option<TcpStream>, corpse: Option<Corpse>, now: Instant) {
        if let Some(stream) = stream {
            // Refused: then it takes the minute.
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            let _ = stream.shutdown(Shutdown::Both);
            // tiny_http would make requests of it, and keep them at twenty times their size until the door
            // has thrown each away.
            forget_unread(&stream);
        }
        if let Some(before) = self.leaving.get_mut(&peer) {
            before.end(now);
        }
        let mut leaving = Leaving { since: now, stream: None, drained: 0, corpse };
        leaving.end(now);
        self.leaving.insert(peer, leaving);
    }

    /// Ends both halves now, as a server ends an idle connection: the client may still read.
    pub fn end(&mut self, peer: Peer, stream: TcpStream, now: Instant) {
        let mut leaving = Leaving { since: now, stream: Some(stream), drained: 0, corpse: None };
        leaving.end(now);
        self.leaving.insert(peer, leaving);
    }

    pub fn has(&self, peer: Peer) -> bool {
        self.leaving.contains_key(&peer)
    }

    pub fn is_empty(&self) -> bool {
        self.leaving.is_empty()
    }

    /// Whether somebody is being waited for.
    pub fn lingers(&self) -> bool {
        self.leaving.values().any(|leaving| leaving.stream.is_some())
    }

    /// One look at all of them; `rows` are the connections that still exist.
    pub fn follow_up(&mut self, rows: &HashMap<Peer, Row>, now: Instant) {
        self.leaving.retain(|peer, leaving| {
            let gone = rows.get(peer).is_none_or(|row| row.inode.is_none());
            if gone || leaving.drain() || now.saturating_duration_since(leaving.since) > LINGER {
                leaving.end(now);
            }
            !gone
        });
    }

    /// How many are shut down and still not closed.
    pub fn lost(&self, now: Instant) -> usize {
        let lost = |leaving: &&Leaving| {
            leaving.stream.is_none() && now.saturating_duration_since(leaving.since) > LOST_AFTER
        };
        self.leaving.values().filter(lost).count()
    }
}

/// Throws away what has come, [`DRAINED_PER_LOOK`] at most: how many bytes, and whether no more can come.
fn forget_unread(stream: &TcpStream) -> (usize, bool) {
    let mut buffer = [0; 16 * 1024];
    let mut forgotten = 0;
    while forgotten < DRAINED_PER_LOOK {
        // With `TRUNC` the kernel of TCP throws away and copies nothing (tcp(7)).
        match rustix::net::recv(stream, &mut buffer[..], RecvFlags::DONTWAIT | RecvFlags::TRUNC) {
            Ok((_, 0)) => return (forgotten, true),
            Ok((_, count)) => forgotten += count,
            Err(error) => return (forgotten, error != rustix::io::Errno::AGAIN),
        }
    }
    (forgotten, false)
}

impl Leaving {
    /// Reads what has come; true when nothing more is to be waited for.
    fn drain(&mut self) -> bool {
        let (Some(stream), Some(_)) = (&self.stream, &self.corpse) else {
            // Without a corpse tiny_http's own thread is reading.
            return false;
        };
        let (forgotten, is_over) = forget_unread(stream);
        self.drained += forgotten;
        is_over || self.drained >= DRAINED_MAX
    }

    fn end(&mut self, now: Instant) {
        if let Some(stream) = self.stream.take() {
            let _ = stream.shutdown(Shutdown::Both);
            self.since = now;
        }
        if let Some(corpse) = self.corpse.take() {
            corpse.release();
        }
    }
}
