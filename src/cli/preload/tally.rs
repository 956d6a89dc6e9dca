//! Counting a preload: what has ended and how, over batches and restarts of the server, and the
//! pace from which the rest is foretold. Contacts nobody; time is an argument.

use serde_json::Value;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The pace is that of the last minute: an origin that slows down is noticed, one slow cover is not.
const PACE_WINDOW: Duration = Duration::from_secs(60);
/// Below this no pace is foretold from.
const PACE_LEAST: Duration = Duration::from_millis(500);
/// Looks kept of [`PACE_WINDOW`]; there is one a second.
const LOOKS_MAX: usize = 120;
/// Reasons kept; the count of failures is exact beyond it.
const ERRORS_MAX: usize = 100;

pub(super) struct Tally {
    begun: Instant,
    /// Covers asked for whose batch has not begun.
    ahead: u64,
    /// Batches that are over.
    past: Counts,
    /// The running batch, as last heard, with what the server refused of it.
    running: Counts,
    /// URLs of the running batch, the same cover twice counted twice.
    urls: u64,
    refused: Vec<(String, String)>,
    /// Covers of the running batch that were fetched before the server lost its job: the next job
    /// finds them here already.
    lost: u64,
    errors: Vec<(String, String)>,
    running_errors: Vec<(String, String)>,
    looks: VecDeque<(Instant, u64)>,
}

/// The end of it.
#[derive(Debug)]
pub(super) struct Closed {
    pub total: u64,
    /// Whatever became of it.
    pub done: u64,
    pub failed: u64,
    /// In the cache before it began.
    pub skipped: u64,
    pub took: Duration,
    /// URL and reason, at most 100.
    pub errors: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub total: u64,
    pub done: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl Tally {
    pub fn new(total: u64, now: Instant) -> Tally {
        Tally {
            begun: now,
            ahead: total,
            past: Counts::default(),
            running: Counts::default(),
            urls: 0,
            refused: Vec::new(),
            lost: 0,
            errors: Vec::new(),
            running_errors: Vec::new(),
            looks: VecDeque::new(),
        }
    }

    /// A batch was taken by the server: the answer to `POST /api/cache/preload`.
    pub fn begin(&mut self, answer: &Value) {
        let urls = answer["total"].as_u64().unwrap_or(0);
        self.ahead = self.ahead.saturating_sub(urls);
        self.urls = urls;
        self.refused = errors(&answer["rejected"]);
        let refused = self.refused.len() as u64;
        self.running = Counts { total: urls, done: refused, failed: refused, skipped: 0 };
    }

    /// How far the batch is: an answer of `GET /api/jobs/{id}`.
    pub fn hear(&mut self, answer: &Value, now: Instant) {
        let number = |name: &str| answer[name].as_u64().unwrap_or(0);
        let refused = self.refused.len() as u64;
        self.running = Counts {
            total: number("total") + refused,
            done: number("done") + refused,
            failed: number("failed") + refused,
            skipped: number("skipped").saturating_sub(self.lost),
        };
        self.running_errors = errors(&answer["errors"]);
        if self.looks.len() >= LOOKS_MAX {
            self.looks.pop_front();
        }
        self.looks.push_back((now, self.counts().fetched()));
    }

    /// The server does not know its job any more; the batch will begin anew.
    pub fn lose(&mut self) {
        self.lost = self.lost.max(self.running.fetched());
        self.ahead += self.urls;
        self.clear_running();
        self.looks.clear();
    }

    /// The batch is over.
    pub fn end(&mut self) {
        self.past = self.past + self.running;
        let errors = self.refused.drain(..).chain(self.running_errors.drain(..));
        let room = ERRORS_MAX.saturating_sub(self.errors.len());
        self.errors.extend(errors.take(room));
        self.clear_running();
        self.lost = 0;
    }

    fn clear_running(&mut self) {
        self.running = Counts::default();
        self.urls = 0;
        self.refused.clear();
        self.running_errors.clear();
    }

    /// All batches together.
    pub fn counts(&self) -> Counts {
        let mut counts = self.past + self.running;
        counts.total += self.ahead;
        counts
    }

    /// Covers fetched a second, of the last minute; `None` before there is one.
    pub fn pace(&self, now: Instant) -> Option<f64> {
        let is_recent = |at: Instant| now.saturating_duration_since(at) <= PACE_WINDOW;
        let (since, before) = self.looks.iter().find(|(at, _)| is_recent(*at))?;
        let time = now.saturating_duration_since(*since);
        let fetched = self.counts().fetched().saturating_sub(*before);
        (fetched > 0 && time >= PACE_LEAST).then(|| fetched as f64 / time.as_secs_f64())
    }

    /// What is left, at the real pace.
    pub fn eta(&self, now: Instant) -> Option<Duration> {
        let counts = self.counts();
        let left = counts.total.saturating_sub(counts.done);
        Duration::try_from_secs_f64(left as f64 / self.pace(now)?).ok()
    }

    pub fn closed(mut self, now: Instant) -> Closed {
        self.end();
        let Counts { total, done, failed, skipped } = self.counts();
        let took = now.saturating_duration_since(self.begun);
        Closed { total, done, failed, skipped, took, errors: self.errors }
    }
}

impl Closed {
    pub fn fetched(&self) -> u64 {
        self.done.saturating_sub(self.failed).saturating_sub(self.skipped)
    }
}

impl Counts {
    pub fn fetched(self) -> u64 {
        self.done.saturating_sub(self.failed).saturating_sub(self.skipped)
    }
}

impl std::ops::Add for Counts {
    type Output = Counts;

    fn add(self, other: Counts) -> Counts {
        Counts {
            total: self.total + other.total,
            done: self.done + other.done,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

/// `3.2 s`, `12 s`, `4 min 5 s`, `2 h 10 min`.
pub(super) fn spelled(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..=9 => format!("{:.1} s", time.as_secs_f64()),
        10..=59 => format!("{seconds} s"),
        60..=3_599 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

/// `[{"url", "reason"}]` of an answer, which the server bounds.
fn errors(list: &Value) -> Vec<(String, String)> {
    let text = |error: &Value, name: &str| error[name].as_str().unwrap_or_default().to_owned();
    let errors = list.as_array().map(Vec::as_slice).unwrap_or_default();
    errors.iter().map(|error| (text(error, "url"), text(error, "reason"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(total: u64, done: u64, failed: u64, skipped: u64) -> Value {
        json!({ "total": total, "done": done, "failed": failed, "skipped": skipped })
    }

    #[test]
    fn the_pace_is_that_of_what_was_fetched_in_the_last_minute() {
        let begun = Instant::now();
        let after = |seconds: u64| begun + Duration::from_secs(seconds);
        let mut tally = Tally::new(1_000, begun);
        tally.begin(&json!({ "total": 1_000 }));
        assert_eq!(tally.eta(begun), None);
        // 900 were here already, which took no time and foretells nothing.
        tally.hear(&job(1_000, 900, 0, 900), after(1));
        assert_eq!(tally.eta(after(1)), None);
        tally.hear(&job(1_000, 920, 0, 900), after(11));
        assert_eq!(tally.pace(after(11)), Some(2.0));
        assert_eq!(tally.eta(after(11)), Some(Duration::from_secs(40)));
        // The origin slows down: a minute later only the new pace counts.
        for second in 12..=100 {
            tally.hear(&job(1_000, 920 + (second - 11) / 2, 0, 900), after(second));
        }
        let pace = tally.pace(after(100)).unwrap();
        assert!((0.45..0.55).contains(&pace), "{pace}");
    }

    #[test]
    fn a_lost_job_costs_no_count_and_doubles_none() {
        let now = Instant::now();
        let mut tally = Tally::new(10, now);
        let taken = json!({ "total": 10, "rejected": [{ "url": "ftp://a", "reason": "no" }] });
        tally.begin(&taken);
        tally.hear(&job(9, 5, 1, 1), now);
        assert_eq!(tally.counts(), Counts { total: 10, done: 6, failed: 2, skipped: 1 });
        tally.lose();
        assert_eq!(tally.counts(), Counts { total: 10, done: 0, failed: 0, skipped: 0 });
        tally.begin(&taken);
        // The three that were fetched before are here now, and so is the one that was here at first.
        tally.hear(&job(9, 9, 1, 4), now);
        tally.end();
        let closed = tally.closed(now);
        assert_eq!((closed.total, closed.done, closed.failed, closed.skipped), (10, 10, 2, 1));
        assert_eq!((closed.fetched(), closed.errors.len()), (7, 1));
    }

    #[test]
    fn times_are_written_for_people() {
        let all = [(0.25, "0.2 s"), (12.4, "12 s"), (65.0, "1 min 5 s"), (7_800.0, "2 h 10 min")];
        for (seconds, text) in all {
            assert_eq!(spelled(Duration::from_secs_f64(seconds)), text);
        }
    }
}
