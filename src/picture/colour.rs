//! A picture's own colours to those of sRGB, which is what browsers take an untagged picture for.
//! Owns the judgement whether a profile is worth applying; a profile that cannot be used is
//! ignored, never a reason to refuse the picture.

use super::pixels::{Layout, Pixels};
use moxcms::{ColorProfile, DataColorSpace, Layout as Samples, Transform8BitExecutor, TransformOptions};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Profiles with tables for printing have 2-3 MB.
pub(super) const PROFILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A profile that moves no colour by more than this is sRGB under one of its many names; applying
/// it would only add rounding.
const LEVELS_UNSEEN: u8 = 2;

/// RGB in sRGB. A profile is applied when it describes the kind of samples that are there: a CMYK
/// JPEG carries a profile of inks, but its decoder has made RGB of them already.
pub(super) fn to_srgb(pixels: Pixels, profile: Option<&[u8]>) -> Pixels {
    let Some(profile) = profile.filter(|bytes| bytes.len() <= PROFILE_BYTES_MAX) else {
        return pixels.into_rgb();
    };
    // The profile is a stranger's, and what reads it is not proven never to panic.
    match catch_unwind(AssertUnwindSafe(|| converted(&pixels, profile))) {
        Ok(Some(samples)) => Pixels { size: pixels.size, layout: Layout::Rgb, samples },
        Ok(None) | Err(_) => pixels.into_rgb(),
    }
}

/// `None`: not to be applied, or not applicable.
fn converted(pixels: &Pixels, profile: &[u8]) -> Option<Vec<u8>> {
    let profile = ColorProfile::new_from_slice(profile).ok()?;
    let (expected, source) = match pixels.layout {
        Layout::Grey => (DataColorSpace::Gray, Samples::Gray),
        Layout::Rgb => (DataColorSpace::Rgb, Samples::Rgb),
    };
    if profile.color_space != expected {
        return None;
    }
    let transform = profile
        .create_transform_8bit(source, &ColorProfile::new_srgb(), Samples::Rgb, TransformOptions::default())
        .ok()?;
    if is_srgb(&transform, pixels.layout)? {
        return None;
    }
    apply(&transform, &pixels.samples, pixels.layout)
}

/// Tried on a grid over all colours.
fn is_srgb(transform: &Arc<Transform8BitExecutor>, layout: Layout) -> Option<bool> {
    let steps = (0..=255u8).step_by(51);
    let grid: Vec<u8> = match layout {
        Layout::Grey => (0..=255).collect(),
        Layout::Rgb => steps
            .clone()
            .flat_map(|r| {
                steps.clone().flat_map(move |g| (0..=255u8).step_by(51).flat_map(move |b| [r, g, b]))
            })
            .collect(),
    };
    let shown = apply(transform, &grid, layout)?;
    let meant = grid.iter().flat_map(|&sample| std::iter::repeat_n(sample, 3 / layout.channels()));
    Some(shown.iter().zip(meant).all(|(&shown, meant)| shown.abs_diff(meant) <= LEVELS_UNSEEN))
}

fn apply(transform: &Arc<Transform8BitExecutor>, samples: &[u8], layout: Layout) -> Option<Vec<u8>> {
    let mut rgb = vec![0; samples.len() / layout.channels() * 3];
    transform.transform(samples, &mut rgb).ok()?;
    Some(rgb)
}
