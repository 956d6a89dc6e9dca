//! The data folder and how a finished one takes its place. Where the file system can exchange two
//! names (Linux on ext4, btrfs, xfs, f2fs, tmpfs), that is one step: whoever looks sees the old folder
//! or the new one. Owns the order of what is left when it cannot:
//!
//! * A data folder that is a mount of its own (a container's volume), whose surroundings belong to
//!   somebody else, or that holds files which are not ours, stays; the cache in it is exchanged
//!   first and the collection second. A kill in between leaves the old collection, whole, with the
//!   new cache, whole: a server starts on that, and the same restore can be run again.
//! * Without exchange, names are renamed one after the other; the collection never lacks its name.

use super::BackupError;
use super::manifest::Kind;
use super::staging::Staging;
use crate::cache::disk::{DiskError, Hold};
use crate::database::{self, Folded, beside};
use crate::key::Timestamp;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

const COLLECTION: &str = "vinylvault.db";
const CACHE: &str = "cache";
/// The daily copies of the collection that is replaced: they would come back, should the new one be damaged
/// before it has copies of its own.
const COPIES: &str = "copies";
/// Restores within one second that find each other's folders.
const NAMES_MAX: u32 = 1_000;

/// A data folder, there or not, and its lock.
pub(super) struct Place {
    folder: PathBuf,
    parent: PathBuf,
    name: OsString,
    hold: Option<Hold>,
}

impl Place {
    /// The folder itself, where its name is a link.
    pub fn of(data_dir: &Path) -> Result<Place, BackupError> {
        let failed = BackupError::file("find", data_dir);
        let folder = match fs::symlink_metadata(data_dir) {
            Ok(_) => fs::canonicalize(data_dir).map_err(failed)?,
            Err(_) => std::path::absolute(data_dir).map_err(failed)?,
        };
        let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else {
            return Err(BackupError::InTheWay(format!("{} cannot be a data folder", data_dir.display())));
        };
        if folder.exists() && !folder.is_dir() {
            return Err(BackupError::InTheWay(format!("{} is no folder", folder.display())));
        }
        Ok(Place { parent: parent.to_owned(), name: name.to_owned(), hold: None, folder })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn parent(&self) -> &Path {
        &self.parent
    }

    pub fn name(&self) -> &OsStr {
        &self.name
    }

    pub fn is_there(&self) -> bool {
        self.folder.is_dir()
    }

    /// Keeps servers away, if there is a cache that one could be using.
    pub fn lock_if_there(&mut self) -> Result<(), BackupError> {
        let cache = self.folder.join(CACHE);
        if self.hold.is_none() && cache.is_dir() {
            self.hold = Some(Hold::take(&cache).map_err(|error| match error {
                DiskError::Locked { .. } => BackupError::InTheWay(format!(
                    "a server or another command is using {}; stop it first",
                    self.folder.display()
                )),
                error => error.into(),
            })?);
        }
        Ok(())
    }

    /// A cache or a collection that is a link or a mount of its own has no place that another could take.
    pub fn refuse_what_is_elsewhere(&self, kind: Kind) -> Result<(), BackupError> {
        let Ok(folder) = fs::metadata(&self.folder) else { return Ok(()) };
        let names = match kind {
            Kind::Full => &[COLLECTION, CACHE][..],
            Kind::CollectionOnly => &[COLLECTION],
        };
        for path in names.iter().map(|name| self.folder.join(name)) {
            let Ok(facts) = fs::symlink_metadata(&path) else { continue };
            if facts.is_symlink() || facts.dev() != folder.dev() {
                return Err(BackupError::InTheWay(format!(
                    "{} is a link or a mount of its own, and cannot be replaced in one step; \
                     restore into another data folder, and put its parts where they belong",
                    path.display()
                )));
            }
        }
        Ok(())
    }

    /// Puts what stands in `staging`, synced, into place, and says where what was there is now.
    pub fn put(
        mut self,
        mut staging: Staging,
        kind: Kind,
        now: Timestamp,
    ) -> Result<Option<PathBuf>, BackupError> {
        if !self.is_there() {
            rename_new(staging.path(), &self.folder)
                .map_err(BackupError::file("put into place", &self.folder))?;
            staging.placed();
            self.sync();
            return Ok(None);
        }
        let had_cache = self.folder.join(CACHE).is_dir();
        self.make_lock()?;
        self.fold()?;
        staging.rename(&self.free_name(&staging, now))?;
        let as_one = kind == Kind::Full && staging.is_beside(&self) && self.holds_only_ours();
        if !(as_one && self.exchange_whole(&mut staging)?) {
            self.exchange_parts(&mut staging, kind)?;
        }
        self.sync();
        let aside = staging.path().to_owned();
        if !had_cache {
            // Made for its lock alone.
            let _ = fs::remove_file(aside.join(CACHE).join("lock"));
            let _ = fs::remove_dir(aside.join(CACHE));
        }
        // Only where nothing was there before.
        let was_empty = fs::remove_dir(&aside).is_ok();
        Ok((!was_empty).then_some(aside))
    }

    /// A server that starts where there was no cache finds one that is locked.
    fn make_lock(&mut self) -> Result<(), BackupError> {
        let cache = self.folder.join(CACHE);
        if self.hold.is_none() {
            match DirBuilder::new().mode(0o700).create(&cache) {
                Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(BackupError::file("create", &cache)(cause));
                }
                _ => {}
            }
        }
        self.lock_if_there()
    }

    /// What is set aside is one file, and nothing is left that would be replayed into the new one.
    fn fold(&self) -> Result<(), BackupError> {
        let path = self.folder.join(COLLECTION);
        if !path.exists() {
            return Ok(());
        }
        match database::fold(&path) {
            Folded::One => {}
            Folded::InUse => {
                let sentence = format!("another command has {} open; let it finish first", path.display());
                return Err(BackupError::InTheWay(sentence));
            }
            // Perhaps why somebody restores.
            Folded::Unreadable(cause) => {
                log::warn!("{} is set aside as it is, for it cannot be read cause={cause}", path.display());
            }
        }
        Ok(())
    }

    /// `data.set-aside-20261123T160000Z`, beside the staging folder.
    fn free_name(&self, staging: &Staging, now: Timestamp) -> OsString {
        let time: String = now.to_string().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        let named = |ending: String| {
            let mut name = self.name.clone();
            name.push(format!(".set-aside-{time}{ending}"));
            name
        };
        let names = std::iter::once(String::new()).chain((2..NAMES_MAX).map(|n| format!("-{n}")));
        let is_free = |name: &OsString| fs::symlink_metadata(staging.path().with_file_name(name)).is_err();
        names.map(named).find(is_free).unwrap_or_else(|| named("-more".to_owned()))
    }

    fn holds_only_ours(&self) -> bool {
        let is_ours = |name: &OsStr| {
            name == CACHE || name == COPIES || name.as_encoded_bytes().starts_with(COLLECTION.as_bytes())
        };
        fs::read_dir(&self.folder).is_ok_and(|entries| {
            entries.into_iter().all(|entry| entry.is_ok_and(|entry| is_ours(&entry.file_name())))
        })
    }

    /// `false`: this file system, or this place in it, cannot.
    fn exchange_whole(&self, staging: &mut Staging) -> Result<bool, BackupError> {
        let facts = fs::metadata(&self.folder).map_err(BackupError::file("look at", &self.folder))?;
        fs::set_permissions(staging.path(), facts.permissions())
            .map_err(BackupError::file("set the mode of", staging.path()))?;
        match renameat_with(CWD, staging.path(), CWD, &self.folder, RenameFlags::EXCHANGE) {
            Ok(()) => {
                staging.placed();
                Ok(true)
            }
            Err(errno) => {
                log::info!("{} is not exchanged as a whole cause={errno}", self.folder.display());
                Ok(false)
            }
        }
    }

    fn exchange_parts(&self, staging: &mut Staging, kind: Kind) -> Result<(), BackupError> {
        let pair = |name: &str| (staging.path().join(name), self.folder.join(name));
        let (new_cache, cache) = pair(CACHE);
        let (new_collection, collection) = pair(COLLECTION);
        let (old_copies, copies) = pair(COPIES);
        if kind == Kind::Full {
            exchange(&new_cache, &cache).map_err(BackupError::file("put into place", &cache))?;
            staging.placed();
        }
        if let Err(cause) = replace_collection(&new_collection, &collection) {
            if kind == Kind::Full {
                // All or nothing.
                exchange(&new_cache, &cache).map_err(|cause| BackupError::HalfWay {
                    path: collection.clone(),
                    aside: staging.path().to_owned(),
                    cause,
                })?;
                staging.taken_back();
            }
            return Err(BackupError::file("put into place", &collection)(cause));
        }
        staging.placed();
        match fs::rename(&copies, &old_copies) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                log::warn!("cannot set {} aside with its collection cause={cause}", copies.display());
            }
            _ => {}
        }
        Ok(())
    }

    /// Makes the names last over a power cut. What is in place is in place if that fails.
    fn sync(&self) {
        for folder in [&self.folder, &self.parent] {
            if let Err(cause) = File::open(folder).and_then(|folder| folder.sync_all()) {
                log::warn!(
                    "cannot sync {}: a power cut now may undo the restore cause={cause}",
                    folder.display()
                );
            }
        }
    }
}

/// A log of the old collection would be replayed into the new one, so it goes aside first. There is
/// one only where the old collection could not be read.
fn replace_collection(new: &Path, old: &Path) -> io::Result<()> {
    move_log(old, new)?;
    exchange(new, old).or_else(|cause| move_log(new, old).and(Err(cause)))
}

fn move_log(from: &Path, to: &Path) -> io::Result<()> {
    for suffix in ["-wal", "-shm"] {
        match fs::rename(beside(from, suffix), beside(to, suffix)) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed?,
        }
    }
    Ok(())
}

/// Gives `new` and `old` each other's names; where there is no `old`, `new` its name.
fn exchange(new: &Path, old: &Path) -> io::Result<()> {
    match renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE) {
        Err(Errno::NOENT) if fs::symlink_metadata(old).is_err() => rename_new(new, old),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => exchange_in_steps(new, old),
        exchanged => Ok(exchanged?),
    }
}

/// On file systems that know no exchange. A file never lacks its name where there are hard links.
fn exchange_in_steps(new: &Path, old: &Path) -> io::Result<()> {
    let aside = beside(new, ".old");
    log::info!("this file system cannot exchange two names: {} is renamed in steps", old.display());
    if old.is_dir() || fs::hard_link(old, &aside).is_err() {
        fs::rename(old, &aside)?;
    }
    if let Err(cause) = fs::rename(new, old) {
        // Of two hard links of one file this removes one, by rename(2) doing nothing and the second line.
        fs::rename(&aside, old)?;
        let _ = fs::remove_file(&aside);
        return Err(cause);
    }
    fs::rename(&aside, new)
}

/// Never over something that came meanwhile, where the file system can be told so.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => fs::rename(from, to),
        renamed => Ok(renamed?),
    }
}
