//! Everything that the program keeps, carried away as one tar stream and brought back. Owns the
//! stream's form and the folder's exchange; the databases' and the covers' own ways of being copied
//! are the business of [`collection`](crate::collection) and [`cache`](crate::cache).
//!
//! ```text
//! vinylvault.db                                 a consistent copy
//! cache/index.db                                a consistent copy; neither it nor covers with --collection-only
//! cache/covers/thumbnails/2b/2b37...webp        by key and variant, as the copied index lists them
//! cache/covers/detail/2b/2b37...webp
//! manifest.json                                 last: what each member before it must be
//! ```
//!
//! A backup takes no lock and can be written into a pipe. A restore believes nothing: names, sizes,
//! order, digests, tables and rows are compared before anything is put into place, and that is one
//! rename of a finished folder.

mod error;
mod manifest;
mod member;
mod place;
mod read;
mod restore;
mod scratch;
mod staging;
mod tally;
mod target;
mod write;

pub use error::BackupError;
pub use manifest::{Facts, Kind};
pub use restore::{Restored, Source, restore, verify};
pub use target::{Target, save};

use std::ops::ControlFlow;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Writing,
    Verifying,
    Unpacking,
}

/// How far a backup or a restore is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub phase: Phase,
    /// Covers that are done with, left out or not.
    pub covers: u64,
    /// How many there will be; `None` while that is unknown.
    pub covers_total: Option<u64>,
    /// Bytes of members written or read.
    pub bytes: u64,
}

impl Progress {
    fn starting(phase: Phase, covers_total: Option<u64>) -> Progress {
        Progress { phase, covers: 0, covers_total, bytes: 0 }
    }
}

/// Told after each member how far it is; `Break` stops at once, and nothing has changed then.
pub type Watch<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<()>;

/// Largest database in a backup, bytes: a collection of 100,000 albums has some 200 MB.
const DATABASE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// Largest cover, bytes: 4096 pixels square at the best quality have a quarter of that.
const COVER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Members of one backup. Each is 64 bytes of memory until the manifest, so 64 MB at the very most,
/// and 13 MB for 200,000 covers.
const MEMBERS_MAX: usize = 1_000_000;
