//! `vinylvault status`: what the cache holds and how well it answers, as JSON or as one page.

use super::facts::{Facts, Whence};
use super::parse::Call;
use super::sheet::{self, Ink, Line};
use super::{Failure, print};
use crate::figures;

pub(super) fn run(call: &Call) -> Result<(), Failure> {
    let config = call.config()?;
    let facts = Facts::read(&config)?;
    if call.has("json") {
        return print(&format!("{}\n", facts.status()));
    }
    print(&page(&facts, Ink::of_locale()))
}

fn page(facts: &Facts, ink: Ink) -> String {
    let head = match (&facts.whence, facts.number("uptime_seconds")) {
        (Whence::Server(_), Some(seconds)) => format!("VinylVault, up {}", figures::span(seconds)),
        (Whence::Server(_), None) => "VinylVault".to_owned(),
        (Whence::Store(_), _) => "VinylVault, not running".to_owned(),
        (Whence::Nothing(_), _) => "VinylVault, nothing kept yet".to_owned(),
    };
    let mut lines = vec![sheet::ends(&head, &facts.at.to_string()), Line::default()];
    lines.extend(sheet::kept(facts, ink));
    lines.extend(sheet::answered(facts));
    if matches!(facts.whence, Whence::Server(_)) {
        lines.extend(sheet::going_on(facts));
        lines.extend(sheet::origins(facts, sheet::Origins::InTrouble));
    }
    lines.extend(sheet::errors(facts));
    lines.extend([Line::default(), sheet::row("Source", &facts.whence.to_string())]);
    lines.iter().map(|line| format!("{}\n", line.plain())).collect()
}
