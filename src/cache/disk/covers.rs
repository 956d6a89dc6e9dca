//! Reading renditions, each compared with what its row promises: the part of [`Disk`](super::Disk)
//! that needs no lock, and so serves a command beside a running server too.

use super::shard::Shard;
use super::{DiskError, is_whole, shard};
use crate::key::{CacheKey, Digest, Rendition, Variant};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The files of a cache that somebody else may have open: they are read, and nothing is changed.
pub struct Covers {
    folder: PathBuf,
}

impl Covers {
    /// Of `root` (`DATA_DIR/cache`), which need not be there.
    pub fn of(root: &Path) -> Covers {
        Covers { folder: root.join("covers") }
    }

    /// As [`Disk::read`](super::Disk::read).
    pub fn read(
        &self,
        key: CacheKey,
        variant: Variant,
        bytes: u64,
        digest: Digest,
    ) -> Result<Option<Rendition>, DiskError> {
        let shard = Shard { covers: &self.folder, key, variant };
        let failed = |cause| DiskError::io("read", &shard.path().join(shard::file_name(key)), cause);
        shard.read(bytes, digest).map_err(failed)
    }
}

impl Shard<'_> {
    /// `None`: no such file, or not the file that the row promises.
    pub(super) fn read(&self, bytes: u64, digest: Digest) -> io::Result<Option<Rendition>> {
        let Some(mut file) = self.open_file()? else { return Ok(None) };
        let facts = file.metadata()?;
        if !facts.is_file() || facts.size() != bytes {
            return Ok(None);
        }
        let mut content = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
        Read::by_ref(&mut file).take(bytes).read_to_end(&mut content)?;
        let whole = is_whole(&content, bytes) && Digest::of(&content) == digest;
        Ok(whole.then(|| Rendition::verified(content, digest)))
    }
}
