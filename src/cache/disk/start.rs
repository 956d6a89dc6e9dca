//! What is done once, when the cache folder is opened: folders, lock, tag, an empty `tmp/`.

use super::{Disk, DiskError, shard};
use rustix::fs::OFlags;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// The first line is the whole of the standard (bford.info/cachedir); what follows is ours.
const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
                   # Covers that VinylVault can fetch again. Backup programs may skip this folder.\n";
/// The recipe of the renditions stands in the tag too: a walk has nowhere else to learn it from.
const RECIPE: &str = "# Recipe: ";

/// Ours has some 200; what is longer is somebody else's.
const TAG_BYTES_MAX: u64 = 4096;

/// How a file is opened that may have been replaced by a link or a FIFO.
pub(super) const PLAIN: i32 = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).bits() as i32;

/// How long [`Keeper::of`](super::Keeper::of) may hold the lock that it tries: it takes microseconds.
const LOOK_MAX: Duration = Duration::from_millis(200);

impl Disk {
    /// The recipe that [`Disk::note_recipe`] was last told, if it is still to be read.
    pub fn noted_recipe(&self) -> Option<String> {
        let tag = read_tag(&self.root.join("CACHEDIR.TAG"))?;
        Some(tag.lines().find_map(|line| line.strip_prefix(RECIPE))?.to_owned())
    }

    /// Notes what the renditions under `covers/` were made like. Writes nothing when it is noted.
    pub fn note_recipe(&self, recipe: &str) -> Result<(), DiskError> {
        if self.noted_recipe().as_deref() == Some(recipe) {
            return Ok(());
        }
        let path = self.root.join("CACHEDIR.TAG");
        self.replace(&path, format!("{TAG}{RECIPE}{recipe}\n").as_bytes())
    }
}

/// The folder and its parents, each for the owner alone.
pub(super) fn make_folder(path: &Path) -> Result<(), DiskError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_folder(parent)?;
    }
    make_folder_to_stay(path).map_err(|cause| DiskError::io("create", path, cause))
}

/// A folder below the cache's own: a link, a file or a FIFO of that name is removed, for nothing
/// behind it is ours.
pub(super) fn make_own_folder(path: &Path) -> Result<(), DiskError> {
    if fs::symlink_metadata(path).is_ok_and(|facts| !facts.is_dir()) {
        log::warn!("{} is no folder: removed and made anew", path.display());
        fs::remove_file(path).map_err(|cause| DiskError::io("remove", path, cause))?;
    }
    make_folder_to_stay(path).map_err(|cause| DiskError::io("create", path, cause))
}

/// One folder, on the card when it returns.
fn make_folder_to_stay(path: &Path) -> io::Result<()> {
    make_folder_once(path)?;
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

/// One folder; its name lasts over a power cut once the folder above has been fsynced.
pub(super) fn make_folder_once(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

pub(super) fn lock(path: &Path) -> Result<File, DiskError> {
    let failed = |act, cause| DiskError::io(act, path, cause);
    let begun = Instant::now();
    let file = loop {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            // A link is not followed, for what it points to would be emptied; a FIFO does not hold us up.
            .custom_flags(PLAIN)
            .open(path)
            .map_err(|cause| failed("open", cause))?;
        match file.try_lock() {
            // A restore may have put another folder into the place of the one whose lock this is. Some
            // file systems number a file anew at each look, so this is not asked for ever.
            Ok(()) if is_at(&file, path) || begun.elapsed() >= LOOK_MAX => break file,
            Ok(()) => {}
            // A command that looks who has the folder holds the lock for a moment itself.
            Err(TryLockError::WouldBlock) if begun.elapsed() < LOOK_MAX => thread::sleep(LOOK_MAX / 10),
            Err(TryLockError::WouldBlock) => {
                return Err(DiskError::Locked { folder: path.parent().unwrap_or(path).to_owned() });
            }
            Err(TryLockError::Error(cause)) => return Err(failed("lock", cause)),
        }
    };
    // What a killed server noted of itself is no longer so.
    if file.metadata().is_ok_and(|file| file.len() > 0) {
        file.set_len(0).map_err(|cause| failed("empty", cause))?;
    }
    Ok(file)
}

fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), fs::metadata(path)) else { return false };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

pub(super) fn tag(root: &Path) -> Result<(), DiskError> {
    let path = root.join("CACHEDIR.TAG");
    if read_tag(&path).is_some_and(|there| there.starts_with(TAG)) {
        return Ok(());
    }
    let failed = |act| move |cause| DiskError::io(act, &root.join("CACHEDIR.TAG"), cause);
    if fs::symlink_metadata(&path).is_ok_and(|facts| !facts.is_file()) {
        shard::discard(&path).map_err(failed("remove"))?;
    }
    fs::write(&path, TAG).map_err(failed("write"))
}

fn read_tag(path: &Path) -> Option<String> {
    let file = OpenOptions::new().read(true).custom_flags(PLAIN).open(path).ok()?;
    let mut text = String::new();
    file.metadata().ok()?.is_file().then_some(())?;
    file.take(TAG_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Removes what a killed process left half-done.
pub(super) fn empty(tmp: &Path) -> Result<(), DiskError> {
    let failed = |cause| DiskError::io("empty", tmp, cause);
    for entry in fs::read_dir(tmp).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        shard::discard(&entry.path()).map_err(failed)?;
    }
    Ok(())
}
