//! Files of renditions: paths, temporary files, verified reads, unlinks. Knows no rows.
//!
//! ```text
//! DATA_DIR/cache/lock                              held while the cache is open; the server's address
//! DATA_DIR/cache/CACHEDIR.TAG                      backup tools skip the folder
//! DATA_DIR/cache/tmp/                              emptied at open
//! DATA_DIR/cache/covers/thumbnails/2b/2b37...webp
//! ```
//!
//! `DATA_DIR/cache` itself may be a link. Folders and files below it are opened without following
//! one: whatever an operator or a dying card put into the place of a file, nothing outside is read
//! or written, and a FIFO holds nobody up.

mod covers;
mod fill;
mod inspect;
mod keeper;
mod shard;
mod start;
mod walk;

use crate::key::{CacheKey, Digest, Rendition, Variant};
use shard::Shard;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use covers::Covers;
pub use inspect::{Condition, Inspector, Kind, Place, Thing};
pub use keeper::{Hold, Keeper};
pub use walk::{Found, RENDITION_BYTES_MAX};

/// The folder `DATA_DIR/cache`, locked by this process until dropped.
pub struct Disk {
    root: PathBuf,
    covers: PathBuf,
    names: Arc<TempNames>,
    /// The lock ends with the file.
    lock: File,
}

/// The folder `DATA_DIR/cache`, locked and not touched yet.
pub struct Lock {
    root: PathBuf,
    file: File,
}

/// A finished temporary file; removed when dropped without being placed.
#[derive(Debug)]
pub struct Temp {
    path: PathBuf,
    state: TempState,
}

#[derive(Debug, PartialEq, Eq)]
enum TempState {
    Waiting,
    Placed,
}

/// Gives each temporary file of this process a name of its own.
struct TempNames {
    folder: PathBuf,
    next: AtomicU64,
}

impl Lock {
    /// # Errors
    /// [`DiskError::Locked`] as [`Disk::open`].
    pub fn take(root: &Path) -> Result<Lock, DiskError> {
        start::make_folder(root)?;
        Ok(Lock { root: root.to_owned(), file: start::lock(&root.join("lock"))? })
    }

    pub fn open(self) -> Result<Disk, DiskError> {
        let Lock { root, file: lock } = self;
        let (covers, tmp) = (root.join("covers"), root.join("tmp"));
        start::make_own_folder(&tmp)?;
        start::make_own_folder(&covers)?;
        for variant in Variant::ALL {
            start::make_own_folder(&covers.join(variant.name()))?;
        }
        start::make_own_folder(&covers.join("placeholders"))?;
        start::tag(&root)?;
        start::empty(&tmp)?;
        let names = TempNames { folder: tmp, next: AtomicU64::new(0) };
        Ok(Disk { root, covers, names: Arc::new(names), lock })
    }
}

impl Disk {
    /// Opens or makes `root` (`DATA_DIR/cache`) and locks it. Folders are made for the owner alone.
    ///
    /// # Errors
    /// [`DiskError::Locked`] while another process (or another `Disk`) has it open.
    pub fn open(root: &Path) -> Result<Disk, DiskError> {
        Lock::take(root)?.open()
    }

    pub fn index_path(&self) -> PathBuf {
        self.root.join("index.db")
    }

    /// Where a rendition is or would be; for messages and inspections, not for opening.
    pub fn path(&self, key: CacheKey, variant: Variant) -> PathBuf {
        self.shard(key, variant).path().join(shard::file_name(key))
    }

    /// Writes a file in `tmp/`. It is on the card after [`Disk::sync_temp`] and not before.
    pub fn write_temp(&self, bytes: &[u8]) -> Result<Temp, DiskError> {
        let path = self.names.next();
        // The duty comes before the file, so that a half-written one is removed too.
        let temp = Temp { path: path.clone(), state: TempState::Waiting };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|cause| DiskError::io("create", &path, cause))?;
        file.write_all(bytes).map_err(|cause| DiskError::io("write", &path, cause))?;
        Ok(temp)
    }

    /// Starts files on their way to the card. On ext4 this gives each its blocks, and the first of the
    /// [`Disk::sync_temp`]s that follow then commits them all together: one journal entry and not one a file.
    pub fn begin_sync<'a>(&self, temps: impl IntoIterator<Item = &'a Temp>) {
        for temp in temps {
            // Advice that fails is no loss: the fsync does the work. The pages are clean after it and
            // may go; who looks at a new cover finds it in memory.
            if let Ok(file) = File::open(&temp.path) {
                let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
            }
        }
    }

    /// Returns when the file is on the card: after a power cut a name under `covers/` must not stand
    /// for bytes that never got there.
    pub fn sync_temp(&self, temp: &Temp) -> Result<(), DiskError> {
        File::open(&temp.path)
            .and_then(|file| file.sync_all())
            .map_err(|cause| DiskError::io("sync", &temp.path, cause))
    }

    /// Renames into place; the caller has committed the row and calls [`Disk::sync_folders`] after
    /// a batch. On an error `temp` is as it was, so that the caller may try again.
    pub fn place(&self, temp: &mut Temp, key: CacheKey, variant: Variant) -> Result<(), DiskError> {
        let shard = self.shard(key, variant);
        shard.place(&temp.path, &self.names).map_err(|cause| {
            DiskError::io("put into place", &shard.path().join(shard::file_name(key)), cause)
        })?;
        temp.state = TempState::Placed;
        Ok(())
    }

    /// Makes renames and unlinks last over a power cut: one fsync for each distinct folder, and for
    /// the folder above, where some of them may be new.
    pub fn sync_folders(
        &self,
        renditions: impl IntoIterator<Item = (CacheKey, Variant)>,
    ) -> Result<(), DiskError> {
        let mut folders: BTreeMap<PathBuf, Shard<'_>> = BTreeMap::new();
        for (key, variant) in renditions {
            let shard = self.shard(key, variant);
            folders.insert(shard.path(), shard);
        }
        let above: BTreeMap<PathBuf, &Shard<'_>> =
            folders.values().map(|shard| (self.covers.join(shard.variant.name()), shard)).collect();
        for (path, shard) in &folders {
            shard.sync().map_err(|cause| DiskError::io("sync", path, cause))?;
        }
        for (path, shard) in above {
            shard.sync_above().map_err(|cause| DiskError::io("sync", &path, cause))?;
        }
        Ok(())
    }

    /// `None`: no such file, or not the file that the row promises.
    ///
    /// # Errors
    /// What says nothing about the file itself: no descriptors left, a card that cannot be read.
    pub fn read(
        &self,
        key: CacheKey,
        variant: Variant,
        bytes: u64,
        digest: Digest,
    ) -> Result<Option<Rendition>, DiskError> {
        let failed = |cause| DiskError::io("read", &self.path(key, variant), cause);
        self.shard(key, variant).read(bytes, digest).map_err(failed)
    }

    /// Removes what is in a rendition's place, be it a file or not. Nothing there is fine.
    pub fn remove(&self, key: CacheKey, variant: Variant) -> Result<(), DiskError> {
        self.shard(key, variant)
            .remove(&self.names)
            .map_err(|cause| DiskError::io("remove", &self.path(key, variant), cause))
    }

    /// Removes for good what has no business in the cache: a file, a link or a whole folder. `path` is
    /// from the cache's folder.
    pub fn discard(&self, path: &Path) -> Result<(), DiskError> {
        let path = self.root.join(path);
        let failed = |cause| DiskError::io("remove", &path, cause);
        shard::set_aside(&path, &self.names).map_err(failed)?;
        File::open(path.parent().unwrap_or(&self.root)).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    /// Bytes that an unprivileged writer may still use on this file system.
    pub fn free_bytes(&self) -> Result<u64, DiskError> {
        Disk::free_bytes_of(&self.root)
    }

    /// [`Disk::free_bytes`] of a folder that is not open.
    pub fn free_bytes_of(root: &Path) -> Result<u64, DiskError> {
        let facts = rustix::fs::statvfs(root)
            .map_err(|cause| DiskError::io("ask for the free space of", root, cause.into()))?;
        Ok(facts.f_bavail.saturating_mul(facts.f_frsize))
    }

    /// Keeps a placeholder beside the covers, for the operator's own web server; writes nothing when
    /// it is there already. Placeholders have no row and are outside the budget.
    pub fn save_placeholder(&self, variant: Variant, webp: &[u8]) -> Result<(), DiskError> {
        let path = self.covers.join("placeholders").join(shard::placeholder_name(variant));
        if fs::symlink_metadata(&path).is_ok_and(|facts| facts.is_file())
            && fs::read(&path).is_ok_and(|there| there == webp)
        {
            return Ok(());
        }
        self.replace(&path, webp)
    }

    /// Puts a whole new file into the place of an old one.
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
        let mut temp = self.write_temp(bytes)?;
        self.sync_temp(&temp)?;
        shard::rename_over(&temp.path, path, &self.names)
            .map_err(|cause| DiskError::io("put into place", path, cause))?;
        temp.state = TempState::Placed;
        Ok(())
    }

    fn shard(&self, key: CacheKey, variant: Variant) -> Shard<'_> {
        Shard { covers: &self.covers, key, variant }
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if self.state == TempState::Waiting {
            // It may never have been made; and what stays is removed at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl TempNames {
    fn next(&self) -> PathBuf {
        self.folder.join(format!("{}.part", self.next.fetch_add(1, Ordering::Relaxed)))
    }
}

/// Whether a WebP of this length begins so (RIFF container): `RIFF`, the length of what follows the
/// eighth byte, `WEBP`. As `picture::is_whole_webp`, for a file that is not read at once.
fn is_whole(begin: &[u8], bytes: u64) -> bool {
    let (Some(b"RIFF"), Some(length), Some(b"WEBP")) = (begin.get(..4), begin.get(4..8), begin.get(8..12))
    else {
        return false;
    };
    let length = u32::from_le_bytes(length.try_into().expect("four bytes were taken"));
    u64::from(length) + 8 == bytes
}

#[derive(Debug)]
pub enum DiskError {
    /// Another process keeps this cache.
    Locked {
        folder: PathBuf,
    },
    Io {
        act: &'static str,
        path: PathBuf,
        cause: io::Error,
    },
}

impl DiskError {
    fn io(act: &'static str, path: &Path, cause: io::Error) -> DiskError {
        DiskError::Io { act, path: path.to_owned(), cause }
    }

    /// No space, no inode or no quota left: worth another try after an eviction.
    pub fn is_full(&self) -> bool {
        match self {
            DiskError::Locked { .. } => false,
            DiskError::Io { cause, .. } => {
                matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
        }
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DiskError::Locked { folder } => {
                write!(f, "cannot open {}: another vinylvault is using it", folder.display())
            }
            DiskError::Io { act, path, cause } => write!(f, "cannot {act} {}: {cause}", path.display()),
        }
    }
}

impl std::error::Error for DiskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            DiskError::Locked { .. } => None,
            DiskError::Io { cause, .. } => Some(cause),
        }
    }
}
