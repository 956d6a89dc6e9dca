//! What the picture pipeline costs, in processor time of this process, so that a busy machine
//! changes little. `cargo bench --bench render` prints the table of stages over covers that this
//! program draws.
//!
//! Further modes serve scripts. `--covers EFFORT ROUNDS OUT FILE...` renders files as one contestant
//! among others (benches/peers/). `--together WORKERS FILE...` lets each worker render all files and
//! prints the memory that it took and that was left. `--instructions RENDERS` renders one drawn
//! cover so many times and nothing else (benches/callgrind.sh).

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use rustix::time::{ClockId, clock_gettime};
use std::path::Path;
use std::time::Duration;
use vinylvault::key::Variant;
use vinylvault::picture::{Recipe, Renderer};
use zune_core::bytestream::ZCursor;
use zune_jpeg::JpegDecoder;

const ROUNDS: usize = 15;
const BUDGET: u64 = 96 << 20;
/// Of the released program.
const EFFORT_DEFAULT: u8 = 2;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => stages(),
        ["--covers", effort, rounds, out, files @ ..] => {
            let [effort, rounds] = [effort, rounds].map(|number| number.parse().expect("a number"));
            covers(effort, rounds.into(), Path::new(out), files);
        }
        ["--together", workers, files @ ..] => together(workers.parse().expect("a number"), files),
        ["--instructions", renders] => {
            let (renderer, original) = (renderer(EFFORT_DEFAULT), cover(600));
            (0..renders.parse().expect("a number")).for_each(|_| drop(renditions(&renderer, &original)));
        }
        _ => eprintln!(
            "usage: render [--covers EFFORT ROUNDS OUT FILE... | --together WORKERS FILE... | --instructions RENDERS]"
        ),
    }
}

fn stages() {
    println!(
        "{:<24}{:>9}{:>9}{:>9}{:>9}{:>8}",
        "ms of processor time", "whole", "decode", "resize", "encode", "ratio"
    );
    for effort in [EFFORT_DEFAULT, 4] {
        for side in [600, 1500, 3000] {
            measure(side, effort);
        }
    }
    throughput(&cover(600));
    let renderer = renderer(EFFORT_DEFAULT);
    let webp = renditions(&renderer, &cover(600)).pop().unwrap_or_default();
    let twin = middle((0..ROUNDS).map(|_| time(|| drop(renderer.jpeg_twin(&webp)))).collect());
    let record = middle((0..ROUNDS).map(|_| time(|| drop(renderer.placeholder(Variant::Detail)))).collect());
    println!("jpeg twin of a detail {:.1}, placeholder {:.1}", ms(twin), ms(record));
}

/// The ratio is the whole job to libwebp's part in it.
fn measure(side: u32, effort: u8) {
    let original = cover(side);
    let renderer = renderer(effort);
    let [thumbnail, detail] = [0, 1].map(|index| shown(&renditions(&renderer, &original)[index]));
    let full = decoded(&original);
    // In turn, so that a slower moment of the machine meets all of them.
    let mut times: [Vec<Duration>; 4] = Default::default();
    for _ in 0..ROUNDS {
        times[0].push(time(|| drop(renditions(&renderer, &original))));
        times[1].push(time(|| drop(decoded(&original))));
        times[2].push(time(|| {
            if side > detail.width() {
                drop(resized(&full, side, detail.width()));
            }
            drop(resized(detail.as_raw(), detail.width(), thumbnail.width()));
        }));
        times[3].push(time(|| [&thumbnail, &detail].into_iter().for_each(|picture| encode(picture, effort))));
    }
    let [whole, decode, resize, encode] = times.map(|times| ms(middle(times)));
    let name = format!("{side} px, effort {effort}");
    println!("{name:<24}{whole:>9.1}{decode:>9.1}{resize:>9.1}{encode:>9.1}{:>8.2}", whole / encode);
}

/// By processor time too: what a cover costs when three are made at once on two processors, the
/// waiting for each other's locks and caches included.
fn throughput(original: &[u8]) {
    const COVERS: u32 = 48;
    const WORKERS: u32 = 3;
    let renderer = renderer(EFFORT_DEFAULT);
    let run = |workers: u32| {
        let started = std::time::Instant::now();
        let spent = time(|| {
            std::thread::scope(|scope| {
                for _ in 0..workers {
                    scope.spawn(|| (0..COVERS / workers).for_each(|_| drop(renditions(&renderer, original))));
                }
            });
        });
        (spent, started.elapsed())
    };
    let (one, three) = (run(1), run(WORKERS));
    let [spent, elapsed] =
        [(one.0, three.0), (one.1, three.1)].map(|(one, three)| one.as_secs_f64() / three.as_secs_f64());
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "{WORKERS} at once: {elapsed:.2} times the throughput of one, {spent:.2} times as cheap, on {processors} processors"
    );
}

/// One line a file: name, milliseconds a cover, bytes of the detail, bytes of the thumbnail; then
/// the most memory that this process had, and what it has at the end, in kilobytes.
fn covers(effort: u8, rounds: usize, out: &Path, files: &[&str]) {
    let renderer = renderer(effort);
    for file in files {
        let original = std::fs::read(file).expect("a file to render");
        let mut made = Vec::new();
        let times = (0..rounds).map(|_| time(|| made = renditions(&renderer, &original))).collect();
        let name = Path::new(file).file_stem().and_then(|name| name.to_str()).expect("a plain file name");
        for (webp, side) in made.iter().zip([150, 600]) {
            std::fs::write(out.join(format!("{name}.{side}.webp")), webp).expect("a folder for the covers");
        }
        println!("{name} {:.3} {} {}", ms(middle(times)), made[1].len(), made[0].len());
    }
    println!("peak {} rest {}", kilobytes("VmHWM:"), kilobytes("VmRSS:"));
}

fn together(workers: u32, files: &[&str]) {
    const ROUNDS: usize = 3;
    let renderer = renderer(EFFORT_DEFAULT);
    let idle = kilobytes("VmRSS:");
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                for file in files.iter().cycle().take(files.len() * ROUNDS) {
                    let original = std::fs::read(file).expect("a file to render");
                    // One that is beyond the budget is a part of the mix.
                    drop(renderer.render(&original, &mut |_, _| {}));
                }
            });
        }
    });
    println!("idle {idle} peak {} rest {}", kilobytes("VmHWM:"), kilobytes("VmRSS:"));
}

/// Of this process; 0 where there is no such file.
fn kilobytes(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

fn renderer(effort: u8) -> Renderer {
    let recipe = Recipe { thumbnail_side: 150, detail_side: 600, quality: 85, effort, megapixels_max: 40 };
    Renderer::new(recipe, BUDGET)
}

/// Thumbnail, then detail.
fn renditions(renderer: &Renderer, original: &[u8]) -> Vec<Vec<u8>> {
    let mut made = Vec::new();
    renderer.render(original, &mut |_, webp| made.push(webp)).expect("a good picture");
    made
}

fn shown(webp: &[u8]) -> RgbImage {
    image::load_from_memory(webp).expect("our own rendition").into_rgb8()
}

fn decoded(jpeg: &[u8]) -> Vec<u8> {
    JpegDecoder::new(ZCursor::new(jpeg)).decode().expect("our own picture")
}

fn resized(samples: &[u8], from: u32, to: u32) -> Vec<u8> {
    let source = TypedImageRef::<U8x3>::from_buffer(from, from, samples).expect("a square picture");
    let mut resized = vec![0; to as usize * to as usize * 3];
    let mut target = TypedImage::<U8x3>::from_buffer(to, to, &mut resized).expect("a square picture");
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new().resize_typed(&source, &mut target, &options).expect("pictures of one kind");
    resized
}

fn encode(picture: &RgbImage, effort: u8) {
    let mut config = webp::WebPConfig::new().expect("libwebp has its own version");
    config.quality = 85.0;
    config.method = i32::from(effort);
    let encoder = webp::Encoder::from_rgb(picture, picture.width(), picture.height());
    drop(encoder.encode_advanced(&config));
}

/// Something with the detail of a photograph: soft shapes, edges and grain, the same at each size
/// and, being made of whole numbers, on each machine.
fn cover(side: u32) -> Vec<u8> {
    let picture = RgbImage::from_fn(side, side, |x, y| {
        // The place in a picture of 4096 x 4096.
        let [u, v] = [x, y].map(|at| at * 4096 / side);
        let cloud =
            |salt: u32| (smooth(u, v, 9, salt) * 5 + smooth(u, v, 7, salt) * 2 + smooth(u, v, 5, salt)) / 8;
        let grain = hash(x, y, 99) % 13;
        let label = (u.abs_diff(2200).pow(2) + v.abs_diff(1900).pow(2) < 1100 * 1100) as u32 * 40;
        image::Rgb([1, 2, 3].map(|salt| (cloud(salt) * 3 / 4 + label + grain).min(255) as u8))
    });
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(&picture).expect("a vector takes all bytes");
    bytes
}

/// Noise of one octave, 0-255: corners of cells of 2^`bits`, and between them a straight blend.
fn smooth(u: u32, v: u32, bits: u32, salt: u32) -> u32 {
    let (cell_x, cell_y, within) = (u >> bits, v >> bits, (1 << bits) - 1);
    let corner = |right: u32, below: u32| hash(cell_x + right, cell_y + below, salt + bits * 8) & 255;
    let blend = |from: u32, to: u32, at: u32| (from * (within + 1 - at) + to * at) >> bits;
    let [top, bottom] = [0, 1].map(|below| blend(corner(0, below), corner(1, below), u & within));
    blend(top, bottom, v & within)
}

fn hash(x: u32, y: u32, salt: u32) -> u32 {
    let mixed = (x ^ y.rotate_left(16) ^ salt.rotate_left(27)).wrapping_mul(0x9e37_79b1);
    (mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca77) >> 13
}

/// Processor time of the whole process.
fn time(work: impl FnOnce()) -> Duration {
    let now = || Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).expect("time since the start");
    let started = now();
    work();
    now() - started
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
