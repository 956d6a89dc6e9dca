//! Pictures made here, byte by byte where it matters, and what the renderer makes of them.

mod picture_bytes;

use image::{DynamicImage, Rgb, RgbImage, Rgba, RgbaImage};
use picture_bytes::{
    Flat, encoded, gif_of, insert_segment, png_chunk_before_pixels, profile,
    profile_with_red_and_green_swapped,
};
use vinylvault::key::Variant;
use vinylvault::picture::{PictureError, Recipe, Renderer, Size, is_whole_webp};

const RECIPE: Recipe =
    Recipe { thumbnail_side: 150, detail_side: 600, quality: 85, effort: 2, megapixels_max: 40 };
const BUDGET: u64 = 96 << 20;
const RED: Rgb<u8> = Rgb([230, 30, 30]);
const GREEN: Rgb<u8> = Rgb([30, 200, 30]);
const BLUE: Rgb<u8> = Rgb([30, 30, 220]);
const YELLOW: Rgb<u8> = Rgb([240, 220, 30]);

fn renderer() -> Renderer {
    Renderer::new(RECIPE, BUDGET)
}

/// Thumbnail and detail, decoded.
fn shown(original: &[u8]) -> Result<[RgbImage; 2], PictureError> {
    let mut made = Vec::new();
    renderer().render(original, &mut |_, webp| {
        assert!(is_whole_webp(&webp));
        made.push(image::load_from_memory(&webp).unwrap().into_rgb8());
    })?;
    Ok(made.try_into().unwrap())
}

fn size(picture: &RgbImage) -> Size {
    Size { width: picture.width(), height: picture.height() }
}

fn near(found: Rgb<u8>, meant: Rgb<u8>, levels: u8) -> bool {
    found.0.iter().zip(meant.0).all(|(&found, meant)| found.abs_diff(meant) <= levels)
}

#[track_caller]
fn assert_near(found: Rgb<u8>, meant: Rgb<u8>, levels: u8) {
    assert!(near(found, meant, levels), "{found:?} instead of {meant:?}");
}

/// Red, green, blue and yellow quarters, wider than high.
fn quarters() -> RgbImage {
    RgbImage::from_fn(96, 64, |x, y| match (x < 48, y < 32) {
        (true, true) => RED,
        (false, true) => GREEN,
        (true, false) => BLUE,
        (false, false) => YELLOW,
    })
}

/// The colours in the middle of the quarters, in reading order.
fn corners(picture: &RgbImage) -> [Rgb<u8>; 4] {
    let [w, h] = [picture.width(), picture.height()];
    [(1, 1), (3, 1), (1, 3), (3, 3)].map(|(x, y)| *picture.get_pixel(w * x / 4, h * y / 4))
}

/// What a camera stores when `upright` is to be shown under that EXIF value.
fn stored(upright: &RgbImage, orientation: u8) -> RgbImage {
    use image::imageops::{flip_horizontal, flip_vertical, rotate90, rotate180, rotate270};
    match orientation {
        2 => flip_horizontal(upright),
        3 => rotate180(upright),
        4 => flip_vertical(upright),
        5 => flip_horizontal(&rotate90(upright)),
        6 => rotate270(upright),
        7 => flip_horizontal(&rotate270(upright)),
        8 => rotate90(upright),
        _ => upright.clone(),
    }
}

/// A big-endian TIFF block with nothing but an orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    block.extend([orientation, 0, 0, 0, 0, 0, 0]);
    block
}

fn jpeg_with_exif(picture: &RgbImage, orientation: u8) -> Vec<u8> {
    let app1 = [b"Exif\0\0".as_slice(), &exif(orientation)].concat();
    insert_segment(&encoded(picture.clone(), image::ImageFormat::Jpeg), 0xe1, &app1)
}

#[test]
fn a_turned_jpeg_is_shown_upright_whatever_the_camera_did() {
    for orientation in 1..=8 {
        let upright = quarters();
        let [thumbnail, detail] =
            shown(&jpeg_with_exif(&stored(&upright, orientation), orientation)).unwrap();
        for picture in [&thumbnail, &detail] {
            assert_eq!(size(picture), size(&upright), "orientation {orientation}");
            for (found, meant) in corners(picture).into_iter().zip([RED, GREEN, BLUE, YELLOW]) {
                assert!(near(found, meant, 12), "orientation {orientation}: {found:?} for {meant:?}");
            }
        }
    }
}

#[test]
fn an_orientation_outside_of_1_to_8_is_ignored() {
    for orientation in [0, 9, 255] {
        let [_, detail] = shown(&jpeg_with_exif(&quarters(), orientation)).unwrap();
        assert_near(corners(&detail)[0], RED, 12);
    }
}

#[test]
fn a_turned_png_is_shown_upright() {
    let png = encoded(stored(&quarters(), 6), image::ImageFormat::Png);
    let [_, detail] = shown(&png_chunk_before_pixels(&png, b"eXIf", &exif(6))).unwrap();
    assert_eq!(size(&detail), Size { width: 96, height: 64 });
    assert_near(corners(&detail)[0], RED, 12);
}

#[test]
fn a_turned_tall_cover_fits_the_box_after_turning() {
    let lying = RgbImage::from_pixel(1300, 650, BLUE);
    let [thumbnail, detail] = shown(&jpeg_with_exif(&lying, 6)).unwrap();
    assert_eq!(size(&detail), Size { width: 300, height: 600 });
    assert_eq!(size(&thumbnail), Size { width: 75, height: 150 });
}

#[test]
fn a_profile_that_swaps_channels_is_applied() {
    let app2 = [b"ICC_PROFILE\0\x01\x01".as_slice(), &profile_with_red_and_green_swapped()].concat();
    let picture = encoded(RgbImage::from_pixel(64, 64, Rgb([220, 40, 40])), image::ImageFormat::Jpeg);
    let [_, plain] = shown(&picture).unwrap();
    assert_near(*plain.get_pixel(32, 32), Rgb([220, 40, 40]), 6);
    let [_, swapped] = shown(&insert_segment(&picture, 0xe2, &app2)).unwrap();
    assert_near(*swapped.get_pixel(32, 32), Rgb([40, 220, 40]), 8);
}

#[test]
fn wide_gamuts_and_grey_curves_become_those_of_srgb() {
    let with = |picture: DynamicImage, tagged: moxcms::ColorProfile| {
        let app2 = [b"ICC_PROFILE\0\x01\x01".as_slice(), &profile(tagged)].concat();
        let [_, detail] =
            shown(&insert_segment(&encoded(picture, image::ImageFormat::Jpeg), 0xe2, &app2)).unwrap();
        *detail.get_pixel(32, 32)
    };
    let green = DynamicImage::ImageRgb8(RgbImage::from_pixel(64, 64, Rgb([120, 160, 110])));
    // Computed from the published matrices and curves of the three spaces.
    assert_near(with(green.clone(), moxcms::ColorProfile::new_adobe_rgb()), Rgb([99, 161, 108]), 5);
    assert_near(with(green.clone(), moxcms::ColorProfile::new_display_p3()), Rgb([108, 161, 105]), 5);
    assert_near(with(green, moxcms::ColorProfile::new_srgb()), Rgb([120, 160, 110]), 4);
    let linear = moxcms::ColorProfile::new_gray_with_gamma(1.0);
    let grey = DynamicImage::ImageLuma8(image::GrayImage::from_pixel(64, 64, image::Luma([55])));
    assert_near(with(grey, linear), Rgb([128; 3]), 3);
}

#[test]
fn a_profile_of_nonsense_is_ignored() {
    let app2 = [b"ICC_PROFILE\0\x01\x01".as_slice(), &[0x5a; 400]].concat();
    let picture = encoded(RgbImage::from_pixel(64, 64, YELLOW), image::ImageFormat::Jpeg);
    let [_, detail] = shown(&insert_segment(&picture, 0xe2, &app2)).unwrap();
    assert_near(*detail.get_pixel(32, 32), YELLOW, 8);
}

#[test]
fn a_profile_for_rgb_is_not_applied_to_grey() {
    let app2 = [b"ICC_PROFILE\0\x01\x01".as_slice(), &profile_with_red_and_green_swapped()].concat();
    let grey = encoded(image::GrayImage::from_pixel(64, 64, image::Luma([90])), image::ImageFormat::Jpeg);
    let [_, detail] = shown(&insert_segment(&grey, 0xe2, &app2)).unwrap();
    assert_near(*detail.get_pixel(32, 32), Rgb([90; 3]), 3);
}

#[test]
fn inks_become_light() {
    // As Adobe writes them: 255 is no ink.
    let cmyk = Flat { samples: &[255, 128, 0, 200], adobe: Some(0), ..Flat::default() };
    let [_, detail] = shown(&cmyk.bytes()).unwrap();
    assert_near(*detail.get_pixel(4, 4), Rgb([200, 100, 0]), 6);
    // The inverse of the first three, as YCbCr: red, so cyan is shown.
    let ycck = Flat { samples: &[76, 85, 255, 255], adobe: Some(2), ..Flat::default() };
    let [_, detail] = shown(&ycck.bytes()).unwrap();
    assert_near(*detail.get_pixel(4, 4), Rgb([1, 255, 255]), 10);
}

#[test]
fn odd_sampling_and_progressive_scans_are_decoded() {
    for sampling in [0x11, 0x21, 0x12, 0x22, 0x41] {
        for progressive in [false, true] {
            let flat =
                Flat { samples: &[150, 128, 128], luma_sampling: sampling, progressive, ..Flat::default() };
            let [_, detail] = shown(&flat.bytes()).unwrap_or_else(|error| panic!("{sampling:x}: {error}"));
            assert_near(*detail.get_pixel(4, 4), Rgb([150; 3]), 4);
        }
    }
    let grey = Flat { samples: &[77], ..Flat::default() };
    assert_near(*shown(&grey.bytes()).unwrap()[1].get_pixel(4, 4), Rgb([77; 3]), 4);
}

#[test]
fn alpha_is_laid_onto_white() {
    for alpha in [0, 51, 128, 255] {
        let picture = RgbaImage::from_pixel(40, 40, Rgba([20, 60, 100, alpha]));
        let meant = [20u32, 60, 100]
            .map(|sample| ((sample * u32::from(alpha) + 255 * (255 - u32::from(alpha)) + 127) / 255) as u8);
        for format in [image::ImageFormat::Png, image::ImageFormat::WebP] {
            let [thumbnail, detail] = shown(&encoded(picture.clone(), format)).unwrap();
            assert_near(*detail.get_pixel(20, 20), Rgb(meant), 4);
            assert_near(*thumbnail.get_pixel(20, 20), Rgb(meant), 4);
        }
    }
}

#[test]
fn a_transparent_edge_brings_no_colour_of_its_own() {
    // Under full transparency stands black, which must not darken the edge.
    let picture = RgbaImage::from_fn(800, 800, |x, _| if x < 400 { Rgba([255; 4]) } else { Rgba([0; 4]) });
    let [_, detail] = shown(&encoded(picture, image::ImageFormat::Png)).unwrap();
    assert!(detail.pixels().all(|&pixel| near(pixel, Rgb([255; 3]), 3)));
}

#[test]
fn sixteen_bits_are_scaled_and_not_clipped() {
    let grey = image::ImageBuffer::from_pixel(32, 32, image::Luma([0x8080u16]));
    let [_, detail] = shown(&encoded(DynamicImage::ImageLuma16(grey), image::ImageFormat::Png)).unwrap();
    assert_near(*detail.get_pixel(9, 9), Rgb([128; 3]), 3);
    let deep = image::ImageBuffer::from_pixel(32, 32, Rgba([0xffffu16, 0x4000, 0, 0x8000]));
    let [_, detail] = shown(&encoded(DynamicImage::ImageRgba16(deep), image::ImageFormat::Png)).unwrap();
    assert_near(*detail.get_pixel(9, 9), Rgb([255, 159, 127]), 4);
}

#[test]
fn only_the_first_frame_of_an_animation_is_shown() {
    let frame = |colour: Rgb<u8>| {
        let [r, g, b] = colour.0;
        RgbaImage::from_pixel(50, 40, Rgba([r, g, b, 255]))
    };
    let [_, detail] = shown(&gif_of(&[frame(RED), frame(GREEN), frame(BLUE)])).unwrap();
    assert_eq!(size(&detail), Size { width: 50, height: 40 });
    assert_near(*detail.get_pixel(25, 20), RED, 12);
}

#[test]
fn shapes_are_kept_sides_never_vanish_and_nothing_is_enlarged() {
    let cases = [
        ((5000, 20), (600, 2), (150, 1)),
        ((20, 5000), (2, 600), (1, 150)),
        ((1, 1), (1, 1), (1, 1)),
        ((600, 600), (600, 600), (150, 150)),
        ((601, 601), (600, 600), (150, 150)),
        ((599, 300), (599, 300), (150, 75)),
        ((151, 3), (151, 3), (150, 3)),
        ((1200, 900), (600, 450), (150, 113)),
    ];
    for ((width, height), detail_meant, thumbnail_meant) in cases {
        let png = encoded(RgbImage::from_pixel(width, height, GREEN), image::ImageFormat::Png);
        let [thumbnail, detail] = shown(&png).unwrap();
        assert_eq!(detail.dimensions(), detail_meant, "{width} x {height}");
        assert_eq!(thumbnail.dimensions(), thumbnail_meant, "{width} x {height}");
        assert_near(*detail.get_pixel(0, 0), GREEN, 12);
    }
}

#[test]
fn the_jpeg_twin_shows_the_same_picture() {
    let renderer = renderer();
    let mut made = Vec::new();
    renderer.render(&encoded(quarters(), image::ImageFormat::Png), &mut |_, webp| made.push(webp)).unwrap();
    let twin = renderer.jpeg_twin(&made[1]).unwrap();
    let twin = image::load_from_memory_with_format(&twin, image::ImageFormat::Jpeg).unwrap().into_rgb8();
    assert_eq!(size(&twin), Size { width: 96, height: 64 });
    assert_near(corners(&twin)[3], YELLOW, 16);
    assert_eq!(renderer.jpeg_twin(&made[1][..40]), Err(PictureError::Truncated));
    assert_eq!(renderer.jpeg_twin(b"no"), Err(PictureError::NotAPicture));
    let stranger = encoded(RgbImage::from_pixel(601, 8, RED), image::ImageFormat::WebP);
    assert_eq!(renderer.jpeg_twin(&stranger), Err(PictureError::TooLarge { width: 601, height: 8 }));
}

#[test]
fn the_placeholder_is_a_record_in_both_formats_and_the_same_each_time() {
    for variant in Variant::ALL {
        let (webp, jpeg) = renderer().placeholder(variant).unwrap();
        assert_eq!((webp.clone(), jpeg.clone()), renderer().placeholder(variant).unwrap());
        assert!(is_whole_webp(&webp));
        let side = RECIPE.side(variant);
        for bytes in [webp, jpeg] {
            let picture = image::load_from_memory(&bytes).unwrap().into_rgb8();
            assert_eq!(picture.dimensions(), (side, side));
            let brightness = |x: u32, y: u32| {
                picture
                    .get_pixel(x * side / 100, y * side / 100)
                    .0
                    .iter()
                    .map(|&part| u32::from(part))
                    .sum::<u32>()
            };
            assert!(brightness(2, 2) > 400, "the ground is light");
            assert!(brightness(20, 50) < 250, "the vinyl is dark");
            assert!(brightness(50, 60) > 280, "the label is not");
            assert!(brightness(50, 50) < brightness(50, 56), "a hole is in its middle");
        }
    }
}
