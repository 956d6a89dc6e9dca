//! A report: the last 30 days of the cache for a person to read, as text of 80 columns or as one HTML
//! page. Owns the facts' reading, their summing up and their looks; asks nobody and writes no file.

mod chart;
mod hours;
mod html;
mod scale;
mod text;
mod words;

pub use html::HtmlError;

use crate::key::Timestamp;
use hours::{Counts, Hour, Timeline};
use serde_json::{Value, json};

/// What a report is made of.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Whom they come from, for machines: `server` or `store`.
    pub source: &'static str,
    /// The same as the end of a sentence: `the server at http://127.0.0.1:5000`.
    pub whence: String,
    pub at: Timestamp,
    /// `None` where the collection cannot be read.
    pub albums: Option<u64>,
    /// As `GET /api/cache/stats` has it.
    pub stats: Value,
    /// As `GET /api/cache/history` has them: `hours`, oldest first.
    pub hours: Value,
}

/// Which characters a text may be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    Unicode,
    Ascii,
}

/// Facts that were read and summed up.
pub struct Report {
    facts: Facts,
    /// The last 24 hours, 7 and 30 days, today included.
    periods: [Counts; 3],
    /// By hours, the running one last.
    day: Timeline,
    /// By days; by hours too while there are no more than two days of them.
    month: Timeline,
}

impl Facts {
    /// `report --json`.
    pub fn to_json(&self) -> Value {
        json!({
            "source": self.source,
            "timestamp": self.at.to_string(),
            "albums": self.albums,
            "stats": self.stats,
            "hours": self.hours,
        })
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.stats[name].as_u64()
    }

    fn count(&self, name: &str) -> u64 {
        self.number(name).unwrap_or(0)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.stats[name].as_str()
    }
}

impl Report {
    /// Hours that cannot be read are left out.
    pub fn new(facts: Facts) -> Report {
        let hours = facts.hours.as_array().map(Vec::as_slice).unwrap_or_default();
        let hours: Vec<Hour> = hours.iter().filter_map(Hour::read).collect();
        let day = Timeline::by_hours(&hours, facts.at, hours::DAY_HOURS);
        let month = Timeline::fitting(&hours, facts.at);
        let week = Timeline::by_days(&hours, facts.at, 7);
        let all = Timeline::by_days(&hours, facts.at, hours::DAYS_MAX);
        let periods = [day.sum(), week.sum(), all.sum()];
        Report { facts, periods, day, month }
    }

    /// Lines of at most 80 characters. Names and errors of strangers stand in it as they came: each
    /// line is to be made printable by whoever prints it.
    pub fn text(&self, alphabet: Alphabet) -> String {
        text::page(self, alphabet)
    }

    /// One page that needs nothing else: no network, no script.
    pub fn html(&self) -> Result<String, HtmlError> {
        html::page(self)
    }

    fn total(&self) -> &Counts {
        &self.periods[2]
    }
}
