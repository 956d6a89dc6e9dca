//! Sleeves with somebody on them: birds, faces.

use super::geometric::leaf;
use super::path::{Cap, Path, Point};
use super::typographic::{Place, caption};
use super::{Canvas, Rgb, Sitting};
use std::f32::consts::PI;

/// Birds on wires.
pub(super) fn birds(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, c, d] = s.chance.shuffled(s.palette.tones);
    let ground = s.chance.pick(&[s.palette.paper, s.palette.paper, d.mix(s.palette.paper, 0.55)]);
    canvas.flood(ground);
    let sun = (s.chance.between(0.55, 0.8), s.chance.between(0.3, 0.36));
    canvas.fill(Path::new().disc(sun, s.chance.between(0.1, 0.15)), c.mix(ground, 0.25));
    let wires = [0.5, 0.7, 0.88];
    let wire = |row: usize, x: f32| wires[row] - 0.05 + 0.16 * (x - 0.5).powi(2) + 0.02 * row as f32 * x;
    for row in 0..wires.len() {
        let line: Vec<Point> =
            (0..=60).map(|i| i as f32 / 60.0 * 1.1 - 0.05).map(|x| (x, wire(row, x))).collect();
        canvas.fill(Path::new().line(&line, 0.005, Cap::Flat), s.palette.ink);
    }
    let inks = [a, b, s.palette.ink, c, a, b];
    let mut index = s.chance.below(3);
    for row in 0..wires.len() {
        let mut x = s.chance.between(0.12, 0.3);
        while x < 0.9 {
            let size = s.chance.between(0.11, 0.15);
            let facing = if s.chance.happens(0.5) { 1.0 } else { -1.0 };
            bird(canvas, s, ((x, wire(row, x)), size * facing), [inks[index % 6], inks[(index + 1) % 6]]);
            index += 1;
            x += s.chance.between(0.26, 0.5);
        }
    }
    caption(canvas, s, Place::TopLeft { height: 0.042 }, s.palette.ink);
}

/// A bird on its feet at a place; a negative size looks to the left.
fn bird(canvas: &mut Canvas, s: &mut Sitting, ((x, y), size): (Point, f32), [body, wing]: [Rgb; 2]) {
    let tall = size.abs();
    let at = |u: f32, v: f32| (x + u * size, y - v * tall);
    for foot in [-0.08, 0.1] {
        canvas.fill(Path::new().line(&[at(foot, 0.0), at(foot, 0.4)], 0.004, Cap::Flat), s.palette.ink);
    }
    canvas.fill(Path::new().polygon(&[at(-0.3, 0.42), at(-0.95, 0.12), at(-0.82, 0.34)]), wing.darker(0.12));
    canvas.fill(&leaf(at(-0.62, 0.3), at(0.52, 1.12)), body);
    canvas.fill(Path::new().disc(at(0.34, 1.0), tall * 0.23), body);
    canvas.fill(
        Path::new().polygon(&[at(0.52, 1.08), at(0.8, 0.98), at(0.54, 0.92)]),
        s.palette.tones[1].darker(0.1),
    );
    canvas.fill(&leaf(at(-0.56, 0.42), at(0.1, 0.84)), wing);
    canvas.fill(Path::new().disc(at(0.4, 1.05), tall * 0.062), s.palette.paper);
    canvas.fill(Path::new().disc(at(0.41, 1.05), tall * 0.034), s.palette.ink);
}

/// A face in two lights.
pub(super) fn faces(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, c, d] = s.chance.shuffled(s.palette.tones);
    canvas.flood(d);
    canvas.fill(Path::new().rect((0.5, 0.0), (1.0, 1.0)), c.mix(d, 0.25));
    let (middle, eyes) = ((0.5, 0.53), s.chance.between(0.45, 0.48));
    let (rx, ry) = (s.chance.between(0.24, 0.28), s.chance.between(0.32, 0.35));
    neck(canvas, (a, b.darker(0.1)));
    canvas.fill(&half(middle, (rx, ry), PI / 2.0), a);
    canvas.fill(&half(middle, (rx, ry), -PI / 2.0), b);
    hair(canvas, s, (middle, (rx, ry)));
    for (side, ink) in [(-1.0, s.palette.paper), (1.0, s.palette.paper)] {
        let x = 0.5 + side * rx * 0.5;
        let lens: Vec<Point> =
            (0..=40).map(|i| i as f32 / 40.0 * 2.0 - 1.0).map(|t| (t, 0.036 * (1.0 - t * t))).collect();
        let upper = lens.iter().map(|&(t, v)| (x + 0.075 * t, eyes - v));
        let lower = lens.iter().rev().map(|&(t, v)| (x + 0.075 * t, eyes + v * 0.8));
        canvas.fill(Path::new().polygon(&upper.chain(lower).collect::<Vec<Point>>()), ink);
        canvas.fill(Path::new().disc((x, eyes), 0.027), s.palette.ink);
        let brow = [(x - 0.09, eyes - 0.062), (x - side * 0.0, eyes - 0.085), (x + 0.09, eyes - 0.062)];
        canvas.fill(Path::new().line(&brow, 0.014, Cap::Round), s.palette.ink);
    }
    let nose = [(0.5, eyes - 0.06), (0.5, 0.605), (0.445, 0.605)];
    canvas.fill(Path::new().line(&nose, 0.011, Cap::Round), s.palette.ink);
    let lips = [(0.42, 0.7), (0.47, 0.678), (0.5, 0.688), (0.53, 0.678), (0.58, 0.7), (0.5, 0.738)];
    canvas.fill(Path::new().blob(&lips), s.palette.ink);
    canvas.fill(Path::new().line(&[(0.425, 0.702), (0.575, 0.702)], 0.006, Cap::Flat), d);
    if s.chance.happens(0.6) {
        for side in [-1.0, 1.0] {
            canvas.fill(Path::new().disc((0.5 + side * (rx + 0.01), 0.66), 0.034), s.palette.paper);
            canvas.fill(Path::new().disc((0.5 + side * (rx + 0.01), 0.66), 0.018), d.darker(0.2));
        }
    }
    caption(canvas, s, Place::TopLine { height: 0.026 }, s.palette.legible_on(d));
}

fn neck(canvas: &mut Canvas, (left, right): (Rgb, Rgb)) {
    let side = |sign: f32| {
        [(0.5, 0.7), (0.5 + sign * 0.1, 0.7), (0.5 + sign * 0.1, 0.9), (0.5 + sign * 0.34, 1.02), (0.5, 1.02)]
    };
    canvas.fill(Path::new().polygon(&side(-1.0)), left.darker(0.22));
    canvas.fill(Path::new().polygon(&side(1.0)), right.darker(0.22));
}

fn hair(canvas: &mut Canvas, s: &mut Sitting, ((x, y), (rx, ry)): (Point, Point)) {
    let ink = s.palette.ink;
    match s.chance.below(3) {
        0 => {
            // A cloud of curls.
            let mut curls = Path::new();
            for i in 0..=22 {
                let angle = PI + PI * (i as f32 / 22.0 * 1.3 - 0.15);
                curls.disc((x + rx * 1.08 * angle.cos(), y - 0.04 + ry * 0.98 * angle.sin()), 0.07);
                curls.disc(
                    (x + rx * 0.72 * angle.cos(), y - 0.09 + ry * 0.82 * angle.sin().min(-0.55)),
                    0.075,
                );
            }
            canvas.fill(&curls, ink);
        }
        1 => {
            let cap = half_down((x, y - ry * 0.42), (rx * 1.02, ry * 0.64));
            canvas.fill(&cap, ink);
            canvas.fill(Path::new().rect((x - rx * 1.25, y - ry * 0.5), (x + rx * 1.25, y - ry * 0.38)), ink);
        }
        _ => {
            let bob = half_down((x, y - ry * 0.3), (rx * 1.14, ry * 0.8));
            canvas.fill(&bob, ink);
            for side in [-1.0, 1.0] {
                let (inner, outer) = (x + side * rx * 0.84, x + side * rx * 1.14);
                let strand = [
                    (outer, y - ry * 0.32),
                    (inner, y - ry * 0.32),
                    (inner + side * 0.01, y + 0.2),
                    (outer, y + 0.26),
                ];
                canvas.fill(Path::new().polygon(&strand), ink);
            }
        }
    }
}

/// The half of an ellipse that begins at an angle and goes on clockwise for half a turn.
fn half((x, y): Point, (rx, ry): Point, from: f32) -> Path {
    let outline: Vec<Point> = (0..=80)
        .map(|i| from + PI * i as f32 / 80.0)
        .map(|angle| (x + rx * angle.cos(), y + ry * angle.sin()))
        .collect();
    let mut path = Path::new();
    path.polygon(&outline);
    path
}

fn half_down(middle: Point, radii: Point) -> Path {
    half(middle, radii, PI)
}
