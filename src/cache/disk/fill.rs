//! Filling a cache that nobody serves from yet: files go straight to their places and are made to
//! last all together, where one fsync each would take a card minutes and wear it out.

use super::{Disk, DiskError, is_whole, shard};
use crate::key::{CacheKey, Variant};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write};

impl Disk {
    /// Whether these bytes could be a rendition: what a WebP's first bytes promise is there.
    pub fn is_rendition(content: &[u8]) -> bool {
        is_whole(content, content.len() as u64)
    }

    /// Writes a rendition that is not there yet. It lasts after [`Disk::sync_everything`].
    pub fn fill(&self, key: CacheKey, variant: Variant, content: &[u8]) -> Result<(), DiskError> {
        let folder = self.shard(key, variant).path();
        let path = folder.join(shard::file_name(key));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || rustix::fs::openat(CWD, &path, flags, Mode::from_raw_mode(0o600));
        let opened = open().or_else(|errno| match errno {
            Errno::NOENT => {
                rustix::fs::mkdir(&folder, Mode::from_raw_mode(0o700))?;
                open()
            }
            errno => Err(errno),
        });
        let written = opened.map_err(io::Error::from).and_then(|file| File::from(file).write_all(content));
        written.map_err(|cause| DiskError::io("write", &path, cause))
    }

    /// Whether [`Disk::fill`] wrote this one.
    pub fn is_filled(&self, key: CacheKey, variant: Variant) -> bool {
        self.path(key, variant).is_file()
    }

    /// Makes everything on this file system last over a power cut, ours and others'.
    pub fn sync_everything(&self) -> Result<(), DiskError> {
        rustix::fs::syncfs(&self.lock).map_err(|cause| DiskError::io("sync", &self.root, cause.into()))
    }
}
