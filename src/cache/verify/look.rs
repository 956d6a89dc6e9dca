//! The two passes: rows against files, then names against rows. Decides what a finding is and what
//! its class; whether it is one yet, with somebody else at work in the folder, is `doubt`'s.

use super::doubt::Doubts;
use super::repair::Repairs;
use super::{Class, Event, Finding, Outcome, Summary, noun};
use crate::cache::CacheError;
use crate::cache::disk::{Condition, Inspector, Kind, Place, Thing};
use crate::cache::index::{Audit, IndexError, Row, Sight};
use crate::key::{CacheKey, Variant};
use std::path::{Path, PathBuf};

/// Whether others may be at work in the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Company {
    /// We hold the lock.
    Excluded,
    /// Nobody holds it, and anybody may come.
    Expected,
    Present,
}

/// What is to be looked at, perhaps twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Suspect {
    /// A row's file.
    Row(CacheKey, Variant),
    /// A name, and whose place it is.
    Name(PathBuf, Place),
}

/// Where a suspect goes that is not what it should be.
pub(super) enum Court<'a> {
    /// Looked at again before it is told.
    Doubt(Doubts),
    Repair(Repairs<'a>),
}

/// The cache as it is seen: the folder, and the rows where they can be read.
pub(super) struct Eyes {
    pub root: PathBuf,
    pub inspector: Inspector,
    pub rows: Option<Audit>,
    pub company: Company,
}

pub(super) struct Look<'a> {
    pub eyes: Eyes,
    pub summary: Summary,
    /// Suspects of any outcome.
    pub accused: u64,
    court: Court<'a>,
    tell: &'a mut dyn FnMut(Event),
    of: u64,
}

impl<'a> Look<'a> {
    /// Opens the index and reads it once for damage of its own.
    pub fn new(
        root: &Path,
        company: Company,
        tell: &'a mut dyn FnMut(Event),
    ) -> Result<Look<'a>, CacheError> {
        let (rows, damage) = match Audit::open(root)? {
            Sight::Absent => (None, None),
            Sight::Damaged(cause) => (None, Some(cause)),
            Sight::Readable(audit) => match audit.damage()? {
                None => (Some(audit), None),
                damage => (None, damage),
            },
        };
        let mut look = Look::with(root, rows, company, Court::Doubt(Doubts::default()), tell)?;
        if let Some(cause) = damage {
            look.tell(damaged_index(cause, Outcome::Found));
        }
        Ok(look)
    }

    pub fn with(
        root: &Path,
        rows: Option<Audit>,
        company: Company,
        court: Court<'a>,
        tell: &'a mut dyn FnMut(Event),
    ) -> Result<Look<'a>, CacheError> {
        let of = rows.as_ref().map_or(Ok(0), Audit::count)?;
        let eyes = Eyes { root: root.to_owned(), inspector: Inspector::new(root), rows, company };
        Ok(Look { eyes, summary: Summary::default(), accused: 0, court, tell, of })
    }

    /// The first pass: every row against its file.
    pub fn rows(&mut self) -> Result<(), CacheError> {
        let mut from = None;
        while let Some(rows) = &self.eyes.rows {
            let chunk = rows.rows_after(from)?;
            let Some((last, _)) = chunk.last() else { break };
            from = Some(*last);
            for ((key, variant), row) in chunk {
                self.summary.renditions += 1;
                let condition = self.eyes.examine(key, variant, Some(row))?;
                match self.eyes.rendition(key, variant, condition, Some(row)) {
                    Some(finding) => self.accuse(Suspect::Row(key, variant), finding)?,
                    None => self.summary.bytes += row.bytes,
                }
                (self.tell)(Event::Progress { looked: self.summary.renditions, of: self.of });
            }
        }
        self.settle()
    }

    /// The second pass: every name against the rows.
    pub fn things(&mut self) -> Result<(), CacheError> {
        let inspector = Inspector::new(&self.eyes.root);
        inspector.things(&mut |thing| {
            self.summary.things += 1;
            match self.eyes.thing(&thing)? {
                Some(finding) => self.accuse(Suspect::Name(thing.path, thing.place), finding),
                None => Ok(()),
            }
        })?;
        self.settle()
    }

    fn accuse(&mut self, suspect: Suspect, finding: Finding) -> Result<(), CacheError> {
        self.accused += 1;
        let is_full = match &mut self.court {
            Court::Doubt(doubts) => doubts.add(suspect, finding),
            Court::Repair(repairs) => repairs.add(suspect, finding),
        };
        if is_full { self.settle() } else { Ok(()) }
    }

    fn settle(&mut self) -> Result<(), CacheError> {
        let findings = match &mut self.court {
            Court::Doubt(doubts) => doubts.settle(&self.eyes)?,
            Court::Repair(repairs) => repairs.settle(&self.eyes)?,
        };
        for finding in findings {
            self.tell(finding);
        }
        Ok(())
    }

    pub fn tell(&mut self, finding: Finding) {
        match finding.outcome {
            Outcome::Found => self.summary.found += 1,
            Outcome::Repaired => self.summary.repaired += 1,
        }
        (self.tell)(Event::Found(finding));
    }
}

impl Eyes {
    /// What is wrong with a suspect now; `None`: nothing, or it is gone.
    pub fn judge(&self, suspect: &Suspect) -> Result<Option<Finding>, CacheError> {
        match suspect {
            Suspect::Row(key, variant) => {
                let Some(row) = self.row(*key, *variant)? else { return Ok(None) };
                let condition = self.examine(*key, *variant, Some(row))?;
                Ok(self.rendition(*key, *variant, condition, Some(row)))
            }
            Suspect::Name(path, place) => {
                let Some(kind) = self.inspector.kind(path) else { return Ok(None) };
                self.thing(&Thing { path: path.clone(), place: *place, kind })
            }
        }
    }

    fn row(&self, key: CacheKey, variant: Variant) -> Result<Option<Row>, IndexError> {
        self.rows.as_ref().map_or(Ok(None), |rows| rows.row(key, variant))
    }

    fn examine(&self, key: CacheKey, variant: Variant, row: Option<Row>) -> Result<Condition, CacheError> {
        Ok(self.inspector.examine(key, variant, row.map(|row| (row.bytes, row.digest)))?)
    }

    fn rendition(
        &self,
        key: CacheKey,
        variant: Variant,
        condition: Condition,
        row: Option<Row>,
    ) -> Option<Finding> {
        let promised = row.map_or(0, |row| row.bytes);
        let (class, detail) = match condition {
            Condition::Whole => return None,
            Condition::Missing => (Class::Missing, format!("a row of {promised} bytes without a file")),
            Condition::Length(0) => (Class::Empty, format!("0 of {promised} bytes")),
            Condition::Length(bytes) if bytes < promised => {
                (Class::Truncated, format!("{bytes} of {promised} bytes"))
            }
            Condition::Length(bytes) => (Class::WrongSize, format!("{bytes} bytes, where {promised} belong")),
            Condition::Altered => (Class::Altered, "not the bytes that were written".to_owned()),
            Condition::NotAFile(kind) => (Class::NotAFile, format!("{} where a cover belongs", noun(&kind))),
            Condition::Unreadable(cause) => (Class::Unreadable, cause),
        };
        Some(found(class, self.inspector.path(key, variant), detail))
    }

    /// What is wrong with a name; `None`: nothing, or the first pass has seen to it.
    pub fn thing(&self, thing: &Thing) -> Result<Option<Finding>, CacheError> {
        let told = |class, detail: &str| Ok(Some(found(class, thing.path.clone(), detail.to_owned())));
        match (thing.place, &thing.kind) {
            (_, Kind::Unknown(cause)) => told(Class::Unreadable, cause),
            // The holder of the lock empties it at its start.
            (Place::Temporary, _) if self.company == Company::Present => Ok(None),
            (Place::Temporary, _) => told(Class::Stray, "left over from a program that was killed"),
            (Place::Rendition(key, variant), kind) => self.named_rendition(thing, key, variant, kind),
            (Place::Placeholder, Kind::File { bytes: 0 }) => told(Class::Empty, "0 bytes"),
            (Place::Placeholder, Kind::File { .. }) => match self.inspector.is_webp(&thing.path) {
                true => Ok(None),
                false => told(Class::Altered, "no whole WebP"),
            },
            (Place::Folder, Kind::File { .. }) => told(Class::Stray, "a file where a folder belongs"),
            (Place::Nowhere, Kind::File { .. }) => told(Class::Stray, "a file that nobody knows"),
            (Place::Nowhere, Kind::Folder) => told(Class::Stray, "a folder that nobody knows"),
            (place, kind) => {
                let belongs = if place == Place::Folder { "a folder belongs" } else { "a file belongs" };
                told(Class::NotAFile, &format!("{} where {belongs}", noun(kind)))
            }
        }
    }

    fn named_rendition(
        &self,
        thing: &Thing,
        key: CacheKey,
        variant: Variant,
        kind: &Kind,
    ) -> Result<Option<Finding>, CacheError> {
        if self.row(key, variant)?.is_some() {
            return Ok(None);
        }
        match (kind, &self.rows) {
            (Kind::File { .. }, Some(_)) => {
                Ok(Some(found(Class::Stray, thing.path.clone(), "a cover without a row".to_owned())))
            }
            _ => Ok(self.rendition(key, variant, self.examine(key, variant, None)?, None)),
        }
    }
}

fn found(class: Class, object: PathBuf, detail: String) -> Finding {
    Finding { class, object, detail, outcome: Outcome::Found }
}

pub(super) fn damaged_index(cause: String, outcome: Outcome) -> Finding {
    Finding { class: Class::Database, object: PathBuf::from("index.db"), detail: cause, outcome }
}
