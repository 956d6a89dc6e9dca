//! Sleeves painted with a broad brush: many hairs, each with its own load of ink.

use super::noise::Noise;
use super::path::{Cap, Path, Point, curve};
use super::typographic::{Place, caption};
use super::{Canvas, Rgb, Sitting};
use std::f32::consts::TAU;

/// Where the brush went, how broad it was and what was on it.
struct Sweep<'a> {
    track: &'a [Point],
    breadth: f32,
    colour: Rgb,
    /// 0 is a brush that never runs dry, 1 one that ends in single hairs.
    dry: f32,
}

/// One circle in one breath.
pub(super) fn enso(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, _, _] = s.palette.tones;
    let ground = s.palette.paper;
    canvas.flood(ground);
    let start = s.chance.between(0.0, TAU);
    let radius = s.chance.between(0.27, 0.31);
    let wobble = s.chance.between(0.01, 0.025);
    let track: Vec<Point> = (0..=120)
        .map(|i| {
            let angle = start + i as f32 / 120.0 * TAU * 0.965;
            let reach = radius + wobble * (2.0 * angle + start).sin() - 0.012 * i as f32 / 120.0;
            (0.5 + reach * angle.cos(), 0.5 + reach * angle.sin())
        })
        .collect();
    let colour = s.chance.pick(&[s.palette.ink, s.palette.ink, a]);
    let breadth = s.chance.between(0.075, 0.11);
    sweep(canvas, s, &Sweep { track: &track, breadth, colour, dry: 0.9 });
    let spot = if colour == a { b } else { a };
    let at = s.chance.pick(&[(0.84, 0.86), (0.16, 0.86), (0.86, 0.15)]);
    canvas.fill(Path::new().rect((at.0 - 0.026, at.1 - 0.032), (at.0 + 0.026, at.1 + 0.032)), spot);
    for i in 0..3 {
        let y = at.1 - 0.016 + 0.016 * i as f32;
        let line = [(at.0 - 0.014, y), (at.0 + 0.014, y)];
        canvas.fill(Path::new().line(&line, 0.004, Cap::Flat), ground);
    }
    canvas.fill(Path::new().line(&[(at.0, at.1 - 0.02), (at.0, at.1 + 0.02)], 0.004, Cap::Flat), ground);
}

/// A few broad strokes of colour, wet into wet.
pub(super) fn strokes(canvas: &mut Canvas, s: &mut Sitting) {
    let dark = s.chance.happens(0.3);
    let ground = if dark { s.palette.ink } else { s.palette.paper };
    canvas.flood(ground);
    let [a, b, c, d] = s.chance.shuffled(s.palette.tones);
    let last = if dark { s.palette.paper } else { s.palette.ink };
    let lean = s.chance.between(-0.18, 0.18);
    for (i, colour) in [c, a, d, b, last].into_iter().enumerate() {
        let y = 0.35 + 0.115 * i as f32 + s.chance.between(-0.03, 0.03);
        let (from, to) = (s.chance.between(-0.05, 0.16), s.chance.between(0.8, 1.05));
        let bow = s.chance.between(-0.07, 0.09);
        let points: Vec<Point> = (0..6)
            .map(|step| {
                let t = step as f32 / 5.0;
                let x = from + (to - from) * t;
                (x, y + lean * (x - 0.5) + bow * (t * 3.2).sin() + s.chance.between(-0.012, 0.012))
            })
            .collect();
        let breadth = if i == 4 { 0.05 } else { s.chance.between(0.1, 0.17) };
        sweep(canvas, s, &Sweep { track: &curve(&points, 18), breadth, colour, dry: 0.55 });
    }
    caption(canvas, s, Place::TopLeft { height: 0.036 }, last);
}

fn sweep(canvas: &mut Canvas, s: &mut Sitting, sweep: &Sweep) {
    let noise = Noise::new(&mut s.chance);
    let hairs = 64;
    let count = sweep.track.len();
    for hair in 0..hairs {
        let across = hair as f32 / (hairs - 1) as f32 * 2.0 - 1.0;
        let load = 1.12 - sweep.dry * (0.4 * across * across + 0.55 * s.chance.unit());
        let late = (s.chance.unit() * 0.025 * count as f32) as usize;
        let shade = s.chance.between(-0.1, 0.12);
        let colour = if shade < 0.0 { sweep.colour.darker(-shade) } else { sweep.colour.lighter(shade) };
        let mut run: Vec<Point> = Vec::new();
        let mut path = Path::new();
        let width = sweep.breadth / hairs as f32 * s.chance.between(1.3, 2.4);
        for i in late..count {
            let gone = i as f32 / count as f32;
            let flow =
                load - sweep.dry * gone * 0.72 + 0.3 * sweep.dry * noise.at(gone * 14.0, hair as f32 * 0.7);
            if flow > 0.28 {
                run.push(beside(sweep.track, i, across * sweep.breadth / 2.0 * press(gone)));
            } else {
                path.line(&std::mem::take(&mut run), width, Cap::Round);
            }
        }
        path.line(&run, width, Cap::Round);
        canvas.fill(&path, colour.ink(0.93));
    }
}

/// The brush goes down broad and lifts at the end.
fn press(gone: f32) -> f32 {
    (0.82 + 0.9 * gone * (1.0 - gone)) * (1.0 - 0.3 * gone.powi(6))
}

fn beside(track: &[Point], i: usize, off: f32) -> Point {
    let (before, after) = (track[i.saturating_sub(1)], track[(i + 1).min(track.len() - 1)]);
    let (dx, dy) = (after.0 - before.0, after.1 - before.1);
    let length = dx.hypot(dy).max(1e-6);
    (track[i].0 - dy / length * off, track[i].1 + dx / length * off)
}
