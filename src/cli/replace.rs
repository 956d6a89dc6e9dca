//! A file that is replaced whole or not at all: written beside it and renamed over it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes `bytes` as the file at `path`. A link is followed; what is no file and no folder (a pipe, a
/// device) is written into.
///
/// # Errors
/// A folder in its place, one that is missing, no right, no room: the old file is then as it was.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(cause) => return Err(cause),
    };
    let old = match fs::metadata(&target) {
        Ok(old) if old.is_dir() => return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")),
        // To rename over a device would take it away.
        Ok(old) if !old.is_file() => return OpenOptions::new().write(true).open(&target)?.write_all(bytes),
        old => old.ok(),
    };
    let draft = Draft::beside(&target)?;
    let mut file = &draft.file;
    file.write_all(bytes)?;
    if let Some(old) = old {
        file.set_permissions(old.permissions())?;
    }
    // Else a power cut after the rename may leave an empty file in the place of the old one.
    file.sync_all()?;
    fs::rename(&draft.path, &target)
}

/// The new file before it has its name; gone with the value unless it was renamed.
struct Draft {
    path: PathBuf,
    file: File,
}

impl Draft {
    fn beside(target: &Path) -> io::Result<Draft> {
        let nameless = || io::Error::new(io::ErrorKind::InvalidInput, "it names no file");
        let mut name = std::ffi::OsString::from(".");
        name.push(target.file_name().ok_or_else(nameless)?);
        name.push(format!(".{}.tmp", std::process::id()));
        let path = target.with_file_name(name);
        // Made and never found: what is there already is somebody else's.
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Draft { path, file })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Not there any more after the rename.
        let _ = fs::remove_file(&self.path);
    }
}
