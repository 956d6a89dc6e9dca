//! A collection that is damaged when the server starts: what is bad is set aside, never deleted, and the
//! newest good copy takes its place. Only for who keeps every other program out; decides nothing
//! about what damage is.

use super::copies::{Copies, Copy};
use super::{Collection, CollectionError, damage, schema};
use crate::key::Timestamp;
use crate::sqlite::{self, Check, beside};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Damaged collections kept for whoever wants to look, the newest: each may hold what no copy does, and
/// a dying card must not be filled with them.
const SET_ASIDE_MAX: usize = 7;

/// A remedy either changed something, so that opening may be tried again, or does not apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remedy {
    Done,
    DoesNotApply,
}

impl Collection {
    /// [`Collection::open`], and where the file is damaged, gone or empty: sets it aside and restores
    /// the newest good copy, or goes on with an empty collection, and says so in the log. For a server
    /// that is the only one on the folder, before it serves.
    ///
    /// # Errors
    /// As [`Collection::open`]: a card that cannot be read, a lock, a missing right, a full disk and a
    /// newer program's file are no damage, and nothing is touched.
    pub fn open_or_restore(path: &Path, now: Timestamp) -> Result<Collection, CollectionError> {
        let mut opened = Collection::open(path);
        for remedy in [clear_logs, rebuild_indexes, restore] {
            let Err(CollectionError::Damaged { cause, .. }) = &opened else { break };
            if remedy(path, cause, now)? == Remedy::Done {
                opened = Collection::open(path);
            }
        }
        opened
    }
}

/// Something else has the name of SQLite's log: the collection itself may be whole.
fn clear_logs(path: &Path, cause: &str, now: Timestamp) -> Result<Remedy, CollectionError> {
    let odd = damage::odd_logs(path);
    if odd.is_empty() {
        return Ok(Remedy::DoesNotApply);
    }
    for log in odd {
        let aside = free_name(&log, now);
        fs::rename(&log, &aside).map_err(|error| CollectionError::file("set aside", &log, error))?;
        log::warn!("{cause}: set aside as {}", aside.display());
    }
    Ok(Remedy::Done)
}

/// Tables and indexes that only do not agree cost no album: the indexes are made from the tables.
fn rebuild_indexes(path: &Path, cause: &str, _: Timestamp) -> Result<Remedy, CollectionError> {
    let rebuilt = schema::open_to_mend(path).and_then(|connection| {
        if sqlite::flaw(&connection, Check::Structure)?.is_some()
            || damage::of_content(&connection)?.is_some()
        {
            return Ok(false);
        }
        // Not committed unless it helps: what is set aside is what was found.
        let transaction = connection.unchecked_transaction()?;
        transaction.execute_batch("REINDEX")?;
        let helped = sqlite::flaw(&transaction, Check::Whole)?.is_none();
        if helped {
            transaction.commit()?;
        }
        Ok(helped)
    });
    match rebuilt {
        Ok(true) => {
            log::warn!(
                "{} was damaged ({cause}): its indexes are built anew, no album is lost",
                path.display()
            );
            Ok(Remedy::Done)
        }
        Ok(false) => Ok(Remedy::DoesNotApply),
        Err(error) => {
            log::debug!("the indexes of {} cannot be built anew: {error}", path.display());
            Ok(Remedy::DoesNotApply)
        }
    }
}

/// The copy is complete beside the damaged file before that is touched, and a start that finds no
/// file but copies restores one: a kill at any moment is put right by the next start.
fn restore(path: &Path, cause: &str, now: Timestamp) -> Result<Remedy, CollectionError> {
    let staged = beside(path, ".restored");
    let copy = stage_newest(path, &staged)?;
    let aside = set_aside(path, now).map_err(|error| CollectionError::file("set aside", path, error))?;
    let (name, kept) = (
        path.display(),
        match &aside {
            Some(aside) => format!("; what was there is kept as {}", aside.display()),
            None => String::new(),
        },
    );
    match copy {
        Some(copy) => {
            let failed = |error| CollectionError::file("restore", path, error);
            fs::rename(&staged, path).and_then(|()| sync_folder(path)).map_err(failed)?;
            let (copy, made) = (copy.path.display(), copy.made_at());
            log::warn!("{name} was lost or damaged ({cause}): restored {copy}, made {made}{kept}");
        }
        None => {
            schema::create(path)?;
            log::error!(
                "{name} was lost or damaged ({cause}) and there is no good copy of it: the collection is empty now{kept}; \
                 import your albums again, or restore a backup"
            );
        }
    }
    Ok(Remedy::Done)
}

/// The newest copy that is good, written beside the collection and on the card. `None`: none is good.
fn stage_newest(path: &Path, staged: &Path) -> Result<Option<Copy>, CollectionError> {
    let failed = |error| CollectionError::file("write", staged, error);
    for copy in Copies::beside(path).list() {
        if let Err(cause) = schema::check_copy(&copy.path) {
            log::warn!("the copy {} is not good: {cause}", copy.path.display());
            continue;
        }
        let _ = fs::remove_file(staged);
        let mut from =
            File::open(&copy.path).map_err(|error| CollectionError::file("read", &copy.path, error))?;
        let mut to =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(staged).map_err(failed)?;
        io::copy(&mut from, &mut to).and_then(|_| to.sync_all()).map_err(failed)?;
        return Ok(Some(copy));
    }
    Ok(None)
}

/// Renames the file and its logs to `….damaged-SECONDS`; `None`: there was nothing. The logs first: a
/// log that is left behind would be replayed into the copy.
fn set_aside(path: &Path, now: Timestamp) -> io::Result<Option<PathBuf>> {
    let aside = free_name(path, now);
    let mut moved = false;
    for suffix in ["-wal", "-shm", ""] {
        match fs::rename(beside(path, suffix), beside(&aside, suffix)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => {
                renamed?;
                moved = true;
            }
        }
    }
    drop_oldest(path)?;
    Ok(moved.then_some(aside))
}

fn free_name(path: &Path, now: Timestamp) -> PathBuf {
    (now.0..)
        .map(|second| beside(path, &format!(".damaged-{second}")))
        .find(|name| ["", "-wal", "-shm"].iter().all(|log| fs::symlink_metadata(beside(name, log)).is_err()))
        .expect("some second has no damaged collection yet")
}

fn drop_oldest(path: &Path) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let prefix = format!("{}.damaged-", name.to_string_lossy());
    let mut seconds: Vec<i64> = fs::read_dir(folder)?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix(&prefix)?.parse().ok())
        .collect();
    seconds.sort_unstable_by(|a, b| b.cmp(a));
    for second in seconds.into_iter().skip(SET_ASIDE_MAX) {
        for suffix in ["", "-wal", "-shm"] {
            // A folder in the file's place is somebody's mistake, and not ours to empty.
            let _ = fs::remove_file(beside(path, &format!(".damaged-{second}{suffix}")));
        }
    }
    Ok(())
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
