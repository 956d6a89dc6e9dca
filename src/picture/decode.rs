//! Bytes to pixels. Owns the choice of decoder and what is made of a damaged file; the size has
//! been checked and the memory been granted before anything here runs.

use super::header::{Ending, Format, Header, SCANS_MAX};
use super::pixels::{Layout, Pixels};
use super::{PictureError, Size};
use image::codecs::{gif::GifDecoder, png::PngDecoder, webp::WebPDecoder};
use image::metadata::Orientation;
use image::{ImageDecoder, ImageError, ImageResult, Limits};
use std::io::Cursor;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

/// A decoded picture and what its file says about showing it.
pub(super) struct Decoded {
    pub(super) pixels: Pixels,
    pub(super) orientation: Orientation,
    /// An ICC profile, as it stands in the file.
    pub(super) profile: Option<Vec<u8>>,
}

/// What a PNG's profile and texts may inflate to: the largest profiles in use (printing, with
/// tables) have 2-3 MB, and a few kB of file can inflate to gigabytes.
const PNG_METADATA_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A JPEG that lacks more than this part of its height (1/10) is a picture cut short.
pub(super) const MISSING_PART: usize = 10;

/// What the lenient JPEG decoder writes where it gave up.
const GIVEN_UP: u8 = 128;

/// Stands at the start of each row until the decoder writes the row: a colour beside black that no
/// row of a photograph has.
const UNWRITTEN: [u8; 3] = [1, 254, 3];

/// # Errors
/// `Truncated` when decoding fails and the file's end is missing; `Damaged` when it fails although
/// the end is there.
pub(super) fn decode(bytes: &[u8], header: &Header<'_>) -> Result<Decoded, PictureError> {
    match header.format {
        Format::Jpeg => decode_jpeg(bytes, header),
        Format::Png => {
            let mut limits = Limits::no_limits();
            limits.max_alloc = Some(PNG_METADATA_BYTES_MAX + header.working_bytes);
            finish(PngDecoder::with_limits(Cursor::new(bytes), limits), header)
        }
        Format::Gif => finish(GifDecoder::new(Cursor::new(bytes)), header),
        Format::WebP => finish(WebPDecoder::new(Cursor::new(bytes)), header),
    }
}

fn finish<D: ImageDecoder>(decoder: ImageResult<D>, header: &Header<'_>) -> Result<Decoded, PictureError> {
    let failed = |error: ImageError| failure(header.ending, &error);
    let mut decoder = decoder.map_err(failed)?;
    let (width, height) = decoder.dimensions();
    let colour = decoder.color_type();
    // The permit was taken for what the header said; a decoder that read something else there
    // would allocate something else.
    if decoder.total_bytes() > header.pixel_bytes {
        return Err(PictureError::Damaged("its header can be read in two ways".to_owned()));
    }
    let (orientation, profile) = match header.format {
        Format::WebP => (header.exif.and_then(webp_orientation), header.profile.map(<[u8]>::to_vec)),
        _ => (decoder.orientation().ok(), decoder.icc_profile().ok().flatten()),
    };
    let length = usize::try_from(decoder.total_bytes()).map_err(|_| out_of_memory(header))?;
    let mut samples = vec![0; length];
    decoder.read_image(&mut samples).map_err(failed)?;
    let pixels = Pixels::from_decoder(Size { width, height }, colour, samples)
        .ok_or_else(|| PictureError::Damaged(format!("its colours are {colour:?}")))?;
    Ok(Decoded { pixels, orientation: orientation.unwrap_or(Orientation::NoTransforms), profile })
}

/// Some writers put the lead-in of JPEG's APP1 in front of the block.
fn webp_orientation(exif: &[u8]) -> Option<Orientation> {
    Orientation::from_exif_chunk(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif))
}

/// A comment, without a word. In front of the end marker it stops the decoder where the data of a scan
/// stops early, and is passed over where it does not. Without it the decoder goes on behind an end that
/// comes too soon as if the rest were zeros, and writes the last colour over half a cover.
const COMMENT: [u8; 4] = [0xff, 0xfe, 0, 2];

/// A decoder that is lenient turns half a download into a picture that is half grey, and it stays in
/// the cache for ever. So a file without its end is refused, whatever could be read of it, and the
/// decoder is strict at first. Harmless oddities fail it too, so there is a second, lenient try. The
/// strict decoder itself accepts a scan that stops early behind a marker; both results are looked at
/// for rows that nobody wrote.
fn decode_jpeg(bytes: &[u8], header: &Header<'_>) -> Result<Decoded, PictureError> {
    let marked = header.end.and_then(|end| bytes.split_at_checked(end));
    let marked = marked.map(|(picture, end)| [picture, &COMMENT, end].concat());
    let bytes = marked.as_deref().unwrap_or(bytes);
    let strict = match decode_jpeg_as(bytes, header, Strictness::Strict) {
        Ok(decoded) if is_nearly_whole(&decoded.pixels, |_| false) => return Ok(decoded),
        Ok(_) => return Err(PictureError::Damaged("its scan stops early".to_owned())),
        Err(error) => error,
    };
    let lenient = decode_jpeg_as(bytes, header, Strictness::Lenient)
        .map_err(|error| PictureError::Damaged(error.to_string()))?;
    let given_up = |row: &[u8]| row.iter().all(|&sample| sample == GIVEN_UP);
    match is_nearly_whole(&lenient.pixels, given_up) {
        true => Ok(lenient),
        false => Err(PictureError::Damaged(strict.to_string())),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Strictness {
    Strict,
    Lenient,
}

fn decode_jpeg_as(
    bytes: &[u8],
    header: &Header<'_>,
    strictness: Strictness,
) -> Result<Decoded, DecodeErrors> {
    let side_max = usize::from(u16::MAX);
    let options = DecoderOptions::default()
        .set_strict_mode(strictness == Strictness::Strict)
        .set_max_width(side_max)
        .set_max_height(side_max)
        .jpeg_set_max_scans(SCANS_MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers()?;
    let layout = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => Layout::Grey,
        _ => Layout::Rgb,
    };
    let colours = match layout {
        Layout::Grey => ColorSpace::Luma,
        Layout::Rgb => ColorSpace::RGB,
    };
    decoder.set_options(options.jpeg_set_out_colorspace(colours));
    let read = decoder.dimensions().zip(decoder.output_buffer_size());
    let expected = (header.size.width as usize, header.size.height as usize);
    let length = match read {
        Some((size, length)) if size == expected && length as u64 <= header.pixel_bytes => length,
        _ => return Err(DecodeErrors::FormatStatic("its header can be read in two ways")),
    };
    let mut samples = vec![0; length];
    for row in samples.chunks_exact_mut(header.size.width as usize * layout.channels()) {
        row.iter_mut().zip(UNWRITTEN).for_each(|(sample, mark)| *sample = mark);
    }
    decoder.decode_into(&mut samples)?;
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    Ok(Decoded {
        pixels: Pixels { size: header.size, layout, samples },
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        profile: decoder.icc_profile(),
    })
}

/// Whether the rows at the bottom that have no picture are few.
fn is_nearly_whole(pixels: &Pixels, given_up: impl Fn(&[u8]) -> bool) -> bool {
    let row = pixels.size.width as usize * pixels.layout.channels();
    let unwritten = |row: &[u8]| {
        let (mark, rest) = row.split_at(row.len().min(UNWRITTEN.len()));
        !rest.is_empty() && mark == UNWRITTEN && rest.iter().all(|&sample| sample == 0)
    };
    let missing = |row: &&[u8]| unwritten(row) || given_up(row);
    let rows = pixels.samples.chunks_exact(row).rev().take_while(missing).count();
    rows * MISSING_PART <= pixels.size.height as usize
}

fn failure(ending: Ending, error: &dyn std::error::Error) -> PictureError {
    match ending {
        Ending::Missing => PictureError::Truncated,
        Ending::Present => PictureError::Damaged(error.to_string()),
    }
}

fn out_of_memory(header: &Header<'_>) -> PictureError {
    PictureError::TooMuchMemory { bytes: header.pixel_bytes }
}
