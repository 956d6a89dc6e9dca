//! Any bytes to renditions: whatever comes, either both are whole WebP files within their boxes or
//! the file is refused, and the budget is whole again. A decoder's panic is caught by the renderer
//! but still found here, because libFuzzer's own hook ends the process at once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use vinylvault::key::Variant;
use vinylvault::picture::{Recipe, Renderer, is_whole_webp};

/// Small boxes and the fastest encoder: what is hostile is in front of it.
const RECIPE: Recipe =
    Recipe { thumbnail_side: 16, detail_side: 48, quality: 60, effort: 0, megapixels_max: 2 };
const BUDGET: u64 = 24 << 20;
static RENDERER: LazyLock<Renderer> = LazyLock::new(|| Renderer::new(RECIPE, BUDGET));

fuzz_target!(|bytes: &[u8]| {
    let mut delivered = Vec::new();
    let said = RENDERER.render(bytes, &mut |variant, webp| delivered.push((variant, webp)));
    assert_eq!(RENDERER.free_bytes(), BUDGET);
    match said {
        Ok(()) => {
            let variants: Vec<Variant> = delivered.iter().map(|(variant, _)| *variant).collect();
            assert_eq!(variants, Variant::ALL);
            for (_, webp) in &delivered {
                assert!(is_whole_webp(webp));
                // What we made we can read: the way of a browser without WebP.
                RENDERER.jpeg_twin(webp).expect("our own rendition");
            }
        }
        Err(error) => assert!(!error.to_string().contains("encode"), "{error}"),
    }
});
