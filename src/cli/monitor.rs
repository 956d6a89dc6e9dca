//! `vinylvault monitor`: the status again and again, live on a terminal, a line each time elsewhere;
//! and the older spelling of other commands. Owns the loop; a reading is `facts`', a picture `live`'s.

use super::facts::{Facts, Whence};
use super::live::{Live, Pulse};
use super::parse::Call;
use super::screen::{self, Palette, Screen, Size};
use super::sheet::Ink;
use super::watch::{Event, Stage, Watch};
use super::{Failure, Reader, journal, offer};
use crate::key::Timestamp;
use serde_json::json;
use signal_hook::consts::SIGTSTP;
use signal_hook::low_level::emulate_default_handler;
use std::io;
use std::time::Duration;

/// Seconds between two lines, and between two pictures.
const LINES_EVERY: u64 = 300;
const PICTURES_EVERY: u64 = 2;
/// The server answers 60 statistics a minute to one address: two monitors, or one and a page.
const INTERVAL_MIN: u64 = 2;
const INTERVAL_MAX: u64 = 86_400;
/// The clock and the countdown on the screen.
const TICK: Duration = Duration::from_secs(1);

pub(super) fn run(call: &Call) -> Result<(), Failure> {
    let action = call.value("action").map(|action| action.to_string_lossy());
    match action.as_deref() {
        None | Some("monitor") => watch(call),
        Some("status") => call.instead("status", &[]).run(),
        Some("health") => call.instead("health", &[]).run(),
        Some("report") => call.instead("report", &[]).run(),
        Some("cleanup") => call.instead("cleanup", &[("cleanup-days", "days")]).run(),
        Some(other) => Err(Failure::Usage(format!(
            "--action is {other:?}; allowed is status, health, cleanup, report or monitor"
        ))),
    }
}

fn watch(call: &Call) -> Result<(), Failure> {
    let stage = match screen::is_paintable() && !call.has("json") {
        true => Stage::Terminal,
        false => Stage::Lines,
    };
    let preset = if stage == Stage::Terminal { PICTURES_EVERY } else { LINES_EVERY };
    let older = call.number("monitor-interval", preset, INTERVAL_MIN..=INTERVAL_MAX)?;
    let interval = Duration::from_secs(call.number("interval", older, INTERVAL_MIN..=INTERVAL_MAX)?);
    let watch = Watch::start(call.config()?, interval, stage)?;
    match stage {
        Stage::Lines if call.has("json") => write_lines(watch, json_line),
        Stage::Lines => write_lines(watch, text_line),
        Stage::Terminal => paint(watch, interval),
    }
}

/// A line a reading, until nobody wants more.
fn write_lines(
    mut watch: Watch,
    line: impl Fn(&Result<Facts, Failure>, Timestamp) -> String,
) -> Result<(), Failure> {
    loop {
        match watch.next(Duration::from_secs(INTERVAL_MAX)) {
            Event::Read(reading) => {
                if offer(&format!("{}\n", line(&reading, Timestamp::now())))? == Reader::Gone {
                    return Ok(());
                }
            }
            Event::End => return Ok(()),
            Event::Tick | Event::Resized | Event::Suspend => {}
        }
    }
}

fn paint(mut watch: Watch, interval: Duration) -> Result<(), Failure> {
    let failed = |cause: io::Error| match cause.kind() {
        // The terminal was closed over our head.
        io::ErrorKind::BrokenPipe => Failure::Told(0),
        _ => Failure::Failed(format!("cannot paint on the terminal: {cause}")),
    };
    let mut live = Live::new(Ink::of_locale(), interval);
    let mut screen = Screen::enter(io::stdout(), Palette::of_environment()).map_err(failed)?;
    loop {
        let pulse =
            Pulse { now: Timestamp::now(), next_in: watch.next_in(), waiting_for: watch.waiting_for() };
        let size = Size::now();
        screen.paint(&live.page(pulse, size), size).map_err(failed)?;
        match watch.next(TICK) {
            Event::Read(reading) => live.take(reading, Timestamp::now()),
            Event::Tick | Event::Resized => {}
            Event::Suspend => {
                screen.leave();
                // Returns when the shell lets the program go on.
                let stopped = emulate_default_handler(SIGTSTP);
                stopped.and_then(|()| screen.resume()).map_err(failed)?;
            }
            Event::End => return Ok(()),
        }
    }
}

fn text_line(reading: &Result<Facts, Failure>, now: Timestamp) -> String {
    let facts = match reading {
        Ok(facts) => facts,
        Err(failure) => return format!("{now} no answer: {failure}"),
    };
    let known = |number: Option<String>| number.unwrap_or_else(|| "-".to_owned());
    let hit_rate = known(facts.hit_rate().map(|rate| format!("{rate:.1}%")));
    let rss = known(facts.number("rss_bytes").map(|bytes| bytes.to_string()));
    let source = match &facts.whence {
        Whence::Server(_) => "server",
        Whence::Store(_) => "store",
        Whence::Nothing(_) => "nothing",
    };
    journal::one_line(&format!(
        "{} entries={} size_bytes={} hit_rate={hit_rate} hits={} misses={} in_flight={} queued={} \
         rss_bytes={rss} source={source}",
        facts.at,
        facts.count("total_entries"),
        facts.count("total_size_bytes"),
        facts.count("hits"),
        facts.count("misses"),
        facts.count("in_flight"),
        facts.count("queued"),
    ))
    .into_owned()
}

fn json_line(reading: &Result<Facts, Failure>, now: Timestamp) -> String {
    match reading {
        Ok(facts) => facts.status().to_string(),
        Err(failure) => {
            json!({ "timestamp": now.to_string(), "source": null, "error": failure.to_string() }).to_string()
        }
    }
}
