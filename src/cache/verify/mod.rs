//! The audit: every row against its file, every file against its row, every byte against its
//! digest. Works beside a running server or at rest; a repair needs the lock. Findings go to a
//! callback one by one, so that memory does not grow with the cache. Prints nothing and judges no
//! collection.
//!
//! Two passes. Rows by key, some hundred at a time, each compared with its file; then folder by
//! folder every name, each looked up among the rows. Beside a server a mismatch is
//! doubted first: looked at again, its row read again.

mod doubt;
mod finding;
mod look;
mod repair;

pub use finding::{Class, Event, Finding, Outcome, Summary};

use super::CacheError;
use super::disk::{Keeper, Kind};
use look::{Company, Look};
use std::path::Path;

/// Looks at the cache in `root` (`DATA_DIR/cache`) and changes nothing.
///
/// # Errors
/// What says nothing about the cache: an index of a later program, no descriptors left, a folder that
/// may not be read at all.
pub fn audit(root: &Path, tell: &mut dyn FnMut(Event)) -> Result<Summary, CacheError> {
    let company = match Keeper::of(root) {
        Keeper::Nobody => Company::Expected,
        Keeper::Server(_) | Keeper::Other | Keeper::Unknown => Company::Present,
    };
    let mut look = Look::new(root, company, tell)?;
    look.rows()?;
    look.things()?;
    Ok(look.summary)
}

/// Removes what is wrong in the cache, then looks again: what is found then is told as
/// [`Outcome::Found`]. An index that is damaged is set aside and built from the files.
///
/// # Errors
/// `DiskError::Locked` while anybody has the cache open; else as [`audit`].
pub fn repair(root: &Path, tell: &mut dyn FnMut(Event)) -> Result<Summary, CacheError> {
    repair::repair(root, tell)
}

/// `a link` and its like.
fn noun(kind: &Kind) -> &str {
    match kind {
        Kind::File { .. } => "a file",
        Kind::Folder => "a folder",
        Kind::Link => "a link",
        Kind::Fifo => "a FIFO",
        Kind::Socket => "a socket",
        Kind::Device => "a device",
        Kind::Unknown(_) => "something",
    }
}
