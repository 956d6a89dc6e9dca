//! Decoded samples on their way through the pipeline: always 8 bits, grey or RGB, opaque. Owns
//! what turns a decoder's output into that, in place; knows no files.

use image::{ColorType, DynamicImage, GrayImage, RgbImage};

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

impl Size {
    pub fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// The largest size of the same shape that fits a square of `side`: never larger than this
    /// one, and no side ever 0.
    ///
    /// ```
    /// use vinylvault::picture::Size;
    /// assert_eq!(Size { width: 1200, height: 900 }.fit(600), Size { width: 600, height: 450 });
    /// assert_eq!(Size { width: 5000, height: 20 }.fit(150), Size { width: 150, height: 1 });
    /// assert_eq!(Size { width: 40, height: 30 }.fit(150), Size { width: 40, height: 30 });
    /// ```
    pub fn fit(self, side: u32) -> Size {
        let long = self.width.max(self.height);
        if long <= side {
            return self;
        }
        let scaled = |length: u32| {
            let rounded = (u64::from(length) * u64::from(side) + u64::from(long) / 2) / u64::from(long);
            u32::try_from(rounded).expect("length <= long, so this is at most side").max(1)
        };
        Size { width: scaled(self.width), height: scaled(self.height) }
    }
}

/// What a sample row is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Grey,
    Rgb,
}

impl Layout {
    pub(super) fn channels(self) -> usize {
        match self {
            Layout::Grey => 1,
            Layout::Rgb => 3,
        }
    }
}

pub(super) struct Pixels {
    pub(super) size: Size,
    pub(super) layout: Layout,
    /// Rows from top to bottom without padding.
    pub(super) samples: Vec<u8>,
}

impl Pixels {
    /// From what a decoder of `image` wrote: 16 bits are scaled to 8, alpha is laid onto white.
    /// Works within `samples`, so that the peak is the decoder's own buffer. `None`: a colour type
    /// that none of the four formats has.
    pub(super) fn from_decoder(size: Size, colour: ColorType, mut samples: Vec<u8>) -> Option<Pixels> {
        let (layout, alpha, deep) = match colour {
            ColorType::L8 => (Layout::Grey, false, false),
            ColorType::La8 => (Layout::Grey, true, false),
            ColorType::Rgb8 => (Layout::Rgb, false, false),
            ColorType::Rgba8 => (Layout::Rgb, true, false),
            ColorType::L16 => (Layout::Grey, false, true),
            ColorType::La16 => (Layout::Grey, true, true),
            ColorType::Rgb16 => (Layout::Rgb, false, true),
            ColorType::Rgba16 => (Layout::Rgb, true, true),
            _ => return None,
        };
        if deep {
            narrow(&mut samples);
        }
        match (alpha, layout) {
            (false, _) => {}
            (true, Layout::Grey) => flatten::<2>(&mut samples),
            (true, Layout::Rgb) => flatten::<4>(&mut samples),
        }
        Some(Pixels { size, layout, samples })
    }

    pub(super) fn into_image(self) -> DynamicImage {
        let Size { width, height } = self.size;
        let exact = "the buffer has width * height * channels samples";
        match self.layout {
            Layout::Grey => GrayImage::from_raw(width, height, self.samples).expect(exact).into(),
            Layout::Rgb => RgbImage::from_raw(width, height, self.samples).expect(exact).into(),
        }
    }

    pub(super) fn from_image(image: DynamicImage) -> Pixels {
        let size = Size { width: image.width(), height: image.height() };
        match image {
            DynamicImage::ImageLuma8(grey) => Pixels { size, layout: Layout::Grey, samples: grey.into_raw() },
            other => Pixels { size, layout: Layout::Rgb, samples: other.into_rgb8().into_raw() },
        }
    }

    /// The same picture as RGB.
    pub(super) fn into_rgb(self) -> Pixels {
        match self.layout {
            Layout::Rgb => self,
            Layout::Grey => {
                let samples = self.samples.iter().flat_map(|&grey| [grey; 3]).collect();
                Pixels { size: self.size, layout: Layout::Rgb, samples }
            }
        }
    }
}

/// 16-bit samples in the machine's order, scaled to 8 bits: 65535 is 255.
fn narrow(samples: &mut Vec<u8>) {
    let count = samples.len() / 2;
    for index in 0..count {
        let deep = u32::from(u16::from_ne_bytes([samples[2 * index], samples[2 * index + 1]]));
        samples[index] = ((deep + 128) / 257) as u8;
    }
    samples.truncate(count);
}

/// Lays pixels of `N` samples, the last of them straight alpha, onto white.
fn flatten<const N: usize>(samples: &mut Vec<u8>) {
    let count = samples.len() / N;
    for index in 0..count {
        let alpha = u32::from(samples[index * N + N - 1]);
        for channel in 0..N - 1 {
            let over = u32::from(samples[index * N + channel]) * alpha + 255 * (255 - alpha);
            samples[index * (N - 1) + channel] = ((over + 127) / 255) as u8;
        }
    }
    samples.truncate(count * (N - 1));
}
