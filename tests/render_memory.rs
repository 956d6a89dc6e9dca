//! What several renders take from the machine at the same time, and what they leave behind.
#![cfg(target_os = "linux")]

mod picture_bytes;

use image::{ImageFormat, Rgb, RgbImage};
use picture_bytes::encoded;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use vinylvault::picture::{PictureError, Recipe, Renderer};

const RECIPE: Recipe =
    Recipe { thumbnail_side: 150, detail_side: 600, quality: 85, effort: 2, megapixels_max: 40 };
/// Room for one of the large covers below and a few small ones, so that the others must wait.
const BUDGET: u64 = 40 << 20;
const WORKERS: usize = 3;
/// Beside the budget: stacks, tables, and what an allocator keeps of small pieces.
const BESIDE_KB: u64 = 20 << 10;
const LEFT_KB: u64 = 8 << 10;

/// Deleted with all that is in it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn covers(name: &str) -> Folder {
    let folder = Folder(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
    fs::create_dir_all(&folder.0).unwrap();
    for side in [300, 600, 1500, 2900] {
        let wave = |x: u32, y: u32| (128.0 + 100.0 * (x as f32 / 40.0).sin() * (y as f32 / 50.0).cos()) as u8;
        let picture = RgbImage::from_fn(side, side, |x, y| Rgb([wave(x, y), wave(y, x), (x ^ y) as u8]));
        fs::write(folder.0.join(format!("{side}-progressive.jpg")), progressive(&picture)).unwrap();
        for (ending, format) in [("jpg", ImageFormat::Jpeg), ("png", ImageFormat::Png)] {
            fs::write(folder.0.join(format!("{side}.{ending}")), encoded(picture.clone(), format)).unwrap();
        }
    }
    folder
}

fn progressive(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
    encoder.set_progressive(true);
    let side = u16::try_from(picture.width()).unwrap();
    encoder.encode(picture, side, side, jpeg_encoder::ColorType::Rgb).unwrap();
    bytes
}

fn kilobytes(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// A part of the next test, which runs it in a process of its own: a peak is of a process, and cannot
/// be reset. By itself it does nothing.
#[test]
fn render_the_folder_named_by_the_environment() {
    let Some(folder) = std::env::var_os("COVERS_FOLDER") else { return };
    vinylvault::heap::return_large_pieces();
    let renderer = Renderer::new(RECIPE, BUDGET);
    let idle = kilobytes("VmRSS:");
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (renderer, folder) = (&renderer, &folder);
            scope.spawn(move || {
                let mut files: Vec<PathBuf> =
                    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
                files.sort();
                // Each begins with another one, and each size meets each other size.
                for file in files.iter().cycle().skip(worker).take(3 * files.len()) {
                    renderer.render(&fs::read(file).unwrap(), &mut |_, _| {}).unwrap();
                }
            });
        }
    });
    println!("took {}", kilobytes("VmHWM:") - idle);
    // What the program does when it has come to rest.
    vinylvault::heap::give_back();
    println!("left {}", kilobytes("VmRSS:").saturating_sub(idle));
}

#[test]
fn several_renders_stay_within_the_budget_and_give_the_memory_back() {
    let folder = covers("covers_together");
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "render_the_folder_named_by_the_environment", "--nocapture"])
        .env("COVERS_FOLDER", &folder.0)
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let said = |word: &str| -> u64 {
        let line = printed.lines().find_map(|line| line.strip_prefix(word));
        line.unwrap_or_else(|| panic!("{printed}")).trim().parse().unwrap()
    };
    let (took, left) = (said("took"), said("left"));
    // One large cover alone is beyond half of it: the figure is of the work, not of nothing.
    assert!(took > (BUDGET / 2) >> 10, "{took} kB");
    assert!(took <= (BUDGET >> 10) + BESIDE_KB, "{took} kB");
    assert!(left <= LEFT_KB, "{left} kB");
}

#[test]
fn a_cover_that_never_fits_is_refused_and_holds_nothing() {
    let folder = covers("covers_refused");
    let original = fs::read(folder.0.join("2900.png")).unwrap();
    let renderer = Renderer::new(RECIPE, 16 << 20);
    let refused = renderer.render(&original, &mut |_, _| {});
    assert!(matches!(refused, Err(PictureError::TooMuchMemory { .. })), "{refused:?}");
    assert_eq!(renderer.free_bytes(), 16 << 20);
}
