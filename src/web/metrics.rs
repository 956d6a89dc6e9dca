//! `/metrics` in Prometheus' text format 0.0.4. Owns names, labels and their order; counts nothing.
//!
//! Labels are of fixed sets or bounded where they are counted (origins), so that the number of series
//! has a limit whatever strangers ask for. Counters are those of this process: they begin at 0 with it.

use super::Web;
use super::route::Route;
use crate::cache::failure::Class;
use crate::cache::index::{Counter, Met, Removal};
use crate::cache::measure::{BUCKETS_MS, OTHERS, Stage};
use crate::cache::stats::{Run, Stats, resident_bytes};
use crate::door::{Body, Reply};
use crate::key::Variant;
use std::fmt::{self, Display, Write};

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The status of a picture, or of what passes for one before it is rendered: always there, so that an origin
/// that has only failed so far has a 0.
const FINE: &str = "200";

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// The text as it grows, family by family.
struct Page {
    text: String,
    family: &'static str,
}

impl Web {
    pub(super) fn metrics(&self) -> Reply {
        let mut page = Page { text: String::with_capacity(16 * 1024), family: "" };
        let run = self.cache.run();
        self.process(&mut page, &run);
        self.requests(&mut page, &run);
        // Without an index there is no truth about what is held; everything else goes on being told.
        if let Ok(stats) = self.cache.stats() {
            held(&mut page, &stats);
            origins(&mut page, &run, &stats);
        }
        events(&mut page, &run);
        durations(&mut page, &run);
        let headers = vec![
            ("Content-Type", CONTENT_TYPE.into()),
            ("Cache-Control", "no-store".into()),
            ("X-Content-Type-Options", "nosniff".into()),
            ("Cross-Origin-Resource-Policy", "same-origin".into()),
        ];
        Reply { status: 200, headers, body: Body::Owned(page.text.into_bytes()) }
    }

    fn process(&self, page: &mut Page, run: &Run) {
        page.family("vinylvault_build_info", Kind::Gauge, "What runs here; always 1.");
        let built = [("version", env!("CARGO_PKG_VERSION")), ("target", env!("VINYLVAULT_TARGET"))];
        page.sample(&built, 1);
        page.family("vinylvault_uptime_seconds", Kind::Gauge, "Time since the start of the process.");
        page.sample(&[], run.uptime.as_secs());
        if let Some(bytes) = resident_bytes() {
            page.family("vinylvault_resident_memory_bytes", Kind::Gauge, "Resident memory of the process.");
            page.sample(&[], bytes);
        }
        page.family("vinylvault_ready", Kind::Gauge, "Whether a check of /ready is passed.");
        for check in self.checks() {
            page.sample(&[("check", check.name)], u8::from(check.failed.is_none()));
        }
        let door = self.gauges.counts();
        page.family("vinylvault_connections", Kind::Gauge, "Connections of clients.");
        page.sample(&[], door.connections);
        page.family("vinylvault_connections_cut_total", Kind::Counter, "Connections that we ended.");
        page.sample(&[], door.cut);
        page.family("vinylvault_malformed_requests_total", Kind::Counter, "Requests refused for their head.");
        page.sample(&[], door.refused);
        page.family("vinylvault_overloads_total", Kind::Counter, "Requests refused for want of a thread.");
        page.sample(&[], door.overloads);
    }

    fn requests(&self, page: &mut Page, run: &Run) {
        let name = "vinylvault_requests_total";
        page.family(name, Kind::Counter, "Requests answered, by route and status.");
        let answers = self.traffic.answers(Route::COVER, run.counts.get(Counter::MemoryHits));
        for ((route, status), count) in answers {
            page.sample(&[("route", route), ("code", &status.to_string())], count);
        }
        let name = "vinylvault_cache_requests_total";
        let help = "Requests for covers, each once, by size: in memory, on disk, a new download (miss), one \
                    under way (coalesced), or the placeholder at once because the origin was not to be asked.";
        page.family(name, Kind::Counter, help);
        for (variant, requests) in Variant::ALL.into_iter().zip(run.requests) {
            for (met, count) in Met::ALL.into_iter().zip(requests) {
                page.sample(&[("size", variant.name()), ("result", met.name())], count);
            }
        }
    }
}

fn held(page: &mut Page, stats: &Stats) {
    let (totals, bounds) = (&stats.totals, &stats.bounds);
    page.family("vinylvault_cache_bytes", Kind::Gauge, "Bytes of covers held.");
    page.sample(&[("tier", "memory")], stats.memory_bytes);
    page.sample(&[("tier", "disk")], totals.bytes);
    page.family("vinylvault_cache_limit_bytes", Kind::Gauge, "Bytes of covers that may be held.");
    page.sample(&[("tier", "memory")], bounds.memory_bytes_max);
    page.sample(&[("tier", "disk")], bounds.disk_bytes_max);
    page.family("vinylvault_cache_entries", Kind::Gauge, "Covers held on disk, by size.");
    page.sample(&[("size", "thumbnails")], totals.thumbnails);
    page.sample(&[("size", "detail")], totals.details);
    page.family("vinylvault_cache_entry_bytes", Kind::Gauge, "Bytes of covers held on disk, by size.");
    page.sample(&[("size", "thumbnails")], totals.thumbnail_bytes);
    page.sample(&[("size", "detail")], totals.detail_bytes);
    if let Some(free) = stats.free_bytes {
        page.family("vinylvault_free_bytes", Kind::Gauge, "Bytes free on the file system of the cache.");
        page.sample(&[], free);
    }
    page.family("vinylvault_free_limit_bytes", Kind::Gauge, "Bytes that the cache leaves free.");
    page.sample(&[], bounds.free_bytes_min);
    page.family("vinylvault_negative_entries", Kind::Gauge, "Covers known not to be had, by why.");
    for class in Class::ALL {
        page.sample(&[("class", class.name())], totals.failures[class as usize]);
    }
    let help = "Downloads that wait for a worker or their time: in the queue (high), where preloads have six \
                places at the most, and the rest of the preloads (low).";
    page.family("vinylvault_queue_depth", Kind::Gauge, help);
    page.sample(&[("prio", "high")], stats.queued);
    page.sample(&[("prio", "low")], stats.listed);
    page.family("vinylvault_in_flight", Kind::Gauge, "Downloads from the miss to the card.");
    page.sample(&[], stats.in_flight);
    page.family("vinylvault_waiting_requests", Kind::Gauge, "Requests that wait for a download.");
    page.sample(&[], stats.waiting);
    page.family("vinylvault_index_commits_total", Kind::Counter, "Transactions of the index.");
    page.sample(&[], totals.commits);
}

fn origins(page: &mut Page, run: &Run, stats: &Stats) {
    let all = run.origins.by_host.iter().map(|(host, answers)| (host.as_str(), answers));
    let all = || all.clone().chain([(OTHERS, &run.origins.others)]);
    let name = "vinylvault_origin_requests_total";
    let help = "Tries to download, by origin and status; none is no answer, or none that was whole.";
    page.family(name, Kind::Counter, help);
    for (origin, answers) in all() {
        page.sample(&[("origin", origin), ("code", FINE)], answers.get(FINE).unwrap_or(&0));
        for (code, count) in answers.iter().filter(|(code, _)| **code != FINE) {
            page.sample(&[("origin", origin), ("code", code)], count);
        }
    }
    let name = "vinylvault_origin_pause_seconds";
    page.family(name, Kind::Gauge, "How long an origin still wants to be left alone; the longest of others.");
    for (origin, _) in all() {
        let is_it = |host: &str| match origin {
            OTHERS => !run.origins.by_host.contains_key(host),
            origin => host == origin,
        };
        let pauses = stats.origins.iter().filter(|state| is_it(&state.host)).filter_map(|s| s.paused_for);
        page.sample(&[("origin", origin)], pauses.max().unwrap_or_default().as_secs_f64());
    }
}

fn events(page: &mut Page, run: &Run) {
    let count = |counter| run.counts.get(counter);
    page.family("vinylvault_evictions_total", Kind::Counter, "Covers removed, by why.");
    for removal in Removal::ALL {
        page.sample(&[("reason", removal.name())], count(Counter::Removed(removal)));
    }
    let name = "vinylvault_evicted_bytes_total";
    page.family(name, Kind::Counter, "Bytes of covers removed for want of room.");
    page.sample(&[], count(Counter::EvictedBytes));
    let name = "vinylvault_oversized_total";
    page.family(name, Kind::Counter, "Covers not kept because they are larger than the whole cache.");
    page.sample(&[], count(Counter::TooLarge));
    page.family("vinylvault_downloads_total", Kind::Counter, "Originals downloaded.");
    page.sample(&[], count(Counter::Downloads));
    page.family("vinylvault_downloaded_bytes_total", Kind::Counter, "Bytes of originals downloaded.");
    page.sample(&[], count(Counter::DownloadedBytes));
    page.family("vinylvault_failures_total", Kind::Counter, "Covers given up, by why.");
    for class in Class::ALL {
        page.sample(&[("class", class.name())], count(Counter::Failed(class)));
    }
}

fn durations(page: &mut Page, run: &Run) {
    let name = "vinylvault_stage_duration_seconds";
    page.family(name, Kind::Histogram, "How long the steps of a download take.");
    for (stage, took) in Stage::ALL.into_iter().zip(&run.durations) {
        let mut reached = 0;
        for (bound, count) in BUCKETS_MS.into_iter().zip(took.buckets) {
            reached += count;
            let bound = (bound as f64 / 1000.0).to_string();
            page.part("_bucket", &[("stage", stage.name()), ("le", &bound)], reached);
        }
        page.part("_bucket", &[("stage", stage.name()), ("le", "+Inf")], took.count);
        page.part("_sum", &[("stage", stage.name())], took.sum.as_secs_f64());
        page.part("_count", &[("stage", stage.name())], took.count);
    }
}

impl Page {
    /// Begins a family; its samples follow.
    fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.family = name;
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.part("", labels, value);
    }

    fn part(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        let family = self.family;
        self.write(format_args!("{family}{suffix}"));
        for (number, (name, value)) in labels.iter().enumerate() {
            let before = if number == 0 { '{' } else { ',' };
            self.write(format_args!("{before}{name}=\"{}\"", Escaped(value)));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        self.write(format_args!("{end} {value}\n"));
    }

    fn write(&mut self, what: fmt::Arguments<'_>) {
        self.text.write_fmt(what).expect("a string takes everything");
    }
}

/// A label's value: backslash, quote and line feed have signs of their own.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for sign in self.0.chars() {
            match sign {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                sign => f.write_char(sign)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_end_its_line_or_itself() {
        let mut page = Page { text: String::new(), family: "" };
        page.family("name", Kind::Gauge, "Help.");
        page.sample(&[("a", "x\"} 1\ny\\"), ("b", "é")], 0.5);
        assert_eq!(
            page.text,
            "# HELP name Help.\n# TYPE name gauge\nname{a=\"x\\\"} 1\\ny\\\\\",b=\"é\"} 0.5\n"
        );
    }
}
