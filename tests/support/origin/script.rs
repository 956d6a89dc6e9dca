//! What an origin does with one request: every good and every hostile behaviour, as a value.
//! Owns the bytes on the wire; which request gets which script is the origin's.

use std::io::{self, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Asked for a pause: `false` when the origin ends meanwhile.
pub type Pause<'a> = &'a dyn Fn(Duration) -> bool;

/// Whether the connection can carry another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    KeepOpen,
    Close,
}

/// How the body travels.
#[derive(Clone, Debug)]
enum Body {
    Whole,
    /// So many bytes at a time, with a pause after each piece.
    Trickle(usize, Duration),
    /// Only the first so many bytes, then the connection ends.
    Cut(usize),
    /// The body again and again, as long as somebody reads.
    Endless,
    Chunked,
    /// Chunked, without the last chunk.
    ChunkedCut,
    /// No length: ends with the connection.
    UntilClosed,
}

/// Anything before the body.
#[derive(Clone, Debug)]
enum Head {
    Proper,
    /// One byte at a time.
    Slow(Duration),
    /// Header lines without end, as long as somebody reads.
    Endless,
    /// Nothing at all, until the client or the test gives up.
    Silent,
    /// These bytes in place of an answer, then the connection ends.
    Raw(Vec<u8>),
    /// The connection ends without an answer.
    Hangup,
    /// The same with a TCP reset.
    Reset,
}

#[derive(Clone, Debug)]
pub struct Script {
    delay: Duration,
    status: u16,
    headers: Vec<(String, String)>,
    /// In place of the real one.
    declared: Option<String>,
    head: Head,
    body: Body,
    bytes: Vec<u8>,
}

impl Script {
    /// A good answer; the content type is that of a JPEG whatever the bytes are (nobody should care).
    pub fn picture(bytes: impl Into<Vec<u8>>) -> Script {
        Script::bytes("image/jpeg", bytes)
    }

    pub fn bytes(content_type: &str, bytes: impl Into<Vec<u8>>) -> Script {
        let script = Script::status(200).header("Content-Type", content_type);
        Script { bytes: bytes.into(), ..script }
    }

    /// An answer without a body.
    pub fn status(status: u16) -> Script {
        Script {
            delay: Duration::ZERO,
            status,
            headers: Vec::new(),
            declared: None,
            head: Head::Proper,
            body: Body::Whole,
            bytes: Vec::new(),
        }
    }

    /// 302; `to` as it is to stand in `Location`.
    pub fn redirect(to: &str) -> Script {
        Script::status(302).header("Location", to)
    }

    /// 429 or 503 with `Retry-After`: seconds or a date, as it is to stand there.
    pub fn busy(status: u16, retry_after: &str) -> Script {
        Script::status(status).header("Retry-After", retry_after)
    }

    /// `bytes` zeros that travel as a thousandth of that.
    pub fn gzip_bomb(bytes: usize) -> Script {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..bytes / 65536 {
            encoder.write_all(&[0; 65536]).unwrap();
        }
        encoder.write_all(&vec![0; bytes % 65536]).unwrap();
        Script::picture(encoder.finish().unwrap()).header("Content-Encoding", "gzip")
    }

    /// A body without end.
    pub fn infinite() -> Script {
        Script { body: Body::Endless, ..Script::picture(vec![0xff; 65536]) }
    }

    /// The headers arrive one byte at a time.
    pub fn slow_header(pause: Duration) -> Script {
        Script { head: Head::Slow(pause), ..Script::picture(vec![0; 16]) }
    }

    /// Header lines without end.
    pub fn endless_header() -> Script {
        Script { head: Head::Endless, ..Script::status(200) }
    }

    /// Accepts the request and says nothing.
    pub fn silent() -> Script {
        Script { head: Head::Silent, ..Script::status(200) }
    }

    /// Ends the connection without an answer.
    pub fn hangup() -> Script {
        Script { head: Head::Hangup, ..Script::status(200) }
    }

    /// Ends the connection by a TCP reset.
    pub fn reset() -> Script {
        Script { head: Head::Reset, ..Script::status(200) }
    }

    /// Not HTTP.
    pub fn junk() -> Script {
        Script::raw(b"\0\x01\x02SSH-2.0-nope\r\n\r\n")
    }

    /// Exactly these bytes, then the connection ends.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Script {
        Script { head: Head::Raw(bytes.into()), ..Script::status(200) }
    }

    /// The same under another status.
    pub fn code(self, status: u16) -> Script {
        Script { status, ..self }
    }

    /// Waits before it answers.
    pub fn after(self, delay: Duration) -> Script {
        Script { delay, ..self }
    }

    pub fn header(mut self, name: &str, value: &str) -> Script {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The body in pieces of `size` bytes with a pause after each.
    pub fn trickle(self, size: usize, pause: Duration) -> Script {
        Script { body: Body::Trickle(size, pause), ..self }
    }

    /// The whole length is declared, `sent` bytes come, then the connection ends.
    pub fn cut(self, sent: usize) -> Script {
        Script { body: Body::Cut(sent), ..self }
    }

    /// What stands in `Content-Length`, whatever comes.
    pub fn declares(self, length: impl ToString) -> Script {
        Script { declared: Some(length.to_string()), ..self }
    }

    pub fn chunked(self) -> Script {
        Script { body: Body::Chunked, ..self }
    }

    pub fn chunked_cut(self) -> Script {
        Script { body: Body::ChunkedCut, ..self }
    }

    pub fn without_length(self) -> Script {
        Script { body: Body::UntilClosed, ..self }
    }

    /// `ending` is called before the last bytes leave.
    pub(super) fn play(
        &self,
        stream: &TcpStream,
        head_only: bool,
        pause: Pause,
        ending: &dyn Fn(),
    ) -> io::Result<Then> {
        let mut out = stream;
        if !self.delay.is_zero() && !pause(self.delay) {
            return Ok(Then::Close);
        }
        match &self.head {
            Head::Proper if head_only || matches!(self.body, Body::Whole) => {
                // One write, as a decent server does it.
                let mut answer = self.head_bytes();
                if !head_only {
                    answer.extend_from_slice(&self.bytes);
                }
                ending();
                out.write_all(&answer)?;
                let keep = self.declared.is_none() && matches!(self.body, Body::Whole);
                return Ok(if keep { Then::KeepOpen } else { Then::Close });
            }
            Head::Proper => out.write_all(&self.head_bytes())?,
            Head::Slow(time) => {
                for byte in self.head_bytes() {
                    out.write_all(&[byte])?;
                    if !pause(*time) {
                        return Ok(Then::Close);
                    }
                }
            }
            Head::Endless => return talk(out),
            Head::Silent => {
                while pause(Duration::from_millis(100)) && is_connected(stream) {}
                return Ok(Then::Close);
            }
            Head::Raw(bytes) => {
                ending();
                out.write_all(bytes)?;
                return Ok(Then::Close);
            }
            Head::Hangup => {
                ending();
                return Ok(Then::Close);
            }
            Head::Reset => {
                ending();
                socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
                return Err(io::ErrorKind::ConnectionReset.into());
            }
        }
        self.play_body(out, pause, ending)
    }

    fn play_body(&self, mut out: &TcpStream, pause: Pause, ending: &dyn Fn()) -> io::Result<Then> {
        let bytes = self.bytes.as_slice();
        if !matches!(self.body, Body::Trickle(..) | Body::Endless) {
            ending();
        }
        match self.body {
            Body::Whole => out.write_all(bytes)?,
            Body::Trickle(size, time) => {
                let last = bytes.len().div_ceil(size).saturating_sub(1);
                for (number, piece) in bytes.chunks(size).enumerate() {
                    if number == last {
                        ending();
                    }
                    out.write_all(piece)?;
                    if !pause(time) {
                        return Ok(Then::Close);
                    }
                }
                return Ok(Then::KeepOpen);
            }
            Body::Cut(sent) => out.write_all(&bytes[..sent.min(bytes.len())])?,
            Body::Endless => loop {
                out.write_all(bytes)?;
            },
            Body::Chunked | Body::ChunkedCut => {
                for piece in bytes.chunks(1000) {
                    write!(out, "{:x}\r\n", piece.len())?;
                    out.write_all(piece)?;
                    out.write_all(b"\r\n")?;
                }
                if matches!(self.body, Body::Chunked) {
                    out.write_all(b"0\r\n\r\n")?;
                    return Ok(Then::KeepOpen);
                }
            }
            Body::UntilClosed => out.write_all(bytes)?,
        }
        Ok(Then::Close)
    }

    fn head_bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        match (&self.declared, &self.body) {
            (Some(length), _) => head += &format!("Content-Length: {length}\r\n"),
            (None, Body::Endless | Body::UntilClosed) => head += "Connection: close\r\n",
            (None, Body::Chunked | Body::ChunkedCut) => head += "Transfer-Encoding: chunked\r\n",
            (None, _) => head += &format!("Content-Length: {}\r\n", self.bytes.len()),
        }
        (head + "\r\n").into_bytes()
    }
}

impl From<Script> for Vec<Script> {
    fn from(script: Script) -> Vec<Script> {
        vec![script]
    }
}

fn talk(mut out: &TcpStream) -> io::Result<Then> {
    out.write_all(b"HTTP/1.1 200 OK\r\n")?;
    let line = format!("X-More: {}\r\n", "a".repeat(100));
    loop {
        out.write_all(line.as_bytes())?;
    }
}

/// Whether the client is still there, without taking its bytes.
fn is_connected(stream: &TcpStream) -> bool {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(1)));
    match stream.peek(&mut [0]) {
        Ok(count) => count > 0,
        Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
    }
}
