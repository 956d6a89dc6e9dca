//! What is remembered of a download that failed: its class, its reason, when to try again.
//! Stores nothing (that is `index`) and judges no error (that is `origin`).

use crate::key::{Digest, Timestamp};
use crate::source::Source;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// What is gone for good is asked for again once a day: shops do put covers back.
const PERMANENT_WAIT: i64 = 24 * 60 * 60;
/// The first wait after what may heal, seconds; doubled with each further failure.
const TRANSIENT_WAIT: i64 = 30;
/// No wait of what may heal is longer, nor is any `Retry-After` obeyed for longer, seconds.
const TRANSIENT_WAIT_MAX: i64 = 60 * 60;
/// Doublings after which [`TRANSIENT_WAIT_MAX`] is passed anyway; keeps the shift in range.
const DOUBLINGS_MAX: u32 = 7;
/// A wait is moved by up to this share, so that 500 covers that failed together do not return together.
const JITTER_PERCENT: i64 = 10;
/// A reason is a sentence for a person, not a server's error page, bytes.
const REASON_BYTES_MAX: usize = 300;
const OWN_REASON: &str = "The server made a mistake with this picture; its log says more.";

/// Why a cover is not here. No finer than the sentence that strangers are told
/// (`FetchError::public_reason`): the counts by class must not show what the own network holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// The origin says that there is no such picture (404, 410).
    Absent = 0,
    /// None of the others; also whatever failed before the others were told apart.
    Failed = 1,
    /// The origin wants no such request (any other status below 500).
    Refused = 2,
    /// The origin asked to be left alone (429, 503 with a time to come back).
    Throttled = 3,
    /// The origin is broken (any other status from 500).
    Broken = 4,
    /// No answer: no such name, no way there, no trust, too slow, cut, no HTTP.
    Unreachable = 5,
    /// The guard said no, to the source or to where the origin sent us.
    Forbidden = 6,
    /// What came is too large, or no picture.
    Unreadable = 7,
}

impl Class {
    pub const ALL: [Class; 8] = [
        Class::Absent,
        Class::Failed,
        Class::Refused,
        Class::Throttled,
        Class::Broken,
        Class::Unreachable,
        Class::Forbidden,
        Class::Unreadable,
    ];

    /// The name used in JSON and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Class::Absent => "absent",
            Class::Failed => "failed",
            Class::Refused => "refused",
            Class::Throttled => "throttled",
            Class::Broken => "broken",
            Class::Unreachable => "unreachable",
            Class::Forbidden => "forbidden",
            Class::Unreadable => "unreadable",
        }
    }

    /// The number stored in `index.db`; never given to another class.
    pub fn number(self) -> i64 {
        self as i64
    }

    pub fn from_number(number: i64) -> Option<Class> {
        Class::ALL.into_iter().find(|class| class.number() == number)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub class: Class,
    /// A sentence for strangers, at most 300 bytes.
    pub reason: String,
    /// Failures in a row, this one included.
    pub tries: u32,
    pub failed_at: Timestamp,
    pub next_try_at: Timestamp,
    /// Of the URL that was asked; `None` where that was not noted.
    pub url: Option<Digest>,
}

impl Failure {
    /// The next failure of a key. What is absent or `permanent` waits a day, the rest 30 s doubling
    /// to an hour, each give or take a tenth; `retry_after` wins over both, up to an hour, to the second.
    pub fn after(
        previous: Option<&Failure>,
        class: Class,
        permanent: bool,
        reason: String,
        retry_after: Option<Duration>,
        now: Timestamp,
    ) -> Failure {
        let tries = previous.map_or(0, |failure| failure.tries).saturating_add(1);
        let wait = match retry_after {
            Some(asked) => i64::try_from(asked.as_secs()).unwrap_or(i64::MAX).min(TRANSIENT_WAIT_MAX),
            None if permanent || class == Class::Absent => jittered(PERMANENT_WAIT),
            None => {
                let doubled = TRANSIENT_WAIT << (tries - 1).min(DOUBLINGS_MAX);
                jittered(doubled.min(TRANSIENT_WAIT_MAX))
            }
        };
        let next_try_at = Timestamp(now.0.saturating_add(wait));
        Failure { class, reason: shortened(reason), tries, failed_at: now, next_try_at, url: None }
    }

    /// What is told of a download during which this program itself gave up.
    pub fn of_our_own(previous: Option<&Failure>, now: Timestamp) -> Failure {
        Failure::after(previous, Class::Failed, false, OWN_REASON.to_owned(), None, now)
    }

    /// Notes which URL it was.
    pub fn of(self, source: &Source) -> Failure {
        Failure { url: Some(Digest::of(source.url().as_bytes())), ..self }
    }

    /// Whether it says anything of this source: the address that Discogs signed anew may well work.
    pub fn concerns(&self, source: &Source) -> bool {
        self.url.is_none_or(|url| url == Digest::of(source.url().as_bytes()))
    }

    /// Whether another try is due.
    pub fn is_due(&self, now: Timestamp) -> bool {
        // A clock that was years ahead when this was noted must not keep a cover away for years.
        let noted_in_future = self.failed_at.0 > now.0.saturating_add(PERMANENT_WAIT);
        now >= self.next_try_at || noted_in_future
    }
}

/// `seconds`, give or take [`JITTER_PERCENT`].
fn jittered(seconds: i64) -> i64 {
    // std's random state differs at every call: chance enough for spreading, without a crate.
    let chance = RandomState::new().hash_one(seconds);
    let spread = seconds * JITTER_PERCENT / 100;
    let width = u64::try_from(2 * spread + 1).expect("waits are positive");
    seconds - spread + i64::try_from(chance % width).expect("less than a few hours of seconds")
}

fn shortened(mut reason: String) -> String {
    if reason.len() > REASON_BYTES_MAX {
        let end = (0..=REASON_BYTES_MAX).rev().find(|end| reason.is_char_boundary(*end)).unwrap_or(0);
        reason.truncate(end);
    }
    reason
}
