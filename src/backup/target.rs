//! Where a backup goes: into a pipe as it is made, or into a file that has its name only when it is
//! finished. Owns the unfinished file, the scratch folder and their locks; knows no member.

use super::manifest::{Facts, Kind};
use super::scratch::Scratch;
use super::write::{Order, write};
use super::{BackupError, Watch};
use crate::key::Timestamp;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Headers and small covers go out together.
const BUFFER_BYTES: usize = 256 * 1024;
/// Of two backups into one file, the second finds a name that was just taken away, once or twice.
const OPENS_MAX: usize = 5;

/// Where a backup goes.
pub enum Target<'a> {
    /// Replaced in one step when the backup is complete; what was there stays until then. While it is
    /// written it is `FILE.part`, for its owner alone, which a killed backup leaves and the next one
    /// writes anew.
    File(&'a Path),
    /// A stream, with a folder for temporary files, which takes the databases' copies for a moment.
    Stream(&'a mut dyn Write, &'a Path),
}

/// Writes a backup of `data_dir`, whoever uses it meanwhile. Beside the target it needs room for the
/// two databases' copies.
///
/// # Errors
/// Whatever is wrong, a target that is a file is then as it was.
pub fn save(
    data_dir: &Path,
    kind: Kind,
    target: Target,
    now: Timestamp,
    watch: Watch,
) -> Result<Facts, BackupError> {
    match target {
        Target::Stream(out, temporary) => {
            let scratch = Scratch::within(temporary, "backup")?;
            let order = Order { data_dir, kind, scratch: scratch.path(), now };
            write(&order, BufWriter::with_capacity(BUFFER_BYTES, out), |_| Ok(()), watch)
        }
        Target::File(path) => {
            let part = Part::open(path)?;
            // A backup that was killed may have left it; the lock says that no other one is using it.
            let scratch = Scratch::anew(beside(&part.target, ".part.d")?)?;
            let order = Order { data_dir, kind, scratch: scratch.path(), now };
            let out = BufWriter::with_capacity(BUFFER_BYTES, &part.file);
            let facts = write(&order, out, |bytes| has_room(scratch.path(), bytes), watch)?;
            drop(scratch);
            part.finish()?;
            Ok(facts)
        }
    }
}

/// The unfinished file: locked, and removed unless it is finished.
struct Part {
    file: File,
    path: PathBuf,
    target: PathBuf,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Unfinished,
    Finished,
}

impl Part {
    fn open(target: &Path) -> Result<Part, BackupError> {
        let target = resolve(target)?;
        let path = beside(&target, ".part")?;
        for _ in 0..OPENS_MAX {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
                .open(&path)
                .map_err(BackupError::file("create", &path))?;
            if file.try_lock().is_err() {
                let sentence = format!("another backup is writing {}", target.display());
                return Err(BackupError::InTheWay(sentence));
            }
            // The one that had the lock may have finished meanwhile: then this is no longer a part, but
            // the backup, and must not be emptied.
            let facts = file.metadata().map_err(BackupError::file("look at", &path))?;
            let is_there = fs::symlink_metadata(&path)
                .is_ok_and(|there| (there.dev(), there.ino()) == (facts.dev(), facts.ino()));
            if is_there {
                file.set_len(0).map_err(BackupError::file("empty", &path))?;
                return Ok(Part { file, path, target, state: State::Unfinished });
            }
        }
        Err(BackupError::InTheWay(format!("other backups keep on writing {}", target.display())))
    }

    fn finish(mut self) -> Result<(), BackupError> {
        self.file.sync_all().map_err(BackupError::file("write", &self.path))?;
        fs::rename(&self.path, &self.target).map_err(BackupError::file("rename", &self.path))?;
        self.state = State::Finished;
        let folder = self.target.parent().unwrap_or(&self.target);
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(BackupError::file("sync", folder))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.state == State::Unfinished {
            // What cannot be removed is written anew by the next backup.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The file itself where a link points to one. What is there and no file is not replaced: a folder
/// cannot be, and a device must not.
fn resolve(target: &Path) -> Result<PathBuf, BackupError> {
    let target = match fs::symlink_metadata(target) {
        Ok(_) => fs::canonicalize(target).map_err(BackupError::file("follow", target))?,
        Err(_) => std::path::absolute(target).map_err(BackupError::file("find", target))?,
    };
    match fs::metadata(&target) {
        Ok(facts) if !facts.is_file() => Err(BackupError::InTheWay(format!(
            "{} is there and no file; to write into it, use - and redirect standard output",
            target.display()
        ))),
        _ => Ok(target),
    }
}

fn beside(target: &Path, suffix: &str) -> Result<PathBuf, BackupError> {
    let Some(name) = target.file_name() else {
        return Err(BackupError::InTheWay(format!("{} is no name for a file", target.display())));
    };
    let mut name = name.to_owned();
    name.push(suffix);
    Ok(target.with_file_name(name))
}

/// Whether so many bytes are free for the likes of us.
pub(super) fn has_room(folder: &Path, needed: u64) -> Result<(), BackupError> {
    let facts = rustix::fs::statvfs(folder)
        .map_err(|errno| BackupError::file("ask for the free space of", folder)(errno.into()))?;
    let free = facts.f_bavail.saturating_mul(facts.f_frsize);
    match free < needed {
        true => Err(BackupError::NoRoom { folder: folder.to_owned(), needed, free }),
        false => Ok(()),
    }
}
