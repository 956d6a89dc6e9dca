//! The work that `render` and `stages` measure: covers drawn by this program, the whole job, and its
//! stages by the libraries that do them, each alone. In processor time of this process, so that a busy
//! machine changes little.
#![allow(dead_code, reason = "each bench takes the part of this that it needs")]

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::time::Duration;
use vinylvault::picture::{Recipe, Renderer};
use zune_core::bytestream::ZCursor;
use zune_jpeg::JpegDecoder;

const BUDGET: u64 = 96 << 20;
/// Of the released program.
pub const EFFORT_DEFAULT: u8 = 2;

/// That this process has used so far, in all its threads.
pub fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).expect("time since the start")
}

pub fn renderer(effort: u8) -> Renderer {
    let recipe = Recipe { thumbnail_side: 150, detail_side: 600, quality: 85, effort, megapixels_max: 40 };
    Renderer::new(recipe, BUDGET)
}

/// Thumbnail, then detail.
pub fn renditions(renderer: &Renderer, original: &[u8]) -> Vec<Vec<u8>> {
    let mut made = Vec::new();
    renderer.render(original, &mut |_, webp| made.push(webp)).expect("a good picture");
    made
}

fn shown(picture: &[u8]) -> RgbImage {
    image::load_from_memory(picture).expect("our own picture").into_rgb8()
}

/// What the stages of a render do at full size, each by the library that does it.
pub struct Stages<'a> {
    original: &'a [u8],
    full: RgbImage,
    detail: RgbImage,
    thumbnail: RgbImage,
}

impl<'a> Stages<'a> {
    pub fn of(original: &'a [u8]) -> Stages<'a> {
        let made = renditions(&renderer(EFFORT_DEFAULT), original);
        let [thumbnail, detail] = [0, 1].map(|index| shown(&made[index]));
        Stages { original, full: shown(original), detail, thumbnail }
    }

    pub fn decode(&self) {
        black_box(decoded(black_box(self.original)));
    }

    pub fn resize(&self) {
        if self.full.width() > self.detail.width() {
            black_box(resized(&self.full, self.detail.width()));
        }
        black_box(resized(&self.detail, self.thumbnail.width()));
    }

    pub fn encode(&self, effort: u8) {
        [&self.thumbnail, &self.detail].into_iter().for_each(|picture| encode(picture, effort));
    }
}

fn decoded(jpeg: &[u8]) -> Vec<u8> {
    JpegDecoder::new(ZCursor::new(jpeg)).decode().expect("our own picture")
}

fn resized(square: &RgbImage, to: u32) -> Vec<u8> {
    let from = square.width();
    let source = TypedImageRef::<U8x3>::from_buffer(from, from, square).expect("a square picture");
    let mut resized = vec![0; to as usize * to as usize * 3];
    let mut target = TypedImage::<U8x3>::from_buffer(to, to, &mut resized).expect("a square picture");
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new().resize_typed(&source, &mut target, &options).expect("pictures of one kind");
    resized
}

fn encode(picture: &RgbImage, effort: u8) {
    let mut config = webp::WebPConfig::new().expect("libwebp has its own version");
    config.quality = 85.0;
    config.method = i32::from(effort);
    let encoder = webp::Encoder::from_rgb(picture, picture.width(), picture.height());
    drop(black_box(encoder.encode_advanced(&config)));
}

/// Something with the detail of a photograph: soft shapes, edges and grain, the same at each size
/// and, being made of whole numbers, on each machine.
pub fn cover(side: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 90);
    encoder.encode_image(&drawn(side)).expect("a vector takes all bytes");
    bytes
}

/// The same in several passes, as many shops send it.
pub fn progressive_cover(side: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
    encoder.set_progressive(true);
    let picture = drawn(side.into());
    encoder.encode(&picture, side, side, jpeg_encoder::ColorType::Rgb).expect("a vector takes all bytes");
    bytes
}

fn drawn(side: u32) -> RgbImage {
    RgbImage::from_fn(side, side, |x, y| {
        // The place in a picture of 4096 x 4096.
        let [u, v] = [x, y].map(|at| at * 4096 / side);
        let cloud =
            |salt: u32| (smooth(u, v, 9, salt) * 5 + smooth(u, v, 7, salt) * 2 + smooth(u, v, 5, salt)) / 8;
        let grain = hash(x, y, 99) % 13;
        let label = (u.abs_diff(2200).pow(2) + v.abs_diff(1900).pow(2) < 1100 * 1100) as u32 * 40;
        image::Rgb([1, 2, 3].map(|salt| (cloud(salt) * 3 / 4 + label + grain).min(255) as u8))
    })
}

/// Noise of one octave, 0-255: corners of cells of 2^`bits`, and between them a straight blend.
fn smooth(u: u32, v: u32, bits: u32, salt: u32) -> u32 {
    let (cell_x, cell_y, within) = (u >> bits, v >> bits, (1 << bits) - 1);
    let corner = |right: u32, below: u32| hash(cell_x + right, cell_y + below, salt + bits * 8) & 255;
    let blend = |from: u32, to: u32, at: u32| (from * (within + 1 - at) + to * at) >> bits;
    let [top, bottom] = [0, 1].map(|below| blend(corner(0, below), corner(1, below), u & within));
    blend(top, bottom, v & within)
}

fn hash(x: u32, y: u32, salt: u32) -> u32 {
    let mixed = (x ^ y.rotate_left(16) ^ salt.rotate_left(27)).wrapping_mul(0x9e37_79b1);
    (mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca77) >> 13
}
