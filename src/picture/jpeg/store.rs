//! The coefficients of a progressive picture between its scans. Kept are those of which samples will
//! be made, 16 of 64 at half size; of the others only whether they are zero, for that much a later
//! scan must know to be read. So a picture takes 40 bytes a block, and not 128 and its samples.

use super::frame::{Component, Frame, Segments};
use super::sequential::dequantised;
use super::{Fault, Plane, idct};

/// The part of the store that belongs to one component.
pub(super) struct Kept {
    slots: [u8; 64],
    /// Blocks in a row, the padding included.
    across: usize,
    /// Coefficients of a block.
    count: usize,
    values: Vec<i16>,
    /// A bit for each coefficient that is not zero, in zigzag order.
    coded: Vec<u64>,
    /// Whether a whole first scan of its DC coefficients was read.
    pub(super) is_begun: bool,
}

/// A block's coefficients, by their places in zigzag order.
pub(super) struct Block<'k> {
    slots: &'k [u8; 64],
    values: &'k mut [i16],
    coded: &'k mut u64,
}

impl Block<'_> {
    pub(super) fn dc(&mut self) -> &mut i16 {
        &mut self.values[0]
    }

    /// Whether the coefficient, below 64, is known not to be zero.
    #[inline(always)]
    pub(super) fn is_coded(&self, at: usize) -> bool {
        *self.coded >> at & 1 == 1
    }

    /// Notes that it is not zero, and the value where it is kept. `None`: there is no such coefficient.
    #[inline(always)]
    pub(super) fn set(&mut self, at: usize, value: i16) -> Option<()> {
        *self.coded |= 1u64.checked_shl(at as u32)?;
        if let Some(kept) = self.kept(at) {
            *kept = value;
        }
        Some(())
    }

    /// The value, below 64, where it is kept.
    #[inline(always)]
    pub(super) fn kept(&mut self, at: usize) -> Option<&mut i16> {
        self.values.get_mut(usize::from(self.slots[at]))
    }
}

pub(super) struct Store {
    pub(super) components: Vec<Kept>,
}

impl Store {
    pub(super) fn new(frame: &Frame) -> Store {
        Store { components: frame.components.iter().map(Kept::new).collect() }
    }

    /// # Errors
    /// `Short`: a component never came. `Corrupt`: its steps did not.
    pub(super) fn into_planes(self, frame: &Frame, segments: &Segments<'_>) -> Result<Vec<Plane>, Fault> {
        if self.components.iter().any(|kept| !kept.is_begun) {
            return Err(Fault::Short);
        }
        let made = self.components.into_iter().zip(&frame.components);
        made.map(|(kept, component)| Ok(kept.into_plane(component, segments.steps(component.table)?)))
            .collect()
    }
}

impl Kept {
    fn new(component: &Component) -> Kept {
        let blocks = component.padded.0 as usize * component.padded.1 as usize;
        let count = (component.side * component.side) as usize;
        Kept {
            slots: component.slots(),
            across: component.padded.0 as usize,
            count,
            values: vec![0; blocks * count],
            coded: vec![0; blocks],
            is_begun: false,
        }
    }

    #[inline(always)]
    pub(super) fn block(&mut self, column: u32, row: u32) -> Block<'_> {
        let block = row as usize * self.across + column as usize;
        Block {
            slots: &self.slots,
            values: &mut self.values[block * self.count..(block + 1) * self.count],
            coded: &mut self.coded[block],
        }
    }

    /// Samples take the place of the coefficients, a component at a time.
    fn into_plane(self, component: &Component, steps: &[u16; 64]) -> Plane {
        let mut plane = Plane::of(component);
        let (stride, side) = (plane.width as usize, component.side as usize);
        let mut in_place = [0; 64];
        for (slot, &step) in self.slots.iter().zip(steps) {
            if let Some(place) = in_place.get_mut(usize::from(*slot)) {
                *place = i32::from(step);
            }
        }
        let mut block = [0; 128];
        for (number, values) in self.values.chunks_exact(self.count).enumerate() {
            for ((coefficient, &value), &step) in block.iter_mut().zip(values).zip(&in_place) {
                *coefficient = dequantised(i32::from(value), step);
            }
            let corner = number / self.across * side * stride + number % self.across * side;
            let is_flat = values[1..].iter().all(|&value| value == 0);
            idct::write(&block, side, is_flat, &mut plane.samples[corner..], stride);
        }
        plane
    }
}
