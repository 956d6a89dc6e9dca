//! `vinylvault report [--html FILE] [--json]`: gathers the facts and puts the page where it is
//! wanted. What stands on it is the room `report`'s.

use super::facts::{Facts, Whence};
use super::parse::Call;
use super::replace::replace;
use super::server::{Found, Server};
use super::sheet::Ink;
use super::{Failure, journal, print};
use crate::cache::index::{AtRest, IndexError};
use crate::collection::Catalogue;
use crate::config::Config;
use crate::figures;
use crate::report::{self, Alphabet, Report};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::Path;

pub(super) fn run(call: &Call) -> Result<(), Failure> {
    let html = call.value("html");
    if call.has("json") && html.is_some() {
        return Err(Failure::Usage("--json and --html are two reports: ask for one at a time".to_owned()));
    }
    let config = call.config()?;
    let facts = gather(&config)?;
    if call.has("json") {
        return print(&format!("{}\n", facts.to_json()));
    }
    let whence = facts.whence.clone();
    let report = Report::new(facts);
    let Some(file) = html else {
        let alphabet = if Ink::of_locale() == Ink::Unicode { Alphabet::Unicode } else { Alphabet::Ascii };
        // Hosts and errors come from strangers; a line of the report stays a line.
        let lines = report.text(alphabet);
        return print(
            &lines.lines().map(|line| format!("{}\n", journal::one_line(line))).collect::<String>(),
        );
    };
    let page = report.html().map_err(|cause| Failure::Failed(cause.to_string()))?;
    if file == OsStr::new("-") {
        return print(&page);
    }
    let file = Path::new(file);
    replace(file, page.as_bytes()).map_err(|cause| {
        Failure::Failed(format!("cannot write the report to {}: {cause}", file.display()))
    })?;
    let size = figures::bytes(page.len() as u64);
    print(&journal::one_line(&format!("wrote {}, {size}, from {whence}", file.display())))?;
    print("\n")
}

fn gather(config: &Config) -> Result<report::Facts, Failure> {
    let (facts, hours, albums) = match Server::find(config)? {
        Found::Server(server) => {
            let facts = Facts::ask(&server)?;
            let mut history = server.get("/api/cache/history")?.success("read the history")?;
            (facts, history["hours"].take(), albums_of_server(&server))
        }
        Found::AtRest => {
            let facts = Facts::look(config)?;
            let hours = hours_of_store(&facts).map_err(|cause| Failure::Failed(cause.to_string()))?;
            (facts, hours, albums_of_store(config))
        }
    };
    Ok(report::Facts {
        source: facts.whence.name(),
        whence: facts.whence.to_string(),
        at: facts.at,
        albums,
        stats: facts.stats,
        hours,
    })
}

/// A report of the cache alone is better than none.
fn albums_of_server(server: &Server) -> Option<u64> {
    let size = server.get("/api/collection").and_then(|answer| answer.success("count the albums"));
    size.ok()?["albums"].as_u64()
}

fn albums_of_store(config: &Config) -> Option<u64> {
    let catalogue = Catalogue::open(&config.data_dir.join("vinylvault.db"));
    catalogue.ok()?.map_or(Ok(0), |catalogue| catalogue.count()).ok()
}

fn hours_of_store(facts: &Facts) -> Result<Value, IndexError> {
    let Whence::Store(root) = &facts.whence else { return Ok(Value::Array(Vec::new())) };
    let Some(store) = AtRest::open(root)? else { return Ok(Value::Array(Vec::new())) };
    Ok(store.history(facts.at)?.iter().map(|hour| hour.to_json()).collect())
}
