//! Sleeves that show a thing: leaves, keys, vessels, loudspeakers.

use super::path::{Cap, Path, Point, curve};
use super::typographic::{Place, caption};
use super::{Canvas, Rgb, Sitting, ramp};
use std::f32::consts::TAU;

/// Cut-outs with scissors: seaweed and leaves on fields of colour.
pub(super) fn leaves(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, c, d] = s.chance.shuffled(s.palette.tones);
    let grounds =
        [s.palette.paper, d, c.mix(s.palette.paper, 0.5), s.palette.paper, b, d.mix(s.palette.paper, 0.6)];
    let (columns, rows) = s.chance.pick(&[(2usize, 2usize), (3, 2), (2, 3)]);
    let (wide, high) = (1.0 / columns as f32, 0.83 / rows as f32);
    canvas.flood(s.palette.paper);
    for cell in 0..columns * rows {
        let (x, y) = ((cell % columns) as f32 * wide, 0.17 + (cell / columns) as f32 * high);
        let ground = grounds[cell % grounds.len()];
        canvas.fill(Path::new().rect((x, y), (x + wide + 0.001, y + high + 0.001)), ground);
        let colours = [a, s.palette.ink, b, a, s.palette.paper, c];
        let seen =
            colours.iter().cycle().skip(cell).take(colours.len()).find(|tone| tone.contrast(ground) > 0.75);
        let colour = seen.copied().unwrap_or(s.palette.ink);
        frond(canvas, s, ((x + wide / 2.0, y + high / 2.0), wide.min(high) * 0.46), colour);
    }
    caption(canvas, s, Place::TopLeft { height: 0.032 }, s.palette.ink);
}

fn frond(canvas: &mut Canvas, s: &mut Sitting, ((x, y), size): (Point, f32), colour: Rgb) {
    let lean = s.chance.between(-0.6, 0.6);
    let (sin, cos) = lean.sin_cos();
    let place = |u: f32, v: f32| (x + size * (u * cos - v * sin), y + size * (u * sin + v * cos));
    let bow = s.chance.between(-0.25, 0.25);
    let stem = |t: f32| (bow * (t * 2.2).sin(), 0.95 - 1.85 * t);
    let pairs = s.chance.pick(&[4usize, 5, 6]);
    let mut path = Path::new();
    let spine: Vec<Point> = (0..=20).map(|i| stem(i as f32 / 20.0)).map(|(u, v)| place(u, v)).collect();
    path.line(&spine, size * 0.1, Cap::Round);
    for pair in 0..pairs {
        let t = 0.12 + 0.76 * pair as f32 / (pairs - 1) as f32;
        let length = (0.72 - 0.4 * (t - 0.35).abs() * 1.6) * s.chance.between(0.88, 1.1);
        for side in [-1.0, 1.0f32] {
            lobe(&mut path, stem(t), (side, length), &place);
        }
    }
    let (u, v) = stem(1.0);
    path.blob(&[place(u, v - 0.14), place(u + 0.13, v + 0.1), place(u, v + 0.3), place(u - 0.13, v + 0.1)]);
    canvas.fill(&path, colour);
}

fn lobe(path: &mut Path, (u, v): Point, (side, length): (f32, f32), place: &impl Fn(f32, f32) -> Point) {
    let at = |out: f32, up: f32| place(u + side * out * length, v - up * length);
    let outline = [
        at(-0.05, -0.1),
        at(0.45, 0.02),
        at(0.95, 0.34),
        at(1.02, 0.62),
        at(0.7, 0.56),
        at(0.3, 0.32),
        at(-0.05, 0.1),
    ];
    path.blob(&outline);
}

/// A keyboard gone for a walk.
pub(super) fn keys(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, c, d] = s.palette.tones;
    let ground = s.chance.pick(&[a, b, s.palette.ink]);
    canvas.flood(ground);
    let count = s.chance.pick(&[11usize, 13, 15]);
    let wide = 1.0 / count as f32;
    let (swing, phase) = (s.chance.between(0.06, 0.12), s.chance.unit() * TAU);
    let lift = |i: usize| swing * (i as f32 / count as f32 * TAU + phase).sin();
    for i in 0..count {
        let x = i as f32 * wide;
        let top = 0.36 + lift(i);
        let white = if s.chance.happens(0.22) { s.chance.pick(&[c, d]) } else { s.palette.paper };
        let white = if white == ground { s.palette.paper } else { white };
        canvas.fill(Path::new().rect((x + 0.004, top), (x + wide - 0.004, top + 0.46)), white);
        canvas.fill(
            Path::new().rect((x + 0.004, top + 0.44), (x + wide - 0.004, top + 0.46)),
            Rgb::BLACK.ink(0.18),
        );
    }
    for i in 0..count - 1 {
        // Of seven white keys the third and the last have no black one beside them.
        if matches!(i % 7, 2 | 6) {
            continue;
        }
        let x = (i + 1) as f32 * wide;
        let top = 0.36 + (lift(i) + lift(i + 1)) / 2.0 - 0.02;
        let black = if ground == s.palette.ink { a } else { s.palette.ink };
        canvas.fill(Path::new().rect((x - wide * 0.3, top), (x + wide * 0.3, top + 0.29)), black);
    }
    caption(canvas, s, Place::TopLeft { height: 0.05 }, s.palette.legible_on(ground));
}

/// Bottles and bowls on a table, one seen through the other.
pub(super) fn vessels(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, c, d] = s.chance.shuffled(s.palette.tones);
    let wall = s.palette.paper;
    canvas.flood(wall);
    let table = s.chance.between(0.74, 0.8);
    canvas.fill(Path::new().rect((0.0, table), (1.0, 1.01)), d.mix(wall, 0.35));
    let window = s.chance.between(0.1, 0.6);
    canvas.fill(Path::new().rect((window, 0.2), (window + 0.3, table)), d.mix(wall, 0.72));
    let count = s.chance.pick(&[4usize, 5]);
    let kinds = s.chance.shuffled([0usize, 1, 2, 3, 4]);
    for (i, &kind) in kinds.iter().take(count).enumerate() {
        let x = 0.2 + 0.6 * i as f32 / (count - 1) as f32 + s.chance.between(-0.02, 0.02);
        let foot = table + s.chance.between(0.03, 0.1);
        let colour = [a, b, c, s.palette.ink, a.mix(b, 0.5)][i];
        let high = [0.5, 0.3, 0.42, 0.22, 0.36][kind] * s.chance.between(0.92, 1.12);
        let shade = Path::new().ellipse((x + 0.05, foot), (0.12, 0.016), 0.0).clone();
        canvas.fill(&shade, Rgb::BLACK.multiply(0.14));
        let body = vessel(profile(kind), (x, foot), high);
        canvas.fill(&body, colour.multiply(0.94));
        canvas.fill_with(&body, |px, _| Rgb::WHITE.ink(0.16 * ramp(x + 0.02, x - 0.08, px)));
    }
    caption(canvas, s, Place::TopLeft { height: 0.038 }, s.palette.ink);
}

/// Half widths from foot to rim, in parts of the height.
fn profile(kind: usize) -> &'static [Point] {
    match kind {
        0 => {
            &[(0.0, 0.15), (0.02, 0.17), (0.45, 0.17), (0.58, 0.12), (0.68, 0.055), (0.96, 0.05), (1.0, 0.06)]
        }
        1 => &[(0.0, 0.16), (0.04, 0.2), (0.3, 0.36), (0.6, 0.36), (0.85, 0.2), (0.95, 0.19), (1.0, 0.22)],
        2 => {
            &[(0.0, 0.14), (0.05, 0.13), (0.35, 0.26), (0.55, 0.24), (0.78, 0.08), (0.94, 0.08), (1.0, 0.13)]
        }
        3 => &[(0.0, 0.2), (0.06, 0.2), (0.1, 0.12), (0.25, 0.34), (0.6, 0.58), (0.96, 0.66), (1.0, 0.66)],
        _ => &[(0.0, 0.22), (0.03, 0.23), (0.9, 0.25), (0.97, 0.27), (1.0, 0.27)],
    }
}

fn vessel(profile: &[Point], (x, foot): Point, high: f32) -> Path {
    let side = curve(profile, 10);
    let right = side.iter().map(|&(up, half)| (x + half * high, foot - up * high));
    let left = side.iter().rev().map(|&(up, half)| (x - half * high, foot - up * high));
    let mut path = Path::new();
    path.polygon(&right.chain(left).collect::<Vec<Point>>());
    path
}

/// A wall of loudspeakers.
pub(super) fn speakers(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, c, d] = s.chance.shuffled(s.palette.tones);
    canvas.flood(s.palette.ink);
    let mut x = 0.0;
    while x < 0.97 {
        let wide = s.chance.pick(&[0.25, 0.25, 0.5f32]).min(1.0 - x);
        let mut y = 0.0;
        while y < 0.97 {
            let high = if wide > 0.4 { 0.5 } else { s.chance.pick(&[0.25, 0.5, 0.5f32]) }.min(1.0 - y);
            let colour = s.chance.pick(&[a, b, c, d]);
            cabinet(canvas, s, ((x, y), (wide, high)), colour);
            y += high;
        }
        x += wide;
    }
}

fn cabinet(canvas: &mut Canvas, s: &mut Sitting, ((x, y), (wide, high)): (Point, Point), colour: Rgb) {
    let gap = 0.006;
    canvas.fill(Path::new().rect((x + gap, y + gap), (x + wide - gap, y + high - gap)), colour);
    let centre_x = x + wide / 2.0;
    if high > wide {
        cone(canvas, s, ((centre_x, y + high * 0.68), wide * 0.39), colour);
        cone(canvas, s, ((centre_x, y + high * 0.26), wide * 0.22), colour);
    } else {
        cone(canvas, s, ((centre_x, y + high / 2.0), high.min(wide) * 0.4), colour);
    }
    let inset = 0.022;
    for (sx, sy) in
        [(inset, inset), (wide - inset, inset), (inset, high - inset), (wide - inset, high - inset)]
    {
        canvas.fill(Path::new().disc((x + sx, y + sy), 0.0055), s.palette.ink);
    }
}

fn cone(canvas: &mut Canvas, s: &mut Sitting, (centre, radius): (Point, f32), ground: Rgb) {
    let others: Vec<Rgb> = s.palette.tones.iter().copied().filter(|&tone| tone != ground).collect();
    let (first, second) = (s.chance.pick(&others), s.chance.pick(&others));
    let ink = s.palette.ink;
    let rings = [
        (1.0, ink),
        (0.92, s.palette.paper),
        (0.84, ink),
        (0.76, first),
        (0.66, ink),
        (0.6, second),
        (0.36, ink),
    ];
    for (scale, colour) in rings {
        canvas.fill(Path::new().disc(centre, radius * scale), colour);
    }
    canvas.fill(Path::new().disc(centre, radius * 0.26), s.palette.paper);
    let glint = [(0.5, -2.6, -1.9), (0.5, 0.55, 1.25)];
    for (scale, from, to) in glint {
        let part = (radius * scale, radius * (scale - 0.06));
        canvas.fill(Path::new().sector(centre, part, from, to), s.palette.paper.ink(0.55));
    }
}
