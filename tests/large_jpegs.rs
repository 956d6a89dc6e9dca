//! Large JPEGs, which are read at a part of their size: they look like what an independent decoder and
//! a plain filter make of the whole, take little memory, and are refused when they are cut short.

mod picture_bytes;

use image::imageops::FilterType;
use image::{Rgb, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use picture_bytes::insert_segment;
use vinylvault::picture::{PictureError, Recipe, Renderer};

/// The best quality, for what is compared is the decoder and not the encoder.
const RECIPE: Recipe =
    Recipe { thumbnail_side: 150, detail_side: 600, quality: 100, effort: 0, megapixels_max: 40 };
/// The default of the setting, 96 MB.
const BUDGET: u64 = 96_000_000;

/// Mean difference and that which one sample in a hundred exceeds, in levels: the figures of the issue.
const MEAN_MAX: f64 = 2.0;
const WORST_MAX: u8 = 8;

/// Soft shapes in all colours, edges, and a fine pattern in a corner.
fn scene(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
        let wave = |a: f32, b: f32, c: f32| (127.0 + 90.0 * (a * u + b * v + c).sin()) as i32;
        let mut levels = [wave(9.0, 4.0, 0.0), wave(-5.0, 8.0, 1.0), wave(3.0, -7.0, 2.0)];
        if (u - 0.6).powi(2) + (v - 0.4).powi(2) < 0.04 {
            levels = [levels[2], 255 - levels[0], levels[1]];
        }
        if u < 0.2 && v > 0.8 {
            let step = if (x / 16 + y / 16) % 2 == 0 { 25 } else { -25 };
            levels = levels.map(|level| level + step);
        }
        Rgb(levels.map(|level| level.clamp(0, 255) as u8))
    })
}

#[derive(Clone, Copy, Debug)]
struct Kind {
    width: u16,
    height: u16,
    progressive: bool,
    sampling: SamplingFactor,
    /// MCUs between two restart markers.
    restarts: Option<u16>,
}

fn jpeg(kind: Kind, picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 92);
    encoder.set_progressive(kind.progressive);
    encoder.set_sampling_factor(kind.sampling);
    if let Some(interval) = kind.restarts {
        encoder.set_restart_interval(interval);
    }
    encoder.encode(picture, kind.width, kind.height, ColorType::Rgb).unwrap();
    bytes
}

fn detail(original: &[u8]) -> Result<RgbImage, PictureError> {
    let renderer = Renderer::new(RECIPE, BUDGET);
    let mut last = Vec::new();
    renderer.render(original, &mut |_, webp| last = webp)?;
    assert_eq!(renderer.free_bytes(), BUDGET);
    Ok(image::load_from_memory(&last).unwrap().into_rgb8())
}

/// Mean, and what one in a hundred exceeds.
fn differences(one: &RgbImage, other: &RgbImage) -> (f64, u8) {
    assert_eq!(one.dimensions(), other.dimensions());
    let mut levels: Vec<u8> = one.iter().zip(other.iter()).map(|(one, other)| one.abs_diff(*other)).collect();
    levels.sort_unstable();
    let mean = levels.iter().map(|&level| f64::from(level)).sum::<f64>() / levels.len() as f64;
    (mean, levels[levels.len() * 99 / 100])
}

const KINDS: [Kind; 8] = {
    const fn kind(width: u16, height: u16, progressive: bool, sampling: SamplingFactor) -> Kind {
        // Not with the sampling of which the decoder that is compared with garbles such pictures.
        let restarts =
            if width % 2 == 1 || matches!(sampling, SamplingFactor::F_2_2) { Some(37) } else { None };
        Kind { width, height, progressive, sampling, restarts }
    }
    [
        kind(2400, 2400, false, SamplingFactor::F_2_2),
        kind(2471, 2513, true, SamplingFactor::F_2_2),
        kind(2533, 3001, false, SamplingFactor::F_1_1),
        kind(2600, 2450, true, SamplingFactor::F_1_1),
        kind(2417, 2800, true, SamplingFactor::F_2_1),
        kind(2900, 2555, false, SamplingFactor::F_4_1),
        kind(5007, 4801, true, SamplingFactor::F_2_2),
        kind(4999, 5113, false, SamplingFactor::F_1_2),
    ]
};

#[test]
fn a_large_jpeg_looks_like_the_whole_of_it_made_smaller() {
    for kind in KINDS {
        let original = jpeg(kind, &scene(kind.width.into(), kind.height.into()));
        let shown = detail(&original).unwrap();
        let whole = image::load_from_memory(&original).unwrap().into_rgb8();
        let (width, height) = shown.dimensions();
        let meant = image::imageops::resize(&whole, width, height, FilterType::Lanczos3);
        let (mean, worst) = differences(&shown, &meant);
        assert!(mean <= MEAN_MAX && worst <= WORST_MAX, "{kind:?}: mean {mean:.2}, worst hundredth {worst}");
    }
}

/// Small pictures of every sampling and both kinds, beside the same picture without any loss of chroma.
#[test]
fn a_small_jpeg_of_any_sampling_is_what_was_encoded() {
    let picture = scene(597, 411);
    let samplings = [
        SamplingFactor::F_1_1,
        SamplingFactor::F_2_1,
        SamplingFactor::F_1_2,
        SamplingFactor::F_2_2,
        SamplingFactor::F_4_1,
        SamplingFactor::F_4_2,
        SamplingFactor::F_1_4,
        SamplingFactor::F_2_4,
    ];
    for (sampling, progressive) in
        samplings.into_iter().flat_map(|sampling| [(sampling, false), (sampling, true)])
    {
        for restarts in [None, Some(7)] {
            let original = jpeg(Kind { width: 597, height: 411, progressive, sampling, restarts }, &picture);
            let (mean, _) = differences(&detail(&original).unwrap(), &picture);
            assert!(mean <= 3.0, "{sampling:?}, progressive {progressive}, {restarts:?}: {mean:.2}");
        }
    }
}

#[test]
fn a_grey_one_is_grey_and_the_same() {
    let picture = image::DynamicImage::ImageRgb8(scene(2600, 2500)).into_luma8();
    for progressive in [false, true] {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 92);
        encoder.set_progressive(progressive);
        encoder.encode(&picture, 2600, 2500, ColorType::Luma).unwrap();
        let shown = detail(&bytes).unwrap();
        let meant = image::imageops::resize(&picture, 600, 577, FilterType::Lanczos3);
        let meant = image::DynamicImage::ImageLuma8(meant).into_rgb8();
        let (mean, worst) = differences(&shown, &meant);
        assert!(mean <= MEAN_MAX && worst <= WORST_MAX, "{progressive}: {mean:.2}, {worst}");
    }
}

#[test]
fn a_large_picture_that_lies_on_its_side_is_turned() {
    let kind = Kind {
        width: 2400,
        height: 3000,
        progressive: true,
        sampling: SamplingFactor::F_2_2,
        restarts: None,
    };
    let upright = jpeg(kind, &scene(2400, 3000));
    // Orientation 6: turn it by 90 degrees to the right.
    let tag = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let shown = detail(&insert_segment(&upright, 0xe1, tag)).unwrap();
    assert_eq!(shown.dimensions(), (600, 480));
    let (mean, _) = differences(&shown, &image::imageops::rotate90(&detail(&upright).unwrap()));
    assert!(mean <= 1.0, "{mean}");
}

/// 6,324 x 6,324: 40 megapixels, the largest that the default admits.
#[test]
fn the_largest_admitted_originals_fit_the_default_budget() {
    let picture = RgbImage::from_fn(6324, 6324, |x, y| Rgb([(x / 32) as u8, (y / 32) as u8, 90]));
    for (progressive, sampling) in
        [(false, SamplingFactor::F_1_1), (true, SamplingFactor::F_2_2), (true, SamplingFactor::F_1_1)]
    {
        let original =
            jpeg(Kind { width: 6324, height: 6324, progressive, sampling, restarts: None }, &picture);
        assert_eq!(detail(&original).map(|shown| shown.dimensions()), Ok((600, 600)), "{progressive}");
    }
}

#[test]
fn one_that_is_cut_short_is_refused_though_somebody_wrote_an_end_behind_it() {
    let picture = scene(2400, 2400);
    for progressive in [false, true] {
        let kind =
            Kind { width: 2400, height: 2400, progressive, sampling: SamplingFactor::F_2_2, restarts: None };
        let whole = jpeg(kind, &picture);
        assert!(detail(&whole).is_ok());
        for percent in [2, 10, 30, 50, 70, 85] {
            let cut = &whole[..whole.len() * percent / 100];
            assert_eq!(detail(cut).err(), Some(PictureError::Truncated), "{progressive}, {percent} %");
            let ended = [cut, b"\xff\xd9"].concat();
            let error = detail(&ended).err();
            assert!(error.is_some(), "{progressive}, {percent} % and an end");
        }
    }
}

/// Without them every coefficient would be taken for zero, and the cover be grey for ever.
#[test]
fn one_without_its_tables_is_refused() {
    for progressive in [false, true] {
        let kind =
            Kind { width: 2400, height: 2400, progressive, sampling: SamplingFactor::F_1_1, restarts: None };
        let mut bytes = jpeg(kind, &RgbImage::from_pixel(2400, 2400, Rgb([9, 99, 200])));
        // Each DQT becomes a comment of the same length.
        for at in 0..600 {
            if bytes[at..at + 2] == [0xff, 0xdb] {
                bytes[at + 1] = 0xfe;
            }
        }
        assert!(matches!(detail(&bytes), Err(PictureError::Damaged(_))), "{progressive}");
    }
}

#[test]
fn no_mutation_of_a_large_one_gets_past_the_renderer() {
    let renderer = Renderer::new(RECIPE, BUDGET);
    let mut state = 1u32;
    let mut roll = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    for kind in &KINDS[..5] {
        let good =
            jpeg(*kind, &RgbImage::from_pixel(kind.width.into(), kind.height.into(), Rgb([9, 99, 200])));
        for _ in 0..40 {
            let mut bytes = good.clone();
            for _ in 0..=roll(8) {
                let reach = if roll(2) == 0 { 800 } else { bytes.len() };
                let at = roll(bytes.len().min(reach));
                bytes[at] = [0, 0xff, 0x7f, roll(256) as u8][roll(4)];
            }
            // Either outcome will do, as long as it is one.
            drop(renderer.render(&bytes, &mut |_, _| {}));
            assert_eq!(renderer.free_bytes(), BUDGET);
        }
    }
}
