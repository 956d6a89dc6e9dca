//! Headers of JPEG files: ITU-T T.81, annex B. Walks markers up to the end of the picture, because
//! two things that decide the cost stand late: how many scans there are, and whether the end is.

use super::{Ending, Format, Header, array, slice};
use crate::picture::{PictureError, Size};

/// A picture with more scans is refused: each one goes over all coefficients again. Encoders in
/// use write 1 to 20.
pub(in crate::picture) const SCANS_MAX: usize = 40;

/// Bytes of a coefficient, which the decoder keeps for the whole picture when its scans do not
/// come interleaved.
const COEFFICIENT_BYTES: u64 = 2;

/// Rows of a block row that the decoder holds beside the picture for every component: the
/// coefficients of one row of MCUs (up to 4 x 8 lines) and the scratch of upsampling.
const STRIP_ROWS: u64 = 64;

/// The file with a mark in it, and the profile and the EXIF block that the decoder keeps by parts and
/// as a whole, which stand in the file once and are nearly all of it in the worst.
const FILE_COPIES: u64 = 2;

const SOF_BASELINE: u8 = 0xc0;
const SOF_PROGRESSIVE: u8 = 0xc2;
const SOF_LAST: u8 = 0xcf;
const DHT: u8 = 0xc4;
const JPG: u8 = 0xc8;
const DAC: u8 = 0xcc;
const RST_FIRST: u8 = 0xd0;
const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const TEM: u8 = 0x01;

struct Frame {
    size: Size,
    progressive: bool,
    components: u64,
    /// Of all components, padded to whole MCUs.
    coefficients: u64,
    padded_width: u64,
}

pub(super) fn read(bytes: &[u8]) -> Result<Header<'_>, PictureError> {
    let (frame, scan) = frame_and_first_scan(bytes)?;
    let (scans, end) = scans(bytes, scan);
    if scans > SCANS_MAX {
        return Err(PictureError::Damaged(format!("it has more than {SCANS_MAX} scans")));
    }
    let [in_first_scan] = array(bytes, scan + 2)?;
    let in_first_scan = u64::from(in_first_scan);
    let kept = frame.progressive || in_first_scan < frame.components;
    let channels = if frame.components == 1 { 1 } else { 3 };
    Ok(Header {
        format: Format::Jpeg,
        size: frame.size,
        pixel_bytes: frame.size.pixels() * channels,
        working_bytes: if kept { frame.coefficients * COEFFICIENT_BYTES } else { 0 }
            + frame.padded_width * STRIP_ROWS * frame.components
            + bytes.len() as u64 * FILE_COPIES,
        ending: ending(&bytes[scan..]),
        end,
        exif: None,
        profile: None,
    })
}

/// The frame header, and the position behind the first SOS marker.
fn frame_and_first_scan(bytes: &[u8]) -> Result<(Frame, usize), PictureError> {
    let mut frame = None;
    let mut at = 2;
    loop {
        at += bytes.get(at..).and_then(find_ff).ok_or(PictureError::Truncated)?;
        // Fill bytes may stand before a marker; a zero behind them says that it is none.
        while bytes.get(at) == Some(&0xff) {
            at += 1;
        }
        let marker = *bytes.get(at).ok_or(PictureError::Truncated)?;
        at += 1;
        match marker {
            0x00 | SOI | TEM => continue,
            EOI => return Err(PictureError::Damaged("it ends before its first scan".to_owned())),
            SOS => {
                let frame = frame.ok_or_else(|| damaged("it has a scan before its frame"))?;
                return Ok((frame, at));
            }
            DHT | JPG | DAC => {}
            SOF_BASELINE..=SOF_LAST if frame.is_none() => frame = Some(read_frame(bytes, at, marker)?),
            _ => {}
        }
        at += segment_length(bytes, at)?;
    }
}

fn read_frame(bytes: &[u8], at: usize, marker: u8) -> Result<Frame, PictureError> {
    let [_, _, _, h1, h0, w1, w0, count] = array::<8>(bytes, at)?;
    let size =
        Size { width: u16::from_be_bytes([w1, w0]).into(), height: u16::from_be_bytes([h1, h0]).into() };
    let components = slice(bytes, at + 8, usize::from(count) * 3)?;
    let sampling = || components.chunks_exact(3).map(|c| (u64::from(c[1] >> 4), u64::from(c[1] & 15)));
    let widest = sampling().map(|(h, _)| h).max().unwrap_or(0);
    let highest = sampling().map(|(_, v)| v).max().unwrap_or(0);
    if widest == 0 || highest == 0 {
        return Err(damaged("its frame has no components"));
    }
    let across = u64::from(size.width).div_ceil(8 * widest);
    let down = u64::from(size.height).div_ceil(8 * highest);
    Ok(Frame {
        size,
        progressive: marker == SOF_PROGRESSIVE,
        components: count.into(),
        coefficients: sampling().map(|(h, v)| across * h * down * v * 64).sum(),
        padded_width: across * 8 * widest,
    })
}

/// Counts scans, the first one's segment being at `at`, and stops counting past the limit. Also the
/// place of the marker that ends the picture, where the way to it could be followed.
fn scans(bytes: &[u8], mut at: usize) -> (usize, Option<usize>) {
    let mut scans = 1;
    while let Some(offset) = bytes.get(at..).and_then(find_ff) {
        at += offset + 1;
        match bytes.get(at).copied() {
            None => break,
            Some(EOI) => return (scans, Some(at - 1)),
            // Stuffing, restarts and fill bytes are part of a scan's data.
            Some(0x00 | RST_FIRST..=0xd7 | SOI | TEM) => at += 1,
            Some(0xff) => {}
            Some(marker) => {
                scans += usize::from(marker == SOS);
                if scans > SCANS_MAX {
                    break;
                }
                let Ok(length) = segment_length(bytes, at + 1) else { break };
                at += 1 + length;
            }
        }
    }
    (scans, None)
}

/// An end marker anywhere behind the first scan counts: entropy-coded data cannot contain one,
/// and cameras append whole pictures to the first.
fn ending(scan: &[u8]) -> Ending {
    match scan.windows(2).rposition(|pair| pair == [0xff, EOI]) {
        Some(_) => Ending::Present,
        None => Ending::Missing,
    }
}

fn segment_length(bytes: &[u8], at: usize) -> Result<usize, PictureError> {
    match u16::from_be_bytes(array(bytes, at)?) {
        0 | 1 => Err(damaged("it has a segment without a length")),
        length => Ok(length.into()),
    }
}

fn find_ff(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&byte| byte == 0xff)
}

fn damaged(why: &str) -> PictureError {
    PictureError::Damaged(why.to_owned())
}
