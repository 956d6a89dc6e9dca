//! libwebp called by hand, for the one thing that the crate `webp` does not offer: taking pixels as
//! planes at once instead of keeping a copy of them as ARGB first. Owns the unsafe calls of the
//! program's encoder and their proof; what is encoded how is `encode`'s business.
//!
//! Measured on covers of 600 px: see `benches/peers/RESULT.md`.

#![allow(unsafe_code)]

use super::pixels::{Layout, Pixels};
use libwebp_sys::{
    WebPConfig, WebPEncode, WebPEncodingError, WebPPicture, WebPPictureFree, WebPPictureImportRGB,
};
use std::ffi::c_int;
use std::slice;

/// The picture's own memory ends with the value, on every path.
struct Picture(WebPPicture);

impl Drop for Picture {
    fn drop(&mut self) {
        // SAFETY: `WebPPicture::new` made it, libwebp alone has put pointers into it, and freeing one
        // without any is allowed.
        unsafe { WebPPictureFree(&mut self.0) }
    }
}

/// `rgb` must be RGB, and no side above 16383.
pub(super) fn encode(config: &WebPConfig, rgb: &Pixels) -> Result<Vec<u8>, WebPEncodingError> {
    let (width, height) = (rgb.size.width, rgb.size.height);
    let dimensions = c_int::try_from(width).ok().zip(c_int::try_from(height).ok());
    let (Some((width, height)), Layout::Rgb) = (dimensions, rgb.layout) else {
        return Err(WebPEncodingError::VP8_ENC_ERROR_BAD_DIMENSION);
    };
    let stride = width.checked_mul(3).ok_or(WebPEncodingError::VP8_ENC_ERROR_BAD_DIMENSION)?;
    if rgb.samples.len() as u64 != rgb.size.pixels() * 3 {
        return Err(WebPEncodingError::VP8_ENC_ERROR_BAD_DIMENSION);
    }
    let mut file: Vec<u8> = Vec::new();
    let fresh = WebPPicture::new().map_err(|()| WebPEncodingError::VP8_ENC_ERROR_INVALID_CONFIGURATION)?;
    let mut picture = Picture(fresh);
    picture.0.use_argb = 0;
    (picture.0.width, picture.0.height) = (width, height);
    picture.0.writer = Some(append);
    picture.0.custom_ptr = (&raw mut file).cast();
    // SAFETY: the samples are `height` rows of `stride` bytes, by the check above, and are only read.
    if unsafe { WebPPictureImportRGB(&mut picture.0, rgb.samples.as_ptr(), stride) } == 0 {
        return Err(picture.0.error_code);
    }
    // SAFETY: both structures are of the version that libwebp was asked to make; `file`, to which
    // `append` writes, outlives the call and is not touched by anything else during it.
    if unsafe { WebPEncode(config, &mut picture.0) } == 0 {
        return Err(picture.0.error_code);
    }
    Ok(file)
}

/// Takes the file's next bytes; 0 makes libwebp give up.
///
/// # Safety
/// `data` holds `size` bytes, and `picture`'s own pointer is that of a `Vec<u8>` nobody else uses.
unsafe extern "C" fn append(data: *const u8, size: usize, picture: *const WebPPicture) -> c_int {
    if size == 0 {
        return 1;
    }
    // SAFETY: libwebp calls this from within `WebPEncode` only, where `encode` above holds the vector,
    // and with the bytes that it has just written.
    let (file, bytes) = unsafe {
        let file = (*picture).custom_ptr.cast::<Vec<u8>>();
        (&mut *file, slice::from_raw_parts(data, size))
    };
    // No panic may cross the border to C.
    if file.try_reserve(size).is_err() {
        return 0;
    }
    file.extend_from_slice(bytes);
    1
}
