//! Every file under `covers/`, for building an index anew. The only place that reads whole folders.

use super::{Disk, DiskError, is_whole, shard};
use crate::key::{CacheKey, Digest, Timestamp, Variant};
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// No rendition of ours is near this, bytes; a walk does not read a stray film into memory.
pub const RENDITION_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A rendition that a walk found whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub key: CacheKey,
    pub variant: Variant,
    pub bytes: u64,
    pub digest: Digest,
    /// When the file was written: all that is left of its access times.
    pub modified_at: Timestamp,
}

impl Disk {
    /// Reads each file below the variants' folders, hands on each whole rendition in its own place,
    /// and deletes every other file there. Reads everything: minutes for a large cache on a slow card.
    pub fn walk(&self, found: &mut dyn FnMut(Found)) -> Result<(), DiskError> {
        for variant in Variant::ALL {
            let whole = self.covers.join(variant.name());
            if !is_folder(&whole) {
                // A link that somebody put there while we run; what is behind it is not ours to delete.
                continue;
            }
            for folder in entries(&whole)? {
                if !is_folder(&folder) {
                    remove(&folder)?;
                    continue;
                }
                for path in entries(&folder)? {
                    match self.inspect(variant, &path)? {
                        Some(rendition) => found(rendition),
                        None => remove(&path)?,
                    }
                }
            }
        }
        Ok(())
    }

    fn inspect(&self, variant: Variant, path: &Path) -> Result<Option<Found>, DiskError> {
        let failed = |cause| DiskError::io("read", path, cause);
        let name =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".webp"));
        let Some(key) = name.and_then(CacheKey::parse) else { return Ok(None) };
        let shard = self.shard(key, variant);
        if path.parent() != Some(&shard.path()) {
            return Ok(None);
        }
        let Some(mut file) = shard.open_file().map_err(failed)? else { return Ok(None) };
        let facts = file.metadata().map_err(failed)?;
        if !facts.is_file() || facts.size() > RENDITION_BYTES_MAX {
            return Ok(None);
        }
        let mut content = Vec::new();
        Read::by_ref(&mut file).take(RENDITION_BYTES_MAX).read_to_end(&mut content).map_err(failed)?;
        let digest = Digest::of(&content);
        let modified_at = Timestamp(facts.mtime());
        let rendition = Found { key, variant, bytes: facts.size(), digest, modified_at };
        Ok(is_whole(&content, facts.size()).then_some(rendition))
    }
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|facts| facts.is_dir())
}

fn entries(folder: &Path) -> Result<Vec<std::path::PathBuf>, DiskError> {
    let failed = |cause| DiskError::io("list", folder, cause);
    let listing = match fs::read_dir(folder) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing.map_err(failed)?,
    };
    listing.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
}

fn remove(path: &Path) -> Result<(), DiskError> {
    shard::discard(path).map_err(|cause| DiskError::io("remove", path, cause))
}
