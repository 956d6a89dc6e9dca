//! Sleeves made of fine lines.

use super::noise::Noise;
use super::path::{Cap, Path, Point};
use super::typographic::{Place, caption};
use super::{Canvas, Rgb, Sitting, gradient};
use std::f32::consts::{PI, TAU};

/// The track of two swinging pendulums.
pub(super) fn harmonograph(canvas: &mut Canvas, s: &mut Sitting) {
    let dark = s.chance.happens(0.65);
    let ground = if dark { s.palette.ink } else { s.palette.paper };
    canvas.flood(ground);
    let (p, q) = s.chance.pick(&[(2.0, 3.0), (3.0, 4.0), (3.0, 5.0), (1.0, 2.0), (4.0, 5.0), (2.0, 5.0f32)]);
    let (phase, drift) = (s.chance.unit() * PI, s.chance.between(0.003, 0.011));
    let turns = 34.0;
    let decay = s.chance.between(0.55, 1.1);
    let place = |t: f32| {
        let fade = 0.4 * (-decay * t / turns).exp();
        let angle = t * TAU;
        let x = 0.72 * (angle * p / 2.0 + phase).sin() + 0.28 * (angle * (q / 2.0 + drift)).sin();
        let y = 0.72 * (angle * (q / 2.0 + drift)).cos() + 0.28 * (angle * p / 2.0).sin();
        (0.5 + fade * x * 1.1, 0.54 + fade * y * 1.02)
    };
    let parts = 60;
    let per_part = 110;
    let [a, b, c, _] = s.palette.tones;
    let stops = if dark { [c, a, b] } else { [s.palette.ink, a, b] };
    for part in 0..parts {
        let time = |i: usize| turns * (part * per_part + i) as f32 / (parts * per_part) as f32;
        let line: Vec<Point> = (0..=per_part).map(|i| place(time(i))).collect();
        let colour = gradient(&stops, part as f32 / parts as f32);
        let ink = if dark { colour.screen(0.85) } else { colour.multiply(0.8) };
        canvas.fill(Path::new().line(&line, 0.0027, Cap::Flat), ink);
    }
    caption(canvas, s, Place::TopLine { height: 0.026 }, s.palette.legible_on(ground));
}

/// A signal's traces, one behind the other.
pub(super) fn pulses(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, c, _] = s.palette.tones;
    let (ground, line) = match s.chance.below(3) {
        0 => (s.palette.ink, s.palette.paper),
        1 => (a.darker(0.35), s.palette.paper),
        _ => (s.palette.paper, s.palette.ink),
    };
    canvas.flood(ground);
    let noise = Noise::new(&mut s.chance);
    let rows = s.chance.pick(&[34usize, 42, 50]);
    let round = s.chance.happens(0.5);
    let accent = s.chance.below(rows);
    let accent_ink = [a, b, c].into_iter().max_by(|p, q| p.contrast(ground).total_cmp(&q.contrast(ground)));
    let accent_ink = accent_ink.unwrap_or(line);
    for row in 0..rows {
        let depth = row as f32 / (rows - 1) as f32;
        let base = 0.3 + 0.54 * depth;
        let reach = if round { (1.0 - (2.0 * depth - 1.0).powi(2)).sqrt() * 0.36 + 0.02 } else { 0.35 };
        let trace: Vec<Point> = (0..=260)
            .map(|i| {
                let across = i as f32 / 130.0 - 1.0;
                let x = 0.5 + reach * across;
                let middle = (-(across * 1.9).powi(4)).exp() * if round { 1.0 } else { 0.9 };
                let peak = noise.layered(x * 8.0, row as f32 * 0.37, 2).abs()
                    + 0.25 * noise.at(x * 40.0, row as f32);
                (x, base - 0.135 * middle * peak.max(-0.02) - 0.003 * noise.at(x * 60.0, row as f32 * 3.0))
            })
            .collect();
        let mut below = trace.clone();
        below.extend([(0.5 + reach, base + 0.03), (0.5 - reach, base + 0.03)]);
        canvas.fill(Path::new().polygon(&below), ground);
        let near = row.abs_diff(accent);
        let colour = if near < 3 { accent_ink } else { line };
        canvas.fill(Path::new().line(&trace, 0.0034, Cap::Round), colour);
    }
    caption(canvas, s, Place::TopCentre { height: 0.032 }, line);
}

/// Threads pulled between points of two curves.
pub(super) fn strings(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, c, d] = s.palette.tones;
    let (ground, dark) =
        s.chance.pick(&[(s.palette.ink, true), (a.darker(0.45), true), (s.palette.paper, false)]);
    canvas.flood(ground);
    let inks = if dark { [b, c, s.palette.paper] } else { [a, b, d] };
    match s.chance.below(3) {
        0 => cardioids(canvas, s, (ground, dark), inks),
        1 => fans(canvas, s, dark, inks),
        _ => moire(canvas, s, inks),
    }
    caption(canvas, s, Place::BottomLeft { height: 0.036 }, s.palette.legible_on(ground));
}

fn thread(colour: Rgb, dark: bool) -> super::Ink {
    if dark { colour.screen(0.5) } else { colour.multiply(0.6) }
}

fn cardioids(canvas: &mut Canvas, s: &mut Sitting, (_, dark): (Rgb, bool), inks: [Rgb; 3]) {
    let factor = s.chance.pick(&[2.0, 3.0, 4.0, 5.0f32]);
    let count = 220;
    let turn = s.chance.unit() * TAU;
    for i in 0..count {
        let share = i as f32 / count as f32;
        let pin = |angle: f32| (0.5 + 0.36 * (turn + angle).cos(), 0.43 + 0.36 * (turn + angle).sin());
        let line = [pin(share * TAU), pin(share * TAU * factor)];
        let colour = gradient(&[inks[0], inks[1], inks[2], inks[0]], share);
        canvas.fill(Path::new().line(&line, 0.0019, Cap::Flat), thread(colour, dark));
    }
}

fn fans(canvas: &mut Canvas, s: &mut Sitting, dark: bool, inks: [Rgb; 3]) {
    let corners = [(0.08, 0.08), (0.92, 0.08), (0.92, 0.8), (0.08, 0.8)];
    let middle = (s.chance.between(0.4, 0.6), s.chance.between(0.38, 0.5));
    for (i, colour) in [inks[0], inks[1], inks[2], inks[1]].into_iter().enumerate() {
        let (from, to) = (corners[i], corners[(i + 1) % 4]);
        for step in 0..=44 {
            let t = step as f32 / 44.0;
            let start = (from.0 + (middle.0 - from.0) * t, from.1 + (middle.1 - from.1) * t);
            let end = (middle.0 + (to.0 - middle.0) * t, middle.1 + (to.1 - middle.1) * t);
            canvas.fill(Path::new().line(&[start, end], 0.002, Cap::Flat), thread(colour, dark));
        }
    }
}

fn moire(canvas: &mut Canvas, s: &mut Sitting, inks: [Rgb; 3]) {
    let apart = s.chance.between(0.05, 0.11);
    for (centre, colour) in
        [((0.5 - apart, 0.42), inks[0]), ((0.5 + apart, 0.42), inks[1]), ((0.5, 0.5), inks[2])]
    {
        let mut path = Path::new();
        for i in 1..30 {
            let radius = 0.0115 * i as f32;
            path.ring(centre, radius + 0.0022, radius - 0.0022);
        }
        canvas.fill(&path, colour.ink(0.85));
    }
}
