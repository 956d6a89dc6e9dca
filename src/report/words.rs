//! What a report says in words: dates, the sentences at its top, why downloads fail and what to do.
//! Says the same in the text and on the page.

use super::Report;
use super::hours::{Counts, Grain};
use super::scale::seconds;
use crate::figures::{bytes, counted, percent, thousands};
use crate::key::Timestamp;

/// Full, for a cache that lives on its evictions.
const FULL_PERCENT: u64 = 90;
/// A hit rate that is worth a word, of enough requests to mean something.
const RATE_LOW: f64 = 80.0;
const REQUESTS_LEAST: u64 = 1_000;

/// One class of failures, explained.
pub(super) struct Cause {
    pub name: &'static str,
    pub likely: &'static str,
    pub advice: &'static str,
}

const CAUSES: [(&str, Cause); 8] = [
    (
        "absent",
        Cause {
            name: "no such picture",
            likely: "The origin has no picture at this address any more (404 or 410).",
            advice: "Import the collection again, for addresses change; else it is asked for once a day.",
        },
    ),
    (
        "refused",
        Cause {
            name: "refused",
            likely: "The origin answers, but not with the picture (401, 403 and the like).",
            advice: "Import the collection again: signed addresses of Discogs run out.",
        },
    ),
    (
        "throttled",
        Cause {
            name: "asked to wait",
            likely: "The origin was asked more often than it likes, and said for how long to stay away.",
            advice: "Nothing: it is left alone for that time. If it goes on, fewer --max-concurrent-downloads.",
        },
    ),
    (
        "broken",
        Cause {
            name: "origin broken",
            likely: "The origin answered with a fault of its own (500 and above).",
            advice: "Nothing: it is asked again, at first after half a minute, later once an hour.",
        },
    ),
    (
        "unreachable",
        Cause {
            name: "no answer",
            likely: "No such name, no connection, no trust in its certificate, or too slow.",
            advice: "Check this machine's network, its name server and its clock; then the origin itself.",
        },
    ),
    (
        "forbidden",
        Cause {
            name: "not allowed",
            likely: "The settings allow neither this source nor where it redirects to.",
            advice: "If it is yours, name it in --private-sources or --source-hosts.",
        },
    ),
    (
        "unreadable",
        Cause {
            name: "no usable picture",
            likely: "What came is no picture that can be read, or larger than allowed.",
            advice: "Look at it in a browser; for large ones see --max-image-mb and --max-image-megapixels.",
        },
    ),
    (
        "failed",
        Cause {
            name: "other",
            likely: "None of the other reasons, or from before they were told apart.",
            advice: "The log names each.",
        },
    ),
];

/// `None` for a class that a later server has and this program does not know.
pub(super) fn cause(class: &str) -> Option<&'static Cause> {
    CAUSES.iter().find(|(name, _)| *name == class).map(|(_, cause)| cause)
}

/// What a class is called: by its own name where it is not known.
pub(super) fn class_name(class: &str) -> &str {
    cause(class).map_or(class, |cause| cause.name)
}

/// The collection and the cache in two or three sentences.
pub(super) fn summary(report: &Report) -> String {
    let facts = &report.facts;
    let mut text = match facts.albums {
        Some(0) => "The shelf is empty. ".to_owned(),
        Some(1) => "1 album stands on the shelf. ".to_owned(),
        Some(albums) => format!("{} albums stand on the shelf. ", count(albums)),
        None => String::new(),
    };
    let (entries, held, limit) =
        (facts.count("total_entries"), facts.count("total_size_bytes"), facts.count("cache_limit_bytes"));
    text += &match entries {
        0 => "No cover is kept yet".to_owned(),
        1 => format!("1 picture of a cover is kept in {}", bytes(held)),
        _ => format!("{} pictures of covers are kept in {}", count(entries), bytes(held)),
    };
    text += &match (limit, entries) {
        (0, _) => String::new(),
        (_, 0) => format!("; they may take {}", bytes(limit)),
        _ => format!(", {} of the {} that they may take", share(held, limit), bytes(limit)),
    };
    if let Some(free) = facts.number("free_bytes") {
        text += &format!("; {} of the disk are free", bytes(free));
    }
    text += ". ";
    text += &match report.total().hit_rate() {
        None if report.month.is_empty() => "Nothing has been recorded yet.".to_owned(),
        None => "Nobody has asked for a cover in the last 30 days.".to_owned(),
        Some(rate) => format!(
            "Of {} for covers in the last 30 days, {} were answered at once.",
            counted(report.total().requests(), "request", "requests"),
            percent(rate)
        ),
    };
    text
}

/// What an owner should know or do, the most pressing first; empty when all is well.
pub(super) fn findings(report: &Report) -> Vec<String> {
    let (facts, total) = (&report.facts, report.total());
    let mut findings = Vec::new();
    for (place, name) in [("disk", "last_disk_error"), ("index", "last_index_error")] {
        if let Some(error) = facts.text(name) {
            findings.push(format!("The {place} had an error: {error}"));
        }
    }
    if let (Some(free), Some(floor)) = (facts.number("free_bytes"), facts.number("free_bytes_min"))
        && free < floor
    {
        findings.push(format!(
            "Only {} of the disk are free, less than the {} that are to stay free: covers go until they are. \
             Make room, or lower --min-free-mb.",
            bytes(free),
            bytes(floor)
        ));
    }
    let (held, limit) = (facts.count("total_size_bytes"), facts.count("cache_limit_bytes"));
    if total.evictions > 0 && limit > 0 && held.saturating_mul(100) >= limit.saturating_mul(FULL_PERCENT) {
        findings.push(format!(
            "The cache is full: {} went to make room for others. With more --cache-size-gb they would stay.",
            counted(total.evictions, "picture", "pictures")
        ));
    }
    if let Some(rate) = total.hit_rate()
        && rate < RATE_LOW
        && total.requests() >= REQUESTS_LEAST
        && total.placeholders * 2 < total.misses
    {
        findings.push(format!(
            "Only {} of the requests were answered at once: vinylvault preload --all fetches every cover ahead of time.",
            percent(rate)
        ));
    }
    findings
}

/// Where the facts come from, and what a day is.
pub(super) fn provenance(report: &Report) -> String {
    let days = match report.month.grain {
        Grain::Days => " Days are those of UTC; the last one is today.",
        Grain::Hours => " Hours are those of UTC; the last one is still going on.",
    };
    format!("Facts from {}.{days}", report.facts.whence)
}

/// A line of the table of periods.
pub(super) struct PeriodRow {
    pub name: &'static str,
    /// A part of the row above of less depth.
    pub depth: usize,
    pub value: fn(&Counts) -> String,
}

/// What is told of each period; a dash where there is nothing to tell.
pub(super) fn periods() -> [PeriodRow; 12] {
    fn or_dash(text: Option<String>) -> String {
        text.unwrap_or_else(|| "-".to_owned())
    }
    let row = |depth, name, value| PeriodRow { name, depth, value };
    [
        row(0, "Requests for covers", |counts| count(counts.requests())),
        row(1, "answered at once", |counts| or_dash(counts.hit_rate().map(percent))),
        row(2, "from memory", |counts| count(counts.memory_hits)),
        row(2, "from the disk", |counts| count(counts.disk_hits)),
        row(1, "not here yet", |counts| count(counts.misses.saturating_sub(counts.placeholders))),
        row(1, "known to be missing", |counts| count(counts.placeholders)),
        row(0, "Downloads", |counts| count(counts.downloads)),
        row(1, "received", |counts| bytes(counts.downloaded_bytes)),
        row(1, "mean time", |counts| or_dash(counts.mean_download().map(seconds))),
        row(1, "failed", |counts| count(counts.failed())),
        row(0, "Evicted to make room", |counts| count(counts.evictions)),
        row(1, "freed", |counts| bytes(counts.evicted_bytes)),
    ]
}

/// `23 November 2026, 17:05 UTC`.
pub(super) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    let (day, time) = (text.get(8..10).unwrap_or_default(), text.get(11..16).unwrap_or_default());
    let year = text.get(..4).unwrap_or_default();
    format!("{} {} {year}, {time} UTC", day.trim_start_matches('0'), month(&text))
}

/// `23 Nov`.
pub(super) fn day(at: Timestamp) -> String {
    let text = at.to_string();
    let name: String = month(&text).chars().take(3).collect();
    format!("{} {name}", text.get(8..10).unwrap_or_default().trim_start_matches('0'))
}

/// `Mon 23 Nov`.
pub(super) fn weekday(at: Timestamp) -> String {
    format!("{} {}", WEEKDAYS[usize::from(days_after_monday(at))], day(at))
}

/// `23 Nov 17:00`.
pub(super) fn moment_short(at: Timestamp) -> String {
    format!("{} {}", day(at), hour(at))
}

/// `17:00`.
pub(super) fn hour(at: Timestamp) -> String {
    at.to_string().get(11..16).unwrap_or_default().to_owned()
}

pub(super) fn is_monday(at: Timestamp) -> bool {
    days_after_monday(at) == 0
}

pub(super) fn count(number: u64) -> String {
    thousands(i64::try_from(number).unwrap_or(i64::MAX))
}

/// `3.1 %`, or `less than 0.1 %` of a little.
pub(super) fn share(part: u64, whole: u64) -> String {
    let share = if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 };
    if part > 0 && share < 0.1 { "less than 0.1 %".to_owned() } else { percent(share) }
}

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The month of `2026-11-23...`.
fn month(text: &str) -> &'static str {
    let number = text.get(5..7).and_then(|digits| digits.parse::<usize>().ok()).unwrap_or(1);
    MONTHS[number.clamp(1, 12) - 1]
}

fn days_after_monday(at: Timestamp) -> u8 {
    // 1970-01-01 was a Thursday.
    u8::try_from((at.0.div_euclid(86_400) + 3).rem_euclid(7)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_for_people() {
        let at = Timestamp::parse("2026-11-02T07:05:59Z").unwrap();
        assert_eq!(moment(at), "2 November 2026, 07:05 UTC");
        assert_eq!((weekday(at).as_str(), hour(at).as_str()), ("Mon 2 Nov", "07:05"));
        assert!(is_monday(at) && !is_monday(Timestamp(0)));
        assert_eq!(weekday(Timestamp(0)), "Thu 1 Jan");
    }
}
