//! Large JPEGs at a half, a quarter or an eighth of their size, straight from their coefficients: what
//! a 600-pixel cover cannot show is not computed, and of a progressive picture not kept. Progressive
//! ones of any size, too, for that costs nothing and a scan that stops early does not get through; and
//! those of odd sampling, of which zune-jpeg 0.5.15 garbles some (4:1:1 with restart markers). Owns which
//! files it can read and what reading them holds; the other small baseline JPEGs, for whose samples
//! zune-jpeg has SIMD code, and other colours are `decode`'s business.
//!
//! `frame` reads the segments, `bits` and `huffman` the entropy-coded data, `sequential` and
//! `progressive` make coefficients of them, `store` keeps those of progressive pictures, `idct` makes
//! samples. Everything after ITU-T T.81, the numbers of its clauses beside the code.

mod bits;
mod frame;
mod huffman;
mod idct;
mod progressive;
mod sequential;
mod store;

use super::decode::{Decoded, MISSING_PART};
use super::pixels::{Layout, Pixels};
use super::{PictureError, Size, resize};
use frame::{BLOCK, Component, Event, Frame, Segments};
use image::metadata::Orientation;
use store::Store;

/// Scaled samples for each one that the resize is asked for, at least and a side: with twice as many
/// a cover of 600 pixels comes out as from the full decode (SSIM 0.98311 beside 0.98305).
const OVERSAMPLING: u32 = 2;

/// How a JPEG will be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    frame: Frame,
    /// What the planes are resized to.
    target: Size,
}

/// A component's samples, its padding to whole MCUs included.
struct Plane {
    width: u32,
    height: u32,
    samples: Vec<u8>,
}

/// Why decoding stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Bits that no table explains, or segments that contradict each other.
    Corrupt(&'static str),
    /// The data ended where more was due.
    Short,
}

/// `None`: better read by the general decoder, or of a kind that this one cannot read.
pub(super) fn plan(bytes: &[u8], target: impl Fn(Size) -> Size) -> Option<Plan> {
    let mut frame = Segments::new(bytes).frame()?;
    let target = target(frame.size);
    let spare = |length: u32, wanted: u32, step: u32| length / step >= wanted.saturating_mul(OVERSAMPLING);
    let step = [8, 4, 2].into_iter().find(|&step| {
        spare(frame.size.width, target.width, step) && spare(frame.size.height, target.height, step)
    });
    let whole = frame.progressive || frame.has_odd_sampling();
    frame.shrink(step.or(whole.then_some(1))?, target);
    Some(Plan { frame, target })
}

impl Plan {
    /// The most that is held at once besides the file: planes or coefficients, and the resize.
    pub(super) fn bytes(&self) -> u64 {
        let planes: u64 = self.frame.components.iter().map(Component::plane_bytes).sum();
        let kept: u64 = match self.frame.progressive {
            true => self.frame.components.iter().map(Component::kept_bytes).sum(),
            false => 0,
        };
        let resizing = self.frame.components.iter().map(|component| {
            let plane = Size { width: component.plane_width(), height: component.plane_height() };
            resize::working_bytes(plane, self.target, Layout::Grey)
        });
        // The planes at their final size and the picture that is made of them.
        let shown = self.target.pixels() * 6;
        planes + kept.max(resizing.max().unwrap_or(0) + shown)
    }

    /// # Errors
    /// `Damaged`: the caller has seen to it that the file has its end.
    pub(super) fn decode(&self, bytes: &[u8]) -> Result<Decoded, PictureError> {
        let mut segments = Segments::new(bytes);
        let planes = self.planes(&mut segments).map_err(|fault| PictureError::Damaged(fault.to_string()))?;
        let orientation = segments.exif.and_then(Orientation::from_exif_chunk);
        let profile = segments.profile();
        Ok(Decoded {
            pixels: self.pixels(planes),
            orientation: orientation.unwrap_or(Orientation::NoTransforms),
            profile,
        })
    }

    fn planes(&self, segments: &mut Segments<'_>) -> Result<Vec<Plane>, Fault> {
        if self.frame.progressive {
            let mut store = Store::new(&self.frame);
            while let Event::Scan(scan) = segments.next_scan(&self.frame)? {
                let read = progressive::read(&self.frame, &scan, segments, &mut store)?;
                segments.skip(read);
            }
            return store.into_planes(&self.frame, segments);
        }
        let mut planes: Vec<Plane> = self.frame.components.iter().map(Plane::of).collect();
        let mut rows = vec![0; planes.len()];
        while let Event::Scan(scan) = segments.next_scan(&self.frame)? {
            let read = sequential::read(&self.frame, &scan, segments, &mut planes)?;
            for &(component, done) in &read.rows {
                rows[component] = done;
            }
            segments.skip(read.bytes);
        }
        let whole = self.frame.components.iter().zip(rows).all(|(component, rows)| {
            (component.block_rows() - rows.min(component.block_rows())) * MISSING_PART
                <= component.block_rows()
        });
        if whole { Ok(planes) } else { Err(Fault::Short) }
    }

    /// Each plane by itself to the target, and only then three samples to a colour: a ninth of the
    /// conversions, and chroma is never enlarged only to be made smaller.
    fn pixels(&self, planes: Vec<Plane>) -> Pixels {
        let mut resized = planes.into_iter().zip(&self.frame.components).map(|(plane, component)| {
            let size = Size { width: plane.width, height: plane.height };
            let covered = component.covered(self.frame.size);
            let pixels = Pixels { size, layout: Layout::Grey, samples: plane.samples };
            let filtered = match component.side < BLOCK {
                true => resize::filtered_from_frequencies,
                false => resize::filtered,
            };
            filtered(&pixels, covered, self.target).samples
        });
        let luma = resized.next().unwrap_or_default();
        match (resized.next(), resized.next()) {
            (Some(blue), Some(red)) => {
                Pixels { size: self.target, layout: Layout::Rgb, samples: rgb(&luma, &blue, &red) }
            }
            _ => Pixels { size: self.target, layout: Layout::Grey, samples: luma },
        }
    }
}

impl Plane {
    fn of(component: &Component) -> Plane {
        let [width, height] = [component.plane_width(), component.plane_height()];
        // What no scan writes is grey, as every decoder has it.
        Plane { width, height, samples: vec![128; width as usize * height as usize] }
    }
}

/// JFIF 1.02, the conversion from YCbCr, in 16 bits of fraction.
fn rgb(luma: &[u8], blue: &[u8], red: &[u8]) -> Vec<u8> {
    const HALF: i32 = 1 << 15;
    let mut samples = vec![0; luma.len() * 3];
    let chroma = blue.iter().zip(red);
    for ((pixel, &luma), (&blue, &red)) in samples.chunks_exact_mut(3).zip(luma).zip(chroma) {
        let (luma, blue, red) = ((i32::from(luma) << 16) + HALF, i32::from(blue) - 128, i32::from(red) - 128);
        let level = |value: i32| (value >> 16).clamp(0, 255) as u8;
        pixel[0] = level(luma + 91_881 * red);
        pixel[1] = level(luma - 22_554 * blue - 46_802 * red);
        pixel[2] = level(luma + 116_130 * blue);
    }
    samples
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Corrupt(what) => f.write_str(what),
            Fault::Short => f.write_str("its scan stops early"),
        }
    }
}
