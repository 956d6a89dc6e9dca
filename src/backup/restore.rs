//! A restore from its beginning to its end: locked, verified, unpacked beside, made to last, put into
//! place. Owns that order.

use super::manifest::{Facts, Kind};
use super::place::Place;
use super::read::{Covers, read};
use super::scratch::Scratch;
use super::staging::Staging;
use super::target::has_room;
use super::{BackupError, Phase, Progress, Watch};
use crate::cache::disk::Disk;
use crate::cache::index;
use crate::key::Timestamp;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

/// What a file takes on a disk beyond its bytes, at most, on file systems of cards.
const AROUND_BYTES: u64 = 4096;
/// Some 500 folders of 4 kB, the journal of a transaction, and air.
const MARGIN_BYTES: u64 = 4 * 1024 * 1024;

/// Where a backup comes from.
pub enum Source<'a> {
    /// Read twice: nothing is unpacked before all of it was found whole.
    File(&'a mut File),
    /// Read once: unpacked beside the data folder while it is verified.
    Stream(&'a mut dyn Read),
}

/// What was put into place.
#[derive(Debug)]
pub struct Restored {
    pub facts: Facts,
    /// The folder with what was there before, when there was something.
    pub set_aside: Option<PathBuf>,
}

/// Reads a whole backup and says what it holds; the databases are looked at in `temporary`.
pub fn verify(source: Source, temporary: &Path, watch: Watch) -> Result<Facts, BackupError> {
    let scratch = Scratch::within(temporary, "restore")?;
    let progress = Progress::starting(Phase::Verifying, None);
    match source {
        Source::File(file) => read(file, scratch.path(), Covers::Checked, progress, watch),
        Source::Stream(stream) => read(stream, scratch.path(), Covers::Checked, progress, watch),
    }
}

/// Puts a whole backup into the place of `data_dir`, which no server may use meanwhile; of a
/// collection alone, into the place of the collection.
///
/// # Errors
/// Whatever is wrong with the backup or the card: `data_dir` is as it was then.
pub fn restore(
    source: Source,
    data_dir: &Path,
    now: Timestamp,
    watch: Watch,
) -> Result<Restored, BackupError> {
    let mut place = Place::of(data_dir)?;
    place.lock_if_there()?;
    let staging = Staging::make(&place)?;
    let (disk, facts) = match source {
        Source::File(file) => {
            let check = Scratch::anew(staging.path().join("check"))?;
            let verifying = Progress::starting(Phase::Verifying, None);
            let facts = read(&mut *file, check.path(), Covers::Checked, verifying, watch)?;
            drop(check);
            place.refuse_what_is_elsewhere(facts.kind)?;
            let files = facts.covers * AROUND_BYTES;
            has_room(staging.path(), facts.bytes.saturating_add(files).saturating_add(MARGIN_BYTES))?;
            file.rewind().map_err(|cause| BackupError::Io {
                act: "read",
                object: "the backup again".to_owned(),
                cause,
            })?;
            unpack(file, &staging, Some(facts.covers), watch)?
        }
        Source::Stream(stream) => unpack(stream, &staging, None, watch)?,
    };
    finish(&staging, &disk, &facts)?;
    place.refuse_what_is_elsewhere(facts.kind)?;
    let set_aside = place.put(staging, facts.kind, now)?;
    // The new cache's lock until here: no server starts on one half of what is put into place.
    drop(disk);
    Ok(Restored { facts, set_aside })
}

fn unpack(
    input: impl Read,
    staging: &Staging,
    covers: Option<u64>,
    watch: Watch,
) -> Result<(Disk, Facts), BackupError> {
    let disk = Disk::open(&staging.path().join("cache"))?;
    let unpacking = Progress::starting(Phase::Unpacking, covers);
    let facts = read(input, staging.path(), Covers::Kept(&disk), unpacking, watch)?;
    Ok((disk, facts))
}

/// From what the stream held to what a data folder holds.
fn finish(staging: &Staging, disk: &Disk, facts: &Facts) -> Result<(), BackupError> {
    match facts.kind {
        Kind::Full => {
            let index = disk.index_path();
            let unpacked = staging.path().join("index.db");
            fs::rename(&unpacked, &index).map_err(BackupError::file("rename", &unpacked))?;
            if facts.left_out > 0 {
                index::drop_rows(&index, |key, variant| disk.is_filled(key, variant))?;
            }
            disk.note_recipe(facts.recipe.as_deref().unwrap_or_default())?;
        }
        Kind::CollectionOnly => {
            let cache = staging.path().join("cache");
            fs::remove_dir_all(&cache).map_err(BackupError::file("remove", &cache))?;
        }
    }
    staging.give_to_owner()?;
    Ok(disk.sync_everything()?)
}
