//! `vinylvault backup FILE.tar|-`: where it goes and what is said of it. What a backup is and how it is
//! written is the business of [`crate::backup`].

use super::meter::Meter;
use super::parse::Call;
use super::stop::Stop;
use super::{Failure, journal, print};
use crate::backup::{Facts, Kind, Target, save};
use crate::figures;
use crate::key::Timestamp;
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

pub(super) fn run(call: &Call) -> Result<(), Failure> {
    let config = call.config()?;
    let operand = call.operand().expect("the grammar asks for a FILE.tar");
    let kind = if call.has("collection-only") { Kind::CollectionOnly } else { Kind::Full };
    let is_stream = is_dash(operand);
    if is_stream && io::stdout().is_terminal() {
        return Err(Failure::Usage(
            "a backup is nothing for a terminal: redirect it, as in > FILE.tar".into(),
        ));
    }
    let mut out = io::stdout();
    let temporary = std::env::temp_dir();
    let target = match is_stream {
        true => Target::Stream(&mut out, &temporary),
        false => Target::File(Path::new(operand)),
    };
    let stop = Stop::listen()?;
    let mut meter = Meter::new(&stop);
    let saved = save(&config.data_dir, kind, target, Timestamp::now(), &mut |progress| meter.tell(progress));
    drop(meter);
    let facts = saved
        .map_err(|error| Failure::Failed(format!("cannot back up {}: {error}", config.data_dir.display())))?;
    let to = if is_stream { "standard output".into() } else { operand.to_string_lossy() };
    let said = match call.has("json") {
        true => format!("{}\n", json_of(&facts, operand)),
        false => {
            format!("{}\n", journal::one_line(&format!("{to}: {}; read from the store", sentence(&facts))))
        }
    };
    match is_stream {
        // Standard output is the backup; nobody may be reading the other one.
        true => {
            let _ = io::stderr().write_all(said.as_bytes());
            Ok(())
        }
        false => print(&said),
    }
}

/// `-` is a standard stream; a file of that name is `./-`.
pub(super) fn is_dash(operand: &OsStr) -> bool {
    operand == "-"
}

/// `1,000 albums, 2,000 covers, 54.2 MB`.
pub(super) fn sentence(facts: &Facts) -> String {
    let covers = match (facts.kind, facts.left_out) {
        (Kind::CollectionOnly, _) => "no covers".to_owned(),
        (Kind::Full, 0) => counted(facts.covers, "cover"),
        (Kind::Full, left_out) => {
            let covers = counted(facts.covers, "cover");
            format!("{covers} ({left_out} more were gone or damaged when their turn came)")
        }
    };
    format!("{}, {covers}, {}", counted(facts.albums, "album"), figures::bytes(facts.bytes))
}

fn counted(number: u64, thing: &str) -> String {
    figures::counted(number, thing, &format!("{thing}s"))
}

/// The facts of a backup, with where it is.
pub(super) fn json_of(facts: &Facts, operand: &OsStr) -> Value {
    json!({
        "file": operand.to_string_lossy(),
        "kind": facts.kind.name(),
        "program": facts.program,
        "created_at": facts.created_at.to_string(),
        "collection_schema": facts.collection_schema,
        "index_schema": facts.index_schema,
        "recipe": facts.recipe,
        "albums": facts.albums,
        "covers": facts.covers,
        "left_out": facts.left_out,
        "bytes": facts.bytes,
        "source": "store",
    })
}
