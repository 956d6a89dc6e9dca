//! Pixels to the files that browsers get: WebP, and JPEG for a browser without it. Writes pixels
//! and nothing else, so no metadata of an original can pass.

use super::pixels::Pixels;
use super::{PictureError, Size, libwebp};
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

/// Bytes that libwebp holds for each pixel while it encodes: its planes, and the tokens of the busiest
/// covers (measured: 6.5 MB at 600 x 600 with effort 4, then with a copy as ARGB).
const WORKING_BYTES_PER_PIXEL: u64 = 20;

/// `rgb` must be RGB.
pub(super) fn webp(rgb: &Pixels, quality: u8, effort: u8) -> Result<Vec<u8>, PictureError> {
    let refused = |why: String| PictureError::Encode(format!("libwebp: {why}"));
    let mut config =
        webp::WebPConfig::new().map_err(|()| refused("it has another version of its settings".to_owned()))?;
    config.quality = f32::from(quality);
    config.method = i32::from(effort);
    libwebp::encode(&config, rgb).map_err(|error| refused(format!("{error:?}")))
}

/// `rgb` must be RGB.
pub(super) fn jpeg(rgb: &Pixels, quality: u8) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode(&rgb.samples, rgb.size.width, rgb.size.height, ExtendedColorType::Rgb8)
        .map_err(|error| PictureError::Encode(format!("jpeg: {error}")))?;
    Ok(bytes)
}

/// Bytes to have for encoding pictures of these sizes one after the other, both of them held.
pub(super) fn working_bytes(detail: Size, thumbnail: Size) -> u64 {
    detail.pixels().max(thumbnail.pixels()) * WORKING_BYTES_PER_PIXEL
}
