//! The hourly history: read, summed up, and laid out in time, with the hours in which nothing
//! happened. Days are those of UTC, which is what the hours are counted in.

use crate::key::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// Bins of a day by hours.
pub(super) const DAY_HOURS: u32 = 24;
/// The history's own length.
pub(super) const DAYS_MAX: u32 = 30;
/// A history that is no longer is drawn by hours: two days would be two columns.
const FINE_HOURS: u32 = 48;
/// A frame is no narrower, or a few columns would fill it.
const DAYS_LEAST: u32 = 7;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// What was counted in some time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub memory_hits: u64,
    pub disk_hits: u64,
    /// Requests for covers that were not here.
    pub misses: u64,
    /// Those misses for which nobody was asked: there is no such cover.
    pub placeholders: u64,
    pub downloads: u64,
    pub downloaded_bytes: u64,
    /// All downloads added up.
    pub download_ms: u64,
    /// By class.
    pub failures: BTreeMap<String, u64>,
    pub evictions: u64,
    pub evicted_bytes: u64,
}

/// Bytes on the disk at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub thumbnails: u64,
    pub details: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Hour {
    begins: Timestamp,
    counts: Counts,
    held: Held,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grain {
    Hours,
    Days,
}

/// One column of a chart.
#[derive(Clone, Debug)]
pub(super) struct Bin {
    pub begins: Timestamp,
    pub counts: Counts,
    /// At its end; `None` before anything was recorded.
    pub held: Option<Held>,
}

/// Bins without gaps, the running one last.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    pub grain: Grain,
    pub bins: Vec<Bin>,
}

impl Hour {
    /// One element of `GET /api/cache/history`.
    pub fn read(value: &Value) -> Option<Hour> {
        let number = |name: &str| value[name].as_u64().unwrap_or(0);
        let failures = value["failures"].as_object().into_iter().flatten();
        let failures = failures.filter_map(|(class, count)| Some((class.clone(), count.as_u64()?)));
        Some(Hour {
            begins: Timestamp::parse(value["hour"].as_str()?)?,
            counts: Counts {
                memory_hits: number("memory_hits"),
                disk_hits: number("disk_hits"),
                misses: number("misses"),
                placeholders: number("placeholders"),
                downloads: number("downloads"),
                downloaded_bytes: number("downloaded_bytes"),
                download_ms: number("download_ms"),
                failures: failures.filter(|(_, count)| *count > 0).collect(),
                evictions: number("evictions"),
                evicted_bytes: number("evicted_bytes"),
            },
            held: Held { thumbnails: number("thumbnail_bytes"), details: number("detail_bytes") },
        })
    }
}

impl Timeline {
    pub fn by_hours(hours: &[Hour], now: Timestamp, count: u32) -> Timeline {
        Timeline::new(hours, now, Grain::Hours, count)
    }

    pub fn by_days(hours: &[Hour], now: Timestamp, count: u32) -> Timeline {
        Timeline::new(hours, now, Grain::Days, count)
    }

    /// The whole history, in the grain that suits its length.
    pub fn fitting(hours: &[Hour], now: Timestamp) -> Timeline {
        let oldest = hours.iter().map(|hour| hour.begins.0).min().unwrap_or(now.0);
        let age =
            |unit: i64| u32::try_from(now.0.div_euclid(unit) - oldest.div_euclid(unit) + 1).unwrap_or(1);
        match age(HOUR) {
            0..=FINE_HOURS => Timeline::by_hours(hours, now, FINE_HOURS),
            _ => Timeline::by_days(hours, now, age(DAY).clamp(DAYS_LEAST, DAYS_MAX)),
        }
    }

    pub fn sum(&self) -> Counts {
        self.bins.iter().fold(Counts::default(), |sum, bin| sum.and(&bin.counts))
    }

    /// Whether anything was ever recorded.
    pub fn is_empty(&self) -> bool {
        self.bins.iter().all(|bin| bin.held.is_none())
    }

    fn new(hours: &[Hour], now: Timestamp, grain: Grain, count: u32) -> Timeline {
        let unit = if grain == Grain::Hours { HOUR } else { DAY };
        let last = now.0.div_euclid(unit);
        let first = last + 1 - i64::from(count);
        let bin =
            |number: i64| Bin { begins: Timestamp(number * unit), counts: Counts::default(), held: None };
        let mut bins: Vec<Bin> = (first..=last).map(bin).collect();
        let mut before = None;
        for hour in hours {
            // A clock that was put back has recorded hours to come: they are the running one's.
            let number = hour.begins.0.div_euclid(unit).min(last);
            match usize::try_from(number - first).ok().and_then(|at| bins.get_mut(at)) {
                Some(bin) => {
                    bin.counts = std::mem::take(&mut bin.counts).and(&hour.counts);
                    bin.held = Some(hour.held);
                }
                None => before = Some(hour.held),
            }
        }
        // What is held stays held while nothing happens.
        for bin in &mut bins {
            bin.held = bin.held.or(before);
            before = bin.held;
        }
        Timeline { grain, bins }
    }
}

impl Counts {
    pub fn hits(&self) -> u64 {
        self.memory_hits + self.disk_hits
    }

    pub fn requests(&self) -> u64 {
        self.hits() + self.misses
    }

    /// Percent answered with the cover at once; `None` of nothing.
    pub fn hit_rate(&self) -> Option<f64> {
        let requests = self.requests();
        (requests > 0).then(|| self.hits() as f64 * 100.0 / requests as f64)
    }

    /// Seconds of the mean download; `None` of none.
    pub fn mean_download(&self) -> Option<f64> {
        (self.downloads > 0).then(|| self.download_ms as f64 / 1_000.0 / self.downloads as f64)
    }

    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// The classes, the most frequent first.
    pub fn classes(&self) -> Vec<(&str, u64)> {
        let mut classes: Vec<(&str, u64)> =
            self.failures.iter().map(|(class, count)| (class.as_str(), *count)).collect();
        classes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        classes
    }

    fn and(mut self, other: &Counts) -> Counts {
        for (class, count) in &other.failures {
            *self.failures.entry(class.clone()).or_default() += count;
        }
        Counts {
            memory_hits: self.memory_hits + other.memory_hits,
            disk_hits: self.disk_hits + other.disk_hits,
            misses: self.misses + other.misses,
            placeholders: self.placeholders + other.placeholders,
            downloads: self.downloads + other.downloads,
            downloaded_bytes: self.downloaded_bytes + other.downloaded_bytes,
            download_ms: self.download_ms + other.download_ms,
            failures: self.failures,
            evictions: self.evictions + other.evictions,
            evicted_bytes: self.evicted_bytes + other.evicted_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Noon of a Monday.
    const NOW: Timestamp = Timestamp(1_795_435_200);

    fn hour(ago: i64, misses: u64, held: u64) -> Hour {
        let begins = Timestamp(NOW.0 - ago * HOUR);
        let hour = json!({ "hour": begins.to_string(), "misses": misses, "detail_bytes": held,
            "failures": { "absent": misses, "broken": 0 } });
        Hour::read(&hour).unwrap()
    }

    #[test]
    fn hours_in_which_nothing_happened_are_bins_that_hold_what_was_held() {
        let hours = [hour(100, 1, 10), hour(3, 2, 20), hour(0, 4, 40)];
        let day = Timeline::by_hours(&hours, NOW, DAY_HOURS);
        assert_eq!(day.bins.len(), 24);
        assert_eq!((day.bins[0].begins, day.bins[23].begins), (Timestamp(NOW.0 - 23 * HOUR), NOW));
        assert_eq!(day.sum().misses, 6);
        let held: Vec<u64> = day.bins.iter().map(|bin| bin.held.unwrap().details).collect();
        assert_eq!((held[0], held[19], held[20], held[22], held[23]), (10, 10, 20, 20, 40));
        assert_eq!(day.sum().classes(), [("absent", 6)]);
    }

    #[test]
    fn a_day_is_one_of_utc_and_today_counts() {
        let hours = [hour(36, 1, 1), hour(13, 2, 1), hour(12, 4, 1), hour(0, 8, 1)];
        let days: Vec<u64> =
            Timeline::by_days(&hours, NOW, 3).bins.iter().map(|bin| bin.counts.misses).collect();
        assert_eq!(days, [0, 3, 12]);
    }

    #[test]
    fn the_grain_suits_the_length_of_the_history() {
        let shape = |ago: i64| {
            let timeline = Timeline::fitting(&[hour(ago, 1, 1), hour(0, 1, 1)], NOW);
            (timeline.grain, timeline.bins.len())
        };
        assert_eq!(shape(47), (Grain::Hours, 48));
        assert_eq!(shape(48), (Grain::Days, 7));
        assert_eq!(shape(24 * 10), (Grain::Days, 11));
        assert_eq!(shape(24 * 31), (Grain::Days, 30));
        let empty = Timeline::fitting(&[], NOW);
        assert!(empty.is_empty() && empty.bins.len() == 48);
    }

    #[test]
    fn an_hour_without_a_time_is_no_hour() {
        assert!(Hour::read(&json!({ "hour": "yesterday" })).is_none() && Hour::read(&json!(7)).is_none());
    }
}
