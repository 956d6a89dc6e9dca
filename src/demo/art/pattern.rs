//! Sleeves made of one thing repeated: dots, squares, facets, threads.

use super::noise::{Field, Noise};
use super::path::{Cap, Path, Point};
use super::typographic::{Place, caption, masthead};
use super::{Canvas, Rgb, Sitting, gradient, ramp, smooth};
use std::f32::consts::{PI, TAU};

/// A flat grid that seems to swell, or rings that seem to turn.
pub(super) fn opart(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, _, _] = s.palette.tones;
    let dark = s.chance.happens(0.5);
    let (ground, figure) =
        if dark { (s.palette.ink, s.palette.paper) } else { (s.palette.paper, s.palette.ink) };
    canvas.flood(ground);
    match s.chance.below(3) {
        0 => swelling(canvas, s, [figure, a, b]),
        1 => rings(canvas, s, [figure, a, b]),
        _ => tilted_squares(canvas, s, [figure, a, b]),
    }
    masthead(canvas, s, ground, figure);
}

fn swelling(canvas: &mut Canvas, s: &mut Sitting, colours: [Rgb; 3]) {
    let centre = (s.chance.between(0.36, 0.64), s.chance.between(0.48, 0.62));
    let reach = s.chance.between(0.36, 0.44);
    let bulge = |(x, y): Point| {
        let (dx, dy) = (x - centre.0, y - centre.1);
        let distance = dx.hypot(dy).max(1e-5);
        let lifted =
            if distance < reach { reach * (distance / reach * PI / 2.0).sin().powf(0.78) } else { distance };
        let lifted = if distance < reach { lifted * 0.55 + distance * 0.45 } else { lifted };
        (centre.0 + dx / distance * lifted, centre.1 + dy / distance * lifted)
    };
    let count = 22i32;
    let cell = 1.0 / count as f32;
    let mut paths = [Path::new(), Path::new(), Path::new()];
    for row in 2..count + 1 {
        for column in -1..count + 1 {
            if (row + column) % 2 == 0 {
                continue;
            }
            let (x, y) = (column as f32 * cell, row as f32 * cell);
            let inside = (x + cell / 2.0 - centre.0).hypot(y + cell / 2.0 - centre.1) < reach;
            let layer = if inside { 1 + (column.rem_euclid(4) / 2) as usize } else { 0 };
            let corners = [(x, y), (x + cell, y), (x + cell, y + cell), (x, y + cell)];
            let edges: Vec<Point> = (0..16)
                .map(|i| {
                    let ((ax, ay), (bx, by)) = (corners[i / 4], corners[(i / 4 + 1) % 4]);
                    let t = (i % 4) as f32 / 4.0;
                    bulge((ax + (bx - ax) * t, ay + (by - ay) * t))
                })
                .collect();
            paths[layer].polygon(&edges);
        }
    }
    paths.iter().zip(colours).for_each(|(path, colour)| canvas.fill(path, colour));
}

fn rings(canvas: &mut Canvas, s: &mut Sitting, colours: [Rgb; 3]) {
    let turn = s.chance.between(0.25, 0.6);
    let count = 17;
    for i in 0..count {
        let radius = 0.41 * (1.0 - i as f32 / count as f32);
        let drift = 0.1 * (1.0 - radius / 0.41);
        let angle = turn * i as f32;
        let centre = (0.5 + drift * angle.cos(), 0.555 + drift * angle.sin());
        let colour = if i % 2 == 1 { None } else { Some(colours[(i / 2) % 3]) };
        let ground = if colours[0].luma() > 0.5 { s.palette.ink } else { s.palette.paper };
        canvas.fill(Path::new().disc(centre, radius), colour.unwrap_or(ground));
    }
}

fn tilted_squares(canvas: &mut Canvas, s: &mut Sitting, colours: [Rgb; 3]) {
    let noise = Noise::new(&mut s.chance);
    let count = 13;
    let cell = 1.0 / (count + 1) as f32;
    for row in 1..count {
        for column in 0..count {
            let centre = (cell * (column as f32 + 1.0), cell * (row as f32 + 1.25));
            let value = noise.at(centre.0 * 2.4, centre.1 * 2.4);
            let (sin, cos) = (value * 1.6 * (row as f32 / count as f32)).sin_cos();
            let half = cell * 0.39;
            let corner = |x: f32, y: f32| {
                (centre.0 + half * (x * cos - y * sin), centre.1 + half * (x * sin + y * cos))
            };
            let square = [corner(-1.0, -1.0), corner(1.0, -1.0), corner(1.0, 1.0), corner(-1.0, 1.0)];
            let colour = if value > 0.33 {
                colours[1]
            } else if value < -0.42 {
                colours[2]
            } else {
                colours[0]
            };
            canvas.fill(Path::new().polygon(&square), colour);
        }
    }
}

/// Ribbons over and under each other.
pub(super) fn weave(canvas: &mut Canvas, s: &mut Sitting) {
    let tones = s.chance.shuffled(s.palette.tones);
    canvas.flood(s.palette.ink);
    let count = s.chance.pick(&[7usize, 9, 11]);
    let cell = 1.0 / count as f32;
    let width = cell * s.chance.between(0.74, 0.86);
    let over = s.chance.pick(&[2usize, 3]);
    let colour = |index: usize, down: bool| {
        if down { tones[index % 2] } else { [s.palette.paper, tones[2], tones[3]][index % 3] }
    };
    let piece = |canvas: &mut Canvas, column: usize, row: usize, down: bool| {
        let centre = ((column as f32 + 0.5) * cell, (row as f32 + 0.5) * cell);
        let (rx, ry) = if down { (width, cell * 1.02) } else { (cell * 1.02, width) };
        let path = Path::new()
            .rect((centre.0 - rx / 2.0, centre.1 - ry / 2.0), (centre.0 + rx / 2.0, centre.1 + ry / 2.0))
            .clone();
        let base = colour(if down { column } else { row }, down);
        canvas.fill_with(&path, |x, y| {
            let off = if down { y - centre.1 } else { x - centre.0 };
            base.darker(0.34 * smooth(0.3, 0.56, off.abs() / cell)).into()
        });
        for side in [-0.36, 0.36f32] {
            let off = width * side;
            let line = if down {
                [(centre.0 + off, centre.1 - ry / 2.0), (centre.0 + off, centre.1 + ry / 2.0)]
            } else {
                [(centre.0 - rx / 2.0, centre.1 + off), (centre.0 + rx / 2.0, centre.1 + off)]
            };
            canvas.fill(Path::new().line(&line, cell * 0.03, Cap::Flat), s.palette.ink.ink(0.5));
        }
    };
    for row in 0..count {
        for column in 0..count {
            let down_over = (row + column) % over == 0;
            piece(canvas, column, row, !down_over);
            piece(canvas, column, row, down_over);
        }
    }
}

/// One shape seen through printers' dots, in two inks at two angles.
pub(super) fn halftone(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, _, _] = s.palette.tones;
    canvas.flood(s.palette.paper);
    let pitch = s.chance.between(0.0155, 0.02);
    let noise = Noise::new(&mut s.chance);
    let kind = s.chance.below(3);
    let centre = (s.chance.between(0.4, 0.6), s.chance.between(0.55, 0.6));
    let tone = |x: f32, y: f32, light: f32| {
        let (dx, dy) = ((x - centre.0) / 0.34, (y - centre.1) / 0.34);
        let reach = dx * dx + dy * dy;
        match kind {
            0 if reach < 1.0 => {
                let z = (1.0 - reach).sqrt();
                1.0 - ramp(-0.3, 1.0, light.cos() * 0.62 * dx + light.sin() * 0.62 * dy + 0.6 * z)
            }
            0 => 0.16 * ramp(0.2, 1.0, y),
            1 => {
                0.5 + 0.46 * (dx.hypot(dy) * TAU * 1.55 + light).sin() * (1.25 - 0.45 * reach).clamp(0.0, 1.0)
            }
            _ => smooth(-0.5, 0.6, noise.layered(x * 2.1 + light, y * 2.1, 3)) * 0.95,
        }
    };
    for (colour, angle, light) in [(a, 0.26, -2.3), (b, 1.31, -0.9)] {
        let path = screen(pitch, angle, |x, y| tone(x, y, light));
        canvas.fill(&path, colour.multiply(0.93));
    }
    if kind == 0 {
        caption(canvas, s, Place::TopLeft { height: 0.04 }, s.palette.ink);
    } else {
        masthead(canvas, s, s.palette.paper, s.palette.ink);
    }
}

/// A turned grid of dots whose area is the tone.
fn screen(pitch: f32, angle: f32, tone: impl Fn(f32, f32) -> f32) -> Path {
    let mut path = Path::new();
    let (sin, cos) = angle.sin_cos();
    let reach = (0.75 / pitch) as i32;
    for row in -reach..=reach {
        for column in -reach..=reach {
            let (u, v) = (column as f32 * pitch, row as f32 * pitch);
            let (x, y) = (0.5 + u * cos - v * sin, 0.5 + u * sin + v * cos);
            let framed = (-pitch..=1.0 + pitch).contains(&x) && (-pitch..=1.0 + pitch).contains(&y);
            let radius = pitch * 0.69 * tone(x, y).clamp(0.0, 1.0).sqrt();
            if framed && radius > pitch * 0.08 {
                path.disc((x, y), radius);
            }
        }
    }
    path
}

/// Facets of glass.
pub(super) fn mosaic(canvas: &mut Canvas, s: &mut Sitting) {
    let noise = Noise::new(&mut s.chance);
    let field = Field::sample(|x, y| noise.layered(x * 1.7, y * 1.7, 2));
    let stops = s.palette.ramp();
    let count = s.chance.pick(&[7i32, 9, 12]);
    let cell = 1.0 / count as f32;
    let lead = s.chance.happens(0.45);
    canvas.flood(s.palette.ink);
    let corner = |column: i32, row: i32| {
        let (x, y) = (column as f32, row as f32);
        let (dx, dy) = (noise.at(x * 7.31 + 0.5, y * 3.17 + 0.5), noise.at(x * 5.77 + 9.5, y * 8.13 + 4.5));
        ((x + 0.5 * dx) * cell, (y + 0.5 * dy) * cell)
    };
    for row in -1..=count {
        for column in -1..=count {
            let square = [(0, 0), (1, 0), (1, 1), (0, 1)].map(|(dx, dy)| corner(column + dx, row + dy));
            let cuts = if (row + column) % 2 == 0 { [[0, 1, 2], [0, 2, 3]] } else { [[0, 1, 3], [1, 2, 3]] };
            for cut in cuts {
                let facet = cut.map(|i| square[i]);
                let (x, y) = middle(&facet);
                let (value, across, _) = field.at(x.clamp(0.0, 1.0), y.clamp(0.0, 1.0));
                let light = 0.5 + 0.62 * value + s.chance.between(-0.1, 0.1) + 0.03 * across;
                let colour = gradient(&stops, light).lighter(s.chance.between(0.0, 0.08));
                let kept = if lead { 0.93 } else { 1.03 };
                let facet = facet.map(|(px, py)| (x + (px - x) * kept, y + (py - y) * kept));
                canvas.fill(Path::new().polygon(&facet), colour);
            }
        }
    }
}

fn middle(points: &[Point; 3]) -> Point {
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), &(px, py)| (x + px, y + py));
    (x / 3.0, y / 3.0)
}
