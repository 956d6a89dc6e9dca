//! One checked request and the duty to answer it. Owns what handlers may ask of a request; how the
//! answer reaches the socket is `shared` and `line`.

use super::diary;
use super::head::{Declared, Head};
use super::line::{Due, Line, Remains};
use super::reply::Reply;
use super::shared::Shared;
use std::io::Read;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tiny_http::Request;

/// One checked request and the duty to answer it, now or later and from any thread. Dropped
/// unanswered, as a panic does, it says 500.
pub struct Exchange {
    pub(super) shared: Arc<Shared>,
    pub(super) line: Arc<Line>,
    /// Gone once answered.
    pub(super) request: Option<Request>,
    pub(super) head: Head,
    pub(super) ticket: u64,
    pub(super) accepted_at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// More than the handler takes (413).
    TooLarge,
    /// No `Content-Length` (411).
    Missing,
    /// Somebody else's body is being read (503, try again in a second).
    Busy,
    /// The client stopped before the end, or was too slow (400, if it still listens).
    Cut,
}

impl Exchange {
    /// Order of acceptance, beginning with 1.
    pub fn ticket(&self) -> u64 {
        self.ticket
    }

    pub fn accepted_at(&self) -> Instant {
        self.accepted_at
    }

    /// Who asks: the other end of the connection, be it a proxy. Never an IPv4 address in IPv6 clothes.
    pub fn peer(&self) -> IpAddr {
        self.line.peer.address
    }

    /// A word, as it came: `GET`, not `get`.
    pub fn method(&self) -> &str {
        self.request.as_ref().map_or("", |request| request.method().as_str())
    }

    /// Path and query as they came: printable ASCII, begins with `/`, no fragment, at most 8 KB.
    pub fn target(&self) -> &str {
        let raw = self.request.as_ref().map_or("/", |request| request.url());
        self.head.target.as_deref().unwrap_or(raw)
    }

    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// All headers of that name in their order: a list may come in several lines.
    pub fn headers<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        let headers = self.request.as_ref().map_or(&[][..], |request| request.headers());
        let named =
            move |header: &&tiny_http::Header| header.field.as_str().as_str().eq_ignore_ascii_case(name);
        headers.iter().filter(named).map(|header| header.value.as_str())
    }

    /// The whole body, at most `bytes_max` bytes. Bodies over 1 KB come from the wire, one at a time in
    /// the whole house, within [`super::Limits::body`]; so a client that drips holds up nobody else.
    pub fn read_body(&mut self, bytes_max: u64) -> Result<Vec<u8>, BodyError> {
        let Some(request) = self.request.as_mut() else { return Err(BodyError::Missing) };
        let (length, gate) = match self.head.body {
            Declared::Nothing => return Err(BodyError::Missing),
            Declared::InMemory(length) => (length, None),
            Declared::OnTheWire(length) if length > bytes_max => return Err(BodyError::TooLarge),
            Declared::OnTheWire(length) => {
                (length, Some(Gate::enter(&self.shared.reading).ok_or(BodyError::Busy)?))
            }
        };
        if length > bytes_max {
            return Err(BodyError::TooLarge);
        }
        let reading = gate.as_ref().map(|_| self.line.read_body_from(Instant::now()));
        let mut body = Vec::new();
        let read = request.as_reader().take(length).read_to_end(&mut body);
        drop((reading, gate));
        if read.is_err() || (body.len() as u64) < length {
            return Err(BodyError::Cut);
        }
        self.head.body = Declared::InMemory(length);
        Ok(body)
    }

    /// Writes head and body in one call, or leaves them to whoever writes the answer before it on the
    /// same connection. Never waits for the client; one that is gone is not an error.
    pub fn answer(mut self, reply: Reply) {
        self.settle(reply);
    }

    /// The door's own answer, in the form that the house gives to it.
    pub(super) fn complain(mut self, status: u16, sentence: &'static str) {
        let reply = (self.shared.complain)(self.target(), status, sentence);
        self.settle(if status == 503 { reply.with("Retry-After", "1") } else { reply });
    }

    fn settle(&mut self, reply: Reply) {
        if diary::is_kept() && self.request.is_some() {
            diary::note(self.method(), self.target(), &reply, self.head.portion, self.accepted_at);
        }
        let Some(request) = self.request.take() else { return };
        let remains = match self.head.body {
            Declared::OnTheWire(length) => Remains::Held(length),
            Declared::InMemory(_) | Declared::Nothing => Remains::Nothing,
        };
        let Head { parting, portion, .. } = self.head;
        let due = Due { request, reply, parting, portion, remains };
        self.shared.deliver(self.line.clone(), self.ticket, due);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.request.is_some() {
            self.settle((self.shared.complain)(self.target(), 500, "Something went wrong here.\n"));
        }
    }
}

/// The right to read a body from the wire; given back when dropped.
struct Gate<'a>(&'a AtomicBool);

impl<'a> Gate<'a> {
    fn enter(taken: &'a AtomicBool) -> Option<Gate<'a>> {
        // Not `then_some`: a value made and thrown away would open the gate for everybody.
        (!taken.swap(true, Ordering::Acquire)).then(|| Gate(taken))
    }
}

impl Drop for Gate<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
