//! Reads a Discogs CSV export, a CSV with headers or JSON into albums. Owns the file as a whole:
//! its size, its encoding, which format it is, and the list of lines that did not work. Writes
//! nothing: what it returns goes to [`super::Collection::import`].
//!
//! A line that cannot be read never costs the others: it is named by its number and skipped.

mod csv;
pub(super) mod dates;
mod discogs;
mod fields;
mod json;

use super::Record;
use serde_json::{Value, json};
use std::io::{self, Read};
use std::{fmt, str};

/// A Discogs export is 150 bytes a record, a page of its API 2 kB: room for 30,000 of the latter.
pub const FILE_MAX: u64 = 64 << 20;
/// Albums in one file; the largest public collections are a tenth of it.
pub const ALBUMS_MAX: usize = 200_000;
/// With so many bad lines it is the wrong file.
pub const BAD_LINES_MAX: usize = 10_000;

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    pub albums: Vec<Record>,
    /// Lines that are no album.
    pub skipped: Vec<LineError>,
    /// Fields that were left empty because nobody could understand them.
    pub warnings: Vec<LineError>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    pub place: Place,
    /// A sentence for a person.
    pub reason: String,
}

/// Where in the file, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Of a text file: the line on which the record begins.
    Line(u64),
    /// Of a JSON list.
    Item(u64),
}

/// Why nothing of a file can be read. Never worth another try with the same file.
#[derive(Debug)]
pub enum ImportError {
    Read(io::Error),
    Empty,
    TooLarge,
    TooMany,
    TooManyBadLines,
    Utf16,
    /// The line with the first byte that is no UTF-8.
    NotUtf8 {
        line: u64,
    },
    Inventory,
    Wantlist,
    /// The header's names, as far as they fit.
    NoColumns {
        found: String,
    },
    Json(String),
}

/// Reads all of a file. `name` tells the format by its ending where the content does not.
pub fn read(reader: impl Read, name: &str) -> Result<Reading, ImportError> {
    let mut bytes = Vec::new();
    reader.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(ImportError::Read)?;
    read_bytes(&bytes, name)
}

/// As [`read`], of bytes that are here already.
pub fn read_bytes(bytes: &[u8], name: &str) -> Result<Reading, ImportError> {
    if bytes.len() as u64 > FILE_MAX {
        return Err(ImportError::TooLarge);
    }
    let text = text(bytes)?;
    let begins_as_json = text.trim_start().starts_with(['{', '[']);
    if text.trim().is_empty() {
        Err(ImportError::Empty)
    } else if begins_as_json && !name.to_ascii_lowercase().ends_with(".csv") {
        json::read(text)
    } else {
        csv::read(text)
    }
}

/// UTF-8 without its byte order mark.
fn text(bytes: &[u8]) -> Result<&str, ImportError> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(ImportError::Utf16);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    str::from_utf8(bytes).map_err(|error| ImportError::NotUtf8 {
        line: 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() as u64,
    })
}

impl Reading {
    /// Takes what became of one line or item.
    fn take(&mut self, place: Place, outcome: Result<fields::Draft, String>) -> Result<(), ImportError> {
        match outcome.and_then(fields::Draft::finish) {
            Ok((album, warnings)) => {
                if self.albums.len() >= ALBUMS_MAX {
                    return Err(ImportError::TooMany);
                }
                self.albums.push(album);
                self.warnings.extend(warnings.into_iter().map(|reason| LineError { place, reason }));
                self.warnings.truncate(BAD_LINES_MAX);
                Ok(())
            }
            Err(reason) => self.skip(place, reason),
        }
    }

    fn skip(&mut self, place: Place, reason: String) -> Result<(), ImportError> {
        if self.skipped.len() >= BAD_LINES_MAX {
            return Err(ImportError::TooManyBadLines);
        }
        self.skipped.push(LineError { place, reason });
        Ok(())
    }
}

impl LineError {
    pub fn to_json(&self) -> Value {
        match self.place {
            Place::Line(line) => json!({ "line": line, "reason": self.reason }),
            Place::Item(item) => json!({ "item": item, "reason": self.reason }),
        }
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Line(line) => write!(f, "line {line}: {}", self.reason),
            Place::Item(item) => write!(f, "item {item}: {}", self.reason),
        }
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportError::Read(error) => write!(f, "cannot read the file: {error}"),
            ImportError::Empty => f.write_str("the file is empty"),
            ImportError::TooLarge => write!(f, "the file is larger than {} MB", FILE_MAX >> 20),
            ImportError::TooMany => write!(f, "the file has more than {ALBUMS_MAX} albums: split it"),
            ImportError::TooManyBadLines => {
                write!(f, "more than {BAD_LINES_MAX} lines are no albums: is it the right file?")
            }
            ImportError::Utf16 => f.write_str("the file is UTF-16: save it as UTF-8 (\"CSV UTF-8\" in Excel)"),
            ImportError::NotUtf8 { line } => write!(
                f,
                "line {line} is not UTF-8, probably Windows-1252: save the file as UTF-8 (\"CSV UTF-8\" in Excel)"
            ),
            ImportError::Inventory => f.write_str(
                "this is a Discogs inventory, records for sale: export the collection instead \
                 (discogs.com, Dashboard, Export, Collection)",
            ),
            ImportError::Wantlist => f.write_str(
                "this is a Discogs wantlist, records that are not on the shelf yet: export the collection instead \
                 (discogs.com, Dashboard, Export, Collection)",
            ),
            ImportError::NoColumns { found } => {
                write!(f, "the first line must name a column `artist` and a column `title`; it has {found}")
            }
            ImportError::Json(reason) => write!(f, "the file is no list of albums in JSON: {reason}"),
        }
    }
}

impl std::error::Error for ImportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ImportError::Read(error) => Some(error),
            _ => None,
        }
    }
}
