//! Every file of the shared image corpus comes out as its manifest says: accepted in the right
//! shape and colours, or refused, and never with more memory than the budget.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use vinylvault::key::Variant;
use vinylvault::picture::{PictureError, Recipe, Renderer, Size, is_whole_webp};

const RECIPE: Recipe =
    Recipe { thumbnail_side: 150, detail_side: 600, quality: 85, effort: 4, megapixels_max: 40 };
const BUDGET: u64 = 96 << 20;
const PAYLOAD: &[u8] = b"VVPAYLOAD-MUST-NOT-SURVIVE";

struct Line {
    file: String,
    expected: String,
    size: Size,
    class: String,
}

struct Renditions {
    thumbnail: Vec<u8>,
    detail: Vec<u8>,
}

/// The corpus lies beside the repository of its makers, not in it.
fn corpus() -> Option<(PathBuf, Vec<Line>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(1).find_map(|above| {
        let folder = above.join("shared/corpus");
        folder.join("MANIFEST.tsv").is_file().then_some(folder)
    });
    let Some(folder) = folder else {
        eprintln!("skipped: there is no folder shared/corpus above this repository");
        return None;
    };
    let manifest = fs::read_to_string(folder.join("MANIFEST.tsv")).unwrap();
    let lines: Vec<Line> = manifest.lines().skip(1).map(parse).collect();
    assert!(lines.len() > 100, "the manifest has shrunk to {} lines", lines.len());
    Some((folder, lines))
}

fn parse(line: &str) -> Line {
    let columns: Vec<&str> = line.split('\t').collect();
    Line {
        file: columns[0].to_owned(),
        expected: columns[3].to_owned(),
        size: Size { width: columns[4].parse().unwrap(), height: columns[5].parse().unwrap() },
        class: columns[7].to_owned(),
    }
}

fn render(renderer: &Renderer, original: &[u8]) -> Result<Renditions, PictureError> {
    let mut delivered = Vec::new();
    renderer.render(original, &mut |variant, webp| delivered.push((variant, webp)))?;
    let variants: Vec<Variant> = delivered.iter().map(|(variant, _)| *variant).collect();
    assert_eq!(variants, [Variant::Thumbnail, Variant::Detail], "thumbnail first, and both");
    let detail = delivered.pop().unwrap().1;
    Ok(Renditions { thumbnail: delivered.pop().unwrap().1, detail })
}

fn decode(webp: &[u8]) -> image::RgbImage {
    image::load_from_memory_with_format(webp, image::ImageFormat::WebP).unwrap().into_rgb8()
}

/// As the manifest says, with one side's pixel of rounding allowed.
fn check_shape(line: &Line, webp: &[u8], side: u32) -> Result<(), String> {
    if !is_whole_webp(webp) {
        return Err("is not a whole WebP".to_owned());
    }
    if webp.windows(PAYLOAD.len()).any(|bytes| bytes == PAYLOAD) {
        return Err("carries the payload".to_owned());
    }
    let shown = decode(webp);
    let size = Size { width: shown.width(), height: shown.height() };
    if line.size.width != 0 && size != line.size.fit(side) {
        return Err(format!("is {size:?} instead of {:?}", line.size.fit(side)));
    }
    Ok(())
}

fn check(line: &Line, outcome: &Result<Renditions, PictureError>) -> Result<(), String> {
    match (line.expected.as_str(), outcome) {
        ("ok" | "either", Ok(renditions)) => {
            check_shape(line, &renditions.thumbnail, 150)?;
            check_shape(line, &renditions.detail, 600)
        }
        ("refuse" | "either", Err(_)) => Ok(()),
        (expected, Ok(_)) => Err(format!("was accepted, expected {expected}")),
        (expected, Err(error)) => Err(format!("was refused ({error}), expected {expected}")),
    }
}

#[test]
fn every_file_comes_out_as_the_manifest_says() {
    let Some((folder, lines)) = corpus() else { return };
    let renderer = Renderer::new(RECIPE, BUDGET);
    let mut wrong = Vec::new();
    for line in &lines {
        let original = fs::read(folder.join(&line.file)).unwrap();
        let started = Instant::now();
        let outcome = render(&renderer, &original);
        let took = started.elapsed();
        if std::env::var_os("CORPUS_VERBOSE").is_some() {
            let said = outcome.as_ref().map_or_else(ToString::to_string, |_| "rendered".to_owned());
            println!("{} [{}] {took:?}: {said}", line.file, line.expected);
        }
        if took > Duration::from_secs(10) {
            wrong.push(format!("{} took {took:?}", line.file));
        }
        if let Err(why) = check(line, &outcome) {
            wrong.push(format!("{} {why}", line.file));
        }
        assert_eq!(renderer.free_bytes(), BUDGET, "{} has kept memory", line.file);
    }
    assert!(wrong.is_empty(), "{} of {} files:\n{}", wrong.len(), lines.len(), wrong.join("\n"));
}

/// The displayed corners, in reading order, a little inside.
fn corners(picture: &image::RgbImage) -> [[u8; 3]; 4] {
    let [w, h] = [picture.width(), picture.height()];
    [(0, 0), (1, 0), (0, 1), (1, 1)]
        .map(|(x, y)| picture.get_pixel(w / 20 + x * (w * 9 / 10), h / 20 + y * (h * 9 / 10)).0)
}

fn is_near(found: [u8; 3], meant: [u8; 3]) -> bool {
    found.iter().zip(meant).all(|(&found, meant)| found.abs_diff(meant) < 90)
}

#[test]
fn every_turned_picture_is_upright() {
    let Some((folder, lines)) = corpus() else { return };
    let renderer = Renderer::new(RECIPE, BUDGET);
    let meant = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]];
    let turned = |line: &&Line| line.class == "orientation" && line.file.starts_with("crafted/orient_");
    let files: Vec<&Line> = lines.iter().filter(turned).collect();
    assert!(files.len() >= 8);
    for line in files {
        let renditions = render(&renderer, &fs::read(folder.join(&line.file)).unwrap()).unwrap();
        for webp in [&renditions.thumbnail, &renditions.detail] {
            let found = corners(&decode(webp));
            assert!(
                found.iter().zip(meant).all(|(&found, meant)| is_near(found, meant)),
                "{}: {found:?}",
                line.file
            );
        }
    }
}

/// What an independent decode gives, laid onto white: the mean of each channel.
fn reference(original: &[u8]) -> Option<[f64; 3]> {
    use image::ImageDecoder;
    let reader = image::ImageReader::new(std::io::Cursor::new(original)).with_guessed_format().ok()?;
    let mut decoder = reader.into_decoder().ok()?;
    // A profile changes colours on purpose.
    if decoder.icc_profile().ok()?.is_some() {
        return None;
    }
    let picture = image::DynamicImage::from_decoder(decoder).ok()?;
    let rgba = picture.into_rgba16();
    let sums = rgba.pixels().fold([0.0; 3], |sums, pixel| {
        let alpha = f64::from(pixel[3]) / 65535.0;
        let shown = |channel: usize| f64::from(pixel[channel]) / 257.0 * alpha + 255.0 * (1.0 - alpha);
        [sums[0] + shown(0), sums[1] + shown(1), sums[2] + shown(2)]
    });
    let count = f64::from(rgba.width()) * f64::from(rgba.height());
    Some(sums.map(|sum| sum / count))
}

fn mean(picture: &image::RgbImage) -> [f64; 3] {
    let count = f64::from(picture.width()) * f64::from(picture.height());
    let sums = picture.pixels().fold([0.0; 3], |sums, pixel| {
        [0, 1, 2].map(|channel: usize| sums[channel] + f64::from(pixel[channel]))
    });
    sums.map(|sum| sum / count)
}

#[test]
fn colours_grey_levels_and_alpha_come_out_as_an_independent_decoder_gives_them() {
    let Some((folder, lines)) = corpus() else { return };
    let renderer = Renderer::new(RECIPE, BUDGET);
    let comparable = |line: &&Line| {
        // A profile changes colours on purpose; of a single pixel the encoder keeps a rough colour.
        line.expected == "ok"
            && !line.class.contains("icc")
            && line.size.pixels() > 16
            && line.class != "bomb"
    };
    let mut compared = 0;
    for line in lines.iter().filter(comparable) {
        let original = fs::read(folder.join(&line.file)).unwrap();
        let Some(meant) = reference(&original) else { continue };
        let found = mean(&decode(&render(&renderer, &original).unwrap().detail));
        let off = found.iter().zip(meant).map(|(found, meant)| (found - meant).abs()).fold(0.0, f64::max);
        assert!(off < 4.0, "{}: mean {found:.1?} instead of {meant:.1?}", line.file);
        compared += 1;
    }
    assert!(compared > 50, "only {compared} files could be compared");
}

/// A part of the next test, which runs it in a process of its own: a peak is of a process, and cannot
/// be reset. By itself it does nothing.
#[test]
fn render_the_file_named_by_the_environment() {
    let Some(file) = std::env::var_os("CORPUS_FILE") else { return };
    let original = fs::read(file).unwrap();
    let renderer = Renderer::new(RECIPE, BUDGET);
    let said = render(&renderer, &original).map_or_else(|error| error.to_string(), |_| "rendered".to_owned());
    println!("outcome {said}");
    println!("peak {}", peak_kilobytes());
}

fn peak_kilobytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn peak_of(file: &Path) -> u64 {
    let test = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "render_the_file_named_by_the_environment", "--nocapture"])
        .env("CORPUS_FILE", file)
        .output()
        .unwrap();
    let printed = String::from_utf8(test.stdout).unwrap();
    let peak =
        printed.lines().find_map(|line| line.strip_prefix("peak ")).unwrap_or_else(|| panic!("{printed}"));
    peak.parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn the_peak_of_a_render_stays_within_the_budget() {
    let Some((folder, lines)) = corpus() else { return };
    // The test program itself, its libraries and thread.
    let bare = peak_of(&folder.join("crafted/text.png"));
    for line in &lines {
        let peak = peak_of(&folder.join(&line.file)).saturating_sub(bare);
        if std::env::var_os("CORPUS_VERBOSE").is_some() {
            println!("{} [{}]: {} kB", line.file, line.expected, peak);
        }
        let limit = match line.size.pixels() {
            _ if line.expected == "refuse" => 16 << 10,
            0..=400_000 => 24 << 10,
            _ => (BUDGET >> 10) + (4 << 10),
        };
        assert!(peak <= limit, "{} took {peak} kB, more than {limit}", line.file);
    }
}
