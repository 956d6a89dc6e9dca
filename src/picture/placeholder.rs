//! The record that stands in for a cover: its geometry, its light and its colours. Draws with
//! nothing but sums, products and square roots, so that every machine draws the same bytes.

use super::Size;
use super::pixels::{Layout, Pixels};

/// Red, green, blue, each 0 to 1, in sRGB.
type Colour = [f32; 3];

/// Radii are parts of half the picture's side.
const DISC: f32 = 0.865;
const RIM: f32 = 0.845;
const GROOVES: [f32; 2] = [0.395, 0.815];
const LABEL: f32 = 0.325;
const LABEL_EDGE: f32 = 0.335;
const HOLE: f32 = 0.030;

/// Half a side holds this many lines of light and dark across the grooves at most; smaller pictures
/// show fewer, so that the lines never beat against the pixels.
const GROOVE_LINES_MAX: f32 = 62.0;
/// Pixels that a line needs to be drawn as a line.
const GROOVE_PIXELS_MIN: f32 = 3.4;
/// The silent bands between five tracks, outermost first.
const TRACK_GAPS: [f32; 4] = [0.742, 0.655, 0.583, 0.489];
const TRACK_GAP_WIDTH: f32 = 0.0062;

/// A mid-tone: neither glares on a dark page nor weighs on a light one.
const PAPER_TOP: Colour = [0.715, 0.700, 0.680];
const PAPER_BOTTOM: Colour = [0.610, 0.595, 0.577];
const VINYL: Colour = [0.150, 0.147, 0.152];
const VINYL_LIT: Colour = [0.560, 0.552, 0.560];
const LABEL_INNER: Colour = [0.792, 0.482, 0.345];
const LABEL_OUTER: Colour = [0.700, 0.392, 0.275];
const LABEL_INK: Colour = [0.955, 0.880, 0.775];

/// Where the two beams of light lie, as a direction, and how narrow they are: the eighth power.
const LIGHT: [f32; 2] = [0.60, -0.80];
const SHADOW_OFFSET: [f32; 2] = [0.016, 0.030];
const SHADOW_WIDTH: f32 = 0.105;
const SHADOW_DEPTH: f32 = 0.42;

/// A square of `side` pixels, RGB.
pub(super) fn draw(side: u32) -> Pixels {
    let canvas = Canvas::of(side);
    let mut samples = Vec::with_capacity(side as usize * side as usize * 3);
    for y in 0..side {
        for x in 0..side {
            let colour = canvas.colour_at(x, y);
            samples.extend(colour.map(|part| (part.clamp(0.0, 1.0) * 255.0 + 0.5) as u8));
        }
    }
    Pixels { size: Size { width: side, height: side }, layout: Layout::Rgb, samples }
}

struct Canvas {
    half: f32,
    /// One pixel, as part of half the side: what edges are softened over.
    pixel: f32,
    groove_lines: f32,
}

impl Canvas {
    fn of(side: u32) -> Canvas {
        let half = side as f32 / 2.0;
        let room = (GROOVES[1] - GROOVES[0]) * half / GROOVE_PIXELS_MIN;
        Canvas { half, pixel: 1.0 / half, groove_lines: GROOVE_LINES_MAX.min(room.floor()) }
    }

    fn colour_at(&self, x: u32, y: u32) -> Colour {
        let at = [(x as f32 + 0.5) / self.half - 1.0, (y as f32 + 0.5) / self.half - 1.0];
        let radius = length(at);
        let paper = paper(at);
        let disc = self.inside(radius, DISC);
        if disc <= 0.0 {
            return paper;
        }
        let mut colour = self.vinyl(at, radius);
        colour = mix(colour, self.label(at, radius), self.inside(radius, LABEL));
        colour = mix(colour, shade(paper, 0.86), self.inside(radius, HOLE));
        mix(paper, colour, disc)
    }

    fn vinyl(&self, at: [f32; 2], radius: f32) -> Colour {
        let direction = [at[0] / radius.max(1e-6), at[1] / radius.max(1e-6)];
        let beam = beam(direction);
        let [inner, outer] = GROOVES;
        let grooved = self.inside(radius, outer) * (1.0 - self.inside(radius, inner));
        let gap = TRACK_GAPS.iter().map(|&gap| self.line(radius, gap, TRACK_GAP_WIDTH)).fold(0.0, f32::max);
        let grooved = grooved * (1.0 - gap);
        // A triangle wave, smoothed: dark and bright flanks of the grooves.
        let phase = (radius - inner) / (outer - inner) * self.groove_lines;
        let wave = (phase - phase.floor() - 0.5).abs() * 2.0;
        let wave = wave * wave * (3.0 - 2.0 * wave) - 0.5;
        let matt = 0.040 + 0.62 * beam;
        let lit = matt * (1.0 + 0.62 * wave * grooved) - 0.050 * gap + 0.018 * wave * grooved;
        let smooth = 0.025 + 0.30 * beam;
        let mut colour = mix(VINYL, VINYL_LIT, (smooth + (lit - smooth) * grooved).max(0.0));
        // The raised rim and the edge around the label catch a thin line of light.
        let rim = self.line(radius, RIM, 0.006) + 0.7 * self.line(radius, LABEL_EDGE, 0.005);
        let facing = 0.5 - 0.5 * (direction[0] * 0.55 + direction[1] * 0.83);
        colour = mix(colour, VINYL_LIT, (rim * (0.10 + 0.34 * facing)).min(1.0));
        colour
    }

    fn label(&self, at: [f32; 2], radius: f32) -> Colour {
        let out = radius / LABEL;
        let mut colour = mix(LABEL_INNER, LABEL_OUTER, out * out);
        colour = mix(colour, LABEL_INK, 0.10 * (1.0 - at[1] / LABEL) * 0.5);
        let ink = 0.85 * self.line(radius, LABEL * 0.925, 0.0045)
            + 0.45 * self.line(radius, LABEL * 0.875, 0.0022)
            + 0.55 * self.line(radius, LABEL * 0.285, 0.0030)
            + self.lettering(at);
        mix(colour, LABEL_INK, ink.min(0.92))
    }

    /// Bars where a label has its title, the artist and the tracks; a record needs no words.
    fn lettering(&self, at: [f32; 2]) -> f32 {
        const BARS: [[f32; 4]; 5] = [
            // x and y of the middle, half the width, half the height, in label radii
            [0.0, -0.585, 0.330, 0.050],
            [0.0, -0.425, 0.200, 0.028],
            [0.0, 0.440, 0.300, 0.022],
            [0.0, 0.540, 0.235, 0.022],
            [0.0, 0.640, 0.160, 0.022],
        ];
        let ink = |[x, y, half_width, half_height]: [f32; 4]| {
            let [x, y] = [(at[0] - x * LABEL).abs(), (at[1] - y * LABEL).abs()];
            let [half_width, half_height] = [half_width * LABEL, half_height * LABEL];
            // A bar with round ends: the distance to its middle line.
            let beyond = (x - (half_width - half_height)).max(0.0);
            self.inside(length([beyond, y]), half_height)
        };
        BARS.iter().map(|&bar| ink(bar)).fold(0.0, f32::max) * 0.80
    }

    /// 1 inside the circle, 0 outside, and between them across one pixel.
    fn inside(&self, radius: f32, limit: f32) -> f32 {
        ((limit - radius) / self.pixel + 0.5).clamp(0.0, 1.0)
    }

    /// A ring of `width`, never thinner than the pixels can show: then it is fainter instead.
    fn line(&self, radius: f32, middle: f32, width: f32) -> f32 {
        let shown = width.max(self.pixel);
        let cover = ((shown / 2.0 - (radius - middle).abs()) / self.pixel + 0.5).clamp(0.0, 1.0);
        cover * (width / shown)
    }
}

/// The ground, with the record's shadow on it.
fn paper(at: [f32; 2]) -> Colour {
    let ground = mix(PAPER_TOP, PAPER_BOTTOM, (at[1] + 1.0) / 2.0);
    let away = length([at[0] - SHADOW_OFFSET[0], at[1] - SHADOW_OFFSET[1]]) - DISC + SHADOW_WIDTH / 2.0;
    let near = (1.0 - away / SHADOW_WIDTH).clamp(0.0, 1.0);
    shade(ground, 1.0 - SHADOW_DEPTH * near * near)
}

/// How much light comes back from the grooves: two opposite beams and a fainter pair across.
fn beam(direction: [f32; 2]) -> f32 {
    let along = direction[0] * LIGHT[0] + direction[1] * LIGHT[1];
    let across = direction[1] * LIGHT[0] - direction[0] * LIGHT[1];
    let eighth = |part: f32| {
        let square = part * part;
        square * square * square * square
    };
    let (main, faint) = (eighth(along), eighth(across));
    main * (0.55 + 0.45 * main) + 0.22 * faint * faint
}

fn length([x, y]: [f32; 2]) -> f32 {
    (x * x + y * y).sqrt()
}

fn mix(from: Colour, to: Colour, part: f32) -> Colour {
    [0, 1, 2].map(|index| from[index] + (to[index] - from[index]) * part)
}

fn shade(colour: Colour, by: f32) -> Colour {
    colour.map(|part| part * by)
}
