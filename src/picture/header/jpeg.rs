//! Headers of JPEG files: ITU-T T.81, annex B. Walks markers up to the end of the picture, because
//! two things that decide the cost stand late: how many scans there are, and whether the end is.

use super::{Ending, Format, Header, array, slice};
use crate::picture::markers::{DAC, DHT, EOI, JPG, Markers, SOF0, SOF2, SOF15, SOS};
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

/// A byte of ones and the marker's own.
const MARKER_BYTES: usize = 2;

/// The file with a mark in it, and the profile and the EXIF block that the decoder keeps by parts and
/// as a whole, which stand in the file once and are nearly all of it in the worst.
const FILE_COPIES: u64 = 2;

struct Frame {
    size: Size,
    progressive: bool,
    components: u64,
    /// Of all components, padded to whole MCUs.
    coefficients: u64,
    padded_width: u64,
}

pub(super) fn read(bytes: &[u8]) -> Result<Header<'_>, PictureError> {
    let mut markers = Markers::new(bytes);
    let (frame, in_first_scan) = frame_and_first_scan(&mut markers)?;
    let ending = ending(markers.rest());
    let (scans, end) = scans(markers);
    if scans > SCANS_MAX {
        return Err(PictureError::Damaged(format!("it has more than {SCANS_MAX} scans")));
    }
    let kept = frame.progressive || in_first_scan < frame.components;
    let channels = if frame.components == 1 { 1 } else { 3 };
    Ok(Header {
        format: Format::Jpeg,
        size: frame.size,
        pixel_bytes: frame.size.pixels() * channels,
        working_bytes: if kept { frame.coefficients * COEFFICIENT_BYTES } else { 0 }
            + frame.padded_width * STRIP_ROWS * frame.components
            + bytes.len() as u64 * FILE_COPIES,
        ending,
        end,
        exif: None,
        profile: None,
    })
}

/// The frame header, and how many components the first scan has, behind whose header the walk stops.
fn frame_and_first_scan(markers: &mut Markers<'_>) -> Result<(Frame, u64), PictureError> {
    let mut frame = None;
    loop {
        match markers.next()? {
            (EOI, _) => return Err(damaged("it ends before its first scan")),
            (SOS, segment) => {
                let frame = frame.ok_or_else(|| damaged("it has a scan before its frame"))?;
                let [components] = array(segment, 0)?;
                return Ok((frame, components.into()));
            }
            (DHT | JPG | DAC, _) => {}
            (marker @ SOF0..=SOF15, segment) if frame.is_none() => {
                frame = Some(read_frame(segment, marker == SOF2)?);
            }
            _ => {}
        }
    }
}

fn read_frame(segment: &[u8], progressive: bool) -> Result<Frame, PictureError> {
    let [_, h1, h0, w1, w0, count] = array(segment, 0)?;
    let size =
        Size { width: u16::from_be_bytes([w1, w0]).into(), height: u16::from_be_bytes([h1, h0]).into() };
    let components = slice(segment, 6, usize::from(count) * 3)?;
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
        progressive,
        components: count.into(),
        coefficients: sampling().map(|(h, v)| across * h * down * v * 64).sum(),
        padded_width: across * 8 * widest,
    })
}

/// Counts scans from behind the first one's header, and stops counting past the limit. Also the place of
/// the marker that ends the picture, where the way to it could be followed.
fn scans(mut markers: Markers<'_>) -> (usize, Option<usize>) {
    let mut scans = 1;
    while scans <= SCANS_MAX {
        match markers.next() {
            Ok((EOI, _)) => return (scans, Some(markers.at() - MARKER_BYTES)),
            Ok((marker, _)) => scans += usize::from(marker == SOS),
            Err(_) => break,
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

fn damaged(why: &str) -> PictureError {
    PictureError::Damaged(why.to_owned())
}
