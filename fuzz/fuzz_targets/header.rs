//! Sniffing and headers: no picture is small enough for this renderer, so nothing is decoded, and
//! every file must be refused without a panic and without anything delivered.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vinylvault::picture::{PictureError, Recipe, Renderer};

const RECIPE: Recipe =
    Recipe { thumbnail_side: 150, detail_side: 600, quality: 85, effort: 0, megapixels_max: 0 };

fuzz_target!(|bytes: &[u8]| {
    let renderer = Renderer::new(RECIPE, 0);
    match renderer.render(bytes, &mut |_, _| panic!("nothing may be delivered")) {
        Ok(()) => panic!("it was rendered within 0 pixels and 0 bytes"),
        Err(PictureError::TooLarge { width, height }) => assert!(width > 0 && height > 0),
        Err(PictureError::NotAPicture | PictureError::Truncated | PictureError::Damaged(_)) => {}
        Err(error) => panic!("it got past the header: {error}"),
    }
});
