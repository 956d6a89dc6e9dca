//! What is said to a client, and how it becomes bytes. Owns status lines, headers, the cached date
//! and the sanitising of values; never touches a socket.

use crate::key::Rendition;
use std::borrow::Cow;
use std::cell::Cell;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// Status, headers and body before they meet a socket. `Date`, `Content-Length`, `Connection` and
/// `Transfer-Encoding` are the door's: the same names in `headers` are left out.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    pub body: Body,
}

/// What a refusal of the door looks like, from the target as it came (it may be none of ours), the
/// status and a sentence that ends with a line break.
pub type Complain = fn(&str, u16, &'static str) -> Reply;

pub enum Body {
    Empty,
    Static(&'static [u8]),
    Owned(Vec<u8>),
    Rendition(Rendition),
}

impl Reply {
    /// No headers and no body yet.
    pub fn new(status: u16) -> Reply {
        Reply { status, headers: Vec::new(), body: Body::Empty }
    }

    /// A sentence for a stranger, as the door itself answers: never stored, never sniffed.
    pub fn sentence(status: u16, text: &'static str) -> Reply {
        Reply::new(status)
            .with("Content-Type", "text/plain; charset=utf-8")
            .with("X-Content-Type-Options", "nosniff")
            .with("Cross-Origin-Resource-Policy", "same-origin")
            .with("Cache-Control", "no-store")
            .carrying(Body::Static(text.as_bytes()))
    }

    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }

    pub fn carrying(mut self, body: Body) -> Reply {
        self.body = body;
        self
    }
}

impl Body {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Body::Empty => &[],
            Body::Static(bytes) => bytes,
            Body::Owned(bytes) => bytes,
            Body::Rendition(rendition) => rendition.bytes(),
        }
    }
}

/// What the answer says about the connection's future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parting {
    /// HTTP/1.1 keeps the connection without a word.
    Stay,
    /// HTTP/1.0 must be told that it may stay.
    StayAloud,
    /// The client asked for it; tiny_http closes.
    Close,
    /// The client did not: the door hangs up after the answer.
    HangUp,
}

/// Whether the client wants the body or only its measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Portion {
    Whole,
    /// HEAD: the right `Content-Length`, no body.
    HeadOnly,
}

/// Appends the whole answer to `out`, so that it can leave in one write.
pub(super) fn render(reply: &Reply, parting: Parting, portion: Portion, out: &mut Vec<u8>) {
    let body = reply.body.bytes();
    out.reserve(512 + body.len());
    // Writing to a Vec cannot fail.
    let _ = write!(out, "HTTP/1.1 {} {}\r\n", reply.status, reason(reply.status));
    for (name, value) in &reply.headers {
        if !ours(name) && is_token(name) {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            push_value(value, out);
            out.extend_from_slice(b"\r\n");
        }
    }
    out.extend_from_slice(b"Date: ");
    out.extend_from_slice(&date());
    match parting {
        Parting::Stay => {}
        Parting::StayAloud => out.extend_from_slice(b"\r\nConnection: keep-alive"),
        Parting::Close | Parting::HangUp => out.extend_from_slice(b"\r\nConnection: close"),
    }
    // A 204 has no length; on a 304 it would have to be that of the full answer, which is not here.
    let bodiless = matches!(reply.status, 100..=199 | 204 | 304);
    if bodiless {
        out.extend_from_slice(b"\r\n\r\n");
        return;
    }
    let _ = write!(out, "\r\nContent-Length: {}\r\n\r\n", body.len());
    if portion == Portion::Whole {
        out.extend_from_slice(body);
    }
}

fn ours(name: &str) -> bool {
    ["Date", "Content-Length", "Connection", "Transfer-Encoding"]
        .iter()
        .any(|ours| ours.eq_ignore_ascii_case(name))
}

/// RFC 9110, 5.6.2: what a method or a header name may consist of.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// A value comes from many hands (addresses, names of records); a line break in it would be a header
/// of the attacker's choice, so nothing but printable ASCII and tab leaves the house.
fn push_value(value: &str, out: &mut Vec<u8>) {
    if value.bytes().all(|byte| matches!(byte, b'\t' | 0x20..=0x7e)) {
        out.extend_from_slice(value.as_bytes());
        return;
    }
    out.extend(value.chars().map(|c| match c {
        '\t' | ' '..='~' => c as u8,
        _ => b'?',
    }));
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, formatted once a second and thread.
fn date() -> [u8; 29] {
    thread_local! {
        static LAST: Cell<(u64, [u8; 29])> = const { Cell::new((u64::MAX, [b' '; 29])) };
    }
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (at, text) = LAST.get();
    if at == second {
        return text;
    }
    let mut text = [b' '; 29];
    // httpdate writes 29 bytes for every year of four digits and panics past the year 9999.
    let now = if second < 253_402_300_800 { now } else { UNIX_EPOCH };
    text.copy_from_slice(httpdate::fmt_http_date(now.max(UNIX_EPOCH)).as_bytes());
    LAST.set((second, text));
    text
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(reply: Reply, portion: Portion) -> String {
        let mut out = Vec::new();
        render(&reply, Parting::Stay, portion, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn no_value_can_begin_a_header_of_its_own() {
        let reply = Reply::new(302).with("Location", "/a\r\nSet-Cookie: x\u{7f}\0é");
        let out = text(reply, Portion::Whole);
        assert!(out.contains("Location: /a??Set-Cookie: x???\r\n"), "{out}");
    }

    #[test]
    fn a_head_answer_has_the_length_of_the_body_it_leaves_out() {
        let out = text(Reply::new(200).carrying(Body::Static(b"12345")), Portion::HeadOnly);
        assert!(out.contains("Content-Length: 5\r\n\r\n") && out.ends_with("\r\n\r\n"), "{out}");
    }

    #[test]
    fn an_unchanged_or_empty_answer_claims_no_length() {
        for status in [204, 304] {
            let out = text(Reply::new(status).with("ETag", "\"x\""), Portion::Whole);
            assert!(!out.contains("Content-Length") && out.ends_with(" GMT\r\n\r\n"), "{out}");
        }
    }

    #[test]
    fn the_doors_own_headers_cannot_be_given_twice() {
        let out = text(Reply::new(200).with("content-length", "9").with("bad name", "x"), Portion::Whole);
        assert_eq!(out.matches("ength: ").count(), 1, "{out}");
        assert!(!out.contains("bad name"), "{out}");
    }
}
