//! The thread that answers for the server to the service manager. It says that the server is ready,
//! and then that it is alive, only when the server has answered it like anybody else: over TCP,
//! through the accept loop and the pool. So one that listens and does not answer is started anew.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use log::warn;

use super::notify::{Manager, Word};

/// While the store is being opened (its index may be built anew from a slow card) the manager is
/// asked so often for so much more time, whatever its own limit is.
const OPENING_PAUSE: Duration = Duration::from_secs(20);
const OPENING_MORE: Duration = Duration::from_secs(90);
/// For an answer that takes a millisecond. A machine that swaps or renders on its only core takes
/// seconds; a client that is held back by the door comes in with its second or third try.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Between an answer that did not come and the next question, at most.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// The answer has some 500 bytes.
const ANSWER_BYTES_MAX: usize = 4096;
const STACK_BYTES: usize = 256 * 1024;

/// Tells the thread that the store is open; dropped before that, the thread ends with it.
pub(super) struct Watchdog(Sender<SocketAddr>);

impl Watchdog {
    /// Starts before the store is opened.
    pub fn start(manager: Arc<Manager>) -> io::Result<Watchdog> {
        let (open, opened) = channel();
        thread::Builder::new()
            .name("watchdog".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || watch(&manager, &opened))?;
        Ok(Watchdog(open))
    }

    /// `home` is where the server is to be asked.
    pub fn store_is_open(&self, home: SocketAddr) {
        // A thread that is gone has panicked, and the manager will miss it.
        let _ = self.0.send(home);
    }
}

fn watch(manager: &Manager, opened: &Receiver<SocketAddr>) {
    let home = loop {
        manager.tell(Word::Opening { extend: OPENING_MORE });
        match opened.recv_timeout(OPENING_PAUSE) {
            Ok(home) => break home,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    };
    let status = format!("Serving at http://{home}/");
    let mut word = Word::Ready(&status);
    let period = manager.period();
    // Without a watchdog the thread ends with the word "ready".
    while !manager.is_leaving() {
        match ask(home, ANSWER_MAX.min(period.unwrap_or(ANSWER_MAX))) {
            Ok(()) => {
                manager.tell(word);
                let Some(period) = period else { return };
                word = Word::Alive;
                thread::sleep(period);
            }
            // A server on its way out need not answer.
            Err(_) if manager.is_leaving() => return,
            Err(cause) => {
                warn!("the server does not answer itself, no word to the service manager cause={cause}");
                thread::sleep(RETRY_PAUSE.min(period.unwrap_or(RETRY_PAUSE) / 4));
            }
        }
    }
}

/// One request on a connection of its own, answered within `patience` as a whole.
fn ask(home: SocketAddr, patience: Duration) -> io::Result<()> {
    let deadline = Instant::now() + patience;
    let left = || match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")),
        left => Ok(Some(left)),
    };
    let mut stream = TcpStream::connect_timeout(&home, patience)?;
    stream.set_write_timeout(left()?)?;
    let request = format!("GET /health HTTP/1.1\r\nHost: {home}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut part = [0; 1024];
    // To the end, for a connection closed with something unread looks to the server like a fault.
    while answer.len() < ANSWER_BYTES_MAX {
        stream.set_read_timeout(left()?)?;
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&part[..length]),
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) if answer.is_empty() => return Err(cause),
            Err(_) => break,
        }
    }
    let first = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    match first.starts_with(b"HTTP/1.1 200") {
        true => Ok(()),
        false => Err(io::Error::other(format!("it says {:?}", String::from_utf8_lossy(first)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const SOON: Duration = Duration::from_millis(200);

    /// What `ask` makes of a server that answers with `answer`, or not at all.
    fn asked(answer: Option<&'static str>) -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let home = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut head = [0; 1024];
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                assert!(client.read(&mut head).unwrap() > 0);
            }
            match answer {
                Some(answer) => client.write_all(answer.as_bytes()).unwrap(),
                // Until the other side has had enough.
                None => drop(client.read(&mut head)),
            }
        });
        let asked = ask(home, if answer.is_some() { Duration::from_secs(10) } else { SOON });
        server.join().unwrap();
        asked
    }

    #[test]
    fn only_a_whole_yes_is_an_answer() {
        asked(Some("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")).unwrap();
        assert!(asked(Some("HTTP/1.1 503 Service Unavailable\r\n\r\n")).is_err());
        assert!(asked(Some("")).is_err());
        assert!(asked(None).is_err());
    }

    #[test]
    fn a_listener_that_nobody_accepts_from_is_no_answer() {
        let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(ask(deaf.local_addr().unwrap(), SOON).is_err());
    }
}
