//! Headers of PNG files: the chunks before the first IDAT.

use super::{Ending, Format, Header, array};
use crate::picture::{PictureError, Size};

const FIRST_CHUNK: usize = 8;
/// Length, type and checksum.
const CHUNK_FRAME: usize = 12;
/// The inflating window, its output and two rows of filters; measured.
const WORKING_BYTES: u64 = 512 * 1024;
const END: [u8; 12] = *b"\0\0\0\0IEND\xaeB`\x82";

pub(super) fn read(bytes: &[u8]) -> Result<Header<'_>, PictureError> {
    if array(bytes, FIRST_CHUNK + 4)? != *b"IHDR" {
        return Err(PictureError::Damaged("its first chunk is not its header".to_owned()));
    }
    let width = u32::from_be_bytes(array(bytes, FIRST_CHUNK + 8)?);
    let height = u32::from_be_bytes(array(bytes, FIRST_CHUNK + 12)?);
    let [depth, colour] = array(bytes, FIRST_CHUNK + 16)?;
    let size = Size { width, height };
    let transparent = has_transparency(bytes)?;
    let channels = match colour {
        0 if transparent => 2,
        0 => 1,
        2 | 3 if !transparent => 3,
        4 => 2,
        // Also what a later version of the format might bring: the decoder will say.
        _ => 4,
    };
    let channel_bytes = if depth == 16 { 2 } else { 1 };
    let pixel_bytes = size.pixels().saturating_mul(channels * channel_bytes);
    Ok(Header {
        format: Format::Png,
        size,
        pixel_bytes,
        working_bytes: WORKING_BYTES + 4 * u64::from(width) * channels * channel_bytes,
        ending: if bytes.windows(END.len()).any(|end| end == END) {
            Ending::Present
        } else {
            Ending::Missing
        },
        end: None,
        exif: None,
        profile: None,
    })
}

/// Whether a tRNS chunk comes before the pixels: it adds a channel to what is decoded.
fn has_transparency(bytes: &[u8]) -> Result<bool, PictureError> {
    let mut at = FIRST_CHUNK;
    loop {
        let length = u32::from_be_bytes(array(bytes, at)?);
        match &array::<4>(bytes, at + 4)? {
            b"tRNS" => return Ok(true),
            b"IDAT" => return Ok(false),
            _ => {}
        }
        let length = usize::try_from(length).map_err(|_| PictureError::Truncated)?;
        at = at
            .checked_add(CHUNK_FRAME)
            .and_then(|at| at.checked_add(length))
            .ok_or(PictureError::Truncated)?;
    }
}
