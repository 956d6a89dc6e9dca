//! What the live screen of `monitor` shows: the latest facts, how the last minutes went, and since when
//! there is no answer. Owns what it remembers between two readings; asks nobody and paints nothing.

use super::Failure;
use super::facts::{Facts, Whence};
use super::journal::one_line;
use super::screen::Size;
use super::sheet::{self, Ink, Line, Look, Origins};
use crate::figures::span;
use crate::key::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// Readings in the curve: what fits beside its words.
const READINGS_MAX: usize = 40;
/// A question that waits longer for its answer is worth a word.
const SLOW: Duration = Duration::from_secs(3);

pub(super) struct Live {
    ink: Ink,
    interval: Duration,
    latest: Option<Facts>,
    trouble: Option<Trouble>,
    /// Requests between two readings, the oldest first.
    requests: VecDeque<u64>,
    per_second: Option<f64>,
}

/// The server is not to be had.
struct Trouble {
    since: Timestamp,
    sentence: String,
    /// When what is shown was so, if that is not now.
    shown: Option<Timestamp>,
}

/// How the watch stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pulse {
    pub now: Timestamp,
    /// `None` while a question is being answered.
    pub next_in: Option<Duration>,
    pub waiting_for: Option<Duration>,
}

impl Live {
    pub fn new(ink: Ink, interval: Duration) -> Live {
        Live { ink, interval, latest: None, trouble: None, requests: VecDeque::new(), per_second: None }
    }

    /// A reading, or why there is none.
    pub fn take(&mut self, reading: Result<Facts, Failure>, now: Timestamp) {
        let sentence = match &reading {
            Ok(Facts { whence: Whence::Server(_), .. }) => None,
            Ok(_) => Some("no server runs; what is shown is read from the store".to_owned()),
            Err(failure) => Some(failure.to_string()),
        };
        let since = self.trouble.as_ref().map_or(now, |trouble| trouble.since);
        let shown = self.latest.as_ref().filter(|_| reading.is_err()).map(|facts| facts.at);
        self.trouble = sentence.map(|sentence| Trouble { since, sentence, shown });
        match reading {
            Ok(facts) => {
                self.compare(&facts);
                self.latest = Some(facts);
            }
            Err(_) => self.per_second = None,
        }
    }

    /// All lines of the screen; the last is its foot.
    pub fn page(&self, pulse: Pulse, size: Size) -> Vec<Line> {
        let title = match self.latest.as_ref().and_then(|facts| facts.number("uptime_seconds")) {
            Some(seconds) if self.trouble.is_none() => format!("VinylVault, up {}", span(seconds)),
            _ => "VinylVault".to_owned(),
        };
        let mut lines = vec![sheet::ends(&title, &pulse.now.to_string())];
        lines.extend(self.standing(pulse));
        lines.push(Line::default());
        if let Some(facts) = &self.latest {
            lines.extend(self.body(facts, usize::from(size.rows).saturating_sub(lines.len() + 1)));
        }
        lines.push(self.foot(pulse));
        lines
    }

    /// What happened since the reading before; only between two of the same server's kind.
    fn compare(&mut self, facts: &Facts) {
        let is_served = |facts: &Facts| matches!(facts.whence, Whence::Server(_));
        let before = self.latest.as_ref().filter(|before| is_served(before) && is_served(facts));
        let Some(before) = before else {
            self.per_second = None;
            return;
        };
        let seconds = u64::try_from(facts.at.0.saturating_sub(before.at.0)).unwrap_or(0).max(1);
        // A killed server counts again from what it had stored.
        let requests = facts.requests().saturating_sub(before.requests());
        self.per_second = Some(requests as f64 / seconds as f64);
        if self.requests.len() == READINGS_MAX {
            self.requests.pop_front();
        }
        self.requests.push_back(requests);
    }

    /// Who is asked, and since when without success.
    fn standing(&self, pulse: Pulse) -> Vec<Line> {
        if let Some(trouble) = &self.trouble {
            let since = format!("The server does not answer since {}", trouble.since);
            let cause = one_line(&trouble.sentence).into_owned();
            let mut lines = vec![Line::of(Look::Alarm, since), Line::of(Look::Plain, cause)];
            lines.extend(
                trouble.shown.map(|at| Line::of(Look::Faint, format!("what is shown was so at {at}"))),
            );
            return lines;
        }
        if let Some(waiting) = pulse.waiting_for.filter(|waiting| *waiting >= SLOW) {
            let since =
                format!("The server has been asked {} ago and did not answer yet", span(waiting.as_secs()));
            return vec![Line::of(Look::Alarm, since)];
        }
        let whence = self.latest.as_ref().map_or("asking ...".to_owned(), |facts| facts.whence.to_string());
        vec![Line::of(Look::Faint, whence)]
    }

    fn body(&self, facts: &Facts, rows: usize) -> Vec<Line> {
        let mut lines = sheet::kept(facts, self.ink);
        lines.extend(sheet::answered(facts));
        if let Some(per_second) = self.per_second {
            let curve = self.ink.curve(self.requests.iter().copied());
            lines.push(sheet::row("Requests", &format!("{curve} {per_second:.1} a second")));
        }
        let errors = sheet::errors(facts);
        if matches!(facts.whence, Whence::Server(_)) {
            lines.extend(sheet::going_on(facts));
            // One row is for how many more there are.
            let room = rows.saturating_sub(lines.len() + errors.len() + 1);
            lines.extend(sheet::origins(facts, Origins::Most(room.max(1))));
        }
        lines.extend(errors);
        lines
    }

    fn foot(&self, pulse: Pulse) -> Line {
        let every = span(self.interval.as_secs());
        let next = match pulse.next_in {
            Some(left) => format!("next in {}", span(left.as_secs_f64().ceil() as u64)),
            None => "asking now".to_owned(),
        };
        Line::of(Look::Faint, format!("every {every}, {next}; q or Ctrl-C ends"))
    }
}
