//! The facts as lines of a page of 80 columns: what `status` prints once and `monitor` paints again
//! and again. Owns words, columns and bars; knows no terminal but for how a look is spelled to one.

use super::facts::{Facts, Origin, share};
use super::journal::one_line;
use crate::figures::{bytes, counted, percent, span, thousands};

/// Columns of a page.
const WIDTH: usize = 80;
/// Columns of a row's name, with its margin.
const NAMES: usize = 14;
const BAR: usize = 24;
/// Classes of failures named beside their sum.
const CLASSES_MAX: usize = 3;

/// Which characters a terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Unicode,
    Ascii,
}

/// How a piece of a line stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    Strong,
    Faint,
    Alarm,
}

/// A line without its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pieces: Vec<(Look, String)>,
}

/// Which origins a page has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origins {
    InTrouble,
    /// So many, those in trouble first.
    Most(usize),
}

impl Ink {
    /// What the locale says (POSIX: the first of these that is set).
    pub fn of_locale() -> Ink {
        let names = ["LC_ALL", "LC_CTYPE", "LANG"];
        let set = names.into_iter().filter_map(std::env::var_os).find(|value| !value.is_empty());
        let locale = set.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") { Ink::Unicode } else { Ink::Ascii }
    }

    /// Full to `percent` of its columns; anything at all shows.
    pub fn bar(self, percent: f64) -> String {
        let full = (percent.clamp(0.0, 100.0) / 100.0 * BAR as f64).round() as usize;
        let full = if percent > 0.0 { full.max(1) } else { 0 };
        let (filled, empty) = match self {
            Ink::Unicode => ("█", "░"),
            Ink::Ascii => ("#", "."),
        };
        format!("{}{}", filled.repeat(full), empty.repeat(BAR - full))
    }

    /// One column a value, as high as it is beside the highest.
    pub fn curve(self, values: impl Iterator<Item = u64> + Clone) -> String {
        let steps = match self {
            Ink::Unicode => ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
            Ink::Ascii => ['_', '.', '-', ':', '=', '+', '*', '#'],
        };
        let top = values.clone().max().unwrap_or(0).max(1);
        let step = |value: u64| value.saturating_mul(7).div_ceil(top).min(7);
        values.map(|value| steps[usize::try_from(step(value)).expect("at most 7")]).collect()
    }
}

impl Line {
    pub fn of(look: Look, text: impl Into<String>) -> Line {
        Line::default().and(look, text)
    }

    pub fn and(mut self, look: Look, text: impl Into<String>) -> Line {
        self.pieces.push((look, text.into()));
        self
    }

    /// Without looks and without spaces at the end.
    pub fn plain(&self) -> String {
        let text: String = self.pieces.iter().map(|(_, text)| text.as_str()).collect();
        text.trim_end().to_owned()
    }

    /// At most `width` characters, each piece between what `sgr` gives for its look and a reset.
    pub fn painted(&self, width: usize, sgr: impl Fn(Look) -> &'static str) -> String {
        let mut left = width;
        let mut painted = String::new();
        for (look, text) in &self.pieces {
            let text: String = text.chars().take(left).collect();
            left -= text.chars().count();
            match sgr(*look) {
                "" => painted.push_str(&text),
                begin => painted.extend([begin, &text, "\x1b[0m"]),
            }
        }
        painted
    }
}

/// A name and its fact.
pub(super) fn row(name: &str, fact: &str) -> Line {
    Line::of(Look::Faint, format!("  {name:<width$}", width = NAMES - 2)).and(Look::Plain, fact)
}

/// A row whose fact is trouble.
pub(super) fn alarm(name: &str, fact: &str) -> Line {
    Line::of(Look::Faint, format!("  {name:<width$}", width = NAMES - 2)).and(Look::Alarm, fact)
}

/// One text at each edge of the page.
pub(super) fn ends(left: &str, right: &str) -> Line {
    let gap = WIDTH.saturating_sub(left.chars().count() + right.chars().count()).max(2);
    Line::of(Look::Strong, left).and(Look::Faint, format!("{}{right}", " ".repeat(gap)))
}

/// What is kept and how full disk and memory are.
pub(super) fn kept(facts: &Facts, ink: Ink) -> Vec<Line> {
    let files = counted(facts.count("total_entries"), "file", "files");
    let (small, large) = (facts.count("thumbnail_count"), facts.count("detail_count"));
    let small = counted(small, "thumbnail", "thumbnails");
    let covers = format!("{files}: {small}, {} detail", count(large));
    let gauge = |used: u64, limit: u64| {
        let full = share(used, limit);
        format!("{}  {:>7}   {} of {}", ink.bar(full), percent(full), bytes(used), bytes(limit))
    };
    let disk = gauge(facts.count("total_size_bytes"), facts.count("cache_limit_bytes"));
    let floor = facts.count("free_bytes_min");
    let free = match facts.number("free_bytes") {
        Some(free) => format!("{} free on the file system, {} always stay free", bytes(free), bytes(floor)),
        None => "the free space of the file system is not known".to_owned(),
    };
    let mut lines = vec![row("Covers", &covers), row("Disk", &disk), row("", &free)];
    if let Some(rss) = facts.number("rss_bytes") {
        let memory = gauge(facts.count("memory_cache_bytes"), facts.count("memory_cache_limit_bytes"));
        lines.extend([row("Memory", &memory), row("", &format!("{} for the whole program", bytes(rss)))]);
    }
    lines
}

/// How well it answered, since there is a cache.
pub(super) fn answered(facts: &Facts) -> Vec<Line> {
    let mut lines = vec![Line::default()];
    match facts.hit_rate() {
        None => lines.push(row("Answered", "no request yet")),
        Some(rate) => {
            let (hits, requests) = (count(facts.count("hits")), count(facts.requests()));
            lines.push(row("Answered", &format!("{} at once, {hits} of {requests} requests", percent(rate))));
            let (memory, disk) = (count(facts.count("memory_hits")), count(facts.count("disk_hits")));
            let misses = counted(facts.count("misses"), "miss", "misses");
            let shared = count(facts.count("coalesced"));
            let from = format!("{memory} from memory, {disk} from disk; {misses}, {shared} joined another");
            lines.push(row("", &from));
        }
    }
    let downloads = counted(facts.count("downloads"), "cover", "covers");
    let fetched = format!("{downloads}, {}; {}", bytes(facts.count("downloaded_bytes")), given_up(facts));
    lines.push(row("Fetched", &fetched));
    let evicted = counted(facts.count("evictions"), "file", "files");
    let cleanup = match facts.text("last_cleanup") {
        Some(at) => format!("last cleaned up {}", one_line(at)),
        None => "never cleaned up".to_owned(),
    };
    lines.push(row("Evicted", &format!("{evicted} to make room; {cleanup}")));
    lines
}

/// What happens at this moment.
pub(super) fn going_on(facts: &Facts) -> Vec<Line> {
    let coming = counted(facts.count("in_flight"), "cover", "covers");
    let viewers = counted(facts.count("waiting"), "viewer", "viewers");
    let now = format!("{coming} on the way, {} queued, {viewers} waiting", count(facts.count("queued")));
    vec![Line::default(), row("Now", &now)]
}

/// Origins, one a line.
pub(super) fn origins(facts: &Facts, which: Origins) -> Vec<Line> {
    let mut list = facts.origins();
    let all = list.len();
    list.sort_by_key(|origin| !origin.is_in_trouble());
    match which {
        Origins::InTrouble => list.retain(Origin::is_in_trouble),
        Origins::Most(most) => list.truncate(most),
    }
    let left = all - list.len();
    let mut lines: Vec<Line> = list.iter().map(origin).collect();
    match (which, all, left) {
        (_, 0, _) => lines.push(row("", "none asked since the start")),
        (Origins::InTrouble, 1, 1) => lines.push(row("", "1 asked, and well")),
        (Origins::InTrouble, _, left) if left == all => {
            lines.push(row("", &format!("{} asked, all well", count(all as u64))));
        }
        (_, _, 0) => {}
        (_, _, left) => lines.push(row("", &format!("and {} more", count(left as u64)))),
    }
    if let Some((_, name)) = lines.first_mut().and_then(|line| line.pieces.first_mut()) {
        *name = format!("  {:<width$}", "Origins", width = NAMES - 2);
    }
    lines
}

/// What could not be done.
pub(super) fn errors(facts: &Facts) -> Vec<Line> {
    let errors = facts.last_errors();
    match errors.is_empty() {
        true => vec![row("Last error", "none")],
        false => errors.iter().map(|(_, text)| alarm("Last error", &one_line(text))).collect(),
    }
}

fn origin(origin: &Origin) -> Line {
    let Origin { requests, failures, in_flight, .. } = origin;
    let mut fact = format!("{}  {} asked", one_line(&origin.host), count(*requests));
    if *failures > 0 {
        fact += &format!(", {} failed", count(*failures));
    }
    if *in_flight > 0 {
        fact += &format!(", {} under way", count(*in_flight));
    }
    match origin.paused_seconds {
        Some(seconds) => alarm("", &format!("{fact}, left alone for {}", span(seconds))),
        None if origin.is_in_trouble() => {
            alarm("", &format!("{fact}, the last {} in a row", count(origin.failing)))
        }
        None => row("", &fact),
    }
}

fn given_up(facts: &Facts) -> String {
    let sum = facts.count("failures");
    let classes = facts.failures_by_class();
    let named = classes.iter().take(CLASSES_MAX).map(|(name, count)| format!("{count} {}", one_line(name)));
    match sum {
        0 => "none given up".to_owned(),
        sum if classes.is_empty() => format!("{} given up", count(sum)),
        sum => format!("{} given up ({})", count(sum), named.collect::<Vec<_>>().join(", ")),
    }
}

fn count(number: u64) -> String {
    thousands(i64::try_from(number).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_the_least_and_never_overflows() {
        let full = |percent: f64| Ink::Ascii.bar(percent).matches('#').count();
        assert_eq!([0.0, 0.01, 50.0, 100.0, 140.0].map(full), [0, 1, 12, 24, 24]);
        assert_eq!(Ink::Unicode.bar(33.3).chars().count(), BAR);
    }

    #[test]
    fn a_curve_is_as_high_as_its_highest() {
        assert_eq!(Ink::Unicode.curve([0, 1, 50, 100].into_iter()), "▁▂▅█");
        assert_eq!(Ink::Ascii.curve([0, 0].into_iter()), "__");
        assert_eq!(Ink::Unicode.curve([u64::MAX, 1].into_iter()).chars().count(), 2);
    }

    #[test]
    fn a_painted_line_is_no_wider_than_its_terminal() {
        let line = Line::of(Look::Strong, "äöü").and(Look::Plain, "abc");
        let sgr = |look| if look == Look::Strong { "\x1b[1m" } else { "" };
        assert_eq!(line.painted(5, sgr), "\x1b[1mäöü\x1b[0mab");
        assert_eq!(line.painted(2, sgr), "\x1b[1mäö\x1b[0m");
        assert_eq!(line.plain(), "äöüabc");
    }
}
