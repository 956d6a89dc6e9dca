//! The markers of a JPEG and the segments that they lead (ITU-T T.81, B.1.1). Owns the walk from one to
//! the next and their names; what a segment says is `header`'s and `jpeg`'s business.

use super::PictureError;

/// Baseline, of Huffman codes.
pub(super) const SOF0: u8 = 0xc0;
/// Progressive, of Huffman codes.
pub(super) const SOF2: u8 = 0xc2;
/// The last of the frames; [`DHT`], [`JPG`] and [`DAC`] stand among them and are none.
pub(super) const SOF15: u8 = 0xcf;
pub(super) const DHT: u8 = 0xc4;
pub(super) const JPG: u8 = 0xc8;
pub(super) const DAC: u8 = 0xcc;
pub(super) const EOI: u8 = 0xd9;
pub(super) const SOS: u8 = 0xda;
pub(super) const DQT: u8 = 0xdb;
pub(super) const DRI: u8 = 0xdd;
pub(super) const APP1: u8 = 0xe1;
pub(super) const APP2: u8 = 0xe2;
pub(super) const APP14: u8 = 0xee;

const TEM: u8 = 0x01;
const RST0: u8 = 0xd0;
const SOI: u8 = 0xd8;

/// A place in a file, from which the next marker is looked for.
pub(super) struct Markers<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Markers<'a> {
    /// Behind the two bytes that every JPEG begins with.
    pub(super) fn new(bytes: &'a [u8]) -> Markers<'a> {
        Markers { bytes, at: 2 }
    }

    /// Behind the segment that came last.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// What stands there: after a scan's header, its data.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(super) fn skip(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// The next marker that leads a segment, and what is in the segment; or [`EOI`] and nothing.
    /// Entropy-coded data is passed over.
    ///
    /// # Errors
    /// `Truncated` where the file ends before that, `Damaged` where the segment's length is none.
    pub(super) fn next(&mut self) -> Result<(u8, &'a [u8]), PictureError> {
        loop {
            let found = self.rest().iter().position(|&byte| byte == 0xff);
            self.at += found.ok_or(PictureError::Truncated)? + 1;
            match *self.rest().first().ok_or(PictureError::Truncated)? {
                // Stuffing, and markers that stand alone.
                0x00 | TEM | RST0..=SOI => self.at += 1,
                // A fill byte: it may be the marker's own.
                0xff => {}
                EOI => {
                    self.at += 1;
                    return Ok((EOI, &[]));
                }
                marker => {
                    self.at += 1;
                    return Ok((marker, self.segment()?));
                }
            }
        }
    }

    fn segment(&mut self) -> Result<&'a [u8], PictureError> {
        let rest = self.rest();
        let (length, _) = rest.split_first_chunk().ok_or(PictureError::Truncated)?;
        // It counts its own two bytes.
        let length = usize::from(u16::from_be_bytes(*length));
        if length < 2 {
            return Err(PictureError::Damaged("it has a segment without a length".to_owned()));
        }
        let body = rest.get(2..length).ok_or(PictureError::Truncated)?;
        self.at += length;
        Ok(body)
    }
}
