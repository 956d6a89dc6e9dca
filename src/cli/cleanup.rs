//! `vinylvault cleanup --days N`: removes covers that nobody looked at for so long. Owns how a purge is
//! asked for, of the server or of the store itself, for `clear` too.

use super::facts::{Facts, Whence, megabytes};
use super::parse::Call;
use super::server::{Found, Server};
use super::{Failure, print};
use crate::cache::index::{Scope, Totals};
use crate::cache::sweep::{Swept, sweep};
use crate::config::Config;
use crate::figures::{bytes, counted};
use crate::key::Timestamp;
use serde_json::{Value, json};

/// As the server's route takes it.
const DAYS: u64 = 30;
/// A century: beyond it an age is a mistake.
const DAYS_MAX: u64 = 36_500;

/// What a purge did.
pub(super) struct Effect {
    pub whence: Whence,
    pub removed: u64,
    pub freed_bytes: u64,
    pub before: Held,
    pub after: Held,
}

/// What the cache held at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    entries: u64,
    bytes: u64,
}

pub(super) fn run(call: &Call) -> Result<(), Failure> {
    let days = call.number("days", DAYS, 0..=DAYS_MAX)?;
    let config = call.config()?;
    let age = i64::try_from(days).expect("a century of days");
    let scope = Scope::unused_for_days(age, Timestamp::now());
    let route = ("/api/cache/cleanup", json!({ "max_age_days": days }));
    let effect = purge(&config, "clean the cache up", route, scope)?;
    match call.has("json") {
        true => print(&format!("{}\n", value(&effect, days))),
        false => print(&text(&effect, days)),
    }
}

/// Asks the server for a purge (`route` and body), or does `scope` itself where none runs.
pub(super) fn purge(
    config: &Config,
    act: &str,
    (route, body): (&str, Value),
    scope: Scope,
) -> Result<Effect, Failure> {
    let server = match Server::find(config)? {
        Found::Server(server) => server,
        Found::AtRest => return purge_at_rest(config, act, scope),
    };
    let before = Held::in_facts(&Facts::ask(&server)?);
    let answer = server.post(route, &body)?.success(act)?;
    let number = |name: &str| {
        answer[name].as_u64().ok_or_else(|| {
            Failure::Failed(format!(
                "cannot {act}: the server's answer has no {name}; is it another version?"
            ))
        })
    };
    let (removed, freed_bytes) = (number("removed")?, number("freed_bytes")?);
    let after = Held::in_facts(&Facts::ask(&server)?);
    Ok(Effect { whence: Whence::Server(server.address()), removed, freed_bytes, before, after })
}

fn purge_at_rest(config: &Config, act: &str, scope: Scope) -> Result<Effect, Failure> {
    let root = config.data_dir.join("cache");
    let swept = sweep(&root, scope).map_err(|cause| Failure::Failed(format!("cannot {act}: {cause}")))?;
    let Some(Swept { before, purged, after }) = swept else {
        let (before, after) = (Held::default(), Held::default());
        return Ok(Effect { whence: Whence::Nothing(root), removed: 0, freed_bytes: 0, before, after });
    };
    Ok(Effect {
        whence: Whence::Store(root),
        removed: purged.renditions,
        freed_bytes: purged.bytes,
        before: Held::in_totals(&before),
        after: Held::in_totals(&after),
    })
}

impl Held {
    pub fn to_json(self) -> Value {
        json!({ "entries": self.entries, "size_mb": megabytes(self.bytes) })
    }

    fn in_facts(facts: &Facts) -> Held {
        Held { entries: facts.count("total_entries"), bytes: facts.count("total_size_bytes") }
    }

    fn in_totals(totals: &Totals) -> Held {
        Held { entries: totals.thumbnails + totals.details, bytes: totals.bytes }
    }
}

fn value(effect: &Effect, days: u64) -> Value {
    json!({
        "timestamp": Timestamp::now().to_string(),
        "source": effect.whence.name(),
        "max_age_days": days,
        "entries_cleaned": effect.removed,
        "size_saved_bytes": effect.freed_bytes,
        "size_saved_mb": megabytes(effect.freed_bytes),
        "before": effect.before.to_json(),
        "after": effect.after.to_json(),
    })
}

fn text(effect: &Effect, days: u64) -> String {
    let files = |number| counted(number, "file", "files");
    let Effect { whence, removed, freed_bytes, before, after } = effect;
    let age = match days {
        0 => "whatever their age".to_owned(),
        days => format!("that nobody looked at for {}", counted(days, "day", "days")),
    };
    format!(
        "Removed {}, {}, {age}.\nBefore  {}, {}\nAfter   {}, {}\nSource: {whence}\n",
        files(*removed),
        bytes(*freed_bytes),
        files(before.entries),
        bytes(before.bytes),
        files(after.entries),
        bytes(after.bytes),
    )
}
