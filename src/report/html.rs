//! The report as one HTML page: which charts there are, what each says in words, and the template
//! that holds them. Everything from outside goes through the template's escaping.

use super::chart::{self, Drawing, Form, HEIGHT, LEFT, Series, WIDTH};
use super::hours::{Counts, Grain, Held, Timeline};
use super::scale::{Scale, Unit, seconds};
use super::words::{self, count};
use super::{Facts, Report};
use crate::figures::{bytes, counted, percent};
use minijinja::{Environment, Value, context};
use std::fmt;

const TEMPLATE: &str = include_str!("../../templates/report.html");

/// Classes of failures with a colour of their own, in the order of the colours.
const CLASSES: [&str; 8] =
    ["absent", "refused", "throttled", "broken", "unreachable", "forbidden", "unreadable", "failed"];
const CLASS_HUES: [&str; 8] = ["f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8"];

/// The page could not be made: a defect of ours, never worth another try.
#[derive(Debug)]
pub struct HtmlError(minijinja::Error);

impl fmt::Display for HtmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot render the report: {}", self.0)
    }
}

impl std::error::Error for HtmlError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

pub(super) fn page(report: &Report) -> Result<String, HtmlError> {
    let mut environment = Environment::new();
    environment.add_template("report.html", TEMPLATE).map_err(HtmlError)?;
    let template = environment.get_template("report.html").map_err(HtmlError)?;
    template.render(context_of(report)).map_err(HtmlError)
}

fn context_of(report: &Report) -> Value {
    let facts = &report.facts;
    let is_empty = report.month.is_empty();
    let charts = if is_empty { Charts::default() } else { charts(report) };
    let periods = words::periods().into_iter().map(|row| {
        let values = report.periods.each_ref().map(|counts| (row.value)(counts));
        context! { name => row.name, depth => row.depth, values => values }
    });
    context! {
        at => words::moment(facts.at),
        machine_at => facts.at.to_string(),
        version => env!("CARGO_PKG_VERSION"),
        summary => words::summary(report),
        findings => words::findings(report).iter().map(|finding| marked(finding)).collect::<Vec<_>>(),
        provenance => words::provenance(report),
        gauge => gauge(facts),
        is_empty => is_empty,
        periods => if is_empty { Vec::new() } else { periods.collect::<Vec<_>>() },
        heading => if report.month.grain == Grain::Days { "Day by day" } else { "Hour by hour" },
        charts => charts.cards,
        said => charts.said,
        width => WIDTH,
        height => HEIGHT,
        left => LEFT,
        failures => failures(report.total()),
        origins => origins(facts),
    }
}

/// How full the cache is; nothing where no limit is known.
fn gauge(facts: &Facts) -> Option<Value> {
    let (held, limit) = (facts.count("total_size_bytes"), facts.count("cache_limit_bytes"));
    (limit > 0).then(|| {
        let share = (held as f64 / limit as f64).min(1.0);
        context! {
            text => format!("{} of {} used", bytes(held), bytes(limit)),
            percent => (share * 100.0).round(),
            width => (share * 1_000.0).round().max(if held > 0 { 3.0 } else { 0.0 }),
        }
    })
}

fn failures(total: &Counts) -> Vec<Value> {
    let failure = |(class, times): (&str, u64)| {
        let cause = words::cause(class);
        context! {
            name => words::class_name(class),
            hue => hue_of(class),
            times => count(times),
            likely => cause.map(|cause| cause.likely),
            advice => cause.map(|cause| marked(cause.advice)),
        }
    };
    total.classes().into_iter().map(failure).collect()
}

/// A sentence in pieces, its flags apart: a flag that is broken at its hyphens is no flag any more.
fn marked(sentence: &str) -> Vec<Value> {
    let mut pieces = Vec::new();
    let mut rest = sentence;
    while let Some(at) = rest.find("--") {
        let is_flag = |c: char| c == '-' || c.is_ascii_lowercase();
        let end = at + rest[at..].find(|c| !is_flag(c)).unwrap_or(rest.len() - at);
        pieces.push(context! { text => &rest[..at] });
        pieces.push(context! { flag => &rest[at..end] });
        rest = &rest[end..];
    }
    pieces.push(context! { text => rest });
    pieces
}

fn origins(facts: &Facts) -> Vec<Value> {
    let list = facts.stats["origins"].as_array().map(Vec::as_slice).unwrap_or_default();
    let origin = |origin: &serde_json::Value| {
        let number = |name: &str| origin[name].as_u64().unwrap_or(0);
        context! {
            host => origin["host"].as_str().unwrap_or("?"),
            requests => count(number("requests")),
            failures => count(number("failures")),
            paused => origin["paused_seconds"].as_u64().map(|wait| format!("waits {wait} s")),
        }
    };
    list.iter().map(origin).collect()
}

/// What is drawn, and what of the rest is said.
#[derive(Default)]
struct Charts {
    cards: Vec<Value>,
    said: Vec<String>,
}

impl Charts {
    fn add(&mut self, card: Card, timeline: &Timeline, series: &[Series]) {
        let is_seen = series.iter().any(|series| series.values.iter().flatten().any(|value| *value > 0.0));
        match is_seen {
            true => self.cards.push(card.drawn(timeline, series)),
            false => self.said.push(card.said),
        }
    }
}

fn charts(report: &Report) -> Charts {
    let (month, mut charts) = (&report.month, Charts::default());
    answers(&mut charts, "requests", month);
    if month.grain == Grain::Days && report.day.sum().requests() > 0 {
        answers(&mut charts, "day", &report.day);
    }
    held(&mut charts, month);
    times(&mut charts, month);
    failed(&mut charts, month);
    evictions(&mut charts, month);
    charts
}

fn answers(charts: &mut Charts, id: &'static str, timeline: &Timeline) {
    let sum = timeline.sum();
    let series = [
        series("from memory", "memory", timeline, |counts| counts.memory_hits),
        series("from the disk", "disk", timeline, |counts| counts.disk_hits),
        series("not here", "miss", timeline, |counts| counts.misses),
    ];
    let said = match sum.hit_rate() {
        None => "Nobody asked for a cover.".to_owned(),
        Some(rate) => {
            format!(
                "{} of {} answered at once.",
                percent(rate),
                counted(sum.requests(), "request", "requests")
            )
        }
    };
    let title = match timeline.grain {
        Grain::Days => "Requests by day",
        Grain::Hours if timeline.bins.len() > 24 => "Requests by hour",
        Grain::Hours => "The last 24 hours",
    };
    let card = Card { id, title, said, unit: Unit::Count, form: Form::Columns };
    charts.add(card, timeline, &series);
}

fn held(charts: &mut Charts, timeline: &Timeline) {
    let values = |value: fn(&Held) -> u64| {
        timeline.bins.iter().map(|bin| bin.held.as_ref().map(|held| value(held) as f64)).collect()
    };
    let series = [
        Series { name: "detail".to_owned(), hue: "detail", values: values(|held| held.details) },
        Series { name: "thumbnails".to_owned(), hue: "thumbnail", values: values(|held| held.thumbnails) },
    ];
    let last = timeline.bins.last().and_then(|bin| bin.held).unwrap_or_default();
    let said = match last.details + last.thumbnails {
        0 => "Nothing is kept.".to_owned(),
        bytes_now => format!("{} now.", bytes(bytes_now)),
    };
    let card = Card { id: "held", title: "Kept on the disk", said, unit: Unit::Bytes, form: Form::Area };
    charts.add(card, timeline, &series);
}

fn times(charts: &mut Charts, timeline: &Timeline) {
    let sum = timeline.sum();
    let values = timeline.bins.iter().map(|bin| bin.counts.mean_download()).collect();
    let series = [Series { name: "mean time".to_owned(), hue: "time", values }];
    let said = match sum.mean_download() {
        None => "Nothing was downloaded.".to_owned(),
        Some(mean) => format!(
            "{} of {}, each in {} on average.",
            counted(sum.downloads, "download", "downloads"),
            bytes(sum.downloaded_bytes),
            seconds(mean)
        ),
    };
    let card =
        Card { id: "times", title: "Mean time of a download", said, unit: Unit::Seconds, form: Form::Line };
    charts.add(card, timeline, &series);
}

fn failed(charts: &mut Charts, timeline: &Timeline) {
    let sum = timeline.sum();
    let classes = sum.classes();
    let series: Vec<Series> = classes
        .iter()
        .map(|(class, _)| Series {
            name: words::class_name(class).to_owned(),
            hue: hue_of(class),
            values: timeline
                .bins
                .iter()
                .map(|bin| bin.counts.failures.get(*class).map(|n| *n as f64))
                .collect(),
        })
        .collect();
    let said = match (sum.failed(), classes.first()) {
        (0, _) | (_, None) => "No download failed.".to_owned(),
        (failed, Some((class, most))) => {
            let of = format!("{} failed", counted(failed, "download", "downloads"));
            match classes.len() {
                1 => format!("{of}: {}.", words::class_name(class)),
                _ => format!("{of}, {} of them: {}.", count(*most), words::class_name(class)),
            }
        }
    };
    let card =
        Card { id: "failures", title: "Failed downloads", said, unit: Unit::Count, form: Form::Columns };
    charts.add(card, timeline, &series);
}

fn evictions(charts: &mut Charts, timeline: &Timeline) {
    let sum = timeline.sum();
    let series = [series("evicted", "evicted", timeline, |counts| counts.evictions)];
    let said = match sum.evictions {
        0 => "Nothing had to go.".to_owned(),
        gone => format!(
            "{} went to make room: {}.",
            counted(gone, "picture", "pictures"),
            bytes(sum.evicted_bytes)
        ),
    };
    let card =
        Card { id: "evictions", title: "Evicted to make room", said, unit: Unit::Count, form: Form::Columns };
    charts.add(card, timeline, &series);
}

fn series(name: &str, hue: &'static str, timeline: &Timeline, value: fn(&Counts) -> u64) -> Series {
    let values = timeline.bins.iter().map(|bin| Some(value(&bin.counts) as f64)).collect();
    Series { name: name.to_owned(), hue, values }
}

/// A class that a later server has shares the last colour.
fn hue_of(class: &str) -> &'static str {
    let known = CLASSES.iter().zip(CLASS_HUES).find(|(name, _)| **name == class);
    known.map_or(CLASS_HUES[CLASS_HUES.len() - 1], |(_, hue)| hue)
}

/// A chart's place on the page.
struct Card {
    id: &'static str,
    title: &'static str,
    /// What it shows, in a sentence: enough where there is nothing to be seen.
    said: String,
    unit: Unit,
    form: Form,
}

impl Card {
    fn drawn(self, timeline: &Timeline, series: &[Series]) -> Value {
        let Card { id, title, said, unit, form } = self;
        let drawing = chart::draw(timeline, series, form, unit);
        // One series is what the title says.
        let key: Vec<Value> = match series {
            [_] => Vec::new(),
            _ => series.iter().map(|series| entry(series, form, unit)).collect(),
        };
        context! {
            id => id,
            title => title,
            said => said,
            form => match form { Form::Columns => "columns", Form::Area => "area", Form::Line => "line" },
            key => key,
            description => description(timeline, series, unit),
            drawing => drawn(drawing),
            table => table(timeline, series, unit),
        }
    }
}

/// A colour, what it stands for, and how much of it there is: in all, or at the end.
fn entry(series: &Series, form: Form, unit: Unit) -> Value {
    let known = series.values.iter().flatten();
    let value = match form {
        Form::Columns => known.sum(),
        Form::Area | Form::Line => known.last().copied().unwrap_or(0.0),
    };
    context! { hue => series.hue, name => series.name.as_str(), value => Scale::spelled(unit, value) }
}

/// For whoever cannot see it: the frame and each series' highest.
fn description(timeline: &Timeline, series: &[Series], unit: Unit) -> String {
    let last = timeline.bins.len().saturating_sub(1);
    let mut text = format!("From {} to {}.", chart::bin_name(timeline, 0), chart::bin_name(timeline, last));
    for series in series {
        let values = series.values.iter().enumerate().filter_map(|(at, value)| Some((at, (*value)?)));
        if let Some((at, most)) = values.max_by(|(_, a), (_, b)| a.total_cmp(b)) {
            let (most, when) = (Scale::spelled(unit, most), chart::bin_name(timeline, at));
            text += &format!(" Most {}: {most}, {when}.", series.name);
        }
    }
    text
}

fn drawn(drawing: Drawing) -> Value {
    let tick = |tick: chart::Tick| context! { y => tick.y, text => tick.text };
    let label = |label: chart::Label| context! { x => label.x, anchor => label.anchor, text => label.text };
    let shape = |shape: chart::Shape| {
        let dots: Vec<Value> = shape.dots.iter().map(|(x, y)| context! { x => x, y => y }).collect();
        context! { hue => shape.hue, path => shape.path, dots => dots }
    };
    let place = |place: chart::Place| context! { x => place.x, width => place.width, text => place.text };
    context! {
        ticks => drawing.ticks.into_iter().map(tick).collect::<Vec<_>>(),
        labels => drawing.labels.into_iter().map(label).collect::<Vec<_>>(),
        shapes => drawing.shapes.into_iter().map(shape).collect::<Vec<_>>(),
        places => drawing.places.into_iter().map(place).collect::<Vec<_>>(),
    }
}

/// The same in numbers; bins of which there is nothing to say are left out.
fn table(timeline: &Timeline, series: &[Series], unit: Unit) -> Value {
    let is_told =
        |at: &usize| series.iter().any(|series| series.values[*at].is_some_and(|value| value > 0.0));
    let cell =
        |value: &Option<f64>| value.map_or_else(|| "–".to_owned(), |value| Scale::spelled(unit, value));
    let row = |at: usize| {
        let cells: Vec<String> = series.iter().map(|series| cell(&series.values[at])).collect();
        context! { name => chart::bin_name(timeline, at), cells => cells }
    };
    context! {
        unit => if timeline.grain == Grain::Days { "Day" } else { "Hour" },
        names => series.iter().map(|series| Value::from(series.name.as_str())).collect::<Vec<_>>(),
        rows => (0..timeline.bins.len()).filter(is_told).map(row).collect::<Vec<_>>(),
    }
}
