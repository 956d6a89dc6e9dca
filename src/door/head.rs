//! The first look at a request, before anything else touches it: what tiny_http lets through and we
//! do not. Owns the limits of a head and the framing rules; reads no body and writes nothing.
//!
//! tiny_http 0.12 takes any `Transfer-Encoding` for chunked, the first of several lengths, `+5` for 5
//! and `5x` for none, and runs what it thinks follows the body as the next request. So a request
//! whose length can be read two ways is refused, and nothing more is taken from its connection.

use super::reply::{Parting, Portion, is_token};
use tiny_http::{HTTPVersion, Header, Request};

/// Longest path and query in bytes; browsers and proxies keep to 8 KB too.
const TARGET_BYTES_MAX: usize = 8 * 1024;
/// A browser sends about 20; 100 leaves room for proxies.
const HEADERS_MAX: usize = 100;
/// Whole head in bytes; cookies of other programs on the same host name are the usual fat ones.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// tiny_http reads a body of up to this many bytes itself, before the request is handed out.
const BODY_READ_AHEAD: u64 = 1024;

/// What the head says, checked.
#[derive(Debug)]
pub(super) struct Head {
    /// Only when it differs from the request's own text (absolute form).
    pub target: Option<String>,
    pub parting: Parting,
    pub portion: Portion,
    pub body: Declared,
}

/// Where the request's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Declared {
    /// No `Content-Length`.
    Nothing,
    /// In memory already: dropping the request costs nothing.
    InMemory(u64),
    /// Still on the wire: dropping the request reads it, into a buffer of the declared size.
    OnTheWire(u64),
}

/// Why a request is not let in: a status and a sentence.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: u16,
    pub sentence: &'static str,
    pub body: Declared,
}

/// Looks at a whole head. `body_bytes_max` is the largest body that anybody in the house would read.
pub(super) fn check(request: &Request, body_bytes_max: u64) -> Result<Head, Refusal> {
    let body = declared(request);
    let refuse = |(status, sentence)| Refusal { status, sentence, body };
    let length = check_fields(request).map_err(refuse)?;
    if !is_token(request.method().as_str()) {
        return Err(refuse((400, "The method is not a word.\n")));
    }
    let target = check_target(request.url(), host(request).map_err(refuse)?).map_err(refuse)?;
    if *request.http_version() < HTTPVersion(1, 0) {
        return Err(refuse((505, "This server speaks HTTP/1.0 and HTTP/1.1.\n")));
    }
    if length.unwrap_or(0) > body_bytes_max {
        return Err(refuse((413, "The body is too large.\n")));
    }
    let portion = if request.method().as_str() == "HEAD" { Portion::HeadOnly } else { Portion::Whole };
    Ok(Head { target, parting: parting(request), portion, body })
}

type Complaint = (u16, &'static str);

/// Every header once: size, spelling, and those that decide where the request ends.
fn check_fields(request: &Request) -> Result<Option<u64>, Complaint> {
    let headers = request.headers();
    let mut bytes = request.url().len();
    let mut length = None;
    if headers.len() > HEADERS_MAX {
        return Err((431, "Too many headers.\n"));
    }
    for header in headers {
        let (name, value) = (header.field.as_str().as_str(), header.value.as_str());
        bytes += name.len() + value.len() + 4;
        if !is_token(name) {
            return Err((400, "A header's name is not a word.\n"));
        }
        if value.bytes().any(|byte| byte != b'\t' && !(0x20..0x7f).contains(&byte)) {
            return Err((400, "A header has control characters.\n"));
        }
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err((400, "Send the body with a Content-Length.\n"));
        }
        if name.eq_ignore_ascii_case("content-length") {
            let plain = (1..=19).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
            if length.is_some() || !plain {
                return Err((400, "The Content-Length is not one plain number.\n"));
            }
            length = value.parse::<u64>().ok();
        }
    }
    if bytes > HEAD_BYTES_MAX {
        return Err((431, "The headers are too large.\n"));
    }
    Ok(length)
}

/// The one `Host`, asked of HTTP/1.0 too: without it nobody can tell a rebound name from ours.
fn host(request: &Request) -> Result<&str, Complaint> {
    let mut hosts = request.headers().iter().filter(|header| header.field.equiv("host"));
    let first = hosts.next().map(|header| header.value.as_str());
    if hosts.next().is_some() {
        return Err((400, "More than one Host.\n"));
    }
    match first {
        Some(host) if !host.is_empty() => Ok(host),
        _ => Err((400, "No Host.\n")),
    }
}

/// `None`: the target is in origin form as it came.
fn check_target(url: &str, host: &str) -> Result<Option<String>, Complaint> {
    if url.len() > TARGET_BYTES_MAX {
        return Err((414, "The address is too long.\n"));
    }
    if !url.bytes().all(|byte| (0x21..0x7f).contains(&byte) && byte != b'#') {
        return Err((400, "The address has characters that must be percent-encoded.\n"));
    }
    if url.starts_with('/') {
        return Ok(None);
    }
    let other = (400, "The address is not one of this server.\n");
    let (scheme, rest) = url.split_at_checked(7).ok_or(other)?;
    if !scheme.eq_ignore_ascii_case("http://") {
        return Err(other);
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if !authority.eq_ignore_ascii_case(host) {
        return Err(other);
    }
    Ok(Some(if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }))
}

/// What tiny_http made of the length, for it is tiny_http's destructor that reads the rest.
fn declared(request: &Request) -> Declared {
    let header = |name| request.headers().iter().find(|header: &&Header| header.field.equiv(name));
    let upgrade = header("Connection").is_some_and(|h| mentions(h, "upgrade"));
    match request.body_length() {
        None => Declared::Nothing,
        Some(length) => {
            let length = length as u64;
            // With `upgrade` tiny_http reads nothing ahead and gives out the bare stream.
            let ahead = length <= BODY_READ_AHEAD && header("Expect").is_none() && !upgrade;
            if length == 0 || ahead { Declared::InMemory(length) } else { Declared::OnTheWire(length) }
        }
    }
}

/// Mirrors tiny_http's own decision (it looks at the first `Connection` only), so that the answer
/// says what will happen.
fn parting(request: &Request) -> Parting {
    let connection = request.headers().iter().find(|header| header.field.equiv("Connection"));
    let old = *request.http_version() < HTTPVersion(1, 1);
    match connection {
        Some(h) if mentions(h, "close") || mentions(h, "upgrade") => Parting::Close,
        Some(h) if old && mentions(h, "keep-alive") => Parting::StayAloud,
        _ if old => Parting::Close,
        _ => Parting::Stay,
    }
}

fn mentions(header: &Header, word: &str) -> bool {
    let value = header.value.as_str().as_bytes();
    value.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absolute_address_is_reduced_only_for_the_same_host() {
        assert_eq!(check_target("/a?b", "h"), Ok(None));
        assert_eq!(check_target("http://h:5/a?b", "h:5"), Ok(Some("/a?b".into())));
        assert_eq!(check_target("HTTP://H", "h"), Ok(Some("/".into())));
        assert_eq!(check_target("http://h?x", "h"), Ok(Some("/?x".into())));
        for wrong in ["http://other/a", "https://h/a", "h:443", "*", "", "http:/", "http://h@other/"] {
            assert_eq!(check_target(wrong, "h").unwrap_err().0, 400, "{wrong}");
        }
    }

    #[test]
    fn an_address_is_printable_and_at_most_8_kb() {
        for wrong in ["/\0", "/\x7f", "/é", "/a#b", "/a\tb"] {
            assert_eq!(check_target(wrong, "h").unwrap_err().0, 400, "{wrong:?}");
        }
        let longest = format!("/{}", "a".repeat(TARGET_BYTES_MAX - 1));
        assert_eq!(check_target(&longest, "h"), Ok(None));
        assert_eq!(check_target(&format!("{longest}a"), "h").unwrap_err().0, 414);
    }
}
