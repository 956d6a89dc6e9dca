//! Noise: smooth fields for clouds and contours, and the grain of the printed sleeve.

use super::chance::Chance;
use super::{Canvas, smooth};

/// Smooth noise over the plane, about -1 to 1, one bump a unit.
#[derive(Clone, Copy)]
pub(super) struct Noise(u32);

/// A field sampled once and read smoothly: costly noise at a price that 9 million pixels can pay.
pub(super) struct Field {
    samples: Vec<f32>,
}

/// Samples along a side of a field. The finest thing a field shows is about 1/60 of the sleeve.
const FIELD_SIDE: usize = 184;

/// Pixels along a side of the tile that the grain repeats.
const GRAIN_SIDE: usize = 256;

impl Noise {
    pub fn new(chance: &mut Chance) -> Noise {
        Noise((chance.bits() >> 32) as u32)
    }

    pub fn at(self, x: f32, y: f32) -> f32 {
        let (left, top) = (cell(x), cell(y));
        let (fx, fy) = (x - left as f32, y - top as f32);
        let corner = |dx: i32, dy: i32| {
            let (gx, gy) = self.slope(left.wrapping_add(dx), top.wrapping_add(dy));
            gx * (fx - dx as f32) + gy * (fy - dy as f32)
        };
        let fade = |t: f32| t * t * t * (t * (t * 6.0 - 15.0) + 10.0);
        let (u, v) = (fade(fx), fade(fy));
        let upper = corner(0, 0) + (corner(1, 0) - corner(0, 0)) * u;
        let lower = corner(0, 1) + (corner(1, 1) - corner(0, 1)) * u;
        1.5 * (upper + (lower - upper) * v)
    }

    /// Octaves summed, each twice as fine and half as strong.
    pub fn layered(self, x: f32, y: f32, octaves: u32) -> f32 {
        let (mut sum, mut scale, mut weight) = (0.0, 1.0, 0.5);
        for octave in 0..octaves {
            let shift = octave as f32 * 17.3;
            sum += weight * self.at(x * scale + shift, y * scale - shift);
            scale *= 2.0;
            weight *= 0.5;
        }
        sum
    }

    fn slope(self, x: i32, y: i32) -> (f32, f32) {
        let mut hash = (x as u32).wrapping_mul(0x8da6_b343) ^ (y as u32).wrapping_mul(0xd816_3841) ^ self.0;
        hash = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
        hash = (hash ^ (hash >> 12)).wrapping_mul(0x297a_2d39);
        hash ^= hash >> 15;
        // Two numbers of -1 to 1 out of one hash; not of even length, which nobody sees.
        let part = |bits: u32| (bits & 0xffff) as f32 / 32767.5 - 1.0;
        (part(hash), part(hash >> 16))
    }
}

impl Field {
    /// Samples `value` over the sleeve, with a margin of one sample all round.
    pub fn sample(value: impl Fn(f32, f32) -> f32) -> Field {
        let place = |i: usize| (i as f32 - 1.0) / (FIELD_SIDE - 3) as f32;
        let rows = 0..FIELD_SIDE;
        let samples = rows.flat_map(|row| (0..FIELD_SIDE).map(move |column| (column, row)));
        Field { samples: samples.map(|(column, row)| value(place(column), place(row))).collect() }
    }

    /// The value there and its slope to the right and down.
    pub fn at(&self, x: f32, y: f32) -> (f32, f32, f32) {
        let scale = (FIELD_SIDE - 3) as f32;
        let (px, py) = (x * scale + 1.0, y * scale + 1.0);
        let column = ((px + 0.5) as usize).clamp(1, FIELD_SIDE - 2);
        let row = ((py + 0.5) as usize).clamp(1, FIELD_SIDE - 2);
        let (wx, dx) = weights(px - column as f32);
        let (wy, dy) = weights(py - row as f32);
        let (mut value, mut across, mut down) = (0.0, 0.0, 0.0);
        for i in 0..3 {
            let start = (row + i - 1) * FIELD_SIDE + column - 1;
            let line = &self.samples[start..start + 3];
            let here = line[0] * wx[0] + line[1] * wx[1] + line[2] * wx[2];
            value += here * wy[i];
            across += (line[0] * dx[0] + line[1] * dx[1] + line[2] * dx[2]) * wy[i];
            down += here * dy[i];
        }
        (value, across * scale, down * scale)
    }
}

/// The last step of every sleeve: the grain of ink on card, a breath of shadow to the edges.
pub(super) fn press(canvas: &mut Canvas, seed: u64) {
    let grain = grain(seed);
    let side = canvas.side as usize;
    // On a large print the grain keeps its size in millimetres, not in pixels.
    let coarse = (side / 900).max(1);
    let step = canvas.pixel();
    let edge: Vec<f32> = (0..side).map(|i| edge_light((i as f32 + 0.5) * step)).collect();
    for (row, line) in canvas.pixels.chunks_exact_mut(side * 3).enumerate() {
        let speckles = &grain[(row / coarse % GRAIN_SIDE) * GRAIN_SIDE..][..GRAIN_SIDE];
        let speckles = speckles.iter().cycle().flat_map(|speckle| std::iter::repeat_n(speckle, coarse));
        for ((pixel, light), speckle) in line.chunks_exact_mut(3).zip(&edge).zip(speckles) {
            let light = edge[row] * light;
            for part in pixel {
                *part = (f32::from(*part) * light + speckle + 0.5) as u8;
            }
        }
    }
}

fn edge_light(place: f32) -> f32 {
    0.955 + 0.045 * smooth(0.0, 0.035, place.min(1.0 - place))
}

fn grain(seed: u64) -> Vec<f32> {
    let mut chance = Chance::new(seed ^ 0x0067_7261_696e);
    let raw: Vec<f32> = (0..GRAIN_SIDE * GRAIN_SIDE).map(|_| chance.between(-1.0, 1.0)).collect();
    let at = |row: usize, column: usize| raw[row % GRAIN_SIDE * GRAIN_SIDE + column % GRAIN_SIDE];
    let soft = |row: usize, column: usize| {
        let beside = at(row + 1, column) + at(row, column + 1) + at(row + 1, column + 1);
        3.4 * (0.55 * at(row, column) + 0.3 * beside)
    };
    (0..GRAIN_SIDE)
        .flat_map(|row| (0..GRAIN_SIDE).map(move |column| (row, column)))
        .map(|(r, c)| soft(r, c))
        .collect()
}

/// The whole number below: `floor` is a call of the C library where the processor's own is not assumed.
fn cell(x: f32) -> i32 {
    let whole = x as i32;
    whole - i32::from(x < whole as f32)
}

/// The quadratic spline's three weights and their slopes.
fn weights(t: f32) -> ([f32; 3], [f32; 3]) {
    let (low, high) = (0.5 - t, 0.5 + t);
    ([low * low / 2.0, 0.75 - t * t, high * high / 2.0], [-low, -2.0 * t, high])
}
