//! Whose a data folder is, and how what root made in it becomes theirs: a service runs as a user of its
//! own, and `sudo vinylvault ...` works on the same files. Knows no names of files.
//!
//! Whoever owns the folder may put a link into it at any moment, and must not get a file of root's by
//! that: folders are opened without following one, what is below is named relative to them, and a file
//! with a second name elsewhere stays what it is.

use rustix::fs::{AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Uid, chownat, fstat, openat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The user and the group to whom things are given.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    user: Uid,
    group: Gid,
}

/// What could not be given away, and why.
#[derive(Debug)]
pub struct Kept {
    pub path: PathBuf,
    pub cause: io::Error,
}

impl Owner {
    /// To whom root owes what it makes in `folder`; `None` for anybody else, for root's own folder and
    /// for one that is not there.
    pub fn of(folder: &Path) -> Option<Owner> {
        let facts = fs::metadata(folder).ok()?;
        let is_owed = rustix::process::geteuid().is_root() && facts.uid() != 0;
        is_owed.then(|| Owner { user: Uid::from_raw(facts.uid()), group: Gid::from_raw(facts.gid()) })
    }

    /// Gives away `path` and what is up to `levels` below it, as far as it is root's. Nothing there is
    /// nothing to do.
    ///
    /// # Errors
    /// At the first thing that cannot be read or given.
    pub fn take(self, path: &Path, levels: usize) -> Result<(), Kept> {
        let (Some(name), parent) = (path.file_name(), path.parent()) else { return Ok(()) };
        let parent = parent.filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // The way to the folder is the operator's, who may have put a link there.
        let above = openat(CWD, parent, FOLDER, Mode::empty()).map_err(kept(parent))?;
        self.take_from(&above, name, path, levels)
    }

    fn take_from(self, above: impl AsFd, name: &OsStr, path: &Path, levels: usize) -> Result<(), Kept> {
        let thing = match openat(above, name, THING, Mode::empty()) {
            // Logs of a database come and go.
            Err(Errno::NOENT) => return Ok(()),
            thing => thing.map_err(kept(path))?,
        };
        let facts = fstat(&thing).map_err(kept(path))?;
        let is_folder = FileType::from_raw_mode(facts.st_mode) == FileType::Directory;
        if is_folder && levels > 0 {
            let folder = openat(&thing, ".", FOLDER, Mode::empty()).map_err(kept(path))?;
            self.take_what_is_in(&folder, path, levels - 1)?;
        }
        // A folder last: until here nobody else can change what is in one that root made.
        if facts.st_uid == 0 && (is_folder || facts.st_nlink == 1) {
            let (user, group) = (Some(self.user), Some(self.group));
            chownat(&thing, "", user, group, AtFlags::EMPTY_PATH).map_err(kept(path))?;
        }
        Ok(())
    }

    fn take_what_is_in(self, folder: &OwnedFd, path: &Path, levels: usize) -> Result<(), Kept> {
        for entry in Dir::read_from(folder).map_err(kept(path))? {
            let entry = entry.map_err(kept(path))?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                self.take_from(folder, name, &path.join(name), levels)?;
            }
        }
        Ok(())
    }
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// Whatever has the name, a link itself; a FIFO holds nobody up.
const THING: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn kept(path: &Path) -> impl Fn(Errno) -> Kept {
    move |cause| Kept { path: path.to_owned(), cause: cause.into() }
}
