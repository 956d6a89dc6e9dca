//! A web server on loopback that has the demo's covers: HTTP/1.1 with kept connections, each
//! picture drawn when it is asked for. A stranger to the rest of the program, as Discogs is: what
//! it serves goes through the same downloads, checks and caches.

use super::albums::{DemoAlbum, Manner, albums};
use super::press;
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How late a slow cover is: long enough to see its placeholder, shorter than a page's patience.
pub const SLOWNESS: Duration = Duration::from_millis(1500);

/// The running origin; it ends when this is dropped.
#[derive(Debug)]
pub struct DemoOrigin {
    address: SocketAddr,
    stop: Arc<Stop>,
    workers: Vec<JoinHandle<()>>,
}

impl DemoOrigin {
    /// Listens on a free port of 127.0.0.1. Fails only when the system refuses a port or a thread.
    pub fn start() -> io::Result<DemoOrigin> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let covers = albums().into_iter().map(|album| (album.path(), album)).collect();
        let mut origin =
            DemoOrigin { address: listener.local_addr()?, stop: Arc::default(), workers: Vec::new() };
        let shelf = Arc::new(Shelf { covers, stop: Arc::clone(&origin.stop) });
        for number in 0..CONNECTIONS_MAX {
            let (listener, shelf) = (listener.try_clone()?, Arc::clone(&shelf));
            let worker = thread::Builder::new().name(format!("demo-{number}"));
            origin.workers.push(worker.spawn(move || shelf.attend(&listener))?);
        }
        Ok(origin)
    }

    /// The loopback address and port: what a guard must allow by name.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url_of(&self, album: &DemoAlbum) -> String {
        format!("http://{}{}", self.address, album.path())
    }
}

impl Drop for DemoOrigin {
    fn drop(&mut self) {
        self.stop.ring();
        // A worker that waits for a connection must get one to see the bell. One each is enough:
        // none accepts again after it has rung.
        for _ in &self.workers {
            let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        }
        for worker in self.workers.drain(..) {
            // One that panicked has said so on its own.
            let _ = worker.join();
        }
    }
}

/// Connections served at once, each by a thread; further ones wait in the system's queue. More
/// than the three downloads of the default, so that idle kept connections do not shut one out.
const CONNECTIONS_MAX: usize = 8;

/// A connection may idle this long between requests: longer than a client's pool keeps it, so that
/// no request meets a connection that is just being closed.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// How soon an idle connection sees that the origin ends.
const BELL_EVERY: Duration = Duration::from_millis(200);

/// A client that takes nothing for so long is gone.
const WRITE_MAX: Duration = Duration::from_secs(10);

/// Bytes of a request's head: ours have some hundred.
const HEAD_MAX: usize = 8 * 1024;

/// Requests on one connection, as many servers have a limit.
const REQUESTS_MAX: usize = 100;

/// Rings once, for all that wait and all that look later.
#[derive(Debug, Default)]
struct Stop {
    rung: Mutex<bool>,
    bell: Condvar,
}

impl Stop {
    fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_all();
    }

    fn has_rung(&self) -> bool {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns after the time or when the bell rings.
    fn wait(&self, time: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.bell.wait_timeout_while(rung, time, |rung| !*rung);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

struct Shelf {
    covers: HashMap<String, DemoAlbum>,
    stop: Arc<Stop>,
}

/// What an answer consists of; every one has its full length in its head.
struct Answer {
    status: &'static str,
    media_type: &'static str,
    body: Vec<u8>,
}

/// What of a request matters here.
struct Request {
    method: Method,
    path: String,
    then: Then,
}

#[derive(Clone, Copy, PartialEq)]
enum Method {
    Get,
    Head,
    Other,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    Keep,
    Close,
}

impl Shelf {
    fn attend(&self, listener: &TcpListener) {
        while !self.stop.has_rung() {
            match listener.accept() {
                Ok((stream, _)) if !self.stop.has_rung() => {
                    // The client may go when it likes: that ends its connection and nothing else.
                    let _ = self.converse(stream);
                }
                Ok(_) => {}
                // Out of descriptors, most likely: others will give theirs back.
                Err(_) => self.stop.wait(BELL_EVERY),
            }
        }
    }

    fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(BELL_EVERY))?;
        stream.set_write_timeout(Some(WRITE_MAX))?;
        stream.set_nodelay(true)?;
        let mut received = Vec::new();
        for number in 1..=REQUESTS_MAX {
            let Some(head) = self.read_head(&mut stream, &mut received, Instant::now() + IDLE_MAX)? else {
                return Ok(());
            };
            let Some(request) = Request::parse(&head) else {
                let answer = Answer::text("400 Bad Request", "not a request that can be understood\n");
                return answer.send(&mut stream, Method::Get, Then::Close);
            };
            let then = if number == REQUESTS_MAX { Then::Close } else { request.then };
            self.answer(&request).send(&mut stream, request.method, then)?;
            if then == Then::Close {
                return Ok(());
            }
        }
        Ok(())
    }

    /// One request's head; what came after it stays in `received`. `None` when there will be none.
    fn read_head(
        &self,
        stream: &mut TcpStream,
        received: &mut Vec<u8>,
        until: Instant,
    ) -> io::Result<Option<Vec<u8>>> {
        let mut chunk = [0u8; 2048];
        loop {
            if let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = received.split_off(end + 4);
                return Ok(Some(std::mem::replace(received, rest)));
            }
            if received.len() > HEAD_MAX || self.stop.has_rung() || Instant::now() >= until {
                return Ok(None);
            }
            match stream.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(count) => received.extend_from_slice(&chunk[..count]),
                Err(error) if is_pause(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn answer(&self, request: &Request) -> Answer {
        if request.method == Method::Other {
            return Answer::text("405 Method Not Allowed", "this origin only hands out pictures\n");
        }
        let Some(album) = self.covers.get(&request.path) else {
            return Answer::text("404 Not Found", "no such sleeve\n");
        };
        match album.cover.manner {
            Manner::Missing => return Answer::text("404 Not Found", "this sleeve was lost in a move\n"),
            Manner::Slow => self.stop.wait(SLOWNESS),
            Manner::Prompt | Manner::Broken => {}
        }
        let media_type = press::media_type(album.cover.encoding);
        Answer { status: "200 OK", media_type, body: press::cover_file(album) }
    }
}

/// Whether nothing came in time, as opposed to never again. Which of the kinds it is depends on the
/// system.
fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

impl Request {
    fn parse(head: &[u8]) -> Option<Request> {
        let head = std::str::from_utf8(head).ok()?;
        let mut lines = head.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() || !target.starts_with('/') || !version.starts_with("HTTP/1.") {
            return None;
        }
        let fields = || lines.clone().filter_map(|line| line.split_once(':'));
        let has = |name: &str| fields().any(|(field, _)| field.eq_ignore_ascii_case(name));
        let closes = fields().any(|(field, value)| {
            field.eq_ignore_ascii_case("connection") && value.trim().eq_ignore_ascii_case("close")
        });
        let method = match method {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            _ => Method::Other,
        };
        // A body is not read, so what follows such a head is no request.
        let body = has("content-length") || has("transfer-encoding") || method == Method::Other;
        let then = if closes || body || version == "HTTP/1.0" { Then::Close } else { Then::Keep };
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        Some(Request { method, path: path.to_owned(), then })
    }
}

impl Answer {
    fn text(status: &'static str, sentence: &str) -> Answer {
        Answer { status, media_type: "text/plain; charset=utf-8", body: sentence.into() }
    }

    fn send(&self, stream: &mut TcpStream, method: Method, then: Then) -> io::Result<()> {
        let connection = if then == Then::Close { "close" } else { "keep-alive" };
        let allow = if self.status.starts_with("405") { "Allow: GET, HEAD\r\n" } else { "" };
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{allow}Connection: {connection}\r\n\
             Cache-Control: public, max-age=31536000\r\nServer: vinylvault-demo\r\n\r\n",
            self.status,
            self.media_type,
            self.body.len(),
        );
        let mut bytes = head.into_bytes();
        if method != Method::Head {
            bytes.extend_from_slice(&self.body);
        }
        stream.write_all(&bytes)
    }
}
