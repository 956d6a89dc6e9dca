//! What an import did, for people and for programs. Decides nothing.

use super::ImportMode;
use super::import::{LineError, Reading};
use serde_json::{Value, json};
use std::fmt;

/// Lines shown to a person; the rest is counted, and `--json` has them.
const SHOWN: usize = 20;

/// What [`super::Collection::import`] did, or would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImportReport {
    pub mode: ImportMode,
    pub added: u64,
    pub updated: u64,
    pub unchanged: u64,
    /// The same copy (by its instance id) a second time in one file.
    pub repeated: u64,
    /// Beyond the copies that one record may have.
    pub too_many_copies: u64,
    /// What the reader could not make an album of.
    pub skipped: Vec<LineError>,
    /// What the reader left empty in an album that came in otherwise.
    pub warnings: Vec<LineError>,
}

impl ImportReport {
    /// Albums of the file that are on the shelf now.
    pub fn albums(&self) -> u64 {
        self.added + self.updated + self.unchanged
    }

    /// With the lines that did not even get to the shelf.
    pub fn with_lines_of(self, reading: Reading) -> ImportReport {
        ImportReport { skipped: reading.skipped, warnings: reading.warnings, ..self }
    }

    pub fn to_json(&self) -> Value {
        let lines = |lines: &[LineError]| lines.iter().map(LineError::to_json).collect::<Vec<_>>();
        json!({
            "dry_run": self.mode == ImportMode::DryRun,
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "repeated": self.repeated,
            "too_many_copies": self.too_many_copies,
            "skipped": lines(&self.skipped),
            "warnings": lines(&self.warnings),
        })
    }
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = plural(self.albums(), "record", "records");
        match self.mode {
            ImportMode::Write => write!(f, "{records}: ")?,
            ImportMode::DryRun => write!(f, "Nothing was written. {records}: ")?,
        }
        write!(f, "{} added, {} updated, {} unchanged", self.added, self.updated, self.unchanged)?;
        if self.repeated > 0 {
            write!(f, "\n{}, counted once", plural(self.repeated, "repeated copy", "repeated copies"))?;
        }
        if self.too_many_copies > 0 {
            write!(
                f,
                "\n{} left out: too many of one record",
                plural(self.too_many_copies, "copy", "copies")
            )?;
        }
        lines(f, "skipped", &self.skipped)?;
        lines(f, "not understood, left empty", &self.warnings)
    }
}

fn lines(f: &mut fmt::Formatter<'_>, what: &str, lines: &[LineError]) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    write!(f, "\n{} {what}:", lines.len())?;
    for line in lines.iter().take(SHOWN) {
        write!(f, "\n  {line}")?;
    }
    match lines.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => write!(f, "\n  and {more} more"),
    }
}

fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
