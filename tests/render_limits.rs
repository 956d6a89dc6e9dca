//! What the renderer refuses, how it shares its memory, and what hostile bytes cannot do to it.

mod picture_bytes;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use picture_bytes::{Flat, encoded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use vinylvault::picture::{PictureError, Recipe, Renderer};

const RECIPE: Recipe =
    Recipe { thumbnail_side: 150, detail_side: 600, quality: 85, effort: 2, megapixels_max: 40 };
const BUDGET: u64 = 96 << 20;
const BLUE: Rgb<u8> = Rgb([30, 30, 220]);
const YELLOW: Rgb<u8> = Rgb([240, 220, 30]);

fn renderer() -> Renderer {
    Renderer::new(RECIPE, BUDGET)
}

fn outcome(original: &[u8]) -> Result<(), PictureError> {
    renderer().render(original, &mut |_, _| {})
}

/// Something that no format packs into nothing.
fn noise(side: u32) -> RgbImage {
    let mut state = 1u32;
    RgbImage::from_fn(side, side, |_, _| {
        state = next(state);
        Rgb([(state >> 24) as u8, (state >> 16) as u8, 90])
    })
}

fn next(state: u32) -> u32 {
    state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223)
}

#[test]
fn a_jpeg_cut_short_anywhere_is_never_accepted() {
    let whole = encoded(noise(64), ImageFormat::Jpeg);
    assert!(outcome(&whole).is_ok());
    for length in 3..whole.len() - 2 {
        assert_eq!(outcome(&whole[..length]).err(), Some(PictureError::Truncated), "{length} bytes");
    }
}

#[test]
fn a_jpeg_whose_scan_stops_early_is_not_a_half_black_cover() {
    let whole = encoded(noise(400), ImageFormat::Jpeg);
    for marker in [&[0xff, 0xfe, 0, 2][..], &[0xff, 0xc0, 0, 2], &[0xff, 0xda, 0, 2], &[0xff, 0xd9]] {
        let (before, after) = whole.split_at(whole.len() / 2);
        let error = outcome(&[before, marker, after].concat()).err();
        assert!(matches!(error, Some(PictureError::Damaged(_))), "{marker:x?}: {error:?}");
    }
}

#[test]
fn a_cut_png_gif_or_webp_is_worth_another_download() {
    for format in [ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP] {
        let picture = RgbImage::from_fn(120, 120, |x, y| Rgb([(x * y) as u8, x as u8, y as u8]));
        let whole = encoded(DynamicImage::ImageRgb8(picture), format);
        assert!(outcome(&whole).is_ok(), "{format:?}");
        let error = outcome(&whole[..whole.len() * 2 / 3]).err();
        assert_eq!(error, Some(PictureError::Truncated), "{format:?}");
        assert!(error.is_some_and(|error| error.is_transient()));
    }
}

#[test]
fn what_is_not_one_of_four_formats_is_not_a_picture() {
    for bytes in
        [&b""[..], b"\xff", b"BM\x00\x00", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"II*\0\x08\0\0\0"]
    {
        let error = outcome(bytes).unwrap_err();
        assert_eq!(error, PictureError::NotAPicture);
        assert!(!error.is_transient());
    }
}

#[test]
fn the_pixel_limit_is_exact_and_stands_before_decoding() {
    let small = Recipe { megapixels_max: 1, ..RECIPE };
    let renderer = Renderer::new(small, BUDGET);
    let exact = encoded(RgbImage::from_pixel(1000, 1000, BLUE), ImageFormat::Png);
    assert_eq!(renderer.render(&exact, &mut |_, _| {}), Ok(()));
    let header_only = Flat { claimed: Some((1000, 1001)), ..Flat::default() }.bytes();
    let refused = renderer.render(&header_only, &mut |_, _| panic!("nothing may be delivered"));
    assert_eq!(refused, Err(PictureError::TooLarge { width: 1000, height: 1001 }));
}

#[test]
fn the_coefficients_of_a_progressive_jpeg_are_counted() {
    let claims = |progressive| {
        // Four inks: of a kind that is always decoded whole.
        let samples = &[9, 9, 9, 9];
        let flat = Flat { samples, claimed: Some((4000, 4000)), progressive, ..Flat::default() };
        renderer().render(&flat.bytes(), &mut |_, _| {}).unwrap_err()
    };
    // 48 MB of pixels are granted, and then the file proves to be short of them.
    assert!(!matches!(claims(false), PictureError::TooMuchMemory { .. }));
    // With 128 MB of coefficients they are not.
    let PictureError::TooMuchMemory { bytes } = claims(true) else { panic!("it was granted") };
    assert!((176_000_000..190_000_000).contains(&bytes), "{bytes}");
}

/// What took 2^n steps for n frames, and the whole stack for many.
#[test]
fn frames_within_frames_are_not_followed() {
    for depth in [1usize, 40, 60_000] {
        let mut frames = Vec::new();
        for left in (0..depth).rev() {
            frames.extend(b"ANMF");
            frames.extend((16 + 24 * left as u32).to_le_bytes());
            frames.extend([0; 16]);
        }
        let file = [b"RIFF", &(frames.len() as u32 + 4).to_le_bytes()[..], b"WEBP", &frames].concat();
        let started = Instant::now();
        assert!(outcome(&file).is_err(), "{depth}");
        assert!(started.elapsed() < Duration::from_secs(10), "{depth} took {:?}", started.elapsed());
    }
}

#[test]
fn large_pictures_wait_for_each_other_and_give_everything_back() {
    // Room for one of them and the encoder of another.
    let renderer = Renderer::new(RECIPE, 24 << 20);
    let original = encoded(RgbImage::from_pixel(2400, 2400, YELLOW), ImageFormat::Jpeg);
    let delivered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let counted = &mut |_, _| {
                    delivered.fetch_add(1, Ordering::Relaxed);
                };
                renderer.render(&original, counted).unwrap();
            });
        }
    });
    assert_eq!(delivered.into_inner(), 8);
    assert_eq!(renderer.free_bytes(), 24 << 20);
}

#[test]
fn a_picture_beyond_the_budget_is_refused_and_costs_nothing() {
    let renderer = Renderer::new(RECIPE, 8 << 20);
    let original = encoded(RgbImage::from_pixel(2400, 2400, YELLOW), ImageFormat::Png);
    let refused = renderer.render(&original, &mut |_, _| {});
    assert!(
        matches!(refused, Err(PictureError::TooMuchMemory { bytes }) if bytes > 17_000_000),
        "{refused:?}"
    );
    assert_eq!(renderer.free_bytes(), 8 << 20);
}

#[test]
fn a_panic_of_the_receiver_leaves_the_budget_whole() {
    let renderer = renderer();
    let original = encoded(noise(64), ImageFormat::Png);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        renderer.render(&original, &mut |_, _| panic!("the receiver is gone"))
    }));
    assert!(panicked.is_err());
    assert_eq!(renderer.free_bytes(), BUDGET);
    assert_eq!(renderer.render(&original, &mut |_, _| {}), Ok(()));
}

/// A few bytes of a good file changed, cut, doubled: the same ones each time.
fn mutant(good: &[u8], seed: u32) -> Vec<u8> {
    let mut state = next(next(seed));
    let mut roll = |below: usize| {
        state = next(state);
        (state >> 8) as usize % below
    };
    let mut bytes = good.to_vec();
    for _ in 0..=roll(6) {
        let reach = if roll(2) == 0 { 64 } else { usize::MAX };
        let at = roll(bytes.len().min(reach));
        match roll(5) {
            0 => bytes[at] ^= 1 << roll(8),
            1 => bytes[at] = [0, 0xff, 0x7f, 0x80][roll(4)],
            2 => bytes.truncate(at.max(16)),
            3 => bytes.insert(at, roll(256) as u8),
            _ => bytes.extend_from_within(at..(at + 40).min(bytes.len())),
        }
    }
    bytes
}

#[test]
fn no_mutation_of_a_file_gets_past_the_renderer() {
    // More with MUTANTS=n in the environment.
    let mutants = std::env::var("MUTANTS").ok().and_then(|count| count.parse().ok()).unwrap_or(250);
    let renderer = renderer();
    let photo = DynamicImage::ImageRgb8(noise(48));
    let mut good: Vec<Vec<u8>> = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP]
        .map(|format| encoded(photo.clone(), format))
        .into();
    good.push(encoded(photo.to_rgba8(), ImageFormat::WebP));
    // A lossy WebP, which only our own renditions are here.
    let jpeg = good[0].clone();
    renderer.render(&jpeg, &mut |_, webp| good.push(webp)).unwrap();
    good.push(
        Flat { samples: &[150, 90, 128], progressive: true, luma_sampling: 0x22, ..Flat::default() }.bytes(),
    );
    for (kind, good) in good.iter().enumerate() {
        for seed in 0..mutants {
            let bytes = mutant(good, seed * 31 + kind as u32);
            let started = Instant::now();
            let said = renderer.render(&bytes, &mut |_, _| {});
            assert!(started.elapsed() < Duration::from_secs(10), "file {kind}, seed {seed}: {said:?}");
            assert_eq!(renderer.free_bytes(), BUDGET, "file {kind}, seed {seed}");
        }
    }
}
