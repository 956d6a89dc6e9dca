//! Sleeves built from circles, squares and rays.

use super::path::{Cap, Path, Point, arc};
use super::typographic::{Place, caption};
use super::{Canvas, Rgb, Sitting};
use std::f32::consts::{FRAC_PI_2, PI, TAU};

/// A grid of cut discs, leaves and bars: the modernist sleeve of the late fifties.
pub(super) fn circles(canvas: &mut Canvas, s: &mut Sitting) {
    let count = s.chance.pick(&[3usize, 4, 4, 5]);
    let cell = 1.0 / count as f32;
    canvas.flood(s.palette.paper);
    let mut last = s.palette.paper;
    for row in 1..count {
        for column in 0..count {
            let corner = (column as f32 * cell, row as f32 * cell);
            let [a, b, c, d] = s.palette.tones;
            let grounds = [s.palette.paper, s.palette.paper, a, b, c, d, s.palette.ink];
            let mut ground = s.chance.pick(&grounds);
            if ground == last {
                ground = s.chance.pick(&grounds);
            }
            last = ground;
            let far = (corner.0 + cell + 0.001, corner.1 + cell + 0.001);
            canvas.fill(Path::new().rect(corner, far), ground);
            let colours: Vec<Rgb> = grounds[1..].iter().copied().filter(|&colour| colour != ground).collect();
            motif(canvas, s, corner, cell, &colours);
        }
    }
    let height = [0.055, 0.042, 0.034][count - 3];
    caption(canvas, s, Place::TopLeft { height }, s.palette.ink);
}

fn motif(canvas: &mut Canvas, s: &mut Sitting, (x, y): Point, cell: f32, colours: &[Rgb]) {
    let (first, second) = (s.chance.pick(colours), s.chance.pick(colours));
    let middle = (x + cell / 2.0, y + cell / 2.0);
    let quarter = s.chance.below(4);
    let (dx, dy) = [(0.0, 0.0), (cell, 0.0), (cell, cell), (0.0, cell)][quarter];
    let corner = (x + dx, y + dy);
    let mut path = Path::new();
    match s.chance.below(9) {
        0 => canvas.fill(path.quarter(corner, cell, quarter), first),
        1 => {
            canvas.fill(Path::new().quarter(corner, cell, quarter), first);
            canvas.fill(path.quarter(corner, cell / 2.0, quarter), second);
        }
        2 => {
            canvas.fill(Path::new().disc(middle, cell * 0.5), first);
            canvas.fill(path.disc(middle, cell * 0.22), second);
        }
        3 => {
            let from = quarter as f32 * FRAC_PI_2;
            canvas.fill(path.sector(middle, (cell / 2.0, 0.0), from, from + PI), first);
        }
        4 => {
            let opposite = (x + cell - dx, y + cell - dy);
            canvas.fill(&leaf(corner, opposite), first);
        }
        5 => {
            (0..4).for_each(|i| {
                let part = cell * (1.0 - i as f32 * 0.25);
                path.sector(
                    corner,
                    (part, part - cell * 0.125),
                    quarter_angle(quarter),
                    quarter_angle(quarter + 1),
                );
            });
            canvas.fill(&path, first);
        }
        6 => {
            for i in 0..9 {
                let at = (x + cell * (0.2 + 0.3 * (i % 3) as f32), y + cell * (0.2 + 0.3 * (i / 3) as f32));
                path.disc(at, cell * 0.085);
            }
            canvas.fill(&path, first);
        }
        7 => {
            for i in 0..4 {
                let top = y + cell * (0.0625 + i as f32 * 0.25);
                path.rect((x, top), (x + cell, top + cell * 0.125));
            }
            canvas.fill(&path, first);
        }
        _ => canvas.fill(path.polygon(&[corner, (x + cell - dx, y + dy), (x + dx, y + cell - dy)]), first),
    }
}

fn quarter_angle(quarter: usize) -> f32 {
    quarter as f32 * FRAC_PI_2
}

/// The lens between two corners of a square.
pub(super) fn leaf(from: Point, to: Point) -> Path {
    let side = |(ax, ay): Point, (bx, by): Point| {
        (0..24).map(move |i| {
            let (sin, cos) = (i as f32 / 24.0 * FRAC_PI_2).sin_cos();
            (ax + (bx - ax) * sin, ay + (by - ay) * (1.0 - cos))
        })
    };
    let points: Vec<Point> = side(from, to).chain(side(to, from)).collect();
    let mut path = Path::new();
    path.polygon(&points);
    path
}

/// A few large forms, printed over each other.
pub(super) fn bauhaus(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, c, d] = s.chance.shuffled(s.palette.tones);
    canvas.flood(s.palette.paper);
    let lean = s.chance.between(0.5, 0.95) * if s.chance.happens(0.5) { 1.0 } else { -1.0 };
    let centre = (s.chance.between(0.36, 0.64), s.chance.between(0.34, 0.46));
    let radius = s.chance.between(0.25, 0.32);
    let (dx, dy) = (lean.cos(), lean.sin());
    let along = |t: f32, off: f32| (centre.0 + dx * t - dy * off, centre.1 + dy * t + dx * off);
    canvas.fill(Path::new().disc(centre, radius), a);
    let bar = s.chance.between(0.09, 0.14);
    canvas.fill(Path::new().line(&[along(-1.5, 0.12), along(1.5, 0.12)], bar, Cap::Flat), b.multiply(0.95));
    let half = along(s.chance.between(0.2, 0.3), -0.16);
    let from = lean + PI * s.chance.below(2) as f32;
    let r = radius * 0.72;
    canvas.fill(Path::new().sector(half, (r, 0.0), from, from + PI), c.multiply(0.95));
    let tip = along(-0.34, 0.3);
    let triangle = [along(-0.16, 0.02), along(-0.52, 0.1), tip];
    canvas.fill(Path::new().polygon(&triangle), d.multiply(0.95));
    for i in 0..6 {
        let off = -0.05 - 0.022 * i as f32;
        let line = [along(-0.6, off), along(0.12 + 0.03 * i as f32, off)];
        canvas.fill(Path::new().line(&line, 0.0055, Cap::Flat), s.palette.ink);
    }
    canvas.fill(Path::new().ring(along(-0.02, 0.0), radius * 0.42, radius * 0.36), s.palette.ink);
    canvas.fill(Path::new().disc(along(0.33, 0.12), bar * 0.36), s.palette.paper);
    canvas.fill(Path::new().disc(along(-0.3, -0.2), 0.028), s.palette.ink);
    // The bar runs to the lower corner on the side that it leans to.
    let place =
        if lean > 0.0 { Place::BottomLeft { height: 0.04 } } else { Place::BottomRight { height: 0.04 } };
    caption(canvas, s, place, s.palette.ink);
}

/// Rays from a disc at the horizon.
pub(super) fn sunburst(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, c, d] = s.palette.tones;
    let dark = s.chance.happens(0.4);
    let ground = if dark { s.palette.ink } else { s.palette.paper };
    canvas.flood(ground);
    let centre = (0.5, s.chance.between(0.5, 0.55));
    let rays = s.chance.pick(&[16usize, 20, 24, 32]);
    let step = TAU / rays as f32;
    let turn = s.chance.unit() * step;
    for (i, colour) in (0..rays).zip([a, c, b, c].into_iter().cycle()) {
        let from = turn + i as f32 * step;
        canvas.fill(Path::new().sector(centre, (1.4, 0.0), from, from + step * 0.5), colour);
    }
    let core = s.chance.between(0.15, 0.21);
    let bands =
        [(1.75, ground), (1.6, a), (1.36, ground), (1.22, b), (1.0, d), (0.78, c), (0.52, s.palette.paper)];
    for (scale, colour) in bands {
        canvas.fill(Path::new().disc(centre, core * scale), colour);
    }
    let sea = centre.1 + core * 0.55;
    let wave = |offset: f32| {
        let crest = (0..=80).map(|i| {
            let x = -0.05 + 1.1 * i as f32 / 80.0;
            (x, sea + offset + 0.018 * (x * TAU * 3.0 + offset * 40.0).sin())
        });
        let mut path = Path::new();
        path.polygon(&crest.chain([(1.1, 1.1), (-0.1, 1.1)]).collect::<Vec<_>>());
        path
    };
    for (i, colour) in [d, a, b, s.palette.ink].into_iter().enumerate() {
        canvas.fill(&wave(0.045 * i as f32), colour);
    }
    caption(canvas, s, Place::BottomCentre { height: 0.04 }, s.palette.paper);
}

/// Bands of colour that run across the sleeve and turn: the seventies.
pub(super) fn stripes(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, c, d] = s.palette.by_light();
    let dark = s.chance.happens(0.35);
    let ground = if dark { s.palette.ink } else { s.palette.paper };
    canvas.flood(ground);
    let width = s.chance.between(0.048, 0.06);
    let upward = s.chance.happens(0.5);
    let bend = (s.chance.between(0.3, 0.42), s.chance.between(0.17, 0.24));
    let inner = s.chance.between(0.05, 0.09);
    let straight = s.chance.between(0.01, 0.09);
    for (i, colour) in
        [a, b, c, d, if dark { s.palette.paper } else { s.palette.ink }].into_iter().enumerate()
    {
        let radius = inner + width * i as f32;
        let down = 5.0 * width + inner;
        let mut line = vec![(-0.1, bend.1 + down - radius)];
        // Along the top, round a quarter, down, and off to the right by another quarter.
        line.extend(arc((bend.0, bend.1 + down), radius, -FRAC_PI_2, 0.0));
        let turn = inner + width * (4 - i) as f32;
        let right = (bend.0 + radius + turn, bend.1 + down + straight);
        line.extend(arc(right, turn, PI, FRAC_PI_2));
        line.push((1.1, right.1 + turn));
        if upward {
            line.iter_mut().for_each(|(_, y)| *y = 1.0 - *y);
        }
        canvas.fill(Path::new().line(&line, width * 1.01, Cap::Flat), colour);
    }
    let place = if upward { Place::BottomLeft { height: 0.045 } } else { Place::TopLeft { height: 0.045 } };
    caption(canvas, s, place, s.palette.legible_on(ground));
}

/// Rectangles between heavy lines, most of them left white.
pub(super) fn destijl(canvas: &mut Canvas, s: &mut Sitting) {
    canvas.flood(s.palette.paper);
    let mut open: Vec<(Point, Point)> = vec![((0.0, 0.0), (1.0, 1.0))];
    let mut done: Vec<(Point, Point)> = Vec::new();
    while let Some(((left, top), (right, bottom))) = open.pop() {
        let (wide, high) = (right - left, bottom - top);
        if wide.max(high) < 0.3 || (wide.max(high) < 0.52 && s.chance.happens(0.35)) {
            done.push(((left, top), (right, bottom)));
            continue;
        }
        let share = s.chance.pick(&[0.28, 0.36, 0.62, 0.7]);
        if wide > high * s.chance.between(0.8, 1.2) {
            let cut = left + wide * share;
            open.extend([((left, top), (cut, bottom)), ((cut, top), (right, bottom))]);
        } else {
            let cut = top + high * share;
            open.extend([((left, top), (right, cut)), ((left, cut), (right, bottom))]);
        }
    }
    let [a, b, c, d] = s.chance.shuffled(s.palette.tones);
    let mut inks = [a, b, c, a, d, s.palette.ink, b].into_iter();
    for &(from, to) in &done {
        if s.chance.happens(0.5)
            && let Some(ink) = inks.next()
        {
            canvas.fill(Path::new().rect(from, to), ink);
        }
    }
    let mut lines = Path::new();
    let half = 0.011;
    // Each border once, by the cell to its left or above it: drawn twice its soft edge would harden.
    for &((left, top), (right, bottom)) in &done {
        lines.rect((right - half, top - half), (right + half, bottom + half));
        lines.rect((left, bottom - half), (right - half, bottom + half));
    }
    canvas.fill(&lines, s.palette.ink);
}
