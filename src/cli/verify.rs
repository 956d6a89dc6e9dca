//! `vinylvault verify [--repair]`: what the two audits found, as text or JSON, with a counter while it
//! lasts. Reads the store itself, beside a running server or not; what is wrong, and how it is removed, is
//! decided in `cache::verify` and `collection`.

use super::parse::Call;
use super::{Failure, journal, print};
use crate::cache::CacheError;
use crate::cache::disk::{DiskError, Keeper};
use crate::cache::verify::{Class, Event, Finding, Outcome, Summary, audit, repair};
use crate::collection::{Copies, examine};
use crate::config::Config;
use serde_json::{Value, json};
use std::fmt::{Display, Write as _};
use std::io::{self, IsTerminal, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

/// Findings shown to a person; the rest is counted, and `--json` has them.
const SHOWN: usize = 100;
/// Findings in the JSON, some 5 MB: a cache of which more is wrong has one cause, not ten thousand.
const LISTED: usize = 10_000;
/// Between two counts on a terminal.
const COUNT_EVERY: Duration = Duration::from_millis(200);

pub(super) fn run(call: &Call) -> Result<(), Failure> {
    let config = call.config()?;
    let data_dir = &config.data_dir;
    if !data_dir.is_dir() {
        return Err(Failure::Failed(format!(
            "cannot verify {}: there is no such folder",
            data_dir.display()
        )));
    }
    let begun = Instant::now();
    let mut list = List::new(if call.has("json") { LISTED } else { SHOWN });
    let mut counter = Counter::new(call.has("json"));
    let mut tell = |event| match event {
        Event::Progress { looked, of } => counter.show(looked, of),
        Event::Found(finding) => {
            list.add(Finding { object: Path::new("cache").join(&finding.object), ..finding })
        }
    };
    let root = data_dir.join("cache");
    let keeper = Keeper::of(&root);
    let summary = match call.has("repair") {
        // There is nothing to repair, and no folder to be made for it.
        true if root.is_dir() => repair(&root, &mut tell),
        _ => audit(&root, &mut tell),
    };
    counter.clear();
    let summary = summary.map_err(|cause| failed(&config, &cause))?;
    let database = data_dir.join("vinylvault.db");
    for flaw in examine(&database).map_err(|cause| Failure::Failed(cause.to_string()))? {
        let object = flaw.file.strip_prefix(data_dir).unwrap_or(&flaw.file).to_owned();
        list.add(Finding { class: Class::Database, object, detail: flaw.cause, outcome: Outcome::Found });
    }
    let copies = Copies::beside(&database).list().len();
    let report = Report { config: &config, keeper, summary, list: &list, copies, took: begun.elapsed() };
    match call.has("json") {
        true => print(&format!("{}\n", report.to_json()))?,
        false => print(&report.to_text())?,
    }
    match list.left() {
        0 => Ok(()),
        1 => Err(Failure::Failed(format!("one thing is wrong in {}", data_dir.display()))),
        left => Err(Failure::Failed(format!("{left} things are wrong in {}", data_dir.display()))),
    }
}

/// The server that has a folder open.
fn address(keeper: Keeper) -> Option<SocketAddr> {
    match keeper {
        Keeper::Server(address) => Some(address),
        Keeper::Nobody | Keeper::Other | Keeper::Unknown => None,
    }
}

fn failed(config: &Config, cause: &CacheError) -> Failure {
    let folder = config.data_dir.display();
    Failure::Failed(match (cause, address(Keeper::of(&config.data_dir.join("cache")))) {
        (CacheError::Disk(DiskError::Locked { .. }), Some(address)) => {
            format!("cannot repair {folder}: the server at {address} has it open; stop that first")
        }
        (CacheError::Disk(DiskError::Locked { .. }), None) => {
            format!("cannot repair {folder}: another vinylvault has it open; stop that first")
        }
        _ => format!("cannot verify {folder}: {cause}"),
    })
}

/// The findings that are shown, and how many there are of each class.
struct List {
    shown: Vec<Finding>,
    shown_max: usize,
    found: [u64; Class::ALL.len()],
    repaired: [u64; Class::ALL.len()],
}

impl List {
    fn new(shown_max: usize) -> List {
        List { shown: Vec::new(), shown_max, found: Default::default(), repaired: Default::default() }
    }

    fn add(&mut self, finding: Finding) {
        match finding.outcome {
            Outcome::Found => self.found[finding.class as usize] += 1,
            Outcome::Repaired => self.repaired[finding.class as usize] += 1,
        }
        if self.shown.len() < self.shown_max {
            self.shown.push(finding);
        } else if finding.outcome == Outcome::Found
            && let Some(less) = self.shown.iter_mut().rfind(|shown| shown.outcome == Outcome::Repaired)
        {
            // What is still wrong matters more than what was.
            *less = finding;
        }
    }

    /// Wrong, and not repaired.
    fn left(&self) -> u64 {
        self.found.iter().sum()
    }

    fn repaired(&self) -> u64 {
        self.repaired.iter().sum()
    }

    fn omitted(&self) -> u64 {
        self.left() + self.repaired() - self.shown.len() as u64
    }
}

struct Report<'a> {
    config: &'a Config,
    /// Who had the folder open at the beginning.
    keeper: Keeper,
    summary: Summary,
    list: &'a List,
    copies: usize,
    took: Duration,
}

impl Report<'_> {
    fn to_json(&self) -> Value {
        let list = self.list;
        let classes = |counts: &[u64; Class::ALL.len()]| {
            let named =
                Class::ALL.into_iter().map(|class| (class.name().to_owned(), json!(counts[class as usize])));
            Value::Object(named.collect())
        };
        let finding = |finding: &Finding| {
            json!({
                "class": finding.class.name(),
                "object": finding.object.to_string_lossy(),
                "detail": finding.detail,
                "repaired": finding.outcome == Outcome::Repaired,
            })
        };
        json!({
            "source": "store",
            "server": address(self.keeper).map(|address| address.to_string()),
            "clean": list.left() == 0,
            "renditions": self.summary.renditions,
            "things": self.summary.things,
            "bytes": self.summary.bytes,
            "copies": self.copies,
            "seconds": self.took.as_secs_f64(),
            "found": list.left(),
            "repaired": list.repaired(),
            "found_by_class": classes(&list.found),
            "repaired_by_class": classes(&list.repaired),
            "findings": list.shown.iter().map(finding).collect::<Vec<_>>(),
            "omitted": list.omitted(),
        })
    }

    fn to_text(&self) -> String {
        let (list, summary) = (self.list, self.summary);
        let beside = match self.keeper {
            Keeper::Server(address) => format!("beside the server at {address}"),
            Keeper::Other => "beside another vinylvault".to_owned(),
            Keeper::Nobody | Keeper::Unknown => "no server runs on it".to_owned(),
        };
        let mut text = format!(
            "Read the store in {}, {beside}.\n{} of {:.1} MB, the collection and {} in {:.1} s: {}.\n",
            journal::one_line(&self.config.data_dir.display().to_string()),
            counted(summary.renditions, "rendition", "renditions"),
            summary.bytes as f64 / 1e6,
            counted(self.copies as u64, "copy", "copies"),
            self.took.as_secs_f64(),
            self.verdict(),
        );
        let counts =
            Class::ALL.map(|class| (class, list.found[class as usize], list.repaired[class as usize]));
        for (class, found, repaired) in counts.into_iter().filter(|(_, found, repaired)| found + repaired > 0)
        {
            let _ = match repaired {
                0 => writeln!(text, "  {:<11} {found}", class.name()),
                _ => writeln!(text, "  {:<11} {found}, repaired {repaired}", class.name()),
            };
        }
        for finding in &list.shown {
            let repaired = if finding.outcome == Outcome::Repaired { ", repaired" } else { "" };
            let (class, object) = (finding.class.name(), finding.object.to_string_lossy());
            // Names and causes come from strangers; a line of the list stays a line.
            let line = format!("{class}{repaired}: {object}: {}", finding.detail);
            let _ = writeln!(text, "{}", journal::one_line(&line));
        }
        if list.omitted() > 0 {
            let _ = writeln!(text, "and {} more; --json lists them", list.omitted());
        }
        for line in self.advice() {
            let _ = writeln!(text, "{line}");
        }
        text
    }

    fn verdict(&self) -> String {
        let things = |count| counted(count, "thing", "things");
        match (self.list.left(), self.list.repaired()) {
            (0, 0) => "nothing is wrong".to_owned(),
            (0, repaired) => format!("{} repaired, and all is well now", things(repaired)),
            (left, 0) => format!("{} wrong", things(left)),
            (left, repaired) => format!("{} repaired, {} still wrong", things(repaired), things(left)),
        }
    }

    fn advice(&self) -> Vec<&'static str> {
        let mut advice = Vec::new();
        let wrong = |is_of_cache: bool| {
            let mut left = self.list.shown.iter().filter(|finding| finding.outcome == Outcome::Found);
            left.any(|finding| finding.object.starts_with("cache") == is_of_cache)
        };
        if wrong(true) {
            advice.push(match address(self.keeper) {
                Some(_) => {
                    "To remove what is wrong in the cache stop the server and run: vinylvault verify --repair"
                }
                None => "To remove what is wrong in the cache run: vinylvault verify --repair",
            });
        }
        if wrong(false) {
            advice.push(
                "A damaged collection is set aside by the next start of the server, and its newest good copy \
                 restored; a damaged copy can be deleted.",
            );
        }
        advice
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `1234 of 2000 renditions` on a terminal, over and over in one line.
struct Counter {
    shown_at: Option<Instant>,
    is_watched: bool,
}

impl Counter {
    fn new(is_for_machines: bool) -> Counter {
        Counter { shown_at: None, is_watched: !is_for_machines && io::stderr().is_terminal() }
    }

    fn show(&mut self, looked: u64, of: u64) {
        if self.is_watched && self.shown_at.is_none_or(|at| at.elapsed() >= COUNT_EVERY) {
            self.shown_at = Some(Instant::now());
            self.write(format_args!("\r{looked} of {} renditions\u{1b}[K", of.max(looked)));
        }
    }

    fn clear(&mut self) {
        if self.shown_at.is_some() {
            self.write("\r\u{1b}[K");
        }
    }

    fn write(&self, text: impl Display) {
        // A terminal that is gone is no reason to stop looking.
        let _ = write!(io::stderr(), "{text}");
    }
}
