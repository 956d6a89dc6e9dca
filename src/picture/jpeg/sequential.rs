//! Scans of baseline and extended sequential JPEGs (T.81, annex F): coefficients straight to samples,
//! none of them kept. Owns the order of blocks in such a scan.

use super::bits::Bits;
use super::frame::{Component, Frame, Scan, Segments};
use super::huffman::{Run, Table};
use super::{Fault, Plane, idct};

/// The longest difference of DC values that 8-bit samples have, in bits (T.81, table F.1).
pub(super) const DC_BITS_MAX: u32 = 11;

/// A dequantised coefficient is at most 1,024 of either sign; what a hostile table makes larger is cut
/// here, so that the sums of the transform stay within 32 bits.
const COEFFICIENT_MAX: i32 = 4095;

/// How far a scan could be read.
pub(super) struct Read {
    /// Of the data.
    pub(super) bytes: usize,
    /// Rows of blocks that are whole, for each component of the scan by its place in the frame.
    pub(super) rows: Vec<(usize, usize)>,
}

/// What decodes one component's blocks.
struct Reader<'t> {
    dc: &'t Table,
    ac: &'t Table,
    steps: [i32; 64],
    slots: [u8; 64],
    side: u32,
    last_dc: i32,
    /// 64 places, and one more for what is not kept.
    block: [i32; 128],
}

/// A scan that ends early or cannot be understood is read as far as it goes: how much of it must be
/// there is the caller's judgement.
pub(super) fn read(
    frame: &Frame,
    scan: &Scan,
    segments: &Segments<'_>,
    planes: &mut [Plane],
) -> Result<Read, Fault> {
    let mut bits = Bits::new(segments.data());
    let mut readers = Vec::new();
    for &(place, dc, ac) in &scan.components {
        readers.push(Reader::new(&frame.components[place], segments, dc, ac)?);
    }
    let rows = if let [(place, ..)] = scan.components[..] {
        let component = &frame.components[place];
        let rows = alone(component, &mut readers[0], &mut bits, segments.interval, &mut planes[place]);
        vec![(place, rows)]
    } else {
        let rows = interleaved(frame, scan, &mut readers, &mut bits, segments.interval, planes);
        let of = |&(place, ..): &(usize, usize, usize)| {
            (place, rows * frame.components[place].sampling.1 as usize)
        };
        scan.components.iter().map(of).collect()
    };
    Ok(Read { bytes: bits.end(), rows })
}

/// Rows of blocks.
fn alone(
    component: &Component,
    reader: &mut Reader<'_>,
    bits: &mut Bits<'_>,
    interval: u32,
    plane: &mut Plane,
) -> usize {
    let mut due = interval;
    for row in 0..component.blocks.1 {
        for column in 0..component.blocks.0 {
            if !restarted(interval, &mut due, bits, std::slice::from_mut(reader)) {
                return row as usize;
            }
            if reader.block(bits, plane, column, row).is_none() || bits.is_short() {
                return row as usize;
            }
        }
    }
    component.block_rows()
}

/// Rows of MCUs.
fn interleaved(
    frame: &Frame,
    scan: &Scan,
    readers: &mut [Reader<'_>],
    bits: &mut Bits<'_>,
    interval: u32,
    planes: &mut [Plane],
) -> usize {
    let mut due = interval;
    for row in 0..frame.mcus.1 {
        for column in 0..frame.mcus.0 {
            if !restarted(interval, &mut due, bits, readers) {
                return row as usize;
            }
            for (reader, &(place, ..)) in readers.iter_mut().zip(&scan.components) {
                let (across, down) = frame.components[place].sampling;
                for (y, x) in (0..down).flat_map(|y| (0..across).map(move |x| (y, x))) {
                    let block = reader.block(bits, &mut planes[place], column * across + x, row * down + y);
                    if block.is_none() {
                        return row as usize;
                    }
                }
            }
            if bits.is_short() {
                return row as usize;
            }
        }
    }
    frame.mcus.1 as usize
}

/// Goes past a restart marker where one is due; false when it is not there.
fn restarted(interval: u32, due: &mut u32, bits: &mut Bits<'_>, readers: &mut [Reader<'_>]) -> bool {
    if interval == 0 {
        return true;
    }
    if *due == 0 {
        *due = interval;
        readers.iter_mut().for_each(|reader| reader.last_dc = 0);
        if !bits.restart() {
            return false;
        }
    }
    *due -= 1;
    true
}

impl<'t> Reader<'t> {
    fn new(
        component: &Component,
        segments: &'t Segments<'_>,
        dc: usize,
        ac: usize,
    ) -> Result<Reader<'t>, Fault> {
        Ok(Reader {
            dc: segments.dc(dc)?,
            ac: segments.ac(ac)?,
            steps: segments.steps(component.table)?.map(i32::from),
            slots: component.slots(),
            side: component.side,
            last_dc: 0,
            block: [0; 128],
        })
    }

    /// One block into its place of the plane. `None`: its bits are no code.
    #[inline]
    fn block(&mut self, bits: &mut Bits<'_>, plane: &mut Plane, column: u32, row: u32) -> Option<()> {
        self.block[..(self.side * self.side) as usize].fill(0);
        let size = self.dc.symbol(bits)?;
        if size > DC_BITS_MAX {
            return None;
        }
        self.last_dc = self.last_dc.wrapping_add(bits.signed(size));
        self.block[0] = dequantised(self.last_dc, self.steps[0]);
        let mut is_flat = true;
        let mut at = 1;
        while at < 64 {
            match self.ac.run(bits)? {
                Run::Value(run, value) => {
                    at += run as usize;
                    let slot = *self.slots.get(at)?;
                    self.block[usize::from(slot & 127)] = dequantised(value, self.steps[at]);
                    is_flat &= slot == 64;
                    at += 1;
                }
                Run::Zeros(15) => at += 16,
                Run::Zeros(_) => break,
            }
        }
        let (stride, side) = (plane.width as usize, self.side as usize);
        let corner = row as usize * side * stride + column as usize * side;
        idct::write(&self.block, side, is_flat, &mut plane.samples[corner..], stride);
        Some(())
    }
}

#[inline(always)]
pub(super) fn dequantised(value: i32, step: i32) -> i32 {
    value.wrapping_mul(step).clamp(-COEFFICIENT_MAX, COEFFICIENT_MAX)
}
