//! What is taken for a whole WebP file is one by its own length; and its twin is made or refused,
//! never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use vinylvault::picture::{Recipe, Renderer, is_whole_webp};

const RECIPE: Recipe =
    Recipe { thumbnail_side: 32, detail_side: 64, quality: 60, effort: 0, megapixels_max: 1 };
static RENDERER: LazyLock<Renderer> = LazyLock::new(|| Renderer::new(RECIPE, 16 << 20));

fuzz_target!(|bytes: &[u8]| {
    if is_whole_webp(bytes) {
        assert!(bytes.len() >= 12);
        assert!(!is_whole_webp(&bytes[..bytes.len() - 1]));
        let longer: Vec<u8> = bytes.iter().copied().chain([0]).collect();
        assert!(!is_whole_webp(&longer));
    }
    let _ = RENDERER.jpeg_twin(bytes);
});
