//! Coefficients to samples: the inverse cosine transform (T.81, A.3.3) of a block's lowest frequencies
//! to as many samples a side as there are of them. That is the ideal low-pass: what a smaller picture
//! cannot show is left out before it could alias. Owns the arithmetic, which is the same on every
//! processor.

use std::num::Wrapping;

/// Bits of fraction of the constants.
const FRACTION: usize = 13;
/// Bits of fraction that samples keep between the two passes.
const KEPT: usize = 2;

type Number = Wrapping<i32>;

/// Writes `side` x `side` samples, 8, 4, 2 or 1, of coefficients that stand row by row, to the corner
/// of `samples`, whose rows are `stride` long. `is_flat`: all but the first are zero.
#[inline]
pub(super) fn write(block: &[i32; 128], side: usize, is_flat: bool, samples: &mut [u8], stride: usize) {
    if is_flat {
        let level = level((block[0] + 4) >> 3);
        for row in samples.chunks_mut(stride).take(side) {
            row[..side].fill(level);
        }
        return;
    }
    match side {
        8 => eight(block, samples, stride),
        4 => four(block, samples, stride),
        2 => two(block, samples, stride),
        _ => samples[0] = level((block[0] + 4) >> 3),
    }
}

/// From a difference to the middle grey.
#[inline(always)]
fn level(value: i32) -> u8 {
    (value + 128).clamp(0, 255) as u8
}

fn two(block: &[i32; 128], samples: &mut [u8], stride: usize) {
    let [a, b, c, d] = [block[0], block[1], block[2], block[3]];
    let (sums, differences) = ((a + b, c + d), (a - b, c - d));
    let rounded = |sum: i32| level((sum + 4) >> 3);
    samples[0] = rounded(sums.0 + sums.1);
    samples[1] = rounded(differences.0 + differences.1);
    samples[stride] = rounded(sums.0 - sums.1);
    samples[stride + 1] = rounded(differences.0 - differences.1);
}

/// Four samples: a constant times each sum, sqrt(1/8) and halves of the cosines of pi/8 and 3 pi/8.
#[inline(always)]
fn four_points(input: [Number; 4]) -> [Number; 4] {
    const EVEN: Number = Wrapping(2896);
    const NEAR: Number = Wrapping(3784);
    const FAR: Number = Wrapping(1567);
    let [a, b, c, d] = input;
    let (sum, difference) = ((a + c) * EVEN, (a - c) * EVEN);
    let (outer, inner) = (b * NEAR + d * FAR, b * FAR - d * NEAR);
    [sum + outer, difference + inner, difference - inner, sum - outer]
}

fn four(block: &[i32; 128], samples: &mut [u8], stride: usize) {
    let mut between = [Wrapping(0); 16];
    for column in 0..4 {
        let input = [0, 4, 8, 12].map(|row| Wrapping(block[row + column]));
        for (row, value) in four_points(input).into_iter().enumerate() {
            between[row * 4 + column] = rounded(value, FRACTION - KEPT);
        }
    }
    for (line, row) in between.chunks_exact(4).zip(samples.chunks_mut(stride)) {
        let values = four_points([line[0], line[1], line[2], line[3]]);
        for (sample, value) in row[..4].iter_mut().zip(values) {
            *sample = level(rounded(value, FRACTION + KEPT).0);
        }
    }
}

#[inline(always)]
fn rounded(value: Number, bits: usize) -> Number {
    (value + Wrapping(1 << (bits - 1))) >> bits
}

/// Loeffler, Ligtenberg and Moschytz, "Practical fast 1-D DCT algorithms with 11 multiplications"
/// (ICASSP 1989), figure 1 read backwards; scaled by the square root of 8.
#[inline(always)]
fn eight_points(input: [Number; 8]) -> [Number; 8] {
    let constant = |value: i32| Wrapping(value);
    let [f0, f1, f2, f3, f4, f5, f6, f7] = input;
    let turned = (f2 + f6) * constant(4433);
    let (low, high) = (turned - f6 * constant(15137), turned + f2 * constant(6270));
    let (sum, difference) = ((f0 + f4) << FRACTION, (f0 - f4) << FRACTION);
    let even = [sum + high, difference + low, difference - low, sum - high];

    let (z1, z2, z3, z4) = (f7 + f1, f5 + f3, f7 + f3, f5 + f1);
    let z5 = (z3 + z4) * constant(9633);
    let (z1, z2) = (z1 * constant(-7373), z2 * constant(-20995));
    let (z3, z4) = (z3 * constant(-16069) + z5, z4 * constant(-3196) + z5);
    let odd = [
        f1 * constant(12299) + z1 + z4,
        f3 * constant(25172) + z2 + z3,
        f5 * constant(16819) + z2 + z4,
        f7 * constant(2446) + z1 + z3,
    ];
    [
        even[0] + odd[0],
        even[1] + odd[1],
        even[2] + odd[2],
        even[3] + odd[3],
        even[3] - odd[3],
        even[2] - odd[2],
        even[1] - odd[1],
        even[0] - odd[0],
    ]
}

fn eight(block: &[i32; 128], samples: &mut [u8], stride: usize) {
    let mut between = [Wrapping(0); 64];
    for column in 0..8 {
        let input = std::array::from_fn(|row| Wrapping(block[row * 8 + column]));
        for (row, value) in eight_points(input).into_iter().enumerate() {
            between[row * 8 + column] = rounded(value, FRACTION - KEPT);
        }
    }
    for (line, row) in between.chunks_exact(8).zip(samples.chunks_mut(stride)) {
        let values = eight_points(std::array::from_fn(|column| line[column]));
        for (sample, value) in row[..8].iter_mut().zip(values) {
            // Three bits more: the two passes' square roots of 8.
            *sample = level(rounded(value, FRACTION + KEPT + 3).0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    /// The definition, of `side` frequencies.
    fn exact(block: &[i32; 128], side: usize) -> Vec<f64> {
        let norm = |k: usize| if k == 0 { (0.5f64).sqrt() } else { 1.0 };
        let wave = |x: usize, k: usize| ((2 * x + 1) as f64 * k as f64 * PI / (2 * side) as f64).cos();
        let mut samples = Vec::new();
        for (y, x) in (0..side).flat_map(|y| (0..side).map(move |x| (y, x))) {
            let mut sum = 0.0;
            for (v, u) in (0..side).flat_map(|v| (0..side).map(move |u| (v, u))) {
                sum += norm(u) * norm(v) * f64::from(block[v * side + u]) * wave(x, u) * wave(y, v);
            }
            samples.push(sum / 4.0 + 128.0);
        }
        samples
    }

    #[test]
    fn every_size_is_the_definition_but_for_a_level() {
        let mut state = 7u32;
        for side in [8, 4, 2, 1] {
            for round in 0..200 {
                let mut block = [0; 128];
                for (place, value) in block[..side * side].iter_mut().enumerate() {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let reach = if place == 0 { 900 } else { 160 / (1 + round % 5) };
                    *value = (state >> 16) as i32 % (2 * reach + 1) - reach;
                }
                let mut samples = [0u8; 64];
                write(&block, side, false, &mut samples, 8);
                for (place, exact) in exact(&block, side).into_iter().enumerate() {
                    let found = f64::from(samples[place / side * 8 + place % side]);
                    let meant = exact.clamp(0.0, 255.0);
                    assert!((found - meant).abs() <= 1.0, "{side}, round {round}: {found} for {meant}");
                }
            }
        }
    }

    #[test]
    fn a_flat_block_is_the_same_the_short_way_but_for_a_level() {
        for side in [8, 4, 2, 1] {
            for first in [-1024, -513, -4, 0, 3, 700, 1023, 4095] {
                let mut block = [0; 128];
                block[0] = first;
                let (mut long, mut short) = ([0u8; 64], [0u8; 64]);
                write(&block, side, false, &mut long, 8);
                write(&block, side, true, &mut short, 8);
                let off = long.iter().zip(short).map(|(long, short)| long.abs_diff(short)).max();
                assert!(off <= Some(1), "{side}, {first}: {long:?} and {short:?}");
            }
        }
    }
}
