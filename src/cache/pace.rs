//! Manners towards one origin host: how many at once, how fast, and when it asked to be left
//! alone. Owns these counts and nothing else; never waits itself, but says until when.
//!
//! Discogs documents no limit for pictures, and answers bulk fetching with 429 and 403. So the
//! first page of covers comes at once, the rest at one a second, slower whenever the origin
//! shows that it is too much.

use super::origin::FetchError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// As few as half of what a browser allows itself.
const AT_ONCE_MAX: u32 = 3;
/// A full slot becomes free when a download ends, which nobody can foretell.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Half a grid page at once, before the pace is kept.
const BURST: u32 = 30;
const INTERVAL: Duration = Duration::from_secs(1);
const INTERVAL_MAX: Duration = Duration::from_secs(64);
/// One 403 is a stale address, a row of them is a limit.
const REFUSALS_IN_A_ROW: u32 = 3;
/// Fine answers in a row until the pace is doubled again.
const HEALED_AFTER: u32 = 10;
const PAUSE_MAX: Duration = Duration::from_secs(3600);
/// A collection has a handful; whoever preloads from more gets no better manners for it.
const HOSTS_MAX: usize = 256;

/// Every origin host that is being asked, and some that were.
#[derive(Debug, Default)]
pub struct Pace {
    hosts: Hosts,
}

/// Whether a download may begin.
#[derive(Debug)]
pub enum Turn {
    /// Go now; drop the slot when the download ended.
    Now(Slot),
    /// Not before then; ask again.
    At(Instant),
}

/// The right to one download; given back by dropping it.
#[derive(Debug)]
pub struct Slot {
    /// `None` if there was no room to remember the host.
    taken: Option<(Hosts, String)>,
}

/// How an origin took a request, as far as manners are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It answered, were it that there is no such picture.
    Fine,
    /// It said that it was too much: 429, or 503 with a time to come back.
    Throttled,
    /// 403, which may mean the same.
    Refused,
    /// Broken, silent, or not there.
    Failed,
}

impl Answer {
    pub fn of<T>(request: &Result<T, FetchError>) -> Answer {
        match request {
            Ok(_) => Answer::Fine,
            Err(FetchError::Status { code: 429, .. }) => Answer::Throttled,
            Err(FetchError::Status { code: 503, retry_after: Some(_) }) => Answer::Throttled,
            Err(FetchError::Status { code: 403, .. }) => Answer::Refused,
            Err(FetchError::Status { code, .. }) if *code < 500 => Answer::Fine,
            Err(_) => Answer::Failed,
        }
    }
}

/// One host as the statistics show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostState {
    pub host: String,
    pub in_flight: u32,
    pub requests: u64,
    pub failures: u64,
    /// Since the last answer that was fine.
    pub failures_in_a_row: u64,
    pub paused_for: Option<Duration>,
    /// Between two requests once the burst is spent.
    pub interval: Duration,
}

impl Pace {
    pub fn new() -> Pace {
        Pace::default()
    }

    /// Asks to begin a download. A private host is not paced, but it may pause and has no more
    /// than three at once either.
    ///
    /// With 256 hosts in flight or paused another one is let through unremembered: hosts that
    /// ask for an hour's pause must not close the door to all others.
    pub fn turn(&self, host: &str, is_private: bool, now: Instant) -> Turn {
        let mut hosts = lock(&self.hosts);
        let Some(state) = remembered(&mut hosts, host, now) else { return Turn::Now(Slot { taken: None }) };
        if let Some(until) = state.paused_until.filter(|until| *until > now) {
            return Turn::At(until);
        }
        if state.in_flight >= AT_ONCE_MAX {
            return Turn::At(now + LOOK_AGAIN);
        }
        if !is_private {
            let early = state.debt(now).saturating_sub(state.interval * (BURST - 1));
            if !early.is_zero() {
                return Turn::At(now + early);
            }
            state.paid_at = state.paid_at.max(now) + state.interval;
        }
        state.in_flight += 1;
        state.requests += 1;
        Turn::Now(Slot { taken: Some((Arc::clone(&self.hosts), host.to_owned())) })
    }

    /// The origin said when to come back (429, 503 with `Retry-After`): at most an hour.
    pub fn pause(&self, host: &str, wait: Duration, now: Instant) {
        let until = now + wait.min(PAUSE_MAX);
        if let Some(state) = remembered(&mut lock(&self.hosts), host, now) {
            state.paused_until = state.paused_until.max(Some(until));
        }
    }

    /// How a download went that had its turn here.
    pub fn note(&self, host: &str, answer: Answer, now: Instant) {
        if let Some(state) = lock(&self.hosts).get_mut(host) {
            state.note(answer, now);
        }
    }

    /// By name.
    pub fn hosts(&self, now: Instant) -> Vec<HostState> {
        let hosts = lock(&self.hosts);
        let mut states: Vec<HostState> = hosts.iter().map(|(host, state)| state.shown(host, now)).collect();
        states.sort_by(|one, other| one.host.cmp(&other.host));
        states
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some((hosts, host)) = &self.taken
            && let Some(state) = lock(hosts).get_mut(host)
        {
            state.in_flight = state.in_flight.saturating_sub(1);
        }
    }
}

type Hosts = Arc<Mutex<HashMap<String, State>>>;

#[derive(Debug)]
struct State {
    in_flight: u32,
    requests: u64,
    failures: u64,
    failures_in_a_row: u64,
    /// The bucket, as the time at which all that was taken from it is paid for at one request an
    /// interval: it is full when that is past, and empty at a burst's worth ahead.
    paid_at: Instant,
    interval: Duration,
    slowed_at: Option<Instant>,
    refusals_in_a_row: u32,
    fine_in_a_row: u32,
    paused_until: Option<Instant>,
    used_at: Instant,
}

impl State {
    fn new(now: Instant) -> State {
        State {
            in_flight: 0,
            requests: 0,
            failures: 0,
            failures_in_a_row: 0,
            paid_at: now,
            interval: INTERVAL,
            slowed_at: None,
            refusals_in_a_row: 0,
            fine_in_a_row: 0,
            paused_until: None,
            used_at: now,
        }
    }

    fn debt(&self, now: Instant) -> Duration {
        self.paid_at.saturating_duration_since(now)
    }

    fn note(&mut self, answer: Answer, now: Instant) {
        match answer {
            Answer::Fine => {
                self.refusals_in_a_row = 0;
                self.failures_in_a_row = 0;
                self.fine_in_a_row += 1;
                if self.fine_in_a_row >= HEALED_AFTER && self.interval > INTERVAL {
                    self.fine_in_a_row = 0;
                    self.paid_at = now + self.debt(now) / 2;
                    self.interval = (self.interval / 2).max(INTERVAL);
                }
                return;
            }
            Answer::Throttled => self.slow_down(now),
            Answer::Refused => {
                self.refusals_in_a_row += 1;
                if self.refusals_in_a_row >= REFUSALS_IN_A_ROW {
                    self.slow_down(now);
                }
            }
            Answer::Failed => {}
        }
        self.fine_in_a_row = 0;
        self.failures += 1;
        self.failures_in_a_row += 1;
    }

    /// Half the pace and no burst. Downloads that were under way together are told together, so
    /// what comes within an interval of the last slowing is the same message.
    fn slow_down(&mut self, now: Instant) {
        if self.slowed_at.is_some_and(|slowed| now < slowed + self.interval) {
            return;
        }
        self.slowed_at = Some(now);
        self.interval = (self.interval * 2).min(INTERVAL_MAX);
        self.paid_at = now + self.interval * BURST;
    }

    fn is_idle(&self, now: Instant) -> bool {
        self.in_flight == 0 && self.paused_until.is_none_or(|until| until <= now)
    }

    fn shown(&self, host: &str, now: Instant) -> HostState {
        HostState {
            host: host.to_owned(),
            in_flight: self.in_flight,
            requests: self.requests,
            failures: self.failures,
            failures_in_a_row: self.failures_in_a_row,
            paused_for: self
                .paused_until
                .map(|until| until.saturating_duration_since(now))
                .filter(|left| !left.is_zero()),
            interval: self.interval,
        }
    }
}

/// The host's state, made if need be in place of the one idle for longest; `None` if all are busy.
fn remembered<'a>(hosts: &'a mut HashMap<String, State>, host: &str, now: Instant) -> Option<&'a mut State> {
    if !hosts.contains_key(host) {
        if hosts.len() >= HOSTS_MAX {
            let idle = hosts.iter().filter(|(_, state)| state.is_idle(now));
            let oldest = idle.min_by_key(|(_, state)| state.used_at).map(|(host, _)| host.clone())?;
            hosts.remove(&oldest);
        }
        hosts.insert(host.to_owned(), State::new(now));
    }
    let state = hosts.get_mut(host)?;
    state.used_at = now;
    Some(state)
}

fn lock(hosts: &Hosts) -> MutexGuard<'_, HashMap<String, State>> {
    hosts.lock().unwrap_or_else(PoisonError::into_inner)
}
