//! Why a download failed: in full for the log, in a sentence without secrets for strangers, and
//! with what follows for the next try. Owns the reading of ureq's errors and of `Retry-After`.

use super::resolver::ResolveError;
use crate::cache::failure::Class;
use crate::guard::Refusal;
use crate::source::Source;
use std::fmt;
use std::io::ErrorKind;
use std::time::{Duration, SystemTime};
use ureq::http::{HeaderMap, HeaderName, header};

/// No origin closes its door for longer than this, whatever it says.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Why there are no bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// Anything but 200; the wait only for 429 and 503.
    Status {
        code: u16,
        retry_after: Option<Duration>,
    },
    /// The guard refused the URL, or that of a redirect.
    Forbidden(Refusal),
    /// The guard refused an address that the name leads to.
    ForbiddenAddress {
        host: String,
    },
    /// The name leads nowhere.
    Dns {
        host: String,
        reason: String,
    },
    /// No connection.
    Connect {
        host: String,
        reason: String,
    },
    /// No trust.
    Tls {
        host: String,
        reason: String,
    },
    /// The deadline passed, at whatever step.
    Timeout {
        host: String,
    },
    TooLarge {
        limit_bytes: u64,
    },
    /// The connection ended before the answer did.
    Cut {
        host: String,
        reason: String,
    },
    /// The answer is no HTTP, or breaks its rules.
    Protocol {
        host: String,
        reason: String,
    },
    /// More hops than allowed.
    RedirectLoop,
    /// A hop to what is no source, or from https to http.
    BadRedirect {
        host: String,
        reason: String,
    },
}

impl FetchError {
    /// No further try will help for a long time: the origin has no such picture, or wants no
    /// such request. 401 and 403 are not among them, since Discogs throttles with 403, nor is a
    /// refusal of the guard: its owner may change the setting, and asking again costs nothing.
    pub fn is_permanent(&self) -> bool {
        match self {
            FetchError::Status { code, .. } => {
                (400..500).contains(code) && !matches!(code, 401 | 403 | 408 | 421 | 423 | 425 | 429)
            }
            FetchError::TooLarge { .. } => true,
            _ => false,
        }
    }

    /// Whether the next seconds may bring another answer: what was cut, silent or broken. A refusal
    /// is none of these, whoever refuses.
    pub fn heals_soon(&self) -> bool {
        match self {
            FetchError::Status { code, .. } => matches!(code, 408 | 425 | 429 | 500..=599),
            FetchError::Dns { .. }
            | FetchError::Connect { .. }
            | FetchError::Timeout { .. }
            | FetchError::Cut { .. }
            | FetchError::Protocol { .. } => true,
            FetchError::Forbidden(_)
            | FetchError::ForbiddenAddress { .. }
            | FetchError::Tls { .. }
            | FetchError::TooLarge { .. }
            | FetchError::RedirectLoop
            | FetchError::BadRedirect { .. } => false,
        }
    }

    /// What the origin said, where it said something whole.
    pub fn status(&self) -> Option<u16> {
        match self {
            FetchError::Status { code, .. } => Some(*code),
            FetchError::TooLarge { .. } => Some(200),
            _ => None,
        }
    }

    pub fn class(&self) -> Class {
        match self {
            FetchError::Status { code: 404 | 410, .. } => Class::Absent,
            FetchError::Status { code: 429, .. } | FetchError::Status { code: 503, retry_after: Some(_) } => {
                Class::Throttled
            }
            FetchError::Status { code: 500.., .. } => Class::Broken,
            FetchError::Status { .. } => Class::Refused,
            FetchError::Forbidden(_) | FetchError::RedirectLoop | FetchError::BadRedirect { .. } => {
                Class::Forbidden
            }
            FetchError::TooLarge { .. } => Class::Unreadable,
            FetchError::ForbiddenAddress { .. }
            | FetchError::Dns { .. }
            | FetchError::Connect { .. }
            | FetchError::Tls { .. }
            | FetchError::Timeout { .. }
            | FetchError::Cut { .. }
            | FetchError::Protocol { .. } => Class::Unreachable,
        }
    }

    /// How long the origin wants to be left alone: more than nothing, at most an hour.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            FetchError::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// For strangers: names no address and no port, and says the same of what is refused,
    /// unknown, closed or silent, so that nobody finds out by it what the own network holds.
    pub fn public_reason(&self) -> String {
        match self {
            FetchError::Status { code: 404 | 410, .. } => "the origin has no such picture".to_owned(),
            FetchError::Status { code: 429, .. } => "the origin asks to be left alone for a while".to_owned(),
            FetchError::Status { code, .. } => format!("the origin answered with status {code}"),
            FetchError::Forbidden(refusal) => refusal.to_string(),
            FetchError::TooLarge { limit_bytes } => too_large(*limit_bytes),
            FetchError::RedirectLoop | FetchError::BadRedirect { .. } => {
                "the origin redirects to where covers are not fetched from".to_owned()
            }
            FetchError::ForbiddenAddress { .. }
            | FetchError::Dns { .. }
            | FetchError::Connect { .. }
            | FetchError::Tls { .. }
            | FetchError::Timeout { .. }
            | FetchError::Cut { .. }
            | FetchError::Protocol { .. } => "the origin could not be reached".to_owned(),
        }
    }

    pub(super) fn from_ureq(error: ureq::Error, source: &Source) -> FetchError {
        let host = source.host().to_owned();
        let told = |error: &dyn fmt::Display| source.redacted(&error.to_string());
        match error {
            ureq::Error::Timeout(_) => FetchError::Timeout { host },
            ureq::Error::BodyExceedsLimit(limit_bytes) => FetchError::TooLarge { limit_bytes },
            ureq::Error::Other(inner) => match inner.downcast::<ResolveError>() {
                Ok(inner) => FetchError::from_resolver(*inner, host),
                Err(inner) => FetchError::Protocol { host, reason: told(&inner) },
            },
            ureq::Error::HostNotFound => FetchError::Dns { host, reason: "no address".to_owned() },
            ureq::Error::ConnectionFailed => FetchError::Connect { host, reason: told(&error) },
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_) | ureq::Error::TlsRequired => {
                FetchError::Tls { host, reason: told(&error) }
            }
            ureq::Error::Io(error) => {
                let reason = told(&error);
                match error.kind() {
                    ErrorKind::UnexpectedEof
                    | ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe => FetchError::Cut { host, reason },
                    ErrorKind::TimedOut | ErrorKind::WouldBlock => FetchError::Timeout { host },
                    // rustls reports through the stream that it guards.
                    ErrorKind::InvalidData if source.is_https() => FetchError::Tls { host, reason },
                    ErrorKind::InvalidData | ErrorKind::InvalidInput => FetchError::Protocol { host, reason },
                    _ => FetchError::Connect { host, reason },
                }
            }
            other => FetchError::Protocol { host, reason: told(&other) },
        }
    }

    fn from_resolver(error: ResolveError, host: String) -> FetchError {
        match error {
            ResolveError::Forbidden => FetchError::ForbiddenAddress { host },
            ResolveError::Unresolved(reason) => FetchError::Dns { host, reason },
            ResolveError::TooSlow => FetchError::Timeout { host },
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FetchError::Status { code, retry_after: Some(wait) } => {
                write!(f, "the origin answered {code}, asking for {} s of patience", wait.as_secs())
            }
            FetchError::Status { code, .. } => write!(f, "the origin answered {code}"),
            FetchError::Forbidden(refusal) => write!(f, "not fetched: {refusal}"),
            FetchError::ForbiddenAddress { host } => {
                write!(f, "not fetched: {host} leads to an address that is not public and not allowed")
            }
            FetchError::Dns { host, reason } => write!(f, "cannot resolve {host}: {reason}"),
            FetchError::Connect { host, reason } => write!(f, "cannot connect to {host}: {reason}"),
            FetchError::Tls { host, reason } => write!(f, "cannot trust {host}: {reason}"),
            FetchError::Timeout { host } => write!(f, "{host} took too long"),
            FetchError::TooLarge { limit_bytes } => f.write_str(&too_large(*limit_bytes)),
            FetchError::Cut { host, reason } => write!(f, "the answer of {host} was cut short: {reason}"),
            FetchError::Protocol { host, reason } => write!(f, "cannot understand {host}: {reason}"),
            FetchError::RedirectLoop => f.write_str("the origin redirects more than 3 times"),
            FetchError::BadRedirect { host, reason } => {
                write!(f, "cannot follow the redirect of {host}: {reason}")
            }
        }
    }
}

impl std::error::Error for FetchError {}

/// How long an answer asks to wait (RFC 9110, 10.2.3): seconds, or a date, which is read by the
/// origin's own clock where it gives one, since a Pi without a battery starts in the past.
/// `None` when nothing, no time or no sense is asked for: the ordinary back-off applies then.
pub(super) fn retry_after(code: u16, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    if !matches!(code, 429 | 503) {
        return None;
    }
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let asked = text(header::RETRY_AFTER)?;
    let wait = if !asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit()) {
        Duration::from_secs(asked.parse().unwrap_or(u64::MAX))
    } else {
        let until = httpdate::parse_http_date(asked).ok()?;
        let from = text(header::DATE).and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or(now);
        until.duration_since(from).ok()?
    };
    Some(wait.min(RETRY_AFTER_MAX)).filter(|wait| !wait.is_zero())
}

fn too_large(limit_bytes: u64) -> String {
    // Of a million bytes, as the setting counts; it takes fractions too.
    const MB: u64 = 1_000_000;
    if limit_bytes >= MB {
        format!("the picture is larger than {} MB", limit_bytes as f64 / MB as f64)
    } else {
        format!("the picture is larger than {limit_bytes} bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(code: u16, headers: &[(&'static str, &str)]) -> Option<u64> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let now = httpdate::parse_http_date("Tue, 15 Nov 1994 08:12:31 GMT").unwrap();
        retry_after(code, &headers, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        assert_eq!(asked(429, &[("retry-after", "30")]), Some(30));
        assert_eq!(asked(503, &[("retry-after", " 7 ")]), Some(7));
        assert_eq!(asked(429, &[("retry-after", "Tue, 15 Nov 1994 08:13:31 GMT")]), Some(60));
    }

    #[test]
    fn a_date_is_read_by_the_origins_own_clock() {
        let headers =
            [("retry-after", "Fri, 07 Aug 2026 10:00:20 GMT"), ("date", "Fri, 07 Aug 2026 10:00:00 GMT")];
        assert_eq!(asked(429, &headers), Some(20));
    }

    #[test]
    fn no_origin_is_left_alone_for_more_than_an_hour() {
        assert_eq!(asked(429, &[("retry-after", "3600")]), Some(3600));
        assert_eq!(asked(429, &[("retry-after", "3601")]), Some(3600));
        assert_eq!(asked(429, &[("retry-after", "99999999999999999999999999")]), Some(3600));
        assert_eq!(asked(429, &[("retry-after", "Mon, 15 Nov 2094 08:13:31 GMT")]), Some(3600));
    }

    #[test]
    fn the_limit_is_told_as_it_was_set() {
        let said = [20_000_000, 1_500_000, 999_999].map(too_large);
        assert!(said[0].ends_with("larger than 20 MB"), "{said:?}");
        assert!(said[1].ends_with("larger than 1.5 MB"), "{said:?}");
        assert!(said[2].ends_with("larger than 999999 bytes"), "{said:?}");
    }

    #[test]
    fn what_makes_no_sense_asks_for_nothing() {
        for value in ["0", "", "-1", "+5", "soon", "1.5", "Tue, 15 Nov 1994 08:12:31 GMT", "30 s"] {
            assert_eq!(asked(429, &[("retry-after", value)]), None, "{value}");
        }
        assert_eq!(asked(429, &[]), None);
        assert_eq!(asked(404, &[("retry-after", "30")]), None, "only 429 and 503 are obeyed");
    }
}
