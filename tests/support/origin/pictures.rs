//! Pictures for tests, made on the spot. Owns their looks only.

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use std::io::Cursor;

/// One colour: compresses to very little.
pub fn jpeg(width: u32, height: u32, colour: [u8; 3]) -> Vec<u8> {
    encode(RgbImage::from_pixel(width, height, Rgb(colour)), ImageFormat::Jpeg)
}

/// One colour, without loss.
pub fn png(width: u32, height: u32, colour: [u8; 3]) -> Vec<u8> {
    encode(RgbImage::from_pixel(width, height, Rgb(colour)), ImageFormat::Png)
}

/// A JPEG with some detail, different for every seed: no two have the same bytes.
pub fn sleeve(seed: u32, side: u32) -> Vec<u8> {
    encode(pattern(seed, side), ImageFormat::Jpeg)
}

/// A PNG of noise: about 3 bytes a pixel on the wire, for size limits.
pub fn noise_png(seed: u32, side: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_769) | 1;
    let noise = RgbImage::from_fn(side, side, |_, _| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let [a, b, c, _] = state.to_le_bytes();
        Rgb([a, b, c])
    });
    encode(noise, ImageFormat::Png)
}

/// The mean colour of any picture that `image` can read: which picture is this?
pub fn mean_colour(bytes: &[u8]) -> [u8; 3] {
    let picture = image::load_from_memory(bytes).expect("a picture").to_rgb8();
    let count = u64::from(picture.width()) * u64::from(picture.height());
    let mut sums = [0u64; 3];
    for pixel in picture.pixels() {
        for (sum, value) in sums.iter_mut().zip(pixel.0) {
            *sum += u64::from(value);
        }
    }
    sums.map(|sum| u8::try_from(sum / count).expect("a mean of bytes"))
}

fn pattern(seed: u32, side: u32) -> RgbImage {
    let [a, b, c, _] = seed.wrapping_mul(2_654_435_769).to_le_bytes();
    RgbImage::from_fn(side, side, |x, y| {
        let ring = (x * x + y * y) / (side + 1) + seed;
        let shade = |base: u8, step: u32| base.wrapping_add(((ring / (step * 8 + 8)) % 4) as u8 * 40);
        Rgb([shade(a, 1), shade(b, 2), shade(c, 3)])
    })
}

fn encode(picture: RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(picture).write_to(&mut bytes, format).expect("encoding into memory");
    bytes.into_inner()
}
