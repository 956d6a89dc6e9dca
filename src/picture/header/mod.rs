//! What a file says about itself before a pixel is decoded: its format by its bytes, its size,
//! what decoding it will cost, and whether it has its end. Owns the parsing of headers and the
//! arithmetic of costs; trusts no header further than to refuse by it, and decodes nothing.

mod gif;
mod jpeg;
mod png;
mod webp;

use super::{PictureError, Size};

pub(super) use jpeg::SCANS_MAX;

/// The formats that are decoded, told by their bytes and by nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    Gif,
    WebP,
}

/// A file's own account of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub(super) format: Format,
    /// As stored, before any orientation is applied.
    pub(super) size: Size,
    /// Bytes of the buffer that the decoder fills.
    pub(super) pixel_bytes: u64,
    /// Bytes that the decoder holds besides that buffer, at its worst moment.
    pub(super) working_bytes: u64,
    pub(super) ending: Ending,
    /// Where the marker stands that ends a JPEG, behind which cameras append more pictures.
    pub(super) end: Option<usize>,
    /// The EXIF block of a WebP; the other formats' decoders hand theirs out themselves.
    pub(super) exif: Option<&'a [u8]>,
    /// The ICC profile of a WebP, likewise.
    pub(super) profile: Option<&'a [u8]>,
}

/// Whether the end that the format prescribes is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Present,
    Missing,
}

impl Format {
    pub(super) fn of(bytes: &[u8]) -> Option<Format> {
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Some(Format::Jpeg),
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(Format::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::WebP),
            _ => None,
        }
    }
}

impl<'a> Header<'a> {
    /// # Errors
    /// `NotAPicture` when the bytes are none of the four formats, `Truncated` when the header is
    /// not complete, `Damaged` when it contradicts itself.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Header<'a>, PictureError> {
        let format = Format::of(bytes).ok_or(PictureError::NotAPicture)?;
        let header = match format {
            Format::Jpeg => jpeg::read(bytes),
            Format::Png => png::read(bytes),
            Format::Gif => gif::read(bytes),
            Format::WebP => webp::read(bytes),
        }?;
        if header.size.width == 0 || header.size.height == 0 {
            return Err(PictureError::Damaged("its header says that it has no pixels".to_owned()));
        }
        Ok(header)
    }
}

/// `length` bytes at `at`, or `Truncated`.
fn slice(bytes: &[u8], at: usize, length: usize) -> Result<&[u8], PictureError> {
    let end = at.checked_add(length).ok_or(PictureError::Truncated)?;
    bytes.get(at..end).ok_or(PictureError::Truncated)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], PictureError> {
    Ok(slice(bytes, at, N)?.try_into().expect("slice() gives N bytes"))
}
