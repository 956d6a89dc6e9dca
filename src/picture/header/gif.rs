//! Headers of GIF files: the canvas and the rectangle of the first frame.

use super::{Ending, Format, Header, array, slice};
use crate::picture::{PictureError, Size};

const TABLE_FLAG: u8 = 0x80;
const TRAILER: u8 = 0x3b;
const PIXEL_BYTES: u64 = 4;
/// Tables of the decompressor, a row of indices.
const WORKING_BYTES: u64 = 256 * 1024;

pub(super) fn read(bytes: &[u8]) -> Result<Header<'_>, PictureError> {
    let [w0, w1, h0, h1, flags, _, _] = array(bytes, 6)?;
    let size =
        Size { width: u16::from_le_bytes([w0, w1]).into(), height: u16::from_le_bytes([h0, h1]).into() };
    let (at_origin, frame) = first_frame(bytes, 13 + colour_table(flags))?;
    // The decoder writes such a frame straight into its output, any other one into a buffer first.
    let fills_canvas = at_origin && frame == size;
    Ok(Header {
        format: Format::Gif,
        // A frame may claim more than its canvas, and the decoder allocates what it claims.
        size: Size { width: size.width.max(frame.width), height: size.height.max(frame.height) },
        pixel_bytes: size.pixels() * PIXEL_BYTES,
        working_bytes: WORKING_BYTES + if fills_canvas { 0 } else { frame.pixels() * PIXEL_BYTES },
        ending: if bytes.last() == Some(&TRAILER) { Ending::Present } else { Ending::Missing },
        end: None,
        exif: None,
        profile: None,
    })
}

/// Whether it begins at the canvas's corner, and its size.
fn first_frame(bytes: &[u8], mut at: usize) -> Result<(bool, Size), PictureError> {
    loop {
        match array(bytes, at)? {
            [b','] => {
                let [place @ .., w0, w1, h0, h1] = array::<8>(bytes, at + 1)?;
                let width = u16::from_le_bytes([w0, w1]).into();
                return Ok((place == [0; 4], Size { width, height: u16::from_le_bytes([h0, h1]).into() }));
            }
            [b'!'] => {
                at += 2;
                // Blocks of an extension, each led by its length, up to an empty one.
                loop {
                    let [length] = array(bytes, at)?;
                    slice(bytes, at, usize::from(length) + 1)?;
                    at += usize::from(length) + 1;
                    if length == 0 {
                        break;
                    }
                }
            }
            [TRAILER] => return Err(PictureError::Damaged("it has no frame".to_owned())),
            // Bytes between blocks are skipped by every decoder.
            _ => at += 1,
        }
    }
}

fn colour_table(flags: u8) -> usize {
    if flags & TABLE_FLAG == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}
