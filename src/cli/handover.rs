//! After a command that root ran: what it made in the data folder becomes the folder's owner's, whose
//! server has to read and write it. Owns which names are ours; how a thing is given away is `owner`'s.

use crate::owner::{Kept, Owner};
use std::fs;
use std::path::Path;

/// Below `cache` down to the folders that covers stand in: covers themselves, 100,000 of them, are made
/// by a server or by a restore, which sees to them itself.
const LEVELS: usize = 3;
/// Entries of the data folder that are looked at.
const ENTRIES_MAX: usize = 10_000;

/// What cannot be given away is told in the log, and the command is what it was: done or not.
pub(super) fn hand_over(data_dir: &Path) {
    let Some(owner) = Owner::of(data_dir) else { return };
    let Ok(entries) = fs::read_dir(data_dir) else { return };
    for entry in
        entries.take(ENTRIES_MAX).flatten().filter(|entry| is_ours(&entry.file_name().to_string_lossy()))
    {
        if let Err(Kept { path, cause }) = owner.take(&entry.path(), LEVELS) {
            log::warn!("cannot give {} to the owner of the data folder cause={cause}", path.display());
        }
    }
}

/// The collection with its logs and what was set aside of it, its copies, the cache. A note of somebody's in
/// the folder is not ours to give away.
fn is_ours(name: &str) -> bool {
    matches!(name, "cache" | "copies") || name.starts_with("vinylvault.db")
}
