//! Segments of a JPEG (T.81, annex B): its frame, its tables, where its scans begin, and what it says
//! about being shown. Leaves the walk from one to the next to `markers`, and reads no entropy-coded data.

use super::Fault;
use super::huffman::Table;
use crate::picture::Size;
use crate::picture::colour::PROFILE_BYTES_MAX;
use crate::picture::markers::{
    APP1, APP2, APP14, DAC, DHT, DQT, DRI, EOI, JPG, Markers, SOF0, SOF2, SOF15, SOS,
};

/// Samples of a block's side, as they are coded.
pub(super) const BLOCK: u32 = 8;

/// Of a zigzag (T.81, figure A.6): the place of each coefficient in its block, row by row.
#[rustfmt::skip]
pub(super) const ZIGZAG: [u8; 64] = [
     0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

const EXIF: &[u8] = b"Exif\0\0";
const PROFILE: &[u8] = b"ICC_PROFILE\0";
const ADOBE: &[u8] = b"Adobe";
/// Adobe's word for YCbCr.
const ADOBE_YCBCR: u8 = 1;

/// Size, kind and components.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) size: Size,
    pub(super) progressive: bool,
    pub(super) components: Vec<Component>,
    /// MCUs across and down.
    pub(super) mcus: (u32, u32),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Blocks in an MCU, across and down.
    pub(super) sampling: (u32, u32),
    /// The most of any component.
    densest: (u32, u32),
    pub(super) table: usize,
    /// Blocks that hold some of the picture, across and down.
    pub(super) blocks: (u32, u32),
    /// With the padding to whole MCUs.
    pub(super) padded: (u32, u32),
    /// Samples that are made of a block's side: 8, 4, 2 or 1.
    pub(super) side: u32,
}

/// One scan's header, and where its data begins.
pub(super) struct Scan {
    /// Each component's place in the frame, its DC and its AC table.
    pub(super) components: Vec<(usize, usize, usize)>,
    /// First and last coefficient in zigzag order.
    pub(super) band: (usize, usize),
    /// Bits that earlier scans left out, and that this one leaves out.
    pub(super) approximation: (u32, u32),
}

pub(super) enum Event {
    Scan(Scan),
    End,
}

/// A walk over the segments, and the tables that were defined so far.
pub(super) struct Segments<'a> {
    markers: Markers<'a>,
    quantisation: [Option<[u16; 64]>; 4],
    dc: [Option<Box<Table>>; 4],
    ac: [Option<Box<Table>>; 4],
    /// MCUs between two restart markers; 0 is none.
    pub(super) interval: u32,
    pub(super) exif: Option<&'a [u8]>,
    profile: Vec<(u8, &'a [u8])>,
    adobe: Option<u8>,
}

impl Component {
    pub(super) fn plane_width(&self) -> u32 {
        self.padded.0 * self.side
    }

    pub(super) fn plane_height(&self) -> u32 {
        self.padded.1 * self.side
    }

    pub(super) fn plane_bytes(&self) -> u64 {
        u64::from(self.plane_width()) * u64::from(self.plane_height())
    }

    pub(super) fn block_count(&self) -> u64 {
        u64::from(self.padded.0) * u64::from(self.padded.1)
    }

    /// What a progressive picture's store holds: the kept coefficients, and a bit for each of all 64.
    pub(super) fn kept_bytes(&self) -> u64 {
        self.block_count() * (u64::from(self.side * self.side) * 2 + 8)
    }

    pub(super) fn block_rows(&self) -> usize {
        self.blocks.1 as usize
    }

    /// The part of the plane that the picture covers, which may end within a sample.
    pub(super) fn covered(&self, picture: Size) -> (f64, f64) {
        let scale = f64::from(self.side) / f64::from(BLOCK);
        let along =
            |length: u32, own: u32, most: u32| f64::from(length) * f64::from(own) / f64::from(most) * scale;
        (
            along(picture.width, self.sampling.0, self.densest.0),
            along(picture.height, self.sampling.1, self.densest.1),
        )
    }

    /// Where each coefficient, in zigzag order, stands among those of which the samples are made:
    /// the lowest frequencies, as many as there are samples. The others have no place: 64.
    pub(super) fn slots(&self) -> [u8; 64] {
        let side = self.side as u8;
        ZIGZAG.map(|place| {
            let (row, column) = (place / 8, place % 8);
            if row < side && column < side { row * side + column } else { 64 }
        })
    }
}

impl Frame {
    /// Other than one to two samples of luma, either way, for each of chroma.
    pub(super) fn has_odd_sampling(&self) -> bool {
        self.components.iter().any(|component| component.sampling.0.max(component.sampling.1) > 2)
    }

    /// Makes fewer samples of each block: a `step`th a side, but of no component fewer than the target
    /// has.
    pub(super) fn shrink(&mut self, step: u32, target: Size) {
        for component in &mut self.components {
            let width = self.size.width * component.sampling.0 / component.densest.0;
            let height = self.size.height * component.sampling.1 / component.densest.1;
            let enough = |step: u32| width / step >= target.width && height / step >= target.height;
            let step = [8, 4, 2].into_iter().find(|&own| own <= step && enough(own)).unwrap_or(1);
            component.side = BLOCK / step;
        }
    }
}

impl<'a> Segments<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Segments<'a> {
        Segments {
            markers: Markers::new(bytes),
            quantisation: [None; 4],
            dc: [const { None }; 4],
            ac: [const { None }; 4],
            interval: 0,
            exif: None,
            profile: Vec::new(),
            adobe: None,
        }
    }

    /// The frame, of a file that the rest of this room can read: 8 bits, Huffman codes, grey or YCbCr.
    pub(super) fn frame(&mut self) -> Option<Frame> {
        let mut frame = None;
        loop {
            let (marker, body) = self.markers.next().ok()?;
            match marker {
                SOF0..=SOF2 if frame.is_none() => frame = Some(read_frame(body, marker == SOF2)?),
                SOF0..=SOF15 if !matches!(marker, DHT | JPG | DAC) => return None,
                SOS => break,
                // The tables are read when the picture is: most JPEGs go to another decoder.
                APP14 => self.remember(marker, body).ok()?,
                _ => {}
            }
        }
        let frame = frame?;
        let named_rgb = frame.components.iter().map(|component| component.id).eq(*b"RGB");
        let other_colours = self.adobe.is_some_and(|transform| transform != ADOBE_YCBCR);
        (frame.components.len() == 1 || !named_rgb && !other_colours).then_some(frame)
    }

    /// The next scan's header; what stands before it is remembered.
    pub(super) fn next_scan(&mut self, frame: &Frame) -> Result<Event, Fault> {
        loop {
            match self.markers.next() {
                Err(_) | Ok((EOI, _)) => return Ok(Event::End),
                Ok((SOS, body)) => return read_scan(body, frame).map(Event::Scan),
                Ok((marker, body)) => self.remember(marker, body)?,
            }
        }
    }

    /// The data of the scan whose header was read last.
    pub(super) fn data(&self) -> &'a [u8] {
        self.markers.rest()
    }

    /// Goes past that data.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.markers.skip(bytes);
    }

    pub(super) fn dc(&self, table: usize) -> Result<&Table, Fault> {
        self.dc[table].as_deref().ok_or(Fault::Corrupt("a scan's table is missing"))
    }

    pub(super) fn ac(&self, table: usize) -> Result<&Table, Fault> {
        self.ac[table].as_deref().ok_or(Fault::Corrupt("a scan's table is missing"))
    }

    /// Steps of the coefficients in zigzag order.
    pub(super) fn steps(&self, table: usize) -> Result<&[u16; 64], Fault> {
        self.quantisation[table].as_ref().ok_or(Fault::Corrupt("a table of its steps is missing"))
    }

    /// The ICC profile, put together from its parts (ICC.1:2010, annex B.4), where it is none too large.
    pub(super) fn profile(mut self) -> Option<Vec<u8>> {
        let length: usize = self.profile.iter().map(|(_, part)| part.len()).sum();
        if length > PROFILE_BYTES_MAX {
            return None;
        }
        self.profile.sort_by_key(|(number, _)| *number);
        let whole: Vec<u8> = self.profile.iter().flat_map(|(_, part)| part.iter().copied()).collect();
        (!whole.is_empty()).then_some(whole)
    }

    fn remember(&mut self, marker: u8, body: &'a [u8]) -> Result<(), Fault> {
        match marker {
            DHT => return self.read_codes(body).ok_or(Fault::Corrupt("a table of its codes is none")),
            DQT => return self.read_steps(body).ok_or(Fault::Corrupt("a table of its steps is cut short")),
            DRI => {
                self.interval =
                    body.get(..2).map_or(0, |count| u32::from(u16::from_be_bytes([count[0], count[1]])))
            }
            APP1 if self.exif.is_none() => self.exif = body.strip_prefix(EXIF),
            APP2 => {
                if let Some([number, _, part @ ..]) = body.strip_prefix(PROFILE) {
                    self.profile.push((*number, part));
                }
            }
            APP14 => {
                if let Some(rest) = body.strip_prefix(ADOBE) {
                    self.adobe = rest.get(6).copied();
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn read_codes(&mut self, mut body: &[u8]) -> Option<()> {
        while let [kind, rest @ ..] = body {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let total = counts.iter().map(|&count| usize::from(count)).sum();
            let symbols = rest.get(..total)?;
            let table = Some(Box::new(Table::new(counts, symbols)?));
            let place = usize::from(kind & 15);
            match kind >> 4 {
                0 => *self.dc.get_mut(place)? = table,
                1 => *self.ac.get_mut(place)? = table,
                _ => return None,
            }
            body = &rest[total..];
        }
        Some(())
    }

    fn read_steps(&mut self, mut body: &[u8]) -> Option<()> {
        while let [kind, rest @ ..] = body {
            let size = if kind >> 4 == 0 { 1 } else { 2 };
            let steps = rest.get(..64 * size)?;
            let mut table = [0; 64];
            for (step, bytes) in table.iter_mut().zip(steps.chunks_exact(size)) {
                *step = bytes.iter().fold(0, |step, &byte| step << 8 | u16::from(byte));
            }
            *self.quantisation.get_mut(usize::from(kind & 15))? = Some(table);
            body = &rest[64 * size..];
        }
        Some(())
    }
}

fn read_frame(body: &[u8], progressive: bool) -> Option<Frame> {
    let [8, h1, h0, w1, w0, count @ (1 | 3), listed @ ..] = body else { return None };
    let size =
        Size { width: u16::from_be_bytes([*w1, *w0]).into(), height: u16::from_be_bytes([*h1, *h0]).into() };
    let listed = listed.get(..usize::from(*count) * 3)?;
    let samplings: Vec<(u32, u32)> =
        listed.chunks_exact(3).map(|one| (u32::from(one[1] >> 4), u32::from(one[1] & 15))).collect();
    let densest = (samplings.iter().map(|one| one.0).max()?, samplings.iter().map(|one| one.1).max()?);
    if size.pixels() == 0
        || samplings.iter().any(|one| !(1..=4).contains(&one.0) || !(1..=4).contains(&one.1))
    {
        return None;
    }
    let mcus = (size.width.div_ceil(BLOCK * densest.0), size.height.div_ceil(BLOCK * densest.1));
    let component = |(one, sampling): (&[u8], (u32, u32))| Component {
        id: one[0],
        sampling,
        densest,
        table: usize::from(one[2] & 3),
        blocks: (
            (size.width * sampling.0).div_ceil(densest.0).div_ceil(BLOCK),
            (size.height * sampling.1).div_ceil(densest.1).div_ceil(BLOCK),
        ),
        padded: (mcus.0 * sampling.0, mcus.1 * sampling.1),
        side: BLOCK,
    };
    let components = listed.chunks_exact(3).zip(samplings.iter().copied()).map(component).collect();
    Some(Frame { size, progressive, components, mcus })
}

fn read_scan(body: &[u8], frame: &Frame) -> Result<Scan, Fault> {
    let fault = Fault::Corrupt("a scan's header is wrong");
    let (count, rest) = body.split_first().ok_or(fault)?;
    let count = usize::from(*count);
    let listed = rest.get(..count * 2).ok_or(fault)?;
    let Some([first, last, bits, ..]) = rest.get(count * 2..) else { return Err(fault) };
    let mut components = Vec::<(usize, usize, usize)>::new();
    for one in listed.chunks_exact(2) {
        let place = frame.components.iter().position(|component| component.id == one[0]).ok_or(fault)?;
        let (dc, ac) = (usize::from(one[1] >> 4), usize::from(one[1] & 15));
        if dc > 3 || ac > 3 || components.iter().any(|&(other, ..)| other == place) {
            return Err(fault);
        }
        components.push((place, dc, ac));
    }
    let band = (usize::from(*first), usize::from(*last));
    let approximation = (u32::from(bits >> 4), u32::from(bits & 15));
    // Bits beyond the 13th are those of no coefficient; AC is never interleaved (T.81, G.1.1.1.1).
    let is_sound = !components.is_empty()
        && (!frame.progressive
            || band.0 <= band.1
                && band.1 < 64
                && (band.0 > 0 || band.1 == 0)
                && (band.0 == 0 || components.len() == 1)
                && approximation.1 <= 13
                && approximation.0 <= 14);
    if is_sound { Ok(Scan { components, band, approximation }) } else { Err(fault) }
}
