//! How often one client may use one route of the API. Owns a bounded table of windows; images
//! and pages never come here.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;

/// Length of a window: limits are "so many a minute".
const WINDOW: Duration = Duration::from_secs(60);

/// Clients remembered, the least recent forgotten: about 400 kB at the most.
const CLIENTS_MAX: NonZeroUsize = NonZeroUsize::new(4_096).expect("is not zero");

/// Routes that share a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    Stats,
    Clear,
    Preload,
    Other,
    /// Wrong tokens.
    Token,
}

impl Class {
    /// Requests a minute (CONTRACT 4); ten guesses a minute at a token.
    fn per_minute(self) -> u32 {
        match self {
            Class::Stats => 60,
            Class::Clear => 6,
            Class::Preload => 30,
            Class::Other => 120,
            Class::Token => 10,
        }
    }
}

pub struct Limits {
    windows: Mutex<LruCache<(IpAddr, Class), Window>>,
}

struct Window {
    begun: Instant,
    used: u32,
}

impl Limits {
    pub fn new() -> Limits {
        Limits { windows: Mutex::new(LruCache::new(CLIENTS_MAX)) }
    }

    /// Counts one request; `Some` is how long the client should stay away, at least a second.
    pub fn exceeded(&self, client: IpAddr, class: Class, now: Instant) -> Option<Duration> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window =
            windows.get_or_insert_mut((neighbourhood(client), class), || Window { begun: now, used: 0 });
        if now.saturating_duration_since(window.begun) >= WINDOW {
            *window = Window { begun: now, used: 0 };
        }
        let wait = window.wait(class, now);
        window.used += u32::from(wait.is_none());
        wait
    }

    /// The same without counting.
    pub fn spent(&self, client: IpAddr, class: Class, now: Instant) -> Option<Duration> {
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.peek(&(neighbourhood(client), class))?.wait(class, now)
    }
}

impl Window {
    /// How long nothing more of the class is due.
    fn wait(&self, class: Class, now: Instant) -> Option<Duration> {
        let age = now.saturating_duration_since(self.begun);
        let is_spent = age < WINDOW && self.used >= class.per_minute();
        is_spent.then(|| (WINDOW - age).max(Duration::from_secs(1)))
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::new()
    }
}

/// One household has one /64 of IPv6, and may use any address in it.
fn neighbourhood(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => IpAddr::V4(address),
            None => {
                let segments = address.segments();
                IpAddr::from([segments[0], segments[1], segments[2], segments[3], 0, 0, 0, 0])
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_exact_and_ends_with_its_window() {
        let limits = Limits::new();
        let client: IpAddr = "192.168.1.2".parse().unwrap();
        let now = Instant::now();
        for _ in 0..6 {
            assert_eq!(limits.exceeded(client, Class::Clear, now), None);
        }
        let wait = limits.exceeded(client, Class::Clear, now + Duration::from_secs(20)).unwrap();
        assert_eq!(wait, Duration::from_secs(40));
        assert_eq!(limits.spent(client, Class::Clear, now + Duration::from_secs(20)), Some(wait));
        assert_eq!(limits.spent(client, Class::Token, now), None, "looking counts nothing");
        assert_eq!(limits.exceeded(client, Class::Stats, now), None, "routes are counted apart");
        assert_eq!(limits.exceeded("192.168.1.3".parse().unwrap(), Class::Clear, now), None);
        assert_eq!(limits.exceeded(client, Class::Clear, now + WINDOW), None);
    }

    #[test]
    fn a_household_with_ipv6_is_one_client() {
        let limits = Limits::new();
        let now = Instant::now();
        for host in 0..6 {
            let client = format!("2001:db8:1:2::{host:x}").parse().unwrap();
            assert_eq!(limits.exceeded(client, Class::Clear, now), None);
        }
        assert!(limits.exceeded("2001:db8:1:2:ffff::1".parse().unwrap(), Class::Clear, now).is_some());
        assert_eq!(limits.exceeded("2001:db8:1:3::1".parse().unwrap(), Class::Clear, now), None);
    }
}
