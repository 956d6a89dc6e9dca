//! Colours, held against what other people's decoders and colour management make of the same files
//! (tests/colours/make.py says which, and makes them anew).

use std::fs;
use std::path::{Path, PathBuf};
use vinylvault::key::Variant;
use vinylvault::picture::{Recipe, Renderer};

/// The best quality, so that what is compared is colour and not the encoder's economy.
const RECIPE: Recipe =
    Recipe { thumbnail_side: 150, detail_side: 600, quality: 100, effort: 4, megapixels_max: 40 };
const BUDGET: u64 = 96 << 20;

/// Levels of 255.
const MEAN_MAX: f64 = 2.0;
/// Of 99 samples in 100.
const MOST_MAX: u8 = 8;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/colours");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind != "py"))
        .filter(|path| !path.to_str().unwrap().ends_with(".expected.png"))
        .collect();
    files.sort();
    files
}

fn shown(original: &[u8]) -> image::RgbImage {
    let mut detail = Vec::new();
    Renderer::new(RECIPE, BUDGET)
        .render(original, &mut |variant, webp| {
            if variant == Variant::Detail {
                detail = webp;
            }
        })
        .unwrap();
    image::load_from_memory(&detail).unwrap().into_rgb8()
}

/// Mean, and the level that 99 of 100 samples are not beyond.
fn error(found: &image::RgbImage, meant: &image::RgbImage) -> (f64, u8) {
    assert_eq!(found.dimensions(), meant.dimensions());
    let mut off: Vec<u8> =
        found.as_raw().iter().zip(meant.as_raw()).map(|(found, meant)| found.abs_diff(*meant)).collect();
    off.sort_unstable();
    let mean = off.iter().map(|&level| f64::from(level)).sum::<f64>() / off.len() as f64;
    (mean, off[off.len() * 99 / 100])
}

#[test]
fn every_kind_of_colour_is_shown_as_other_programs_show_it() {
    let files = files();
    assert!(files.len() >= 15, "only {} files", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let meant = image::open(file.with_extension("expected.png")).unwrap().into_rgb8();
        let (mean, most) = error(&shown(&fs::read(&file).unwrap()), &meant);
        println!("{}: mean {mean:.2}, 99 of 100 within {most}", file.display());
        if mean > MEAN_MAX || most > MOST_MAX {
            wrong.push(format!("{}: mean {mean:.2}, 99 of 100 within {most}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_picture_in_other_colours_would_be_noticed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/colours");
    let expected = |name: &str| image::open(folder.join(name)).unwrap().into_rgb8();
    let (mean, _) = error(&expected("adobe_rgb.expected.png"), &expected("broken_profile.expected.png"));
    assert!(mean > MEAN_MAX, "the profile makes too little difference: {mean:.2}");
}
