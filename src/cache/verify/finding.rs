//! What an audit tells: classes of findings with names that last, what became of each, and sums.

use std::path::PathBuf;

/// What is wrong with one thing. The names are part of the JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// A row without a file.
    Missing,
    /// A file of no bytes.
    Empty,
    /// Shorter than its row says.
    Truncated,
    /// The right length, and not the bytes that were written, or no WebP.
    Altered,
    /// Longer than its row says.
    WrongSize,
    /// A file or folder that no row and no rule explains, leftovers in `tmp/` included.
    Stray,
    /// A folder, link, FIFO, socket or device where a file or folder of ours should be.
    NotAFile,
    /// It may not be read, or the card cannot read it.
    Unreadable,
    /// A database is damaged.
    Database,
}

impl Class {
    pub const ALL: [Class; 9] = [
        Class::Missing,
        Class::Empty,
        Class::Truncated,
        Class::Altered,
        Class::WrongSize,
        Class::Stray,
        Class::NotAFile,
        Class::Unreadable,
        Class::Database,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Class::Missing => "missing",
            Class::Empty => "empty",
            Class::Truncated => "truncated",
            Class::Altered => "altered",
            Class::WrongSize => "wrong-size",
            Class::Stray => "stray",
            Class::NotAFile => "not-a-file",
            Class::Unreadable => "unreadable",
            Class::Database => "database",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub class: Class,
    /// From the cache folder.
    pub object: PathBuf,
    /// A clause for a person: `120 of 4,513 bytes`.
    pub detail: String,
    pub outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is there.
    Found,
    /// It was, and is removed or built anew.
    Repaired,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Renditions looked at, of about so many.
    Progress {
        looked: u64,
        of: u64,
    },
    Found(Finding),
}

/// What an audit has looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Renditions that have a row.
    pub renditions: u64,
    /// Names below `covers/` and `tmp/`.
    pub things: u64,
    /// Bytes of the files that were read and whole.
    pub bytes: u64,
    /// Findings that are still there.
    pub found: u64,
    pub repaired: u64,
}
