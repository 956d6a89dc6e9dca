//! The folder of 1/256th of a variant's files, and the one file of a rendition in it. Opens no
//! link; knows what to do when something else stands in the way.

use super::TempNames;
use crate::key::{CacheKey, Variant};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Where one rendition lives.
pub(super) struct Shard<'a> {
    pub covers: &'a Path,
    pub key: CacheKey,
    pub variant: Variant,
}

/// e.g. `2b371ce0…c350.webp`.
pub(super) fn file_name(key: CacheKey) -> String {
    format!("{key}.webp")
}

/// The file of a placeholder, in a folder of their own.
pub(super) fn placeholder_name(variant: Variant) -> String {
    format!("placeholder_{}.webp", variant.name())
}

/// e.g. `2b`.
pub(super) fn folder_name(key: CacheKey) -> String {
    format!("{:02x}", key.as_bytes()[0])
}

impl Shard<'_> {
    pub fn path(&self) -> PathBuf {
        self.variant_path().join(folder_name(self.key))
    }

    /// `None`: nothing there that could be a rendition.
    pub fn open_file(&self) -> io::Result<Option<File>> {
        let Some(folder) = self.open()? else { return Ok(None) };
        match open_to_read(&folder, &file_name(self.key)) {
            Ok(file) => Ok(Some(file)),
            // A link, a socket or a file that belongs to somebody else is not what we put there.
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::ACCESS | Errno::PERM) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Renames `temp` to the rendition's name, making the folder when it is the first one there.
    pub fn place(&self, temp: &Path, names: &TempNames) -> io::Result<()> {
        let folder = self.open_or_make(names)?;
        let name = file_name(self.key);
        match rustix::fs::renameat(CWD, temp, &folder, &name) {
            // A folder has the name. Anything else a rename replaces in one step.
            Err(Errno::ISDIR | Errno::EXIST | Errno::NOTEMPTY) => {
                self.clear_away(&folder, names)?;
                rustix::fs::renameat(CWD, temp, &folder, &name).map_err(io::Error::from)
            }
            done => done.map_err(io::Error::from),
        }
    }

    pub fn remove(&self, names: &TempNames) -> io::Result<()> {
        let Some(folder) = self.open()? else { return Ok(()) };
        match rustix::fs::unlinkat(&folder, file_name(self.key), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(Errno::ISDIR) => self.clear_away(&folder, names),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Makes the folder's names last. No folder has no names to lose.
    pub fn sync(&self) -> io::Result<()> {
        let Some(folder) = self.open()? else { return Ok(()) };
        sync_folder(folder)
    }

    /// Makes the name of the folder itself last, which may be new.
    pub fn sync_above(&self) -> io::Result<()> {
        match self.open_variant() {
            Ok(folder) => sync_folder(folder),
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// `None`: no such folder; a link to one is none.
    pub fn open(&self) -> io::Result<Option<OwnedFd>> {
        // Step by step: NOFOLLOW says nothing about the folders on the way.
        let opened = self
            .open_variant()
            .and_then(|variant| rustix::fs::openat(variant, folder_name(self.key), FOLDER, Mode::empty()));
        match opened {
            Ok(folder) => Ok(Some(folder)),
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    fn open_variant(&self) -> rustix::io::Result<OwnedFd> {
        rustix::fs::open(self.variant_path(), FOLDER, Mode::empty())
    }

    fn variant_path(&self) -> PathBuf {
        self.covers.join(self.variant.name())
    }

    fn open_or_make(&self, names: &TempNames) -> io::Result<OwnedFd> {
        if let Some(folder) = self.open()? {
            return Ok(folder);
        }
        for path in [self.variant_path(), self.path()] {
            if fs::symlink_metadata(&path).is_ok_and(|facts| !facts.is_dir()) {
                // A file or a link has the folder's name.
                set_aside(&path, names)?;
            }
            super::start::make_folder_once(&path)?;
        }
        self.open()?.ok_or_else(|| io::Error::from(io::ErrorKind::NotADirectory))
    }

    fn clear_away(&self, folder: &OwnedFd, names: &TempNames) -> io::Result<()> {
        let aside = names.next();
        rustix::fs::renameat(folder, file_name(self.key), CWD, &aside)?;
        discard(&aside)
    }
}

/// How a folder is opened that must be one and no link to one.
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn sync_folder(folder: OwnedFd) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(folder, ".", flags, Mode::empty())?;
    Ok(rustix::fs::fsync(folder)?)
}

/// Opens what may be a file without following a link. A FIFO must not hold a thread (NONBLOCK), and
/// reading a cover is no reason to write an inode (NOATIME).
pub(super) fn open_to_read(folder: &OwnedFd, name: &str) -> rustix::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut opened = rustix::fs::openat(folder, name, flags | OFlags::NOATIME, Mode::empty());
    if opened.as_ref().err() == Some(&Errno::PERM) {
        // Linux allows NOATIME to a file's owner only (open(2)).
        opened = rustix::fs::openat(folder, name, flags, Mode::empty());
    }
    opened.map(File::from)
}

/// Renames a file over whatever has the name `to`.
pub(super) fn rename_over(from: &Path, to: &Path, names: &TempNames) -> io::Result<()> {
    if fs::symlink_metadata(to).is_ok_and(|facts| facts.is_dir()) {
        set_aside(to, names)?;
    }
    fs::rename(from, to)
}

/// Takes `path` out of the way in one step, then deletes it at leisure.
pub(super) fn set_aside(path: &Path, names: &TempNames) -> io::Result<()> {
    let aside = names.next();
    fs::rename(path, &aside)?;
    discard(&aside)
}

/// Deletes a file, a link (not what it points to) or a whole folder.
pub(super) fn discard(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}
