//! The folder in which a restore is put together, out of everybody's sight: beside the data folder
//! where that can be, else within it. Owns its name, its lock, and what killed restores left.

use super::BackupError;
use super::place::Place;
use crate::owner::{Kept, Owner};
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Before the number of the process in a staging folder's name. Only such folders are ever removed.
const MARK: &str = ".restore-";
/// Entries of a folder that are looked at for leftovers: a data folder, or the one around it.
const ENTRIES_MAX: usize = 100_000;
/// Covers are five folders down; nothing is deeper.
const LEVELS_MAX: usize = 5;

/// A folder that is removed with its value unless it was put into place.
#[derive(Debug)]
pub(super) struct Staging {
    path: PathBuf,
    /// Held for as long as it is in use, so that another restore does not take it for a leftover.
    _lock: Option<File>,
    owner: Option<Owner>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Holds nothing but what was unpacked.
    Unplaced,
    /// Holds what was there before, or a part of it.
    Placed,
}

impl Staging {
    /// Removes what killed restores left, and makes a folder on the data folder's own file system.
    pub fn make(place: &Place) -> Result<Staging, BackupError> {
        remove_leftovers(place, place.parent())?;
        let name = name(place, &std::process::id().to_string());
        let beside = place.parent().join(&name);
        let path = if place.is_there() {
            remove_leftovers(place, place.folder())?;
            let within = place.folder().join(&name);
            make_private(&within)?;
            // One rename shows whether the folder around is ours to write, on the same file system and
            // under the same mount: all that an exchange needs.
            if fs::rename(&within, &beside).is_ok() { beside } else { within }
        } else {
            let parent = place.parent();
            fs::create_dir_all(parent).map_err(BackupError::file("create", parent))?;
            make_private(&beside)?;
            beside
        };
        let lock = File::open(&path).ok().filter(|folder| folder.try_lock().is_ok());
        Ok(Staging { path, _lock: lock, owner: Owner::of(place.folder()), state: State::Unplaced })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it stands beside the data folder, to be exchanged with it as a whole.
    pub fn is_beside(&self, place: &Place) -> bool {
        self.path.parent() == Some(place.parent())
    }

    /// Takes the name under which it will be found when it holds what was there before. From here on
    /// no restore removes it as a leftover.
    pub fn rename(&mut self, name: &OsString) -> Result<(), BackupError> {
        let to = self.path.with_file_name(name);
        fs::rename(&self.path, &to).map_err(BackupError::file("rename", &self.path))?;
        self.path = to;
        Ok(())
    }

    pub fn placed(&mut self) {
        self.state = State::Placed;
    }

    pub fn taken_back(&mut self) {
        self.state = State::Unplaced;
    }

    /// Who restores as root does it for the user whose folder it is.
    pub fn give_to_owner(&self) -> Result<(), BackupError> {
        let Some(owner) = self.owner else { return Ok(()) };
        let given = owner.take(&self.path, LEVELS_MAX);
        given.map_err(|Kept { path, cause }| BackupError::file("give away", &path)(cause))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.state == State::Unplaced
            && let Err(cause) = fs::remove_dir_all(&self.path)
        {
            log::warn!("cannot remove {}, the next restore will cause={cause}", self.path.display());
        }
    }
}

/// `data.restore-1234`.
fn name(place: &Place, ending: &str) -> OsString {
    let mut name = place.name().to_owned();
    name.push(MARK);
    name.push(ending);
    name
}

fn make_private(path: &Path) -> Result<(), BackupError> {
    DirBuilder::new().mode(0o700).create(path).map_err(BackupError::file("create", path))
}

fn remove_leftovers(place: &Place, folder: &Path) -> Result<(), BackupError> {
    // A folder that cannot be listed has none that could be removed.
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    let prefix = name(place, "");
    for entry in entries.take(ENTRIES_MAX).flatten() {
        let own = entry.file_name();
        let number = own.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
        let is_leftover = number
            .is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
            && entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_leftover {
            continue;
        }
        let path = entry.path();
        if let Ok(held) = File::open(&path)
            && matches!(held.try_lock(), Err(TryLockError::WouldBlock))
        {
            return Err(BackupError::InTheWay(format!(
                "another restore is working on it in {}",
                path.display()
            )));
        }
        log::info!("removing what a restore that was killed left folder={}", path.display());
        fs::remove_dir_all(&path).map_err(BackupError::file("remove", &path))?;
    }
    Ok(())
}
