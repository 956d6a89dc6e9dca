//! How long the steps of a download take and how each origin answers, since the start of the process:
//! for metrics and `Server-Timing`. Owns what is measured only there; what survives a restart is
//! `index`'s, how an origin is treated `pace`'s.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of a histogram's buckets, milliseconds: from a rendition of a small cover to the
/// deadline of a download and beyond.
pub const BUCKETS_MS: [u64; 11] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 15_000];

/// Origins that are counted by name: a collection has a handful. Those after them are counted together,
/// so that a preload from a thousand hosts makes no thousand series.
pub const ORIGINS_MAX: usize = 16;

/// What those are called; a host of that very name is one of them.
pub const OTHERS: &str = "other";

/// Statuses that are counted by themselves; others are counted by their hundred. An origin may answer with
/// any number of three digits.
const CODES: [(u16, &str); 11] = [
    (200, "200"),
    (400, "400"),
    (401, "401"),
    (403, "403"),
    (404, "404"),
    (410, "410"),
    (429, "429"),
    (500, "500"),
    (502, "502"),
    (503, "503"),
    (504, "504"),
];

/// A step of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the miss to the first try: the queue, and the origin's pace.
    Wait,
    /// One try.
    Fetch,
    /// Both renditions, waiting for memory included; what it takes of that is the next three.
    Render,
    /// From bytes to pixels.
    Decode,
    /// From pixels to fewer of them, in sRGB.
    Resize,
    /// From pixels to both files.
    Encode,
    /// From the last rendition to the files in their places.
    Store,
}

impl Stage {
    pub const ALL: [Stage; 7] =
        [Stage::Wait, Stage::Fetch, Stage::Render, Stage::Decode, Stage::Resize, Stage::Encode, Stage::Store];

    pub fn name(self) -> &'static str {
        match self {
            Stage::Wait => "wait",
            Stage::Fetch => "fetch",
            Stage::Render => "render",
            Stage::Decode => "decode",
            Stage::Resize => "resize",
            Stage::Encode => "encode",
            Stage::Store => "store",
        }
    }
}

/// What a rendition took that was downloaded for somebody who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Took {
    pub wait: Duration,
    pub fetch: Duration,
    /// Up to this rendition.
    pub render: Duration,
}

/// How often a step took how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// How many were no longer than [`BUCKETS_MS`] and longer than the bucket before.
    pub buckets: [u64; BUCKETS_MS.len()],
    pub count: u64,
    pub sum: Duration,
}

/// What one origin answered, by the name of the status; the tries that were repeated included.
pub type Answers = BTreeMap<&'static str, u64>;

/// By host, in alphabetical order, and all hosts beyond [`ORIGINS_MAX`] together.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    pub by_host: BTreeMap<String, Answers>,
    pub others: Answers,
}

#[derive(Default)]
pub struct Measures {
    stages: [Histogram; Stage::ALL.len()],
    origins: Mutex<Origins>,
}

#[derive(Default)]
struct Histogram {
    buckets: [AtomicU64; BUCKETS_MS.len()],
    count: AtomicU64,
    microseconds: AtomicU64,
}

impl Measures {
    pub fn took(&self, stage: Stage, duration: Duration) {
        let histogram = &self.stages[stage as usize];
        let reached = BUCKETS_MS.iter().position(|bound| duration <= Duration::from_millis(*bound));
        if let Some(bucket) = reached {
            histogram.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        histogram.microseconds.fetch_add(microseconds, Ordering::Relaxed);
        histogram.count.fetch_add(1, Ordering::Relaxed);
    }

    pub fn durations(&self, stage: Stage) -> Durations {
        let histogram = &self.stages[stage as usize];
        let read = |value: &AtomicU64| value.load(Ordering::Relaxed);
        let buckets = std::array::from_fn(|bucket| read(&histogram.buckets[bucket]));
        // One may be in its bucket and not yet in the count: no bucket may say more than the whole.
        let count = read(&histogram.count).max(buckets.iter().sum());
        Durations { buckets, count, sum: Duration::from_micros(read(&histogram.microseconds)) }
    }

    /// `None`: no answer, or none that was whole.
    pub fn answered(&self, host: &str, status: Option<u16>) {
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = origins.by_host.len() < ORIGINS_MAX && host != OTHERS;
        let answers = match has_room || origins.by_host.contains_key(host) {
            true => origins.by_host.entry(host.to_owned()).or_default(),
            false => &mut origins.others,
        };
        *answers.entry(code(status)).or_default() += 1;
    }

    pub fn origins(&self) -> Origins {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What metrics call a status: of a fixed set.
fn code(status: Option<u16>) -> &'static str {
    let Some(status) = status else { return "none" };
    let known = CODES.into_iter().find(|(code, _)| *code == status).map(|(_, name)| name);
    known.unwrap_or(match status {
        0..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_first_bucket_that_holds_it_and_always_in_the_count() {
        let measures = Measures::default();
        for milliseconds in [0, 5, 6, 100, 15_000, 15_001, 900_000] {
            measures.took(Stage::Fetch, Duration::from_millis(milliseconds));
        }
        let fetch = measures.durations(Stage::Fetch);
        assert_eq!(fetch.buckets, [2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
        assert_eq!((fetch.count, fetch.sum), (7, Duration::from_millis(930_112)));
        assert_eq!(measures.durations(Stage::Render), Durations::default());
    }

    #[test]
    fn a_thousand_hosts_are_seventeen() {
        let measures = Measures::default();
        for number in 0..1_000 {
            measures.answered(&format!("{number}.example.org"), Some(200));
            measures.answered("3.example.org", Some(number));
            measures.answered("3.example.org", None);
        }
        measures.answered(OTHERS, Some(200));
        let origins = measures.origins();
        assert_eq!(origins.by_host.len(), ORIGINS_MAX);
        // It was the second to be seen, and stayed itself.
        let third = &origins.by_host["3.example.org"];
        assert_eq!((third["none"], third["404"], third["4xx"]), (1_000, 1, 94), "{third:?}");
        assert_eq!(third.len(), CODES.len() + 5, "whatever it answers");
        assert_eq!(origins.others["200"], 1_001 - ORIGINS_MAX as u64);
    }
}
