//! Sleeves made of a surface: maps, clouds, stone.

use super::letters::Face;
use super::noise::{Field, Noise};
use super::path::{Path, Point};
use super::typographic::masthead;
use super::{Canvas, Rgb, Sitting, gradient, smooth};
use std::f32::consts::TAU;

/// A map's lines of even height, with or without its layers of colour.
pub(super) fn contours(canvas: &mut Canvas, s: &mut Sitting) {
    let noise = Noise::new(&mut s.chance);
    let scale = s.chance.between(1.5, 2.3);
    let field = Field::sample(|x, y| noise.layered(x * scale, y * scale, 3));
    let levels = s.chance.between(13.0, 19.0);
    let stops = s.palette.ramp();
    let layered = s.chance.happens(0.5);
    let dark = s.chance.happens(0.5);
    let plain = if dark { s.palette.ink } else { s.palette.paper };
    let line =
        if layered { s.palette.ink } else { s.palette.legible_on(plain).mix(s.palette.tones[0], 0.55) };
    let pixel = canvas.pixel();
    canvas.shade(|x, y| {
        let (value, across, down) = field.at(x, y);
        let height = value * levels;
        let slope = (across * across + down * down).sqrt().max(0.05) * levels;
        let nearest = height.round();
        let away = (height - nearest).abs() / slope;
        let half = if nearest.rem_euclid(5.0) < 0.5 { 0.0032 } else { 0.0016 };
        let inked = ((away + pixel / 2.0).min(half) - (away - pixel / 2.0).max(-half)).max(0.0) / pixel;
        let ground =
            if layered { gradient(&stops[1..], 0.5 + 1.05 * (height.floor() / levels)) } else { plain };
        ground.mix(line, inked * if layered { 0.55 } else { 1.0 })
    });
    let plate = s.palette.legible_on(line);
    if Face::knows(&s.title) {
        let face = Face::new(0.034, 0.16).spaced(0.08);
        let width = face.measure(&s.artist).max(face.measure(&s.title)).min(0.8) + 0.08;
        canvas.fill(Path::new().rect((0.0, 0.8), (width + 0.03, 0.94)), plate);
        for (text, y) in [(&s.artist, 0.835), (&s.title, 0.88)] {
            let shrink = (0.8 / face.measure(text).max(0.01)).min(1.0) * if y > 0.85 { 0.8 } else { 1.0 };
            let face = Face { height: face.height * shrink, ..face };
            canvas.fill(&face.set(text, (0.06, y)), s.palette.legible_on(plate));
        }
    }
}

/// Weather: noise folded through noise, in a few inks.
pub(super) fn clouds(canvas: &mut Canvas, s: &mut Sitting) {
    let noise = Noise::new(&mut s.chance);
    let scale = s.chance.between(0.9, 1.5);
    let fold = s.chance.between(0.7, 1.3);
    let stretch = s.chance.pick(&[1.0, 1.0, 2.4f32]);
    let field = Field::sample(|x, y| {
        let (x, y) = (x * scale, y * scale * stretch);
        let (u, v) = (noise.layered(x + 3.1, y + 7.7, 3), noise.layered(x + 8.3, y + 1.9, 3));
        noise.layered(x * 1.6 + fold * u, y * 1.6 + fold * v, 4)
    });
    let [a, b, c, d] = s.palette.by_light();
    let stops = match s.chance.below(3) {
        0 => [s.palette.ink, a, b, d, s.palette.paper],
        1 => [s.palette.ink, a, c, d, s.palette.paper],
        _ => [b, c, d, s.palette.paper, s.palette.paper],
    };
    canvas.shade(|x, y| gradient(&stops, 0.5 + 0.78 * field.at(x, y).0));
    if Face::knows(&s.title) {
        let face = Face::new(0.05, 0.11).spaced(0.45);
        let shrink = (0.84 / face.measure(&s.title)).min(1.0);
        let face = Face { height: (face.height * shrink).max(0.02), ..face };
        let left = 0.5 - face.measure(&s.title) / 2.0;
        let along = (1..10).map(|i| gradient(&stops, 0.5 + 0.78 * field.at(i as f32 / 10.0, 0.5).0));
        let light = along.map(|colour| colour.luma()).sum::<f32>() / 9.0;
        let colour = s.palette.legible_on(Rgb(light, light, light));
        if left > 0.03 {
            canvas.fill(&face.set(&s.title, (left, 0.5 - face.height / 2.0)), colour);
        }
    }
}

/// Chips of stone in plaster.
pub(super) fn terrazzo(canvas: &mut Canvas, s: &mut Sitting) {
    let dark = s.chance.happens(0.3);
    let ground = if dark { s.palette.ink } else { s.palette.paper };
    canvas.flood(ground);
    let other = if dark { s.palette.paper } else { s.palette.ink };
    let [a, b, c, d] = s.palette.tones;
    let mut chips: Vec<(Point, f32)> = Vec::new();
    // Large stones first, then smaller ones where there is room.
    for (tries, low, high) in [(60, 0.06, 0.1), (220, 0.03, 0.055), (700, 0.012, 0.024), (900, 0.005, 0.009)]
    {
        for _ in 0..tries {
            let (at, size) = ((s.chance.unit(), s.chance.unit()), s.chance.between(low, high));
            let apart =
                |&((x, y), other): &(Point, f32)| (x - at.0).hypot(y - at.1) > (size + other) * 0.98 + 0.004;
            if chips.iter().all(apart) {
                chips.push((at, size));
                let colour = s.chance.pick(&[a, a, b, b, c, d, other]);
                let shape = stone(s, at, size);
                canvas.fill(&shape, colour);
            }
        }
    }
    masthead(canvas, s, ground, other);
}

fn stone(s: &mut Sitting, (x, y): Point, size: f32) -> Path {
    let corners = 5 + s.chance.below(3);
    let turn = s.chance.unit() * TAU;
    let points: Vec<Point> = (0..corners)
        .map(|i| {
            let angle = turn + (i as f32 + s.chance.between(-0.28, 0.28)) / corners as f32 * TAU;
            let reach = size * s.chance.between(0.72, 1.05);
            (x + reach * angle.cos(), y + reach * angle.sin())
        })
        .collect();
    let mut path = Path::new();
    path.polygon(&points);
    path
}

/// Ink floated on water and drawn through with a comb.
pub(super) fn marble(canvas: &mut Canvas, s: &mut Sitting) {
    let noise = Noise::new(&mut s.chance);
    let (tines, pull) = (s.chance.between(1.5, 3.5), s.chance.between(0.12, 0.3));
    let bands = s.chance.between(6.0, 10.0);
    let turned = s.chance.happens(0.5);
    let field = Field::sample(|x, y| {
        let (x, y) = if turned { (y, x) } else { (x, y) };
        let drift = 0.35 * noise.layered(x * 1.3, y * 1.3, 3) + 0.05 * noise.layered(x * 6.0, y * 6.0, 2);
        let comb = pull * (x * TAU * tines + 2.0 * noise.at(x * 1.1 + 5.0, y * 1.1)).sin();
        (y + drift + comb * (0.4 + 0.6 * y)) * bands
    });
    let [a, b, c, d] = s.chance.shuffled(s.palette.tones);
    let inks = [s.palette.paper, a, s.palette.ink, b, s.palette.paper, c, d, a];
    let pixel = canvas.pixel();
    canvas.shade(|x, y| {
        let (value, across, down) = field.at(x, y);
        let soft = ((across * across + down * down).sqrt() * pixel * 1.2).clamp(0.01, 1.0);
        let ink = |index: f32| inks[(index as i32).rem_euclid(8) as usize];
        let border = (value + 0.5).floor();
        ink(border - 1.0).mix(ink(border), smooth(-soft / 2.0, soft / 2.0, value - border))
    });
}
