//! Presses a sleeve into the bytes of a picture file: JPEG or PNG, whole or broken. Knows no HTTP.

use super::albums::{DemoAlbum, Encoding, Manner};
use super::art::{self, Canvas};
use image::ImageEncoder;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// Where a broken file ends: inside the quantisation tables, before any decoder knows its size.
const BROKEN_BYTES: usize = 64;

/// JPEG quality, 1-100: what shops' catalogues use.
const QUALITY: u8 = 90;

/// The file of an album's cover, drawn anew: the same bytes each time.
///
/// A sleeve of 600 px takes some tens of milliseconds, one of 3000 px about a second.
pub fn cover_file(album: &DemoAlbum) -> Vec<u8> {
    let canvas = art::draw(&album.sleeve(), album.cover.side);
    let mut file = match album.cover.encoding {
        Encoding::Png => png(&canvas),
        Encoding::BaselineJpeg | Encoding::ProgressiveJpeg => jpeg(&canvas, album.cover.encoding),
    };
    if album.cover.manner == Manner::Broken {
        file.truncate(BROKEN_BYTES);
    }
    file
}

/// The media type of the file, as its origin declares it.
pub fn media_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Png => "image/png",
        Encoding::BaselineJpeg | Encoding::ProgressiveJpeg => "image/jpeg",
    }
}

fn jpeg(canvas: &Canvas, encoding: Encoding) -> Vec<u8> {
    let side = u16::try_from(canvas.side()).expect("a sleeve has at most 3000 px");
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, QUALITY);
    encoder.set_sampling_factor(SamplingFactor::R_4_2_0);
    encoder.set_progressive(encoding == Encoding::ProgressiveJpeg);
    encoder.encode(canvas.pixels(), side, side, ColorType::Rgb).expect("writing to memory cannot fail");
    file
}

fn png(canvas: &Canvas) -> Vec<u8> {
    let mut file = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut file);
    let (side, colour) = (canvas.side(), image::ExtendedColorType::Rgb8);
    encoder.write_image(canvas.pixels(), side, side, colour).expect("writing to memory cannot fail");
    file
}

#[cfg(test)]
mod tests {
    use super::super::albums::albums;
    use super::*;

    /// A small print: the encoding is what these tests are about.
    fn pressed(encoding: Encoding, manner: Manner) -> Vec<u8> {
        let mut album = albums().remove(0);
        (album.cover.side, album.cover.encoding, album.cover.manner) = (200, encoding, manner);
        cover_file(&album)
    }

    /// The markers of a JPEG's header, up to the start of its first scan.
    fn markers(file: &[u8]) -> Vec<u8> {
        let (mut markers, mut at) = (Vec::new(), 2);
        while file[at] == 0xff && file[at + 1] != 0xda {
            markers.push(file[at + 1]);
            at += 2 + usize::from(u16::from_be_bytes([file[at + 2], file[at + 3]]));
        }
        markers
    }

    #[test]
    fn a_cover_is_the_same_file_each_time() {
        for encoding in [Encoding::BaselineJpeg, Encoding::ProgressiveJpeg, Encoding::Png] {
            assert_eq!(pressed(encoding, Manner::Prompt), pressed(encoding, Manner::Prompt));
        }
    }

    #[test]
    fn only_a_progressive_jpeg_has_a_progressive_frame() {
        const BASELINE: u8 = 0xc0;
        const PROGRESSIVE: u8 = 0xc2;
        let plain = markers(&pressed(Encoding::BaselineJpeg, Manner::Prompt));
        assert!(plain.contains(&BASELINE) && !plain.contains(&PROGRESSIVE), "{plain:x?}");
        let progressive = markers(&pressed(Encoding::ProgressiveJpeg, Manner::Prompt));
        assert!(progressive.contains(&PROGRESSIVE) && !progressive.contains(&BASELINE), "{progressive:x?}");
    }

    #[test]
    fn every_encoding_decodes_to_the_sleeve_that_was_drawn() {
        let mut album = albums().remove(0);
        album.cover.side = 200;
        let drawn = art::draw(&album.sleeve(), 200);
        for encoding in [Encoding::BaselineJpeg, Encoding::ProgressiveJpeg, Encoding::Png] {
            let picture = image::load_from_memory(&pressed(encoding, Manner::Prompt)).unwrap().to_rgb8();
            assert_eq!(picture.dimensions(), (200, 200));
            let apart: u64 = picture.iter().zip(drawn.pixels()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            let mean = apart as f64 / drawn.pixels().len() as f64;
            let allowed = if encoding == Encoding::Png { 0.0 } else { 8.0 };
            assert!(mean <= allowed, "{encoding:?} is {mean} a byte away from the drawing");
        }
    }

    #[test]
    fn a_broken_cover_is_refused_by_the_decoder() {
        let file = pressed(Encoding::BaselineJpeg, Manner::Broken);
        assert_eq!(file.len(), BROKEN_BYTES);
        assert!(image::load_from_memory(&file).is_err());
    }
}
