//! `vinylvault health`: whether everything works, check by check, with an exit code for scripts. Owns
//! what is judged how; where a number comes from is `facts`' business. A full cache is healthy, and so
//! is an empty one; a server that does not run is no damage, but who asks wants to hear of it.

use super::facts::Facts;
use super::journal::one_line;
use super::parse::Call;
use super::server::{Found, Server};
use super::{Failure, print};
use crate::cache::disk::Keeper;
use crate::cache::index::{AtRest, IndexError};
use crate::collection::Catalogue;
use crate::config::Config;
use crate::figures::{bytes, counted, span};
use crate::key::Timestamp;
use rustix::fs::{Access, access};
use serde_json::{Value, json};
use std::path::Path;

/// The cache keeps the floor itself, but for a batch of covers and the logs of both databases that are
/// on their way: so much below it is still the cache's own doing, bytes.
const FLOOR_SLACK: u64 = 32_000_000;
/// Origins in trouble that are named.
const ORIGINS_MAX: usize = 3;

struct Check {
    name: String,
    standing: Standing,
    /// A sentence without its full stop.
    detail: String,
}

/// In the order of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Ok,
    /// Only a running server knows.
    Unknown,
    /// Covers are served, but something wants looking after.
    Degraded,
    /// Something that the program exists for does not work.
    Failed,
}

pub(super) fn run(call: &Call) -> Result<(), Failure> {
    let config = call.config()?;
    let (checks, source) = examine(&config);
    let worst = checks.iter().map(|check| check.standing).max().unwrap_or(Standing::Ok);
    match call.has("json") {
        true => print(&format!("{}\n", value(&checks, worst, source)))?,
        false => print(&text(&checks, worst))?,
    }
    match worst {
        Standing::Ok | Standing::Unknown => Ok(()),
        Standing::Degraded => Err(Failure::Told(1)),
        Standing::Failed => Err(Failure::Told(2)),
    }
}

fn examine(config: &Config) -> (Vec<Check>, &'static str) {
    match Server::find(config) {
        Ok(Found::Server(server)) => (of_server(&server), "server"),
        Ok(Found::AtRest) => {
            let stopped =
                Check::new("server", Standing::Degraded, "not running; start it with vinylvault serve");
            (of_store(config, stopped), "store")
        }
        Err(failure) => {
            let standing = match Keeper::of(&config.data_dir.join("cache")) {
                Keeper::Server(_) => Standing::Failed,
                // It is just starting, has just ended, or a command repairs or restores.
                Keeper::Other | Keeper::Nobody | Keeper::Unknown => Standing::Degraded,
            };
            (of_store(config, Check::new("server", standing, failure.to_string())), "store")
        }
    }
}

fn of_server(server: &Server) -> Vec<Check> {
    let facts = Facts::ask(server);
    let up = facts.as_ref().ok().and_then(|facts| facts.number("uptime_seconds"));
    let up = up.map_or(String::new(), |seconds| format!(", up {}", span(seconds)));
    let mut checks =
        vec![Check::new("server", Standing::Ok, format!("answers at http://{}{up}", server.address()))];
    match server.get("/ready") {
        Ok(answer) => checks.extend(named(&answer.body)),
        Err(failure) => checks.push(Check::new("ready", Standing::Failed, failure.to_string())),
    }
    match facts {
        Ok(facts) => checks.extend([free_space(&facts), origins(&facts), last_errors(&facts)]),
        Err(failure) => {
            let unknown = |name| Check::new(name, Standing::Unknown, failure.to_string());
            checks.extend(["free_space", "origins", "last_errors"].map(unknown));
        }
    }
    checks
}

/// What `/ready` calls the room on the card: here it is [`free_space`], which knows how bad it is.
const SPACE: &str = "space";

/// The checks of `/ready`, each under its own name.
fn named(ready: &Value) -> Vec<Check> {
    let checks = ready["checks"].as_object().into_iter().flatten();
    let mut checks: Vec<Check> = checks
        .filter(|(name, _)| *name != SPACE)
        .map(|(name, check)| {
            let status = check["status"].as_str().or(check.as_str()).unwrap_or("failed");
            let standing = if status == "ok" { Standing::Ok } else { Standing::Failed };
            let detail =
                check["detail"].as_str().unwrap_or(if status == "ok" { "works" } else { "does not work" });
            Check::new(name, standing, detail)
        })
        .collect();
    if checks.is_empty() {
        checks.push(Check::new("ready", Standing::Failed, "the server's answer to /ready names no check"));
    }
    checks
}

/// Without a server, or beside one that does not answer: what can be read without changing anything.
fn of_store(config: &Config, server: Check) -> Vec<Check> {
    let root = config.data_dir.join("cache");
    let mut checks =
        vec![server, store(&root), index(&root), database(&config.data_dir.join("vinylvault.db"))];
    checks.push(match Facts::look(config) {
        Ok(facts) => free_space(&facts),
        Err(failure) => Check::new("free_space", Standing::Unknown, failure.to_string()),
    });
    let unknown = |name| Check::new(name, Standing::Unknown, "known to a running server only");
    checks.extend(["origins", "last_errors"].map(unknown));
    checks
}

fn store(root: &Path) -> Check {
    if !root.exists() {
        return Check::new("store", Standing::Ok, format!("there is none yet in {}", root.display()));
    }
    let folders =
        ["", "tmp", "covers"].map(|name| root.join(name)).into_iter().filter(|folder| folder.exists());
    for folder in folders {
        // Asks the kernel and writes nothing; a card that went read-only is refused here too.
        if let Err(cause) = access(&folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
            let cause = std::io::Error::from(cause);
            return Check::new("store", Standing::Failed, format!("{}: {cause}", folder.display()));
        }
    }
    Check::new("store", Standing::Ok, format!("{} can be read and written", root.display()))
}

/// A damaged index costs nobody a cover: the next start builds it anew from the files.
fn index(root: &Path) -> Check {
    let check = |standing, detail: String| Check::new("index", standing, detail);
    match AtRest::open(root) {
        Ok(None) => check(Standing::Ok, "there is none yet".to_owned()),
        Ok(Some(store)) => match store.damage() {
            Ok(None) => check(Standing::Ok, "whole".to_owned()),
            Ok(Some(damage)) => check(Standing::Degraded, format!("damaged, to be built anew: {damage}")),
            Err(cause) => check(Standing::Degraded, cause.to_string()),
        },
        Err(cause @ IndexError::Newer { .. }) => check(Standing::Failed, cause.to_string()),
        Err(cause) => check(Standing::Degraded, cause.to_string()),
    }
}

fn database(path: &Path) -> Check {
    let check = |standing, detail: String| Check::new("database", standing, detail);
    let albums = |catalogue: Catalogue| {
        let damage = catalogue.damage()?;
        Ok::<_, crate::collection::CollectionError>((damage, catalogue.count()?))
    };
    match Catalogue::open(path).and_then(|catalogue| catalogue.map(albums).transpose()) {
        Ok(None) => check(Standing::Ok, "no album was imported yet".to_owned()),
        Ok(Some((None, count))) => {
            check(Standing::Ok, format!("whole, {}", counted(count, "album", "albums")))
        }
        Ok(Some((Some(damage), _))) => {
            check(Standing::Failed, format!("the collection is damaged: {damage}"))
        }
        Err(cause) => check(Standing::Failed, cause.to_string()),
    }
}

fn free_space(facts: &Facts) -> Check {
    let floor = facts.count("free_bytes_min");
    let Some(free) = facts.number("free_bytes") else {
        return Check::new("free_space", Standing::Unknown, "the file system does not say");
    };
    let (has, wants) = (bytes(free), bytes(floor));
    match free.saturating_add(FLOOR_SLACK) < floor {
        false => Check::new("free_space", Standing::Ok, format!("{has} free, {wants} are to stay free")),
        true => Check::new(
            "free_space",
            Standing::Degraded,
            format!("{has} free of the {wants} that are to stay free: something else fills the file system"),
        ),
    }
}

fn origins(facts: &Facts) -> Check {
    let all = facts.origins();
    let sick: Vec<String> = all
        .iter()
        .filter(|origin| origin.is_in_trouble())
        .map(|origin| match origin.paused_seconds {
            Some(seconds) => format!("{} asked to be left alone for {}", origin.host, span(seconds)),
            None => format!(
                "{} failed the last {} in a row",
                origin.host,
                counted(origin.failing, "time", "times")
            ),
        })
        .collect();
    match sick.len() {
        0 if all.is_empty() => Check::new("origins", Standing::Ok, "none was asked since the start"),
        0 => Check::new("origins", Standing::Ok, format!("{} asked, all well", all.len())),
        sum if sum > ORIGINS_MAX => {
            let named = sick[..ORIGINS_MAX].join("; ");
            Check::new("origins", Standing::Degraded, format!("{named}; and {} more", sum - ORIGINS_MAX))
        }
        _ => Check::new("origins", Standing::Degraded, sick.join("; ")),
    }
}

fn last_errors(facts: &Facts) -> Check {
    let errors: Vec<String> =
        facts.last_errors().into_iter().map(|(place, text)| format!("{place}: {text}")).collect();
    match errors.is_empty() {
        true => Check::new("last_errors", Standing::Ok, "none"),
        false => Check::new("last_errors", Standing::Degraded, errors.join("; ")),
    }
}

impl Check {
    fn new(name: impl Into<String>, standing: Standing, detail: impl Into<String>) -> Check {
        Check { name: name.into(), standing, detail: detail.into() }
    }
}

impl Standing {
    /// Of one check.
    fn name(self) -> &'static str {
        match self {
            Standing::Ok => "ok",
            Standing::Unknown => "unknown",
            Standing::Degraded => "degraded",
            Standing::Failed => "failed",
        }
    }

    /// Of the whole, whose worst check this is.
    fn verdict(self) -> &'static str {
        match self {
            Standing::Ok | Standing::Unknown => "healthy",
            Standing::Degraded => "degraded",
            Standing::Failed => "unhealthy",
        }
    }
}

fn value(checks: &[Check], worst: Standing, source: &str) -> Value {
    let checks: serde_json::Map<String, Value> = checks
        .iter()
        .map(|check| (check.name.clone(), json!({ "status": check.standing.name(), "detail": check.detail })))
        .collect();
    json!({
        "timestamp": Timestamp::now().to_string(),
        "source": source,
        "status": worst.verdict(),
        "checks": checks,
    })
}

fn text(checks: &[Check], worst: Standing) -> String {
    let rows = checks.iter().map(|check| {
        let name = check.name.replace('_', " ");
        format!("  {:<13} {:<10} {}\n", one_line(&name), check.standing.name(), one_line(&check.detail))
    });
    format!("VinylVault is {}.\n\n{}", worst.verdict(), rows.collect::<String>())
}
