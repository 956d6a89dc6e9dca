//! Image files written byte by byte, for what no encoder at hand writes.

// Each test program uses its own part of these.
#![allow(dead_code)]

use image::{DynamicImage, ImageFormat, RgbaImage};
use std::io::Cursor;

pub fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub fn gif_of(frames: &[RgbaImage]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
    encoder.encode_frames(frames.iter().map(|frame| image::Frame::new(frame.clone()))).unwrap();
    drop(encoder);
    bytes
}

/// Puts an application segment behind the start marker of a JPEG.
pub fn insert_segment(jpeg: &[u8], marker: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xff, marker], &length, body, &jpeg[2..]].concat()
}

/// Puts a chunk behind the header of a PNG.
pub fn png_chunk_before_pixels(png: &[u8], kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let header_end = 8 + 12 + 13;
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let named = [kind.as_slice(), body].concat();
    let checksum = crc32(&named).to_be_bytes();
    [&png[..header_end], &length, &named, &checksum, &png[header_end..]].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
        )
    })
}

pub fn profile(profile: moxcms::ColorProfile) -> Vec<u8> {
    profile.encode().unwrap()
}

pub fn profile_with_red_and_green_swapped() -> Vec<u8> {
    let mut swapped = moxcms::ColorProfile::new_srgb();
    std::mem::swap(&mut swapped.red_colorant, &mut swapped.green_colorant);
    swapped.cicp = None;
    profile(swapped)
}

/// A JPEG of one flat colour, 8 x 8 pixels times the sampling: any number of components, any
/// sampling, sequential or progressive.
pub struct Flat<'a> {
    /// One stored sample for each component.
    pub samples: &'a [u8],
    /// Horizontal and vertical sampling of the first component, a nibble each.
    pub luma_sampling: u8,
    /// The transform byte of an Adobe segment.
    pub adobe: Option<u8>,
    pub progressive: bool,
    /// Width and height that the frame header claims instead of the true ones.
    pub claimed: Option<(u16, u16)>,
}

impl Default for Flat<'_> {
    fn default() -> Self {
        Flat { samples: &[128], luma_sampling: 0x11, adobe: None, progressive: false, claimed: None }
    }
}

impl Flat<'_> {
    pub fn bytes(&self) -> Vec<u8> {
        let count = self.samples.len() as u8;
        let (across, down) = (u16::from(self.luma_sampling >> 4), u16::from(self.luma_sampling & 15));
        let (width, height) = self.claimed.unwrap_or((8 * across, 8 * down));
        let mut file = vec![0xff, 0xd8];
        let mut segment = |marker: u8, body: &[u8]| {
            file.extend([0xff, marker]);
            file.extend((body.len() as u16 + 2).to_be_bytes());
            file.extend(body);
        };
        if let Some(transform) = self.adobe {
            segment(0xee, &[b"Adobe\0\x64\0\0\0\0".as_slice(), &[transform]].concat());
        }
        // All steps are 8, so that a coefficient of a flat block is its sample less 128.
        segment(0xdb, &[[0].as_slice(), &[8; 64]].concat());
        let [h, w] = [height.to_be_bytes(), width.to_be_bytes()];
        let mut frame = vec![8, h[0], h[1], w[0], w[1], count];
        let mut scan = vec![count];
        for id in 1..=count {
            frame.extend([id, if id == 1 { self.luma_sampling } else { 0x11 }, 0]);
            scan.extend([id, 0]);
        }
        scan.extend([0, if self.progressive { 0 } else { 63 }, 0]);
        segment(if self.progressive { 0xc2 } else { 0xc0 }, &frame);
        // Nine lengths of difference with four bits each; of the rest only "end of block".
        segment(0xc4, &[&[0, 0, 0, 0, 9], [0; 12].as_slice(), &[0, 1, 2, 3, 4, 5, 6, 7, 8]].concat());
        segment(0xc4, &[&[0x10, 1], [0; 15].as_slice(), &[0]].concat());
        segment(0xda, &scan);
        file.extend(self.entropy_coded(across * down));
        file.extend([0xff, 0xd9]);
        file
    }

    fn entropy_coded(&self, luma_blocks: u16) -> Vec<u8> {
        let mut bits = String::new();
        for (index, &sample) in self.samples.iter().enumerate() {
            let blocks = if index == 0 { luma_blocks } else { 1 };
            for block in 0..blocks {
                let difference = if block == 0 { i32::from(sample) - 128 } else { 0 };
                let length = (32 - difference.unsigned_abs().leading_zeros()) as usize;
                bits += &format!("{length:04b}");
                if length > 0 {
                    let value = if difference < 0 { difference + (1 << length) - 1 } else { difference };
                    bits += &format!("{value:0length$b}");
                }
                if !self.progressive {
                    bits.push('0');
                }
            }
        }
        while !bits.len().is_multiple_of(8) {
            bits.push('1');
        }
        let bytes = bits
            .as_bytes()
            .chunks(8)
            .map(|byte| byte.iter().fold(0u8, |value, &bit| value << 1 | (bit - b'0')));
        bytes.flat_map(|byte| if byte == 0xff { vec![0xff, 0] } else { vec![byte] }).collect()
    }
}
