//! Sleeves with a horizon: skies, hills, seas, planets, towns.

use super::noise::Noise;
use super::path::{Path, Point};
use super::typographic::{Place, caption};
use super::{Canvas, Rgb, Sitting, gradient, ramp, smooth};
use std::f32::consts::{PI, TAU};

/// A sun or moon over still water.
pub(super) fn horizon(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, c, d] = s.palette.by_light();
    let night = s.chance.happens(0.4);
    let sky = if night { [s.palette.ink, a.darker(0.25), b] } else { [a, b, d.mix(s.palette.paper, 0.35)] };
    let shore = s.chance.between(0.6, 0.72);
    let water = [sky[2].mix(a, 0.45), s.palette.ink];
    canvas.shade(|_, y| {
        if y < shore { gradient(&sky, y / shore) } else { gradient(&water, smooth(shore, 1.02, y)) }
    });
    let radius = s.chance.between(0.13, 0.2);
    let centre = (s.chance.between(0.36, 0.64), shore - radius * s.chance.between(0.3, 1.35));
    let disc = if night { s.palette.paper } else { d.mix(s.palette.paper, 0.4) };
    let glow = Path::new().disc(centre, radius * 2.6).clone();
    canvas.fill_with(&glow, |x, y| {
        let far = (x - centre.0).hypot(y - centre.1) / (radius * 2.6);
        let fade = if y < shore { (1.0 - far).max(0.0).powi(2) } else { 0.0 };
        disc.screen(0.45 * fade)
    });
    let sun = Path::new().disc(centre, radius).clone();
    canvas.fill_with(&sun, |_, y| {
        let below = ramp(shore - 0.0012, shore + 0.0012, y);
        disc.mix(c, 0.35 * ramp(centre.1 - radius, centre.1 + radius, y)).ink(1.0 - below)
    });
    let rows = 26;
    for row in 0..rows {
        let depth = row as f32 / rows as f32;
        let y = shore + 0.008 + (1.0 - shore) * depth * depth;
        let spread = radius * (0.95 - 0.35 * depth) * s.chance.between(0.35, 1.1);
        let x = centre.0 + s.chance.between(-0.25, 0.25) * radius;
        let thick = 0.0015 + 0.006 * depth;
        canvas.fill(Path::new().ellipse((x, y), (spread, thick), 0.0), disc.ink(0.75 - 0.4 * depth));
    }
    let place = if s.chance.happens(0.5) {
        Place::TopCentre { height: 0.036 }
    } else {
        Place::TopLine { height: 0.026 }
    };
    caption(canvas, s, place, s.palette.legible_on(sky[0]));
}

/// Hills behind hills, each paler than the one before it.
pub(super) fn ridges(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, c, d] = s.palette.by_light();
    let haze = d.mix(s.palette.paper, 0.55);
    let top = c.mix(s.palette.paper, 0.3);
    canvas.shade(|_, y| gradient(&[top, haze, haze], y * 1.6));
    let moon = (s.chance.between(0.22, 0.78), s.chance.between(0.26, 0.38));
    let radius = s.chance.between(0.07, 0.12);
    let disc = if s.chance.happens(0.5) { s.palette.tones[0] } else { s.palette.paper };
    canvas.fill(Path::new().disc(moon, radius), disc);
    let layers = 6;
    let stops = [haze.mix(b, 0.35), b, a, s.palette.ink];
    for layer in 0..layers {
        let near = layer as f32 / (layers - 1) as f32;
        let noise = Noise::new(&mut s.chance);
        let base = 0.42 + 0.5 * near;
        let height = 0.19 - 0.07 * near;
        let scale = 2.2 + near * 1.3;
        let crest = Crest::new(|x| {
            let rough = noise.layered(x * scale, 0.5, 6);
            base - height * (0.3 + 1.25 * rough - 0.35 * noise.at(x * scale * 0.6, 3.5).abs())
        });
        let colour = gradient(&stops, near);
        canvas.fill_with(&crest.strip(0.0, 0.7), |x, y| {
            let mist = smooth(0.0, 0.24, y - crest.at(x)) * 0.5 * (1.0 - near);
            colour.mix(haze, mist).into()
        });
    }
    caption(canvas, s, Place::TopLeft { height: 0.04 }, s.palette.legible_on(top));
}

/// A line across the sleeve, sampled once: it is asked for at every pixel.
struct Crest(Vec<f32>);

/// Samples of a crest; between them it is straight.
const CREST_STEPS: usize = 600;

impl Crest {
    fn new(height: impl Fn(f32) -> f32) -> Crest {
        Crest((0..=CREST_STEPS).map(|i| height(i as f32 / CREST_STEPS as f32)).collect())
    }

    fn at(&self, x: f32) -> f32 {
        let place = x.clamp(0.0, 1.0) * CREST_STEPS as f32;
        let left = (place as usize).min(CREST_STEPS - 1);
        self.0[left] + (self.0[left + 1] - self.0[left]) * (place - left as f32)
    }

    /// The strip from so far above the line to so far below it.
    fn strip(&self, above: f32, below: f32) -> Path {
        let line =
            |off: f32| self.0.iter().enumerate().map(move |(i, y)| (i as f32 / CREST_STEPS as f32, y + off));
        let mut path = Path::new();
        path.polygon(&line(-above).chain(line(below).rev()).collect::<Vec<Point>>());
        path
    }
}

/// Waves cut out of paper, each throwing a shadow on the next.
pub(super) fn waves(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, c, d] = s.palette.by_light();
    let warm = s.chance.happens(0.5);
    let stops = if warm { [s.palette.paper, d, c, b, a] } else { [a, b, c, d, s.palette.paper] };
    canvas.flood(stops[0]);
    if s.chance.happens(0.6) {
        let centre = (s.chance.between(0.25, 0.75), s.chance.between(0.24, 0.32));
        let sun = if warm { s.palette.tones[0] } else { s.palette.paper };
        canvas.fill(Path::new().disc((centre.0 + 0.004, centre.1 + 0.008), 0.112), Rgb::BLACK.ink(0.12));
        canvas.fill(Path::new().disc(centre, 0.11), sun);
    }
    let layers = s.chance.pick(&[7usize, 8, 9]);
    for layer in 1..layers {
        let near = layer as f32 / (layers - 1) as f32;
        let (base, phase) = (0.2 + 0.6 * near, s.chance.unit() * TAU);
        let (swell, length) = (s.chance.between(0.035, 0.075), s.chance.between(0.8, 1.7));
        let second = s.chance.unit() * TAU;
        let crest = Crest::new(|x| {
            base + swell * (x * TAU * length + phase).sin()
                + swell * 0.4 * (x * TAU * length * 2.1 + second).sin()
        });
        canvas.fill_with(&crest.strip(0.03, 0.01), |x, y| {
            Rgb::BLACK.multiply(0.3 * ramp(0.03, 0.0, crest.at(x + 0.004) - y).powi(2))
        });
        let colour = gradient(&stops, near);
        // As deep as the next crest can lie, and from the last one to the bottom.
        canvas.fill_with(&crest.strip(0.0, 0.36), |x, y| {
            let depth = y - crest.at(x);
            colour.lighter(0.16 * ramp(0.006, 0.0, depth)).darker(0.08 * ramp(0.0, 0.3, depth)).into()
        });
    }
    caption(canvas, s, Place::BottomLeft { height: 0.044 }, s.palette.legible_on(stops[4]));
}

/// A banded planet, its ring, its moons, and the night around them.
pub(super) fn planet(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, c, d] = s.palette.by_light();
    let noise = Noise::new(&mut s.chance);
    let (deep, far) = (s.palette.ink.darker(0.25), s.palette.ink.mix(a, 0.45));
    canvas.shade(|x, y| deep.mix(far, smooth(0.2, 1.5, x + y * 0.6)));
    let mut stars = Path::new();
    for _ in 0..240 {
        let size = s.chance.unit().powi(6);
        stars.disc((s.chance.unit(), s.chance.unit()), 0.0007 + 0.003 * size);
    }
    canvas.fill(&stars, s.palette.paper.ink(0.85));
    let centre = (s.chance.between(0.4, 0.62), s.chance.between(0.5, 0.6));
    let radius = s.chance.between(0.22, 0.28);
    let tilt = s.chance.between(-0.5, 0.5);
    let (sin, cos) = tilt.sin_cos();
    let ring = |canvas: &mut Canvas, front: bool| {
        for (i, colour) in [d, c, s.palette.paper, c, b].into_iter().enumerate() {
            let reach = radius * (1.42 + 0.13 * i as f32);
            let band = half_ring((centre, reach), radius * 0.1, tilt, front);
            canvas.fill(&band, colour.ink(0.82));
        }
    };
    ring(canvas, false);
    let globe = Path::new().disc(centre, radius).clone();
    let bands = [b, d, c, s.palette.paper, d, b, c, a];
    canvas.fill_with(&globe, |x, y| {
        let (dx, dy) = ((x - centre.0) / radius, (y - centre.1) / radius);
        let (u, v) = (dx * cos + dy * sin, dy * cos - dx * sin);
        let stir = 0.06 * noise.at(u * 2.5, v * 9.0);
        let light =
            smooth(-0.55, 0.75, -0.62 * dx - 0.5 * dy + 0.55 * (1.0 - dx * dx - dy * dy).max(0.0).sqrt());
        deep.mix(gradient(&bands, 0.5 + 0.48 * (v + stir)), 0.06 + 0.94 * light).into()
    });
    ring(canvas, true);
    for _ in 0..s.chance.pick(&[1, 2, 3]) {
        let angle = s.chance.between(PI, TAU);
        let away = s.chance.between(0.38, 0.46);
        let at = (centre.0 + away * angle.cos(), centre.1 + away * 0.8 * angle.sin());
        canvas.fill(Path::new().disc(at, s.chance.between(0.01, 0.026)), d.mix(s.palette.paper, 0.4));
    }
    caption(canvas, s, Place::TopLeft { height: 0.034 }, s.palette.paper);
}

/// The near or the far half of a tilted ring.
fn half_ring((centre, reach): (Point, f32), width: f32, tilt: f32, front: bool) -> Path {
    let (sin, cos) = tilt.sin_cos();
    let from = if front { 0.0 } else { PI };
    let along = |size: f32| {
        (0..=90).map(move |i| {
            let angle = from + PI * i as f32 / 90.0;
            let (u, v) = (size * angle.cos(), size * 0.27 * angle.sin());
            (centre.0 + u * cos - v * sin, centre.1 + u * sin + v * cos)
        })
    };
    let outline: Vec<Point> = along(reach).chain(along(reach - width).rev()).collect();
    let mut path = Path::new();
    path.polygon(&outline);
    path
}

/// A town at dusk, some windows lit.
pub(super) fn skyline(canvas: &mut Canvas, s: &mut Sitting) {
    let [a, b, c, d] = s.palette.by_light();
    let sky = [a.mix(s.palette.ink, 0.35), b, d.mix(s.palette.paper, 0.3)];
    canvas.shade(|_, y| gradient(&sky, y * 1.25));
    let disc = (s.chance.between(0.25, 0.75), s.chance.between(0.32, 0.42));
    canvas.fill(Path::new().disc(disc, 0.13), s.palette.paper.mix(c, 0.2));
    let rows = [(sky[1].mix(a, 0.6), 0.36, 0.1, false), (a.mix(s.palette.ink, 0.55), 0.52, 0.13, true)];
    for (colour, roof, wide, lit) in rows {
        town(canvas, s, (colour, roof, wide, lit), c);
    }
    town(canvas, s, (s.palette.ink, 0.72, 0.17, true), d);
    caption(canvas, s, Place::TopLeft { height: 0.042 }, s.palette.legible_on(sky[0]));
}

fn town(canvas: &mut Canvas, s: &mut Sitting, (colour, roof, wide, lit): (Rgb, f32, f32, bool), lamp: Rgb) {
    let mut x = -0.05 * s.chance.unit();
    while x < 1.0 {
        let width = wide * s.chance.between(0.6, 1.2);
        let top = roof + s.chance.between(-0.13, 0.1);
        canvas.fill(Path::new().rect((x, top), (x + width + 0.001, 1.01)), colour);
        if s.chance.happens(0.35) {
            let mast = x + width * s.chance.between(0.3, 0.7);
            canvas.fill(Path::new().rect((mast, top - 0.06), (mast + 0.004, top + 0.01)), colour);
        }
        if lit {
            windows(canvas, s, ((x, top), width), lamp);
        }
        x += width;
    }
}

fn windows(canvas: &mut Canvas, s: &mut Sitting, ((x, top), width): (Point, f32), lamp: Rgb) {
    let columns = ((width - 0.02) / 0.024) as usize;
    if columns == 0 {
        return;
    }
    let pitch = (width - 0.02) / columns as f32;
    let (mut lamps, mut dim) = (Path::new(), Path::new());
    let mut y = top + 0.022;
    while y < 1.0 {
        for column in 0..columns {
            let left = x + 0.01 + pitch * (column as f32 + 0.18);
            let path = if s.chance.happens(0.34) { &mut lamps } else { &mut dim };
            path.rect((left, y), (left + pitch * 0.6, y + 0.018));
        }
        y += 0.034;
    }
    canvas.fill(&dim, lamp.ink(0.09));
    canvas.fill(&lamps, lamp.ink(0.92));
}
