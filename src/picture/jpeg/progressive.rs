//! Scans of progressive JPEGs (T.81, annex G): a band of coefficients, or one more bit of them, for
//! every block. Owns the order of blocks in such a scan and the four ways of reading one.

use super::Fault;
use super::bits::Bits;
use super::frame::{Component, Frame, Scan, Segments};
use super::huffman::{Run, Table};
use super::sequential::DC_BITS_MAX;
use super::store::{Block, Kept, Store};

/// One scan, and what it carries from block to block.
struct Reader<'t> {
    band: (usize, usize),
    /// The place of the bit that this scan adds.
    low: u32,
    is_first: bool,
    dc: Vec<&'t Table>,
    ac: Option<&'t Table>,
    last_dc: [i32; 4],
    /// Blocks that end before they begin, of a run of such.
    ends: u32,
}

/// How many bytes of the data were read.
///
/// # Errors
/// Any [`Fault`]: a scan that stops early leaves blocks without this band.
pub(super) fn read(
    frame: &Frame,
    scan: &Scan,
    segments: &Segments<'_>,
    store: &mut Store,
) -> Result<usize, Fault> {
    let mut bits = Bits::new(segments.data());
    let mut reader = Reader::new(scan, segments)?;
    if let [(place, ..)] = scan.components[..] {
        let component = &frame.components[place];
        reader.alone(component, segments.interval, &mut bits, &mut store.components[place])?;
    } else {
        reader.interleaved(frame, scan, segments.interval, &mut bits, store)?;
    }
    if scan.band.0 == 0 && reader.is_first {
        scan.components.iter().for_each(|&(place, ..)| store.components[place].is_begun = true);
    }
    Ok(bits.end())
}

impl<'t> Reader<'t> {
    fn new(scan: &Scan, segments: &'t Segments<'_>) -> Result<Reader<'t>, Fault> {
        let is_first = scan.approximation.0 == 0;
        let (mut dc, mut ac) = (Vec::new(), None);
        for &(_, dc_table, ac_table) in &scan.components {
            match scan.band.0 {
                // A scan that only adds a bit to DC has no codes.
                0 if is_first => dc.push(segments.dc(dc_table)?),
                0 => {}
                _ => ac = Some(segments.ac(ac_table)?),
            }
        }
        Ok(Reader { band: scan.band, low: scan.approximation.1, is_first, dc, ac, last_dc: [0; 4], ends: 0 })
    }

    fn alone(
        &mut self,
        component: &Component,
        interval: u32,
        bits: &mut Bits<'_>,
        kept: &mut Kept,
    ) -> Result<(), Fault> {
        let mut due = interval;
        for row in 0..component.blocks.1 {
            for column in 0..component.blocks.0 {
                self.restart(interval, &mut due, bits)?;
                self.block(bits, 0, kept.block(column, row)).ok_or(Fault::Corrupt("its codes are none"))?;
            }
            if bits.is_short() {
                return Err(Fault::Short);
            }
        }
        Ok(())
    }

    fn interleaved(
        &mut self,
        frame: &Frame,
        scan: &Scan,
        interval: u32,
        bits: &mut Bits<'_>,
        store: &mut Store,
    ) -> Result<(), Fault> {
        let mut due = interval;
        for row in 0..frame.mcus.1 {
            for column in 0..frame.mcus.0 {
                self.restart(interval, &mut due, bits)?;
                for (number, &(place, ..)) in scan.components.iter().enumerate() {
                    let (across, down) = frame.components[place].sampling;
                    for (y, x) in (0..down).flat_map(|y| (0..across).map(move |x| (y, x))) {
                        let block = store.components[place].block(column * across + x, row * down + y);
                        self.block(bits, number, block).ok_or(Fault::Corrupt("its codes are none"))?;
                    }
                }
            }
            if bits.is_short() {
                return Err(Fault::Short);
            }
        }
        Ok(())
    }

    fn restart(&mut self, interval: u32, due: &mut u32, bits: &mut Bits<'_>) -> Result<(), Fault> {
        if interval == 0 {
            return Ok(());
        }
        if *due == 0 {
            *due = interval;
            (self.last_dc, self.ends) = ([0; 4], 0);
            if bits.is_short() || !bits.restart() {
                return Err(Fault::Short);
            }
        }
        *due -= 1;
        Ok(())
    }

    #[inline]
    fn block(&mut self, bits: &mut Bits<'_>, number: usize, mut block: Block<'_>) -> Option<()> {
        match (self.band.0, self.is_first) {
            (0, true) => self.first_dc(bits, number, block.dc()),
            (0, false) => {
                // T.81, G.1.2.1.
                *block.dc() |= i16::from(bits.bit()) << self.low;
                Some(())
            }
            (_, true) => self.first_ac(bits, &mut block),
            (_, false) => self.more_ac(bits, &mut block),
        }
    }

    fn first_dc(&mut self, bits: &mut Bits<'_>, number: usize, dc: &mut i16) -> Option<()> {
        let size = self.dc.get(number)?.symbol(bits)?;
        if size > DC_BITS_MAX {
            return None;
        }
        let last = &mut self.last_dc[number];
        *last = last.wrapping_add(bits.signed(size));
        *dc = (*last << self.low) as i16;
        Some(())
    }

    /// T.81, G.1.2.2.
    #[inline]
    fn first_ac(&mut self, bits: &mut Bits<'_>, block: &mut Block<'_>) -> Option<()> {
        if self.ends > 0 {
            self.ends -= 1;
            return Some(());
        }
        let table = self.ac?;
        let mut at = self.band.0;
        while at <= self.band.1 {
            match table.run(bits)? {
                Run::Value(run, value) => {
                    at += run as usize;
                    block.set(at, (value << self.low) as i16)?;
                    at += 1;
                }
                Run::Zeros(15) => at += 16,
                Run::Zeros(size) => {
                    // This block is the first of the run.
                    self.ends = (1 << size) - 1 + bits.take(size) as u32;
                    break;
                }
            }
        }
        Some(())
    }

    /// T.81, G.1.2.3: bits for what was not zero before, and between them what is no longer.
    #[inline]
    fn more_ac(&mut self, bits: &mut Bits<'_>, block: &mut Block<'_>) -> Option<()> {
        let table = self.ac?;
        let mut at = self.band.0;
        while self.ends == 0 && at <= self.band.1 {
            let symbol = table.symbol(bits)?;
            let (mut zeros, size) = (symbol >> 4, symbol & 15);
            let new = match size {
                0 if zeros < 15 => {
                    self.ends = (1 << zeros) + bits.take(zeros) as u32;
                    break;
                }
                0 => 0,
                _ if bits.bit() => 1 << self.low,
                _ => -1 << self.low,
            };
            while at <= self.band.1 {
                if block.is_coded(at) {
                    self.correct(bits, block, at);
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                at += 1;
            }
            if new != 0 && at <= self.band.1 {
                block.set(at, new)?;
            }
            at += 1;
        }
        if self.ends > 0 {
            while at <= self.band.1 {
                if block.is_coded(at) {
                    self.correct(bits, block, at);
                }
                at += 1;
            }
            self.ends -= 1;
        }
        Some(())
    }

    /// One more bit of a coefficient that is not zero, away from it.
    #[inline(always)]
    fn correct(&self, bits: &mut Bits<'_>, block: &mut Block<'_>, at: usize) {
        let more = bits.bit();
        if let Some(kept) = block.kept(at).filter(|_| more) {
            let step = 1i16 << self.low;
            *kept = if *kept < 0 { kept.wrapping_sub(step) } else { kept.wrapping_add(step) };
        }
    }
}
