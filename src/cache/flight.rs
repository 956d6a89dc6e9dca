//! Who waits for which original. Owns single-flight: one [`Flight`] per key, and the promise that
//! everyone aboard is answered exactly once. Knows no HTTP (a waiter is a closure), no queue and
//! no files.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use super::failure::Failure;
use super::measure::Took;
use crate::key::{CacheKey, Rendition, Timestamp, Variant};

/// How many requests may be parked at once. A browser has six connections to a host, so this is
/// ten browsers opening a cold page together; the next one is answered with the placeholder.
pub const PARKED_MAX: usize = 64;

/// Someone who waits for one variant.
pub struct Waiter {
    /// Order of acceptance: answers are written in this order, because a pipelined response
    /// blocks its writer until the one before it on the connection has been written.
    pub ticket: u64,
    pub variant: Variant,
    /// When patience ends.
    pub deadline: Instant,
    pub answer: Box<dyn FnOnce(Outcome) + Send>,
}

/// What a waiter is told.
#[derive(Clone)]
pub enum Outcome {
    /// With what it took where it was downloaded for this, not where it was found after all.
    Ready(Rendition, Option<Took>),
    /// The origin or the picture said no; [`Failure::next_try_at`] says when to ask again.
    Failed(Failure),
    /// Not here yet: patience or a limit ended first, the download may still come.
    Pending,
}

/// All flights of the program.
#[derive(Default)]
pub struct Flights {
    aboard: Mutex<Aboard>,
}

#[derive(Default)]
struct Aboard {
    flights: HashMap<CacheKey, Manifest>,
    parked: usize,
}

/// Somebody without a browser: a preload, which wants to know how far the flight is. Each is run
/// once, and they may run in either order.
pub struct Errand {
    /// When all variants are there, though not on the card; never run by a flight that fails.
    pub delivered: Box<dyn FnOnce() + Send>,
    pub landed: Box<dyn FnOnce(Landing) + Send>,
}

/// How a flight ended for those who only wanted it to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Landing {
    Cached,
    /// Delivered, but it is not in the cache: no room for it, or the card refused it.
    NotKept,
    Failed(Failure),
    /// Turned back before it started (a full queue, a stop): worth asking for again soon.
    TurnedBack,
}

/// Who boards.
pub enum Passenger {
    Viewer(Waiter),
    Errand(Errand),
}

/// Everyone aboard one flight, and what it has delivered so far. Keeping the latter here is what
/// answers a viewer who boards between the last delivery and the landing.
#[derive(Default)]
struct Manifest {
    waiters: Vec<Waiter>,
    errands: Vec<Errand>,
    /// What is left of errands that were told of the delivery.
    landings: Vec<Box<dyn FnOnce(Landing) + Send>>,
    delivered: Vec<Delivered>,
}

#[derive(Clone)]
struct Delivered {
    variant: Variant,
    rendition: Rendition,
    took: Option<Took>,
}

impl Delivered {
    fn outcome(&self) -> Outcome {
        Outcome::Ready(self.rendition.clone(), self.took)
    }
}

impl Flights {
    /// `Some` means that the caller flies it, `None` that somebody already is. A waiter that finds
    /// no place to park is answered [`Outcome::Pending`] at once, and the flight goes all the same.
    pub fn board(self: &Arc<Self>, key: CacheKey, passenger: Passenger) -> Option<Flight> {
        let mut aboard = self.lock();
        let Aboard { flights, parked } = &mut *aboard;
        let first = !flights.contains_key(&key);
        let manifest = flights.entry(key).or_default();
        let (mut turned_away, mut late) = (None, None);
        match passenger {
            Passenger::Errand(Errand { delivered, landed }) if manifest.is_complete() => {
                late = Some(delivered);
                manifest.landings.push(landed);
            }
            Passenger::Errand(errand) => manifest.errands.push(errand),
            Passenger::Viewer(waiter) => match manifest.delivered(waiter.variant) {
                Some(delivered) => turned_away = Some((waiter, delivered.outcome())),
                None if *parked >= PARKED_MAX => turned_away = Some((waiter, Outcome::Pending)),
                None => {
                    *parked += 1;
                    manifest.waiters.push(waiter);
                }
            },
        }
        drop(aboard);
        if let Some((waiter, outcome)) = turned_away {
            (waiter.answer)(outcome);
        }
        if let Some(delivered) = late {
            delivered();
        }
        first.then(|| Flight { key, flights: Arc::clone(self), failure: None, is_lost: false })
    }

    /// Answers everyone whose patience has run out; their flights go on.
    pub fn expire(&self, now: Instant) {
        let mut late = Vec::new();
        let mut aboard = self.lock();
        for manifest in aboard.flights.values_mut() {
            late.extend(manifest.waiters.extract_if(.., |waiter| waiter.deadline <= now));
        }
        aboard.parked -= late.len();
        drop(aboard);
        answer(late, |_| Outcome::Pending);
    }

    /// How many requests are parked, and how many flights are under way.
    pub fn count(&self) -> FlightCount {
        let aboard = self.lock();
        FlightCount { waiting: aboard.parked as u64, flights: aboard.flights.len() as u64 }
    }

    pub fn is_flying(&self, key: CacheKey) -> bool {
        self.lock().flights.contains_key(&key)
    }

    /// How many requests wait for a key; `None` when it is not being fetched.
    pub fn waiting_for(&self, key: CacheKey) -> Option<u64> {
        self.lock().flights.get(&key).map(|manifest| manifest.waiters.len() as u64)
    }

    fn lock(&self) -> MutexGuard<'_, Aboard> {
        // No operation under this lock can stop half-way, so a poisoned one is still true.
        self.aboard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlightCount {
    pub waiting: u64,
    pub flights: u64,
}

impl Manifest {
    fn delivered(&self, variant: Variant) -> Option<Delivered> {
        self.delivered.iter().find(|ready| ready.variant == variant).cloned()
    }

    /// Nothing is left to be delivered; the flight itself lands when the card has it.
    fn is_complete(&self) -> bool {
        self.delivered.len() == Variant::ALL.len()
    }
}

/// The duty to answer everyone waiting for one original. Dropping it lands it: success, an error,
/// a full queue and a panic are one path (a panic is a failure: asked for again at once, it would come again).
pub struct Flight {
    key: CacheKey,
    flights: Arc<Flights>,
    failure: Option<Failure>,
    /// What was delivered is not on the card.
    is_lost: bool,
}

impl Flight {
    pub fn key(&self) -> CacheKey {
        self.key
    }

    /// Answers those who wait for `variant` now, and with the last one tells the errands; the flight
    /// goes on.
    pub fn deliver(&self, variant: Variant, rendition: &Rendition, took: Option<Took>) {
        let (mut ready, mut told) = (Vec::new(), Vec::new());
        let delivered = Delivered { variant, rendition: rendition.clone(), took };
        let mut aboard = self.flights.lock();
        if let Some(manifest) = aboard.flights.get_mut(&self.key) {
            manifest.delivered.push(delivered.clone());
            ready.extend(manifest.waiters.extract_if(.., |waiter| waiter.variant == variant));
            if manifest.is_complete() {
                for Errand { delivered, landed } in std::mem::take(&mut manifest.errands) {
                    told.push(delivered);
                    manifest.landings.push(landed);
                }
            }
        }
        aboard.parked -= ready.len();
        drop(aboard);
        answer(ready, |_| delivered.outcome());
        told.into_iter().for_each(|delivered| delivered());
    }

    /// Lands with a failure: what everyone left aboard is told.
    pub fn fail(mut self, failure: Failure) {
        self.failure = Some(failure);
    }

    /// Lands with pictures that were delivered and will not be here when they are asked for again.
    pub fn lose(mut self) {
        self.is_lost = true;
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut aboard = self.flights.lock();
        let manifest = aboard.flights.remove(&self.key).unwrap_or_default();
        aboard.parked -= manifest.waiters.len();
        drop(aboard);
        let is_complete = manifest.is_complete();
        if thread::panicking() && !is_complete {
            self.failure.get_or_insert_with(|| Failure::of_our_own(None, Timestamp::now()));
        }
        let Manifest { waiters, errands, landings, delivered } = manifest;
        let landing = match &self.failure {
            Some(failure) => Landing::Failed(failure.clone()),
            None if is_complete && self.is_lost => Landing::NotKept,
            None if is_complete => Landing::Cached,
            None => Landing::TurnedBack,
        };
        for landed in landings.into_iter().chain(errands.into_iter().map(|errand| errand.landed)) {
            landed(landing.clone());
        }
        answer(waiters, |variant| match delivered.iter().find(|ready| ready.variant == variant) {
            Some(delivered) => delivered.outcome(),
            None => self.failure.clone().map_or(Outcome::Pending, Outcome::Failed),
        });
    }
}

/// In order of acceptance. The guard is gone by the time this runs, in every caller: an answer
/// writes to a socket, and a socket under the lock would stop every other flight.
fn answer(mut waiters: Vec<Waiter>, outcome: impl Fn(Variant) -> Outcome) {
    waiters.sort_by_key(|waiter| waiter.ticket);
    for waiter in waiters {
        (waiter.answer)(outcome(waiter.variant));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    fn waiter(ticket: u64, variant: Variant, told: &mpsc::Sender<(u64, &'static str)>) -> Waiter {
        let told = told.clone();
        Waiter {
            ticket,
            variant,
            deadline: Instant::now() + Duration::from_secs(4),
            answer: Box::new(move |outcome| {
                let word = match outcome {
                    Outcome::Ready(..) => "ready",
                    Outcome::Failed(_) => "failed",
                    Outcome::Pending => "pending",
                };
                told.send((ticket, word)).unwrap();
            }),
        }
    }

    fn nothing() -> Passenger {
        Passenger::Errand(Errand { delivered: Box::new(|| ()), landed: Box::new(|_| ()) })
    }

    fn key() -> CacheKey {
        CacheKey::of("https://example.org/cover.jpg")
    }

    #[test]
    fn only_the_first_aboard_flies_and_all_are_answered_in_order_of_acceptance() {
        let (told, heard) = mpsc::channel();
        let flights = Arc::new(Flights::default());
        let flight = flights.board(key(), Passenger::Viewer(waiter(9, Variant::Detail, &told))).unwrap();
        assert!(flights.board(key(), Passenger::Viewer(waiter(3, Variant::Detail, &told))).is_none());
        assert!(flights.board(key(), Passenger::Viewer(waiter(5, Variant::Thumbnail, &told))).is_none());
        flight.deliver(Variant::Thumbnail, &Rendition::new(vec![1]), None);
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [(5, "ready")]);
        flight.deliver(Variant::Detail, &Rendition::new(vec![2]), None);
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [(3, "ready"), (9, "ready")]);
        drop(flight);
        assert_eq!(flights.count(), FlightCount { waiting: 0, flights: 0 });
    }

    #[test]
    fn who_boards_after_a_delivery_is_answered_at_once() {
        let (told, heard) = mpsc::channel();
        let flights = Arc::new(Flights::default());
        let flight = flights.board(key(), nothing()).unwrap();
        flight.deliver(Variant::Thumbnail, &Rendition::new(vec![1]), None);
        assert!(flights.board(key(), Passenger::Viewer(waiter(1, Variant::Thumbnail, &told))).is_none());
        assert_eq!(heard.try_recv().unwrap(), (1, "ready"));
    }

    #[test]
    fn an_errand_hears_of_the_delivery_before_the_card_has_it_whenever_it_boards() {
        let (told, heard) = mpsc::channel();
        let errand = |name: &'static str| {
            let (at_delivery, at_landing) = (told.clone(), told.clone());
            Passenger::Errand(Errand {
                delivered: Box::new(move || at_delivery.send((name, None)).unwrap()),
                landed: Box::new(move |landing| at_landing.send((name, Some(landing))).unwrap()),
            })
        };
        let flights = Arc::new(Flights::default());
        let flight = flights.board(key(), errand("early")).unwrap();
        flight.deliver(Variant::Thumbnail, &Rendition::new(vec![1]), None);
        assert_eq!(heard.try_iter().count(), 0, "a part is nothing");
        flight.deliver(Variant::Detail, &Rendition::new(vec![2]), None);
        assert!(flights.board(key(), errand("late")).is_none());
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [("early", None), ("late", None)]);
        drop(flight);
        let landed = Some(Landing::Cached);
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [("early", landed.clone()), ("late", landed)]);
    }

    #[test]
    fn a_panic_of_the_pilot_is_a_failure_and_still_answers_everyone() {
        let (told, heard) = mpsc::channel();
        let (landed, landings) = mpsc::channel();
        let flights = Arc::new(Flights::default());
        let flight = flights.board(key(), Passenger::Viewer(waiter(1, Variant::Detail, &told))).unwrap();
        let landed = Box::new(move |landing| landed.send(landing).unwrap());
        let errand = Errand { delivered: Box::new(|| ()), landed };
        assert!(flights.board(key(), Passenger::Errand(errand)).is_none());
        let pilot = std::thread::spawn(move || {
            let _flight = flight;
            panic!("a decoder gave up (this message is part of the test)");
        });
        assert!(pilot.join().is_err());
        assert_eq!(heard.recv_timeout(Duration::from_secs(5)).unwrap(), (1, "failed"));
        assert!(
            matches!(landings.try_recv().unwrap(), Landing::Failed(_)),
            "a preload would ask again for ever"
        );
        assert!(flights.board(key(), nothing()).is_some(), "the key is free again");
    }

    #[test]
    fn the_sixty_fifth_is_not_parked_and_does_not_stop_the_flight() {
        let (told, heard) = mpsc::channel();
        let flights = Arc::new(Flights::default());
        let flight = flights.board(key(), nothing()).unwrap();
        for ticket in 0..=PARKED_MAX as u64 {
            assert!(
                flights.board(key(), Passenger::Viewer(waiter(ticket, Variant::Detail, &told))).is_none()
            );
        }
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [(PARKED_MAX as u64, "pending")]);
        flight.deliver(Variant::Detail, &Rendition::new(vec![1]), None);
        assert_eq!(heard.try_iter().count(), PARKED_MAX);
    }

    #[test]
    fn patience_ends_and_the_flight_goes_on() {
        let (told, heard) = mpsc::channel();
        let flights = Arc::new(Flights::default());
        let flight = flights.board(key(), Passenger::Viewer(waiter(1, Variant::Detail, &told))).unwrap();
        flights.expire(Instant::now());
        assert_eq!(heard.try_iter().count(), 0);
        flights.expire(Instant::now() + Duration::from_secs(5));
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [(1, "pending")]);
        assert!(flights.is_flying(key()));
        drop(flight);
        assert_eq!(heard.try_iter().count(), 0, "nobody is answered twice");
    }
}
