//! Charts as shapes: where columns, areas, lines, ticks and labels are, in units of an SVG's view
//! box. Owns geometry; the words come with the series, the markup and the colours are the page's.

use super::hours::{Grain, Timeline};
use super::scale::{Scale, Unit};
use super::words;
use std::fmt::Write;

/// Drawn at its own size on a phone held upright, a third larger on a desk.
pub(super) const WIDTH: f64 = 400.0;
pub(super) const HEIGHT: f64 = 190.0;

/// Room for the numbers of the axis.
pub(super) const LEFT: f64 = 50.0;
const RIGHT: f64 = WIDTH - 2.0;
const TOP: f64 = 10.0;
const BASE: f64 = HEIGHT - 24.0;

/// A column's share of its place, and its width where there are few.
const COLUMN_SHARE: f64 = 0.78;
const COLUMN_MAX: f64 = 36.0;
/// What is not nothing is seen.
const COLUMN_LEAST: f64 = 1.0;
/// Half of the widest label under the axis.
const LABEL_HALF: f64 = 22.0;
/// So many days have a label each, so many every second one; more have the Mondays.
const DAYS_ALL: usize = 8;
const DAYS_HALF: usize = 16;
/// Labelled hours of one day, and of two.
const HOURS_APART: usize = 6;

/// One kind of thing over time.
pub(super) struct Series {
    pub name: String,
    /// Its colour's name on the page.
    pub hue: &'static str,
    /// One a bin; `None` where there is nothing to say.
    pub values: Vec<Option<f64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Stacked, the first at the bottom.
    Columns,
    /// Stacked levels, each as wide as its bin.
    Area,
    /// A point a bin, joined where they are neighbours.
    Line,
}

#[derive(Debug, Default)]
pub(super) struct Drawing {
    pub ticks: Vec<Tick>,
    pub labels: Vec<Label>,
    pub shapes: Vec<Shape>,
    pub places: Vec<Place>,
}

/// A line across and its number.
#[derive(Debug, PartialEq)]
pub(super) struct Tick {
    pub y: f64,
    pub text: String,
}

/// A text under the axis.
#[derive(Debug, PartialEq)]
pub(super) struct Label {
    pub x: f64,
    /// `start`, `middle` or `end`.
    pub anchor: &'static str,
    pub text: String,
}

#[derive(Debug, PartialEq)]
pub(super) struct Shape {
    pub hue: &'static str,
    pub path: String,
    /// Of a line.
    pub dots: Vec<(f64, f64)>,
}

/// A bin's whole height, and what it says when it is pointed at.
#[derive(Debug, PartialEq)]
pub(super) struct Place {
    pub x: f64,
    pub width: f64,
    pub text: String,
}

/// Draws `series`, each of as many values as the timeline has bins.
pub(super) fn draw(timeline: &Timeline, series: &[Series], form: Form, unit: Unit) -> Drawing {
    let sheet = Sheet::new(timeline, series, form, unit);
    let shapes = match form {
        Form::Columns => sheet.columns(series),
        Form::Area => sheet.area(series),
        Form::Line => series.iter().map(|series| sheet.line(series)).collect(),
    };
    let ticks = sheet.scale.ticks().into_iter().map(|(at, text)| Tick { y: rounded(sheet.y(at)), text });
    Drawing {
        ticks: ticks.collect(),
        labels: labels(timeline, &sheet),
        shapes,
        places: places(timeline, series, &sheet),
    }
}

/// When a bin is, for a row and a tooltip.
pub(super) fn bin_name(timeline: &Timeline, at: usize) -> String {
    let begins = timeline.bins[at].begins;
    match timeline.grain {
        Grain::Days => words::weekday(begins),
        Grain::Hours => format!("{} {}", words::weekday(begins), words::hour(begins)),
    }
}

struct Sheet {
    scale: Scale,
    pitch: f64,
}

impl Sheet {
    fn new(timeline: &Timeline, series: &[Series], form: Form, unit: Unit) -> Sheet {
        let bins = timeline.bins.len();
        let value = |series: &Series, at: usize| series.values[at].unwrap_or(0.0);
        let height = |at: usize| match form {
            Form::Line => series.iter().map(|series| value(series, at)).fold(0.0, f64::max),
            Form::Columns | Form::Area => series.iter().map(|series| value(series, at)).sum(),
        };
        let most = (0..bins).map(height).fold(0.0, f64::max);
        Sheet { scale: Scale::holding(most, unit), pitch: (RIGHT - LEFT) / bins.max(1) as f64 }
    }

    fn x(&self, at: usize) -> f64 {
        LEFT + at as f64 * self.pitch
    }

    fn middle(&self, at: usize) -> f64 {
        self.x(at) + self.pitch / 2.0
    }

    fn y(&self, value: f64) -> f64 {
        BASE - value / self.scale.top * (BASE - TOP)
    }

    fn columns(&self, series: &[Series]) -> Vec<Shape> {
        let bins = series.first().map_or(0, |series| series.values.len());
        let width = (self.pitch * COLUMN_SHARE).min(COLUMN_MAX);
        let mut tops = vec![BASE; bins];
        series
            .iter()
            .map(|series| {
                let mut path = String::new();
                for (at, value) in series.values.iter().enumerate() {
                    let Some(value) = value.filter(|value| *value > 0.0) else { continue };
                    let height = (BASE - self.y(value)).max(COLUMN_LEAST);
                    let (x, y) = (self.middle(at) - width / 2.0, tops[at] - height);
                    tops[at] = y;
                    let _ = write!(path, "M{} {}h{}v{}h-{2}z", n(x), n(y), n(width), n(height));
                }
                Shape { hue: series.hue, path, dots: Vec::new() }
            })
            .collect()
    }

    fn area(&self, series: &[Series]) -> Vec<Shape> {
        let bins = series.first().map_or(0, |series| series.values.len());
        let Some(first) = (0..bins).find(|at| series.iter().any(|series| series.values[*at].is_some()))
        else {
            return Vec::new();
        };
        let mut floor = vec![0.0; bins];
        let mut shapes = Vec::new();
        for series in series {
            let ceiling: Vec<f64> =
                floor.iter().zip(&series.values).map(|(floor, value)| floor + value.unwrap_or(0.0)).collect();
            let mut path = format!("M{} {}", n(self.x(first)), n(self.y(floor[first])));
            for (at, level) in ceiling.iter().enumerate().skip(first) {
                let _ = write!(path, "V{}H{}", n(self.y(*level)), n(self.x(at + 1)));
            }
            for (at, level) in floor.iter().enumerate().skip(first).rev() {
                let _ = write!(path, "V{}H{}", n(self.y(*level)), n(self.x(at)));
            }
            path.push('z');
            shapes.push(Shape { hue: series.hue, path, dots: Vec::new() });
            floor = ceiling;
        }
        shapes
    }

    fn line(&self, series: &Series) -> Shape {
        let (mut path, mut dots) = (String::new(), Vec::new());
        let mut is_joined = false;
        for (at, value) in series.values.iter().enumerate() {
            if let Some(value) = value {
                let (x, y) = (self.middle(at), self.y(*value));
                let _ = write!(path, "{}{} {}", if is_joined { "L" } else { "M" }, n(x), n(y));
                dots.push((rounded(x), rounded(y)));
            }
            is_joined = value.is_some();
        }
        Shape { hue: series.hue, path, dots }
    }
}

fn labels(timeline: &Timeline, sheet: &Sheet) -> Vec<Label> {
    let bins = timeline.bins.len();
    let is_labelled = |at: usize| match timeline.grain {
        Grain::Days if bins <= DAYS_ALL => true,
        Grain::Days if bins <= DAYS_HALF => (bins - 1 - at).is_multiple_of(2),
        Grain::Days => words::is_monday(timeline.bins[at].begins),
        Grain::Hours => {
            let apart = if bins > 24 { 2 * HOURS_APART } else { HOURS_APART };
            hour_of_day(timeline, at).is_multiple_of(apart)
        }
    };
    (0..bins)
        .filter(|at| is_labelled(*at))
        .map(|at| {
            let begins = timeline.bins[at].begins;
            let text = match timeline.grain {
                Grain::Days => words::day(begins),
                Grain::Hours if hour_of_day(timeline, at) == 0 => words::weekday(begins),
                Grain::Hours => words::hour(begins),
            };
            let x = sheet.middle(at);
            let (x, anchor) = match x {
                x if x - LABEL_HALF < LEFT => (sheet.x(at), "start"),
                x if x + LABEL_HALF > RIGHT => (RIGHT, "end"),
                x => (x, "middle"),
            };
            Label { x: rounded(x), anchor, text }
        })
        .collect()
}

fn places(timeline: &Timeline, series: &[Series], sheet: &Sheet) -> Vec<Place> {
    let unit = sheet.scale.unit;
    let text = |at: usize| {
        let mut text = bin_name(timeline, at);
        for (number, series) in series.iter().enumerate() {
            let value =
                series.values[at].map_or_else(|| "none".to_owned(), |value| Scale::spelled(unit, value));
            let _ = write!(text, "{} {}: {value}", if number == 0 { "\n" } else { ",\n" }, series.name);
        }
        text
    };
    let bins = timeline.bins.len();
    (0..bins)
        .map(|at| Place { x: rounded(sheet.x(at)), width: rounded(sheet.pitch), text: text(at) })
        .collect()
}

fn hour_of_day(timeline: &Timeline, at: usize) -> usize {
    usize::try_from(timeline.bins[at].begins.0.rem_euclid(86_400) / 3_600).unwrap_or(0)
}

fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// A coordinate: one digit behind the point, none where it is zero.
fn n(number: f64) -> String {
    let number = rounded(number);
    if number == number.trunc() { format!("{number:.0}") } else { format!("{number:.1}") }
}
