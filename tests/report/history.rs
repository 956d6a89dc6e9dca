//! Thirty days as a household has them, hour by hour: what a report of a real cache is made of. The
//! same at every run.

use serde_json::{Value, json};
use vinylvault::key::Timestamp;
use vinylvault::report::Facts;

/// Monday, 23 November 2026, 17:05 UTC.
pub const NOW: Timestamp = Timestamp(1_795_453_500);
const DAYS: u64 = 30;
const COVER_BYTES: u64 = 64_000;
const THUMBNAIL_BYTES: u64 = 5_600;
/// Covers that the budget holds.
const COVERS_MAX: u64 = 2_150;

/// What a cache tells that was set up a month ago, imported 2,386 albums on the first weekend, had an
/// origin that was down for a day, and has filled up since.
pub fn month() -> Facts {
    let mut household = Household { state: 7, covers: 0, evicted: 0, sums: [0; 5] };
    let first = NOW.0.div_euclid(3_600) - i64::try_from(DAYS * 24).unwrap() + 1;
    let hours: Vec<Value> =
        (0..DAYS * 24).filter_map(|number| household.hour(first * 3_600, number)).collect();
    let [memory_hits, disk_hits, misses, downloads, failures] = household.sums;
    let held = household.covers * (COVER_BYTES + THUMBNAIL_BYTES);
    let hits = memory_hits + disk_hits;
    let stats = json!({
        "total_entries": household.covers * 2, "total_size_bytes": held,
        "thumbnail_count": household.covers, "detail_count": household.covers,
        "cache_limit_bytes": 150_000_000, "available_space_bytes": 150_000_000 - held,
        "hit_rate": hits as f64 * 100.0 / (hits + misses) as f64,
        "hits": hits, "memory_hits": memory_hits, "disk_hits": disk_hits, "misses": misses,
        "evictions": household.evicted * 2, "downloads": downloads, "failures": failures,
        "free_bytes": 21_400_000_000u64, "free_bytes_min": 268_435_456,
        "last_disk_error": null, "last_index_error": null, "uptime_seconds": 1_204_331,
        "origins": [
            { "host": "i.discogs.com", "in_flight": 0, "requests": 2_731, "failures": 204, "paused_seconds": 38 },
            { "host": "coverartarchive.org", "in_flight": 0, "requests": 212, "failures": 11, "paused_seconds": null },
        ],
    });
    facts(2_386, stats, hours)
}

/// A server that was started a moment ago.
pub fn nothing() -> Facts {
    let stats = json!({ "total_entries": 0, "total_size_bytes": 0, "cache_limit_bytes": 2_000_000_000u64,
        "free_bytes": 21_400_000_000u64, "free_bytes_min": 268_435_456, "origins": [] });
    facts(0, stats, Vec::new())
}

/// The hours of [`month`] after the import, up to `hours` of them.
pub fn latest(hours: usize) -> Facts {
    let month = month();
    let all = month.hours.as_array().unwrap();
    let hours = all[all.len() - hours..].to_vec().into();
    Facts { hours, ..month }
}

fn facts(albums: u64, stats: Value, hours: Vec<Value>) -> Facts {
    let whence = "the server at http://127.0.0.1:5000".to_owned();
    Facts { source: "server", whence, at: NOW, albums: Some(albums), stats, hours: hours.into() }
}

struct Household {
    state: u64,
    covers: u64,
    evicted: u64,
    sums: [u64; 5],
}

impl Household {
    /// The n-th hour from `first` on; `None` when nothing happened.
    fn hour(&mut self, first: i64, number: u64) -> Option<Value> {
        let begins = first + i64::try_from(number).unwrap() * 3_600;
        let of_day = begins.rem_euclid(86_400) / 3_600;
        let is_weekend = matches!((begins / 86_400 + 3).rem_euclid(7), 5 | 6);
        let (import, outage) = ((30..56).contains(&number), (410..431).contains(&number));
        let is_awake = (6..23).contains(&of_day);
        if !import && (!is_awake || self.chance(100) < if is_weekend { 15 } else { 45 }) {
            return None;
        }
        let viewed = if import { 40 } else { self.chance(if is_weekend { 420 } else { 160 }) };
        let wanted = if import { 80 + self.chance(25) } else { self.chance(8) };
        let mut failures = serde_json::Map::new();
        let mut fail = |class: &str, times: u64| {
            if times > 0 {
                failures.insert(class.to_owned(), times.into());
            }
            times
        };
        let absent = if import { self.chance(4) } else { self.chance(30) / 29 };
        let throttled = if import { self.chance(9) } else { 0 };
        let unreachable = if outage { wanted } else { self.chance(40) / 39 };
        let failed = fail("absent", absent)
            + fail("throttled", throttled)
            + fail("unreachable", unreachable)
            + fail("unreadable", u64::from(number == 555) * 2);
        let downloads = if outage { 0 } else { wanted };
        self.covers += downloads;
        let evicted = self.covers.saturating_sub(COVERS_MAX);
        self.covers -= evicted;
        self.evicted += evicted;
        let from_disk = viewed * (20 + self.chance(25)) / 100;
        let mean_ms = if import { 1_900 } else { 420 } + self.chance(300);
        for (sum, by) in self.sums.iter_mut().zip([viewed - from_disk, from_disk, wanted, downloads, failed])
        {
            *sum += by;
        }
        Some(json!({
            "hour": Timestamp(begins).to_string(),
            "memory_hits": viewed - from_disk, "disk_hits": from_disk, "misses": wanted,
            "placeholders": absent, "coalesced": 0,
            "downloads": downloads, "downloaded_bytes": downloads * 131_000, "download_ms": downloads * mean_ms,
            "failures": failures,
            "evictions": evicted * 2, "evicted_bytes": evicted * (COVER_BYTES + THUMBNAIL_BYTES),
            "thumbnail_bytes": self.covers * THUMBNAIL_BYTES, "detail_bytes": self.covers * COVER_BYTES,
        }))
    }

    /// From 0 to below `below` (xorshift).
    fn chance(&mut self, below: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % below
    }
}
