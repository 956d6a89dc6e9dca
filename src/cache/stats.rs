//! What the cache says of itself, in one consistent reading for the API, the page and the commands.
//! Owns the names of the numbers; where they are counted is `index`'s, `memory`'s and the others'.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ImageCache;
use super::failure::Class;
use super::index::{AtRest, Counter, Counts, IndexError, Requests, Totals};
use super::measure::{Durations, Origins, Stage};
use super::pace::HostState;
use crate::key::Timestamp;

/// What the owner allows; plain values, checked by `config`.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Disk budget of renditions, bytes.
    pub disk_bytes_max: u64,
    /// Space left free on the file system whatever the budget says, bytes.
    pub free_bytes_min: u64,
    /// Memory of the newest renditions, bytes.
    pub memory_bytes_max: u64,
}

/// One reading of everything that is counted.
#[derive(Clone, Debug)]
pub struct Stats {
    pub totals: Totals,
    /// Since the cache was made; they survive a restart.
    pub counts: Counts,
    pub bounds: Bounds,
    pub memory_bytes: u64,
    /// `None` where the file system does not say.
    pub free_bytes: Option<u64>,
    /// Flights under way, misses in the queue, requests parked.
    pub in_flight: u64,
    pub queued: u64,
    /// Sources of preloads that are not in the queue yet.
    pub listed: u64,
    pub waiting: u64,
    pub origins: Vec<HostState>,
    pub last_disk_error: Option<String>,
    /// `None` for a store at rest, as is the next.
    pub uptime: Option<Duration>,
    pub resident_bytes: Option<u64>,
}

impl Stats {
    pub fn hits(&self) -> u64 {
        self.counts.get(Counter::MemoryHits) + self.counts.get(Counter::DiskHits)
    }

    /// Percent of the requests for covers that were answered with the cover at once; `None`
    /// before the first.
    pub fn hit_rate(&self) -> Option<f64> {
        let requests = self.hits() + self.counts.get(Counter::Misses);
        (requests > 0).then(|| self.hits() as f64 * 100.0 / requests as f64)
    }

    /// `GET /api/cache/stats` (CONTRACT 4). What only a running program knows is 0 or null at rest.
    pub fn to_json(&self) -> Value {
        let Stats { totals, counts, bounds, .. } = self;
        let count = |counter| counts.get(counter);
        let last_error = self.last_disk_error.as_ref().or(totals.last_error.as_ref());
        let started_at = self.uptime.map(|uptime| started_at(Timestamp::now(), uptime).to_string());
        let mut value = json!({
            "total_entries": totals.thumbnails + totals.details,
            "total_size_bytes": totals.bytes,
            "thumbnail_count": totals.thumbnails,
            "detail_count": totals.details,
            "thumbnail_bytes": totals.thumbnail_bytes,
            "detail_bytes": totals.detail_bytes,
            "hit_rate": self.hit_rate(),
            "cache_limit_bytes": bounds.disk_bytes_max,
            "available_space_bytes": bounds.disk_bytes_max.saturating_sub(totals.bytes),
            "last_cleanup": totals.last_cleanup.map(|at| at.to_string()),
            "hits": self.hits(),
            "misses": count(Counter::Misses),
            "memory_hits": count(Counter::MemoryHits),
            "disk_hits": count(Counter::DiskHits),
            "placeholders": count(Counter::Placeholders),
            "coalesced": count(Counter::Coalesced),
            "evictions": totals.evictions,
            "evicted_bytes": count(Counter::EvictedBytes),
            "downloads": count(Counter::Downloads),
            "downloaded_bytes": count(Counter::DownloadedBytes),
            "download_ms": count(Counter::DownloadMs),
            "failures": counts.failures(),
            "failures_by_class": self.failures_by_class(),
            "negative_entries": totals.failures.iter().sum::<u64>(),
        });
        let now = json!({
            "memory_cache_bytes": self.memory_bytes,
            "memory_cache_limit_bytes": bounds.memory_bytes_max,
            "rss_bytes": self.resident_bytes,
            "in_flight": self.in_flight,
            "queued": self.queued,
            "waiting": self.waiting,
            "free_bytes": self.free_bytes,
            "free_bytes_min": bounds.free_bytes_min,
            "last_error": last_error,
            "last_disk_error": self.last_disk_error,
            "last_index_error": totals.last_error,
            "uptime_seconds": self.uptime.map(|uptime| uptime.as_secs()),
            "started_at": started_at,
            "origins": self.origins.iter().map(origin_value).collect::<Vec<_>>(),
        });
        if let (Value::Object(value), Value::Object(now)) = (&mut value, now) {
            value.extend(now);
        }
        value
    }

    fn failures_by_class(&self) -> Value {
        let count = |class| Value::from(self.counts.get(Counter::Failed(class)));
        Class::ALL.into_iter().map(|class| (class.name().to_owned(), count(class))).collect()
    }
}

impl ImageCache {
    pub fn stats(&self) -> Result<Stats, IndexError> {
        let store = &self.store;
        let flights = store.flights.count();
        Ok(Stats {
            totals: store.index.totals()?,
            counts: store.index.counts(),
            bounds: store.bounds,
            memory_bytes: store.memory.bytes(),
            free_bytes: store.disk.free_bytes().ok(),
            in_flight: flights.flights,
            queued: self.fetcher.queued(),
            listed: store.jobs.waiting(),
            waiting: flights.waiting,
            origins: store.pace.hosts(Instant::now()),
            last_disk_error: store.troubles.last(),
            uptime: Some(store.opened_at.elapsed()),
            resident_bytes: resident_bytes(),
        })
    }
}

/// What is counted since the start of the process.
#[derive(Clone, Debug)]
pub struct Run {
    pub counts: Counts,
    pub requests: Requests,
    /// In the order of [`Stage::ALL`].
    pub durations: [Durations; Stage::ALL.len()],
    pub origins: Origins,
    pub uptime: Duration,
}

impl ImageCache {
    /// What only grows while the process lives: for metrics, whose reader takes a smaller number for a
    /// restart. The stored counts would fall back after a kill without one to 0.
    pub fn run(&self) -> Run {
        let store = &self.store;
        Run {
            counts: store.index.counts_since_start(),
            requests: store.index.requests(),
            durations: Stage::ALL.map(|stage| store.measures.durations(stage)),
            origins: store.measures.origins(),
            uptime: store.opened_at.elapsed(),
        }
    }
}

impl Stats {
    /// Of a store that nobody has made yet.
    pub fn of_nothing(bounds: Bounds) -> Stats {
        Stats {
            totals: Totals::default(),
            counts: Counts::default(),
            bounds,
            memory_bytes: 0,
            free_bytes: None,
            in_flight: 0,
            queued: 0,
            listed: 0,
            waiting: 0,
            origins: Vec::new(),
            last_disk_error: None,
            uptime: None,
            resident_bytes: None,
        }
    }
}

impl AtRest {
    /// The numbers of a store that no server keeps; `bounds` are what one would be started with.
    pub fn stats(&self, bounds: Bounds) -> Result<Stats, IndexError> {
        let (totals, counts) = (self.totals()?, self.counts()?);
        Ok(Stats { totals, counts, free_bytes: self.free_bytes().ok(), ..Stats::of_nothing(bounds) })
    }
}

/// Reckoned back from now, so that it is right once the clock of a Pi is.
fn started_at(now: Timestamp, uptime: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::try_from(uptime.as_secs()).unwrap_or(i64::MAX)))
}

pub(super) fn origin_value(origin: &HostState) -> Value {
    json!({
        "host": origin.host,
        "in_flight": origin.in_flight,
        "requests": origin.requests,
        "failures": origin.failures,
        "failures_in_a_row": origin.failures_in_a_row,
        "paused_seconds": origin.paused_for.map(|wait| wait.as_secs()),
    })
}

/// Resident memory of this process, bytes; `None` where `/proc` is hidden.
pub fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
