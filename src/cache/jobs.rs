//! Preloads: lists of sources fetched with nobody watching, a few at a time so that a page view
//! never waits behind them. Owns their progress; boards flights like everybody else.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::flight::{Errand, Landing};
use crate::key::CacheKey;
use crate::source::Source;

/// Sources of one preload: more than a page of a thousand albums is asked for in two.
pub const SOURCES_MAX: usize = 1_000;

/// Preloads remembered, finished ones included; the oldest finished one makes room.
const JOBS_MAX: usize = 32;

/// Flights of all preloads on their way to a delivery at once: two for each of three workers, so that
/// the queue stays nearly empty for viewers and no worker waits for the next one.
const WINDOW: usize = 6;

/// Reasons kept for one preload; the count of failures is exact beyond it.
const ERRORS_MAX: usize = 100;

/// Why a cover counts as failed that was fetched all the same.
const NOT_KEPT: &str = "The picture was fetched, but there was no room for it or the card refused it.";

pub type JobId = u64;

/// What is done with the results of a preload when it ends.
pub type Finished = Box<dyn FnOnce(&[(CacheKey, Fetched)]) + Send>;

/// How one source of a preload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched {
    Cached,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Queued,
    Running,
    Done,
    Cancelled,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Queued => "queued",
            State::Running => "running",
            State::Done => "done",
            State::Cancelled => "cancelled",
        }
    }
}

/// How far a preload is.
#[derive(Clone, Debug)]
pub struct Progress {
    pub id: JobId,
    pub state: State,
    pub total: u64,
    pub done: u64,
    pub failed: u64,
    /// Those of `done` that were in the cache already.
    pub skipped: u64,
    /// From the pace of what was not in the cache already; `None` before the first of these is done.
    pub eta: Option<Duration>,
    pub errors: Vec<(String, String)>,
}

/// Every remembered preload is unfinished, or the program ends: come back later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

pub struct Jobs {
    list: Mutex<List>,
}

#[derive(Default)]
struct List {
    jobs: VecDeque<Job>,
    last_id: JobId,
    /// The preload that began a source last.
    last_served: JobId,
    /// Sources under way, also of preloads that are forgotten.
    flying: HashMap<(JobId, CacheKey), Place>,
    /// Those of them that stand in the [`WINDOW`].
    undelivered: usize,
    /// The program ends: no preload begins any more.
    is_closed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    InTheWindow,
    /// Delivered, and waiting for the card only.
    Beyond,
}

struct Job {
    id: JobId,
    state: State,
    waiting: VecDeque<Source>,
    in_flight: usize,
    total: u64,
    results: Vec<(CacheKey, Fetched)>,
    /// Sources that were delivered or failed.
    ended: u64,
    failed: u64,
    skipped: u64,
    errors: Vec<(String, String)>,
    begun: Option<Instant>,
    finished: Option<Finished>,
}

impl Jobs {
    pub fn start(&self, sources: Vec<Source>, finished: Option<Finished>) -> Result<JobId, TooMany> {
        let mut list = self.lock();
        if list.is_closed {
            return Err(TooMany);
        }
        if list.jobs.len() >= JOBS_MAX {
            let oldest = list.jobs.iter().position(|job| job.is_over()).ok_or(TooMany)?;
            list.jobs.remove(oldest);
        }
        list.last_id += 1;
        let id = list.last_id;
        list.jobs.push_back(Job {
            id,
            state: State::Queued,
            total: sources.len() as u64,
            waiting: sources.into(),
            in_flight: 0,
            results: Vec::new(),
            ended: 0,
            failed: 0,
            skipped: 0,
            errors: Vec::new(),
            begun: None,
            finished,
        });
        drop(list);
        self.settle(id);
        Ok(id)
    }

    pub fn progress(&self, id: JobId, now: Instant) -> Option<Progress> {
        let list = self.lock();
        list.jobs.iter().find(|job| job.id == id).map(|job| job.progress(now))
    }

    /// Begins no further source of a preload; what is in flight comes down by itself.
    pub fn cancel(&self, id: JobId, now: Instant) -> Option<Progress> {
        let mut list = self.lock();
        let job = list.jobs.iter_mut().find(|job| job.id == id)?;
        if !job.is_over() {
            job.state = State::Cancelled;
            job.waiting.clear();
        }
        let progress = job.progress(now);
        drop(list);
        self.settle(id);
        Some(progress)
    }

    /// Cancels every preload and tells whoever waits for one what has come so far, also of what is in
    /// flight: nobody will be there to be told of its landing.
    pub fn close(&self) {
        let mut ended = Vec::new();
        let mut list = self.lock();
        list.is_closed = true;
        for job in list.jobs.iter_mut().filter(|job| !job.is_over()) {
            job.state = State::Cancelled;
            job.waiting.clear();
        }
        for job in &mut list.jobs {
            ended.extend(job.finished.take().map(|finished| (finished, std::mem::take(&mut job.results))));
        }
        drop(list);
        for (finished, results) in ended {
            finished(&results);
        }
    }

    /// Whether a preload still has this cover on its list.
    pub fn lists(&self, key: CacheKey) -> bool {
        self.lock().jobs.iter().any(|job| job.waiting.iter().any(|source| source.key() == key))
    }

    pub fn has_waiting(&self) -> bool {
        self.lock().jobs.iter().any(|job| !job.waiting.is_empty())
    }

    /// Sources of all preloads that have not begun.
    pub fn waiting(&self) -> u64 {
        self.lock().jobs.iter().map(|job| job.waiting.len() as u64).sum()
    }

    /// Takes sources off the lists while the window has room and gives each to `fly`, which must have
    /// its end reported by an [`errand`] or to [`Jobs::landed`]. Ends when `fly` breaks off: with a full
    /// queue each source comes straight back. Called by the attendant.
    pub fn advance(&self, now: Instant, mut fly: impl FnMut(JobId, Source) -> ControlFlow<()>) {
        while let Some((id, source)) = self.next(now)
            && fly(id, source).is_continue()
        {}
    }

    fn next(&self, now: Instant) -> Option<(JobId, Source)> {
        let mut list = self.lock();
        if list.undelivered >= WINDOW {
            return None;
        }
        // In turn, so that nobody's ten covers wait behind somebody's thousand.
        let turn = |after: JobId| list.jobs.iter().position(|job| job.id > after && !job.waiting.is_empty());
        let at = turn(list.last_served).or_else(|| turn(0))?;
        let job = list.jobs.get_mut(at)?;
        let source = job.waiting.pop_front()?;
        job.state = State::Running;
        job.begun.get_or_insert(now);
        job.in_flight += 1;
        let id = job.id;
        list.last_served = id;
        list.undelivered += 1;
        list.flying.insert((id, source.key()), Place::InTheWindow);
        Some((id, source))
    }

    /// One source of a preload is in the cache already.
    pub fn was_here(&self, id: JobId, source: Source) {
        if let Some(job) = self.lock().jobs.iter_mut().find(|job| job.id == id) {
            job.skipped += 1;
        }
        self.landed(id, source, Landing::Cached);
    }

    /// The pictures are there: the next source may come, while the card takes these.
    fn delivered(&self, id: JobId, key: CacheKey) {
        self.lock().deliver(id, key);
    }

    /// One source of a preload has ended.
    pub fn landed(&self, id: JobId, source: Source, landing: Landing) {
        let mut list = self.lock();
        list.deliver(id, source.key());
        list.flying.remove(&(id, source.key()));
        let Some(job) = list.jobs.iter_mut().find(|job| job.id == id) else { return };
        job.in_flight -= 1;
        match landing {
            Landing::Cached => job.results.push((source.key(), Fetched::Cached)),
            Landing::Failed(failure) => job.fail(&source, failure.reason),
            Landing::NotKept => job.fail(&source, NOT_KEPT.to_owned()),
            // The queue was full: it was accepted, so it is asked for again.
            Landing::TurnedBack => {
                if job.state == State::Running {
                    job.waiting.push_back(source);
                }
                job.ended -= 1;
            }
        }
        drop(list);
        self.settle(id);
    }

    /// Ends a preload that has nothing left, and tells whoever waits for its end.
    fn settle(&self, id: JobId) {
        let mut list = self.lock();
        let Some(job) = list.jobs.iter_mut().find(|job| job.id == id) else { return };
        if !job.waiting.is_empty() || job.in_flight > 0 {
            return;
        }
        if job.state != State::Cancelled {
            job.state = State::Done;
        }
        let finished = job.finished.take();
        let results = finished.is_some().then(|| std::mem::take(&mut job.results));
        drop(list);
        if let (Some(finished), Some(results)) = (finished, results) {
            finished(&results);
        }
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Jobs {
    fn default() -> Jobs {
        // A restarted server must not take its own first preload for the first one of before, which
        // somebody may still be asking for. 48 bits of chance: JavaScript's numbers hold 53.
        let last_id = RandomState::new().hash_one("preload") >> 16;
        Jobs { list: Mutex::new(List { last_id, ..List::default() }) }
    }
}

impl List {
    /// Once for each source, whichever word of its errand comes first.
    fn deliver(&mut self, id: JobId, key: CacheKey) {
        let Some(place @ Place::InTheWindow) = self.flying.get_mut(&(id, key)) else { return };
        *place = Place::Beyond;
        self.undelivered -= 1;
        if let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) {
            job.ended += 1;
        }
    }
}

impl Job {
    fn is_over(&self) -> bool {
        matches!(self.state, State::Done | State::Cancelled)
    }

    fn fail(&mut self, source: &Source, reason: String) {
        self.failed += 1;
        if self.errors.len() < ERRORS_MAX {
            self.errors.push((source.url().to_owned(), reason));
        }
        self.results.push((source.key(), Fetched::Failed));
    }

    fn progress(&self, now: Instant) -> Progress {
        let eta = match self.begun {
            Some(begun) if self.ended > self.skipped && !self.is_over() => {
                let fetched = self.ended - self.skipped;
                let pace = now.saturating_duration_since(begun).as_secs_f64() / fetched as f64;
                Some(Duration::from_secs_f64(pace * self.total.saturating_sub(self.ended) as f64))
            }
            _ => None,
        };
        Progress {
            id: self.id,
            state: self.state,
            total: self.total,
            done: self.ended,
            failed: self.failed,
            skipped: self.skipped,
            eta,
            errors: self.errors.clone(),
        }
    }
}

/// The errand that reports to its preload.
pub fn errand(jobs: &Arc<Jobs>, id: JobId, source: Source, bell: crossbeam_channel::Sender<()>) -> Errand {
    let (at_delivery, at_landing, key) = (Arc::clone(jobs), Arc::clone(jobs), source.key());
    let ring = bell.clone();
    Errand {
        delivered: Box::new(move || {
            at_delivery.delivered(id, key);
            // A full bell is one that is ringing.
            let _ = ring.try_send(());
        }),
        landed: Box::new(move |landing| {
            // What was turned back is tried again in its time: rung for, it would be turned back at once.
            let is_over = landing != Landing::TurnedBack;
            at_landing.landed(id, source, landing);
            if is_over {
                let _ = bell.try_send(());
            }
        }),
    }
}

/// Keeps the first source of each key: the same picture twice in a list is one download.
pub fn distinct(sources: Vec<Source>) -> Vec<Source> {
    let mut seen: std::collections::HashSet<CacheKey> = std::collections::HashSet::new();
    sources.into_iter().filter(|source| seen.insert(source.key())).collect()
}
