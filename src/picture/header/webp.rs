//! Headers of WebP files: the RIFF chunks, down to the first frame's own header, because canvas,
//! frame and bitstream each name a size and a decoder allocates by all three.

use super::{Ending, Format, Header, array};
use crate::picture::{PictureError, Size};

const FIRST_CHUNK: usize = 12;
const CHUNK_HEAD: usize = 8;
/// Of an ANMF chunk, before the frame's own chunks.
const FRAME_HEAD: usize = 16;
const ALPHA_FLAG: u8 = 0x10;

/// Bytes a pixel that image-webp holds besides its output: read from its source, see [`working`].
const PLANES_HALVES: u64 = 3;
const ALPHA_PLANE: u64 = 5;
const RGBA: u64 = 4;
/// Sides are padded to whole macroblocks.
const MACROBLOCK: u64 = 16;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Lossy,
    Lossless,
}

/// A chunk by its head; the file may end before it does.
struct Chunk {
    kind: [u8; 4],
    body: usize,
    end: usize,
    /// Behind the byte that makes its length even.
    next: usize,
}

impl Chunk {
    /// `None`: no further head.
    fn at(bytes: &[u8], at: usize) -> Result<Option<Chunk>, PictureError> {
        let (Ok(kind), Ok(length)) = (array(bytes, at), array(bytes, at + 4)) else { return Ok(None) };
        let body = at + CHUNK_HEAD;
        let length = usize::try_from(u32::from_le_bytes(length)).map_err(|_| PictureError::Truncated)?;
        let end = body.checked_add(length).ok_or(PictureError::Truncated)?;
        let next = end.checked_add(length & 1).ok_or(PictureError::Truncated)?;
        Ok(Some(Chunk { kind, body, end, next }))
    }
}

/// What was found among the chunks.
#[derive(Default)]
struct Found<'a> {
    canvas: Option<Size>,
    animated: bool,
    alpha: bool,
    bitstream: Option<(Coding, Size)>,
    exif: Option<&'a [u8]>,
    profile: Option<&'a [u8]>,
}

pub(super) fn read(bytes: &[u8]) -> Result<Header<'_>, PictureError> {
    let mut found = Found::default();
    found.walk(bytes, FIRST_CHUNK)?;
    let (coding, frame) = found.bitstream.ok_or(PictureError::Truncated)?;
    let size = found.canvas.unwrap_or(frame);
    if !found.animated && frame != size {
        return Err(PictureError::Damaged("its canvas and its picture differ in size".to_owned()));
    }
    if frame.width > size.width || frame.height > size.height {
        return Err(PictureError::Damaged("its first frame is larger than its canvas".to_owned()));
    }
    let channels = if found.alpha { 4 } else { 3 };
    let declared = u64::from(u32::from_le_bytes(array(bytes, 4)?)) + 8;
    Ok(Header {
        format: Format::WebP,
        size,
        pixel_bytes: size.pixels() * channels,
        working_bytes: working(&found, coding, frame, size) + bytes.len() as u64,
        ending: if declared <= bytes.len() as u64 { Ending::Present } else { Ending::Missing },
        end: None,
        exif: found.exif,
        profile: found.profile,
    })
}

impl<'a> Found<'a> {
    fn walk(&mut self, bytes: &'a [u8], mut at: usize) -> Result<(), PictureError> {
        while let Some(Chunk { kind, body, end, next }) = Chunk::at(bytes, at)? {
            let whole = bytes.get(body..end);
            match &kind {
                b"VP8X" => self.extended(array(bytes, body)?),
                b"VP8 " | b"VP8L" => self.bitstream(&kind, bytes, body)?,
                b"ANMF" if self.bitstream.is_none() => self.frame(bytes, body + FRAME_HEAD, end)?,
                // A decoder reserves what such a chunk claims, so one that is not there ends it here.
                b"EXIF" => self.exif = Some(whole.ok_or(PictureError::Truncated)?),
                b"ICCP" => self.profile = Some(whole.ok_or(PictureError::Truncated)?),
                _ => {}
            }
            at = next;
        }
        Ok(())
    }

    /// The bitstream among a frame's own chunks. Within the frame only, and no deeper: a frame in a
    /// frame is none, and a walk that began anew at each of them would take 2^n steps.
    fn frame(&mut self, bytes: &'a [u8], mut at: usize, end: usize) -> Result<(), PictureError> {
        while self.bitstream.is_none() && at < end {
            let Some(Chunk { kind, body, next, .. }) = Chunk::at(bytes, at)? else { break };
            self.bitstream(&kind, bytes, body)?;
            at = next;
        }
        Ok(())
    }

    /// Reads the head of a VP8 or VP8L chunk, the first one of the file only.
    fn bitstream(&mut self, kind: &[u8; 4], bytes: &[u8], body: usize) -> Result<(), PictureError> {
        match kind {
            _ if self.bitstream.is_some() => {}
            b"VP8 " => self.bitstream = Some(lossy(array(bytes, body)?)?),
            b"VP8L" => {
                let (size, alpha) = lossless(array(bytes, body)?)?;
                self.alpha |= alpha && self.canvas.is_none();
                self.bitstream = Some((Coding::Lossless, size));
            }
            _ => {}
        }
        Ok(())
    }

    fn extended(&mut self, body: [u8; 10]) {
        let [flags, _, _, _, w0, w1, w2, h0, h1, h2] = body;
        let width = u32::from_le_bytes([w0, w1, w2, 0]) + 1;
        self.canvas = Some(Size { width, height: u32::from_le_bytes([h0, h1, h2, 0]) + 1 });
        self.alpha = flags & ALPHA_FLAG != 0;
        self.animated = flags & 0x02 != 0;
    }
}

fn lossy(body: [u8; 10]) -> Result<(Coding, Size), PictureError> {
    let [_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1] = body else {
        return Err(PictureError::Damaged("its lossy frame has no start code".to_owned()));
    };
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    Ok((Coding::Lossy, Size { width: side(w0, w1), height: side(h0, h1) }))
}

fn lossless(body: [u8; 5]) -> Result<(Size, bool), PictureError> {
    let [0x2f, packed @ ..] = body else {
        return Err(PictureError::Damaged("its lossless frame has no signature".to_owned()));
    };
    let packed = u32::from_le_bytes(packed);
    let size = Size { width: (packed & 0x3fff) + 1, height: (packed >> 14 & 0x3fff) + 1 };
    Ok((size, packed >> 28 & 1 != 0))
}

/// Lossy: planes of 12 bits a pixel, and with alpha a plane that is decoded as RGBA first.
/// Lossless: RGBA, from which RGB is copied. Animated: the canvas and the frame, each RGBA.
fn working(found: &Found<'_>, coding: Coding, frame: Size, canvas: Size) -> u64 {
    let padded = |side: u32| u64::from(side).next_multiple_of(MACROBLOCK);
    let bitstream = match coding {
        Coding::Lossy => padded(frame.width) * padded(frame.height) * PLANES_HALVES / 2,
        Coding::Lossless if found.alpha => frame.pixels(),
        Coding::Lossless => frame.pixels() * RGBA,
    };
    let alpha = if found.alpha && coding == Coding::Lossy { frame.pixels() * ALPHA_PLANE } else { 0 };
    let animation = if found.animated { (canvas.pixels() + frame.pixels()) * RGBA } else { 0 };
    bitstream + alpha + animation
}
