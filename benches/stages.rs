//! Each stage of a render and the whole of it, over a small set of drawn covers, by criterion: what it
//! takes, and whether that changed since the last run. `cargo bench --bench stages`; a word behind it
//! chooses, as `-- encode`. The time is the processor's. `render` compares stages with each other.

mod work;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BenchmarkId, Criterion};
use std::hint::black_box;
use std::time::Duration;
use work::{EFFORT_DEFAULT, Stages, cover, processor_time, progressive_cover, renderer, renditions};

/// What criterion measures here: [`processor_time`], written as it writes time.
struct ProcessorTime(WallTime);

impl Measurement for ProcessorTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        processor_time()
    }

    fn end(&self, started: Duration) -> Duration {
        processor_time() - started
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, time: &Duration) -> f64 {
        self.0.to_f64(time)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self.0.formatter()
    }
}

fn main() {
    let criterion = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(4));
    let mut criterion = criterion.with_measurement(ProcessorTime(WallTime)).configure_from_args();
    for (name, original) in [
        ("600 px", cover(600)),
        ("1500 px", cover(1500)),
        ("3000 px", cover(3000)),
        ("3000 px progressive", progressive_cover(3000)),
    ] {
        whole(&mut criterion, name, &original);
        stages(&mut criterion, name, &original);
    }
    criterion.final_summary();
}

/// From the original's bytes to both renditions, at the default effort and at libwebp's own.
fn whole(criterion: &mut Criterion<ProcessorTime>, name: &str, original: &[u8]) {
    let mut group = criterion.benchmark_group("whole");
    for effort in [EFFORT_DEFAULT, 4] {
        let renderer = renderer(effort);
        let id = BenchmarkId::new(name, format!("effort {effort}"));
        group.bench_function(id, |bencher| bencher.iter(|| renditions(&renderer, black_box(original))));
    }
}

/// At full size, by the libraries themselves: what the whole job saves by scaling in the decoder shows.
fn stages(criterion: &mut Criterion<ProcessorTime>, name: &str, original: &[u8]) {
    let stages = Stages::of(original);
    let mut bench = |stage: &str, work: &mut dyn FnMut()| {
        criterion.benchmark_group(stage).bench_function(name, |bencher| bencher.iter(&mut *work));
    };
    bench("decode", &mut || stages.decode());
    bench("resize", &mut || stages.resize());
    bench("encode", &mut || stages.encode(EFFORT_DEFAULT));
}
