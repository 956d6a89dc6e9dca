//! A folder for what is looked at for a moment and not kept: copies of databases.

use super::BackupError;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// For the owner alone; gone with the value.
pub(super) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// In a folder that others write too: fails where something waits under that name.
    pub fn within(temporary: &Path, purpose: &str) -> Result<Scratch, BackupError> {
        Scratch::make(temporary.join(format!("vinylvault-{purpose}-{}", std::process::id())))
    }

    /// At a place that is ours: what a killed process left there goes.
    pub fn anew(path: PathBuf) -> Result<Scratch, BackupError> {
        match fs::remove_dir_all(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                Err(BackupError::file("remove", &path)(cause))
            }
            _ => Scratch::make(path),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn make(path: PathBuf) -> Result<Scratch, BackupError> {
        DirBuilder::new().mode(0o700).create(&path).map_err(BackupError::file("create", &path))?;
        Ok(Scratch { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(cause) = fs::remove_dir_all(&self.path) {
            log::warn!("cannot remove {} cause={cause}", self.path.display());
        }
    }
}
