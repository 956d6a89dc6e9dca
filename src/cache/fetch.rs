//! The bounded queue of misses and the workers that drain it: look again, take turns with the
//! origin, download, render, deliver, admit. Owns retries and their delays; what one download is
//! belongs to `origin`, what a picture is to `picture`, who waits to `flight`.

use std::cmp::Ordering as Order;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError};
use log::{debug, error, info, warn};

use super::Store;
use super::failure::{Class, Failure};
use super::flight::Flight;
use super::index::{Counter, Expected};
use super::measure::{Stage, Took};
use super::memory::Format;
use super::origin::{FetchError, Journey, Step};
use super::pace::{Answer, Turn};
use crate::key::{Rendition, Timestamp, Variant};
use crate::picture::{PictureError, Steps};
use crate::source::Source;

/// Misses that may wait for a worker: four page views' worth of covers. The next one is told to
/// come back, and nothing that was accepted is dropped.
pub const QUEUE_MAX: usize = 256;

/// Jobs put off (an origin's pace, a retry). Each holds a few hundred bytes.
const DEFERRED_MAX: usize = 1_024;

/// Tries of one flight before its failure is remembered.
const TRIES_MAX: u32 = 3;

/// The first retry comes after about this long, the second after four times as long.
const RETRY_FIRST: Duration = Duration::from_millis(700);

/// How long a stop waits for renders under way, if it has so long.
const FINISHING_MAX: Duration = Duration::from_secs(2);
const FINISHING_LOOK: Duration = Duration::from_millis(5);

/// A flight is put off at most this long; past it, its viewers are told when to try again.
const DEFERRAL_MAX: Duration = Duration::from_secs(90);

/// One miss on its way. Dropping it lands the flight.
pub struct Job {
    pub flight: Flight,
    pub source: Source,
    /// Where the download goes on that an origin's pace put off.
    journey: Journey,
    tries: u32,
    queued_at: Instant,
    /// Covers that are ready wait a moment for this one.
    expected: Expected,
}

/// The queue, the workers and what has been put off.
pub struct Fetcher {
    queue: Sender<Job>,
    backlog: Receiver<Job>,
    deferred: Mutex<BinaryHeap<Deferred>>,
    closing: AtomicBool,
    /// Originals that are here and not yet on the card; a stop waits for them.
    finishing: Arc<AtomicUsize>,
    /// Wakes the attendant, which sleeps while nobody waits and nothing is put off.
    pub(super) bell: Sender<()>,
}

struct Deferred {
    due: Instant,
    job: Job,
}

impl Fetcher {
    pub fn new(bell: Sender<()>) -> Fetcher {
        let (queue, backlog) = crossbeam_channel::bounded(QUEUE_MAX);
        let deferred = Mutex::new(BinaryHeap::new());
        Fetcher { queue, backlog, deferred, closing: AtomicBool::new(false), finishing: Arc::default(), bell }
    }

    /// Starts the download workers. They end with the process, or after [`Fetcher::close`].
    pub fn start(self: &Arc<Self>, store: &Arc<Store>, workers: usize) -> std::io::Result<()> {
        for number in 0..workers {
            let (fetcher, store) = (Arc::clone(self), Arc::clone(store));
            thread::Builder::new().name(format!("fetch-{number}")).spawn(move || fetcher.work(&store))?;
        }
        Ok(())
    }

    /// Queues a flight. A full queue drops it, which answers everyone aboard, and says to come later.
    pub fn submit(&self, flight: Flight, source: Source, expected: Expected) -> ControlFlow<()> {
        let (journey, queued_at) = (Journey::to(&source), Instant::now());
        match self.queue.try_send(Job { flight, source, journey, tries: 0, queued_at, expected }) {
            Ok(()) => {
                self.ring();
                ControlFlow::Continue(())
            }
            Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => {
                debug!("queue is full, turned back key={}", job.flight.key());
                ControlFlow::Break(())
            }
        }
    }

    pub fn queued(&self) -> u64 {
        (self.backlog.len() + self.lock_deferred().len()) as u64
    }

    pub fn has_deferred(&self) -> bool {
        !self.lock_deferred().is_empty()
    }

    /// Puts jobs whose time has come back into the queue; called by the attendant.
    pub fn requeue_due(&self, now: Instant) {
        loop {
            let due = {
                let mut deferred = self.lock_deferred();
                if deferred.peek().is_none_or(|first| first.due > now) {
                    return;
                }
                deferred.pop()
            };
            let Some(Deferred { job, .. }) = due else { return };
            if let Err(TrySendError::Full(job)) = self.queue.try_send(job) {
                // It was accepted once, so it is not lost now: it comes next.
                self.lock_deferred().push(Deferred { due: now, job });
                return;
            }
        }
    }

    /// No further job is begun; what is queued or put off lands at once; what has been downloaded
    /// is given a moment to reach the card, at most until `until`.
    pub fn close(&self, until: Instant) {
        self.closing.store(true, Ordering::Relaxed);
        while self.backlog.try_recv().is_ok() {}
        let put_off = std::mem::take(&mut *self.lock_deferred());
        drop(put_off);
        let deadline = until.min(Instant::now() + FINISHING_MAX);
        while self.finishing.load(Ordering::Acquire) > 0 && Instant::now() < deadline {
            thread::sleep(FINISHING_LOOK);
        }
    }

    fn work(&self, store: &Arc<Store>) {
        while let Ok(job) = self.backlog.recv() {
            if self.closing.load(Ordering::Relaxed) {
                continue;
            }
            let (key, source) = (job.flight.key(), job.source.clone());
            // The job is moved in, so a panic unwinds through it and its drop answers everyone.
            let flown = panic::catch_unwind(AssertUnwindSafe(|| self.fly(store, job)));
            if flown.is_err() {
                error!("a download worker panicked and goes on key={key}");
                store.index.count(Counter::Failed(Class::Failed), 1);
                let previous = store.index.failure(key);
                let failure = Failure::of_our_own(previous.as_ref(), Timestamp::now()).of(&source);
                store.index.note_failure(key, failure);
            }
        }
    }

    fn fly(&self, store: &Arc<Store>, job: Job) {
        if !store.is_outdone_by(&job.source) && land_from_disk(store, &job.flight) {
            return;
        }
        let begun = Instant::now();
        let Some((job, fetched)) = self.travel(store, job) else { return };
        let host = job.journey.here().host();
        let (wait, took) = (begun.saturating_duration_since(job.queued_at), begun.elapsed());
        if job.tries == 0 {
            store.measures.took(Stage::Wait, wait);
        }
        store.measures.took(Stage::Fetch, took);
        store.measures.answered(host, fetched.as_ref().map_or_else(FetchError::status, |_| Some(200)));
        match fetched {
            Ok(original) => {
                store.index.count(Counter::Downloads, 1);
                store.index.count(Counter::DownloadedBytes, original.len() as u64);
                store.index.count(Counter::DownloadMs, u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
                let (key, bytes) = (job.flight.key(), original.len());
                debug!("downloaded key={key} source={} bytes={bytes} in={took:?}", job.source);
                self.finish(store, job, &original, Took { wait, fetch: took, render: Duration::ZERO });
            }
            Err(error) => self.failed(store, job, &error),
        }
    }

    /// Takes a turn for each hop, with the host that is asked, and never holds one while it waits for
    /// another: `None` is put off, to go on from that hop.
    fn travel(&self, store: &Arc<Store>, mut job: Job) -> Option<(Job, Result<Vec<u8>, FetchError>)> {
        let ends = store.origin.deadline();
        loop {
            let here = job.journey.here();
            let is_private = store.origin.guard().is_private(here);
            let slot = match store.pace.turn(here.host(), is_private, Instant::now()) {
                Turn::Now(slot) => slot,
                Turn::At(due) => {
                    self.put_off(store, job, due);
                    return None;
                }
            };
            let step = store.origin.step(&job.journey, ends);
            drop(slot);
            store.pace.note(here.host(), Answer::of(&step), Instant::now());
            match step {
                Ok(Step::Arrived(original)) => return Some((job, Ok(original))),
                Ok(Step::Onward(further)) => job.journey = further,
                Err(error) => return Some((job, Err(error))),
            }
        }
    }

    /// Renders, delivers each rendition as it is encoded, and hands both to the index.
    fn finish(&self, store: &Arc<Store>, job: Job, original: &[u8], took: Took) {
        let finishing = Finishing::begin(&self.finishing);
        let key = job.flight.key();
        // Twins of what was here before are none of this picture.
        store.memory.remove(key);
        let begun = Instant::now();
        let mut renditions = Vec::with_capacity(Variant::ALL.len());
        let rendered = store.renderer.render_by_steps(original, &mut |variant, bytes| {
            let rendition = Rendition::new(bytes);
            store.memory.put(key, variant, Format::WebP, rendition.clone());
            // Before the card is touched: a viewer never waits for an fsync.
            job.flight.deliver(variant, &rendition, Some(Took { render: begun.elapsed(), ..took }));
            renditions.push((variant, rendition));
        });
        store.measures.took(Stage::Render, begun.elapsed());
        match rendered {
            Ok(Steps { decode, resize, encode }) => {
                for (stage, took) in
                    [(Stage::Decode, decode), (Stage::Resize, resize), (Stage::Encode, encode)]
                {
                    store.measures.took(stage, took);
                }
                store.index.clear_failure(key);
                // The flight lands when the files are in place: until then a second viewer must
                // find it, or he would download again what is about to be there.
                let Job { flight, source, expected, .. } = job;
                let (rendered_at, counting) = (Instant::now(), Arc::clone(store));
                let batch = store.write_temps(&source, renditions);
                let is_whole = batch.len() == Variant::ALL.len();
                let landed = Box::new(move |is_kept| {
                    counting.measures.took(Stage::Store, rendered_at.elapsed());
                    match is_whole && is_kept {
                        true => drop(flight),
                        false => flight.lose(),
                    }
                    drop(finishing);
                });
                store.index.admit(batch, landed);
                drop(expected);
            }
            Err(error) => self.not_rendered(store, job, &error),
        }
    }

    fn not_rendered(&self, store: &Arc<Store>, job: Job, error: &PictureError) {
        store.memory.remove(job.flight.key());
        if error.is_transient() && job.tries + 1 < TRIES_MAX {
            let (key, source) = (job.flight.key(), &job.source);
            debug!("picture cut short, trying again key={key} source={source} cause={error}");
            return self.retry(store, job, Class::Unreadable, error.public_reason().to_owned());
        }
        warn!("cannot render key={} source={} cause={error}", job.flight.key(), job.source);
        let reason = error.public_reason().to_owned();
        self.give_up(store, job, Class::Unreadable, !error.is_transient(), reason, None);
    }

    fn failed(&self, store: &Arc<Store>, job: Job, error: &FetchError) {
        let wait = error.retry_after();
        if let Some(wait) = wait {
            let host = job.journey.here().host();
            info!("origin asked to be left alone host={host} for={}s", wait.as_secs());
            store.pace.pause(host, wait, Instant::now());
        }
        let is_short = wait.is_none_or(|wait| wait <= DEFERRAL_MAX);
        if error.heals_soon() && is_short && job.tries + 1 < TRIES_MAX {
            let (key, source) = (job.flight.key(), &job.source);
            debug!("download failed, trying again key={key} source={source} cause={error}");
            return self.retry(store, job, error.class(), error.public_reason());
        }
        warn!("download failed key={} source={} cause={error}", job.flight.key(), job.source);
        self.give_up(store, job, error.class(), error.is_permanent(), error.public_reason(), wait);
    }

    fn retry(&self, store: &Arc<Store>, mut job: Job, class: Class, reason: String) {
        let delay = RETRY_FIRST * 4u32.saturating_pow(job.tries);
        // A fifth more or less by the key, so that a page of covers does not come back in step.
        let jitter = delay.mul_f64(f64::from(job.flight.key().as_bytes()[0]) / 255.0 * 0.4);
        job.tries += 1;
        job.journey = Journey::to(&job.source);
        let due = Instant::now() + delay.mul_f64(0.8) + jitter;
        if self.lock_deferred().len() >= DEFERRED_MAX {
            return self.give_up(store, job, class, false, reason, None);
        }
        self.defer(job, due);
    }

    fn put_off(&self, store: &Arc<Store>, job: Job, due: Instant) {
        let wait = due.saturating_duration_since(Instant::now());
        if wait > DEFERRAL_MAX || self.lock_deferred().len() >= DEFERRED_MAX {
            let reason = "The origin asked to be left alone for a while.".to_owned();
            return self.give_up(store, job, Class::Throttled, false, reason, Some(wait));
        }
        self.defer(job, due);
    }

    fn defer(&self, job: Job, due: Instant) {
        if !self.closing.load(Ordering::Relaxed) {
            self.lock_deferred().push(Deferred { due, job });
            self.ring();
        }
    }

    fn give_up(
        &self,
        store: &Arc<Store>,
        job: Job,
        class: Class,
        permanent: bool,
        reason: String,
        retry_after: Option<Duration>,
    ) {
        let key = job.flight.key();
        let previous = store.index.failure(key).filter(|failure| failure.concerns(&job.source));
        let failure =
            Failure::after(previous.as_ref(), class, permanent, reason, retry_after, Timestamp::now());
        let failure = failure.of(&job.source);
        store.index.count(Counter::Failed(class), 1);
        store.index.note_failure(key, failure.clone());
        job.flight.fail(failure);
    }

    fn ring(&self) {
        // A full bell is one that is ringing.
        let _ = self.bell.try_send(());
    }

    fn lock_deferred(&self) -> std::sync::MutexGuard<'_, BinaryHeap<Deferred>> {
        self.deferred.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An original on its way to the card.
struct Finishing(Arc<AtomicUsize>);

impl Finishing {
    fn begin(count: &Arc<AtomicUsize>) -> Finishing {
        count.fetch_add(1, Ordering::AcqRel);
        Finishing(Arc::clone(count))
    }
}

impl Drop for Finishing {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The miss may have raced a landing: what is here now is not downloaded again.
fn land_from_disk(store: &Store, flight: &Flight) -> bool {
    let found: Vec<_> = Variant::ALL
        .into_iter()
        .filter_map(|variant| Some((variant, store.read(flight.key(), variant)?)))
        .collect();
    if found.len() < Variant::ALL.len() {
        return false;
    }
    for (variant, rendition) in &found {
        flight.deliver(*variant, rendition, None);
    }
    true
}

impl PartialEq for Deferred {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Deferred {}

impl PartialOrd for Deferred {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

impl Ord for Deferred {
    /// The heap's greatest is the one due first.
    fn cmp(&self, other: &Self) -> Order {
        other.due.cmp(&self.due)
    }
}
