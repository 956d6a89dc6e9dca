//! The report as text: 80 columns, for a terminal, a mail or a file. Owns its layout.

use super::hours::{Counts, Grain, Timeline};
use super::scale::{Scale, Unit};
use super::words::{self, count};
use super::{Alphabet, Report};
use std::fmt::Write;

const COLUMNS: usize = 80;
/// Of the table: the names, and each period.
const NAMES: usize = 38;
const PERIOD: usize = 14;
/// Lines of the chart above its base, about.
const CHART_LINES: usize = 8;
/// Columns of the chart's numbers, with a space before the axis.
const AXIS: usize = 8;
/// What a chart's columns share.
const CHART_COLUMNS: usize = COLUMNS - AXIS - 1;
/// Of a curve: its name before it, and what is said behind it.
const CURVE_NAMES: usize = 12;
const CURVE_COLUMNS: usize = 36;

pub(super) fn page(report: &Report, alphabet: Alphabet) -> String {
    let mut text = String::new();
    let (title, at) = ("VinylVault: the last 30 days", words::moment(report.facts.at));
    let _ = writeln!(text, "{title}{at:>width$}\n", width = COLUMNS - title.len());
    push_wrapped(&mut text, &words::summary(report), "", "");
    let findings = words::findings(report);
    if !findings.is_empty() {
        text.push('\n');
    }
    for finding in &findings {
        push_wrapped(&mut text, finding, "! ", "  ");
    }
    if !report.month.is_empty() {
        push_periods(&mut text, &report.periods);
        if report.month.sum().requests() > 0 {
            push_chart(&mut text, &report.month, alphabet);
        }
        push_curves(&mut text, &report.month, alphabet);
        push_failures(&mut text, report.total());
    }
    text.push('\n');
    push_wrapped(&mut text, &words::provenance(report), "", "");
    text
}

fn push_periods(text: &mut String, periods: &[Counts; 3]) {
    let _ =
        writeln!(text, "\n{:<NAMES$}{:>PERIOD$}{:>PERIOD$}{:>PERIOD$}", "", "24 hours", "7 days", "30 days");
    for row in words::periods() {
        let [day, week, month] = periods.each_ref().map(|counts| (row.value)(counts));
        let indent = "  ".repeat(row.depth);
        let name = format!("{indent}{}", row.name);
        let _ = writeln!(text, "{name:<NAMES$}{day:>PERIOD$}{week:>PERIOD$}{month:>PERIOD$}");
    }
}

/// Requests by column: at once below, not here yet on top.
fn push_chart(text: &mut String, timeline: &Timeline, alphabet: Alphabet) {
    let (line, corner, base) = match alphabet {
        Alphabet::Unicode => ('│', '└', "─"),
        Alphabet::Ascii => ('|', '+', "-"),
    };
    let head = format!("Requests by {}", if timeline.grain == Grain::Days { "day" } else { "hour" });
    let key = format!("{} at once  {} not here yet", alphabet.full(), alphabet.light());
    let gap = COLUMNS - head.chars().count() - key.chars().count();
    let _ = writeln!(text, "\n{head}{}{key}", " ".repeat(gap));

    let bins = &timeline.bins;
    let most = bins.iter().map(|bin| bin.counts.requests()).max().unwrap_or(0);
    let scale = Scale::holding(most as f64, Unit::Count);
    let ticks = scale.ticks();
    // Each interval of the scale is as many lines as the others.
    let apart = CHART_LINES.div_ceil(ticks.len() - 1);
    let lines = apart * (ticks.len() - 1);
    let pitch = (CHART_COLUMNS / bins.len()).max(1);
    let column = (pitch * 2 / 3).max(1);
    for row in (0..lines).rev() {
        let tick = (row + 1).is_multiple_of(apart).then(|| ticks[(row + 1) / apart].1.as_str());
        let _ = write!(text, "{:>width$} {line}", tick.unwrap_or_default(), width = AXIS - 1);
        let mut cells = String::new();
        for bin in bins {
            let height = |value: u64| value as f64 / scale.top * lines as f64;
            let ink = alphabet.cell(row, height(bin.counts.hits()), height(bin.counts.requests()));
            cells.extend(std::iter::repeat_n(ink, column).chain(std::iter::repeat_n(' ', pitch - column)));
        }
        let _ = writeln!(text, "{}", cells.trim_end());
    }
    let _ = writeln!(text, "{:>width$} {corner}{}", "0", base.repeat(bins.len() * pitch), width = AXIS - 1);
    push_labels(text, timeline, pitch);
}

impl Alphabet {
    fn full(self) -> char {
        if self == Alphabet::Unicode { '█' } else { '#' }
    }

    fn light(self) -> char {
        if self == Alphabet::Unicode { '░' } else { '.' }
    }

    /// From a little to full.
    fn steps(self) -> &'static [char; 8] {
        match self {
            Alphabet::Unicode => &['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
            Alphabet::Ascii => &['.', ':', '-', '=', '+', '*', '%', '#'],
        }
    }

    /// The `row`-th line above the base of a column of `height` lines, the hits being its lower ones.
    fn cell(self, row: usize, hits: f64, height: f64) -> char {
        let (full, lines) = (hits.round() as usize, height.round() as usize);
        if lines == full && self == Alphabet::Unicode {
            // Of one shade, so its end may be finer than a line; what is not nothing is seen.
            let least = if row == 0 && height > 0.0 { 1 } else { 0 };
            let eighths = ((height - row as f64) * 8.0).round().clamp(0.0, 8.0) as usize;
            return eighths.max(least).checked_sub(1).map_or(' ', |step| self.steps()[step]);
        }
        match row {
            row if row < full || row == 0 && lines == 0 && height > 0.0 => self.full(),
            row if row < lines => self.light(),
            _ => ' ',
        }
    }
}

/// Mondays, or noons and midnights, under the beginning of their column.
fn push_labels(text: &mut String, timeline: &Timeline, pitch: usize) {
    let mut labels = " ".repeat(AXIS + 1);
    for (at, bin) in timeline.bins.iter().enumerate() {
        let is_few = timeline.bins.len() * 8 <= CHART_COLUMNS;
        let label = match timeline.grain {
            Grain::Days if is_few || words::is_monday(bin.begins) => words::day(bin.begins),
            Grain::Hours if bin.begins.0.rem_euclid(43_200) == 0 => words::moment_short(bin.begins),
            _ => continue,
        };
        let start = AXIS + 1 + at * pitch;
        let width = labels.chars().count();
        if start >= width && start + label.len() <= COLUMNS {
            labels += &" ".repeat(start - width);
            labels += &label;
            labels.push(' ');
        }
    }
    let _ = writeln!(text, "{}", labels.trim_end());
}

/// A line of blocks for each of what is rarer.
fn push_curves(text: &mut String, timeline: &Timeline, alphabet: Alphabet) {
    type Value = fn(&Counts) -> u64;
    let curves: [(&str, Value); 3] = [
        ("Downloads", |counts| counts.downloads),
        ("Failures", Counts::failed),
        ("Evictions", |counts| counts.evictions),
    ];
    text.push('\n');
    for (name, value) in curves {
        let values: Vec<u64> = timeline.bins.iter().map(|bin| value(&bin.counts)).collect();
        let (at, most) =
            values.iter().enumerate().max_by_key(|(at, value)| (**value, *at)).unwrap_or((0, &0));
        let said = match most {
            0 => "none".to_owned(),
            most => {
                let begins = timeline.bins[at].begins;
                let when = match timeline.grain {
                    Grain::Days => words::weekday(begins),
                    Grain::Hours => words::moment_short(begins),
                };
                format!("most {} on {when}", count(*most))
            }
        };
        let curve = curve(&values, alphabet);
        let _ = writeln!(text, "{name:<CURVE_NAMES$}{curve:<CURVE_COLUMNS$}{said}");
    }
}

/// One character a value, or a pair of values, as high as it is beside the highest; nothing is blank.
fn curve(values: &[u64], alphabet: Alphabet) -> String {
    let steps = alphabet.steps();
    let together = values.len().div_ceil(CURVE_COLUMNS - 1).max(1);
    let sums: Vec<u64> = values.chunks(together).map(|chunk| chunk.iter().sum()).collect();
    let top = sums.iter().copied().max().unwrap_or(0).max(1);
    let last = steps.len() as u64 - 1;
    let step = |sum: u64| usize::try_from((sum.saturating_mul(last) / top).min(last)).unwrap_or(0);
    sums.into_iter().map(|sum| if sum == 0 { ' ' } else { steps[step(sum)] }).collect()
}

fn push_failures(text: &mut String, total: &Counts) {
    let classes = total.classes();
    if classes.is_empty() {
        return;
    }
    let _ = writeln!(text, "\nWhy downloads failed in the last 30 days");
    for (class, times) in classes {
        let _ = writeln!(text, "{:>7}  {}", count(times), words::class_name(class));
        if let Some(cause) = words::cause(class) {
            push_wrapped(text, cause.likely, "         ", "         ");
            push_wrapped(text, cause.advice, "         > ", "           ");
        }
    }
    text.push('\n');
    push_wrapped(text, "Why one cover looks as it does: vinylvault explain URL", "", "");
}

fn push_wrapped(text: &mut String, paragraph: &str, first: &str, others: &str) {
    let mut line = String::new();
    let mut begin = first;
    for word in paragraph.split_whitespace() {
        let width = begin.chars().count() + line.chars().count() + word.chars().count();
        if !line.is_empty() && width + 1 > COLUMNS {
            let _ = writeln!(text, "{begin}{line}");
            line.clear();
            begin = others;
        }
        let space = if line.is_empty() { "" } else { " " };
        let _ = write!(line, "{space}{word}");
    }
    let _ = writeln!(text, "{begin}{line}");
}
