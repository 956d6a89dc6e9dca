//! What the picture pipeline costs beside the encoder alone, in turn, so that a busy machine meets
//! both. `cargo bench --bench render` prints the table; `stages` follows each stage from run to run.
//!
//! Further modes serve scripts. `--covers EFFORT ROUNDS OUT FILE...` renders files as one contestant
//! among others (benches/peers/). `--together WORKERS FILE...` lets each worker render all files and
//! prints the memory that it took and that was left. `--instructions RENDERS` renders one drawn
//! cover so many times and nothing else (benches/callgrind.sh).

mod work;

use std::path::Path;
use std::time::Duration;
use vinylvault::key::Variant;
use work::{EFFORT_DEFAULT, Stages, cover, processor_time, renderer, renditions};

const ROUNDS: usize = 15;

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
    let stages = Stages::of(&original);
    // In turn, so that a slower moment of the machine meets all of them.
    let mut times: [Vec<Duration>; 4] = Default::default();
    for _ in 0..ROUNDS {
        times[0].push(time(|| drop(renditions(&renderer, &original))));
        times[1].push(time(|| stages.decode()));
        times[2].push(time(|| stages.resize()));
        times[3].push(time(|| stages.encode(effort)));
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

fn time(work: impl FnOnce()) -> Duration {
    let started = processor_time();
    work();
    processor_time() - started
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
