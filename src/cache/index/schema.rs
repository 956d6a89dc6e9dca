//! How `index.db` comes to be: connections, tables, versions, and what happens to a damaged one.
//! The index is disposable, so nothing is repaired: it is set aside and built from the files.

use super::clock::{SECOND, Stamp};
use super::counters::Counts;
use super::rows::{self, Held};
use super::{IndexError, Row};
use crate::cache::disk::{Disk, DiskError, Found, RENDITION_BYTES_MAX};
use crate::key::Timestamp;
use crate::sqlite::{self, beside};
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// Raised with every change of the tables; kept in `user_version`, where 0 says that nothing was built.
pub(super) const VERSION: i64 = 3;
/// How many damaged databases are kept for whoever wants to look, newest first.
const SET_ASIDE_MAX: usize = 3;
/// Only commands that read share the database with us, and they are brief.
const BUSY: Duration = Duration::from_secs(5);

/// WAL with FULL: one fsync a commit, and a committed row survives a power cut, so that no file is
/// ever without one. The log grows to 4 MB, for pages that change again and again to reach the card
/// once, and is then cut back to 1 MB; 1 MB of page cache holds a working set of 10,000 rows.
const SETTINGS: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 1000;
    PRAGMA journal_size_limit = 1048576;
    PRAGMA cache_size = -1024;
    PRAGMA mmap_size = 0;
    PRAGMA temp_store = MEMORY;
    PRAGMA cell_size_check = ON;";

/// `accessed_at` is in microseconds and unique (see `clock`); `source.added_at` is of the same kind.
/// The index by access covers eviction and the totals, for its entries end in the primary key.
const TABLES: &str = "
    CREATE TABLE rendition(
        key BLOB NOT NULL, variant INTEGER NOT NULL, bytes INTEGER NOT NULL, digest BLOB NOT NULL,
        accessed_at INTEGER NOT NULL, PRIMARY KEY (key, variant)) STRICT, WITHOUT ROWID;
    CREATE INDEX rendition_by_access ON rendition(accessed_at, bytes);
    CREATE TABLE source(
        key BLOB NOT NULL PRIMARY KEY, url TEXT NOT NULL, added_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE INDEX source_by_age ON source(added_at);
    CREATE TABLE failure(
        key BLOB NOT NULL PRIMARY KEY, class INTEGER NOT NULL, reason TEXT NOT NULL, tries INTEGER NOT NULL,
        failed_at INTEGER NOT NULL, next_try_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE INDEX failure_by_age ON failure(failed_at);
    CREATE TABLE counter(name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE meta(name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;";

/// New with version 2. A row is about 100 bytes, since most of its numbers are small, and 720 of them 20
/// pages: no index but the order in which they were recorded, for an index is one page more an hour.
pub(super) const HOURS: &str = "
    CREATE TABLE hour(
        id INTEGER PRIMARY KEY, hour INTEGER NOT NULL,
        thumbnail_bytes INTEGER NOT NULL, detail_bytes INTEGER NOT NULL,
        memory_hits INTEGER NOT NULL, disk_hits INTEGER NOT NULL, misses INTEGER NOT NULL,
        placeholders INTEGER NOT NULL, coalesced INTEGER NOT NULL,
        downloads INTEGER NOT NULL, downloaded_bytes INTEGER NOT NULL, download_ms INTEGER NOT NULL,
        failures_absent INTEGER NOT NULL, failures INTEGER NOT NULL, failures_refused INTEGER NOT NULL,
        failures_throttled INTEGER NOT NULL, failures_broken INTEGER NOT NULL,
        failures_unreachable INTEGER NOT NULL, failures_forbidden INTEGER NOT NULL,
        failures_unreadable INTEGER NOT NULL,
        evictions INTEGER NOT NULL, removed_min_free INTEGER NOT NULL, removed_age INTEGER NOT NULL,
        removed_manual INTEGER NOT NULL, removed_recipe INTEGER NOT NULL, removed_damage INTEGER NOT NULL,
        evicted_bytes INTEGER NOT NULL, refused INTEGER NOT NULL) STRICT;";

/// New with version 3. `failure.url` is the SHA-1 of the URL that failed, `NULL` in rows of before;
/// `rendition.asked` the side that the origin was asked for, `NULL` where that was enough, or unknown.
const ADDRESSES: &str = "
    ALTER TABLE failure ADD COLUMN url BLOB;
    ALTER TABLE rendition ADD COLUMN asked INTEGER;";

/// What each version added to the one before; a step that was ever released stays as it is.
const STEPS: &[&str] = &[TABLES, HOURS, ADDRESSES];

/// Names in the table `meta`.
pub(super) const FINGERPRINT: &str = "fingerprint";
pub(super) const ORIGINALS: &str = "originals";
pub(super) const GENERATION: &str = "generation";
pub(super) const LAST_CLEANUP: &str = "last_cleanup";
pub(super) const PROBED: &str = "probed";

/// A database that was read once from end to end of its smaller index.
pub(super) struct Opened {
    pub db: Connection,
    pub held: Held,
    pub newest_access: Stamp,
    pub fingerprint: String,
    /// `None` before version 3.
    pub originals: Option<String>,
    pub generation: u64,
    pub last_cleanup: Option<Timestamp>,
    pub sources: u64,
    pub counts: Counts,
}

/// The statements that made the tables of a version that there was.
pub(super) fn tables(version: i64) -> Option<&'static [&'static str]> {
    STEPS.get(..usize::try_from(version).ok()?).filter(|steps| !steps.is_empty())
}

/// Opens the database, building it from the files if need be.
pub(super) fn open(disk: &Disk, fingerprint: &str, now: Timestamp) -> Result<Opened, IndexError> {
    let path = disk.index_path();
    match open_once(disk, fingerprint, now) {
        Err(Refused::Damaged(cause)) => {
            set_aside(&path, &cause, now)?;
            open_once(disk, fingerprint, now).map_err(|refused| refused.into_error(&path))
        }
        opened => opened.map_err(|refused| refused.into_error(&path)),
    }
}

/// Whether the database itself is bad, as opposed to the card, the memory or a lock.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    sqlite::is_damage(error) || sqlite::is_misfit(error)
}

pub(super) fn connect_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.busy_timeout(BUSY)?;
    db.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -1024; PRAGMA mmap_size = 0;")?;
    Ok(db)
}

/// Renames a damaged database, with its log, to `index.db.damaged-SECONDS`.
pub(super) fn set_aside(path: &Path, cause: &str, now: Timestamp) -> Result<(), IndexError> {
    let failed = |error: std::io::Error| IndexError::Open {
        path: path.to_owned(),
        cause: format!("damaged ({cause}) and not to be set aside: {error}"),
    };
    let aside = (now.0..)
        .map(|second| beside(path, &format!(".damaged-{second}")))
        .find(|name| fs::symlink_metadata(name).is_err())
        .expect("some second has no damaged database yet");
    match fs::rename(path, &aside) {
        // Somebody was quicker; the log may still be there.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        renamed => renamed.map_err(failed)?,
    }
    // A log that is left behind would be replayed into the new database.
    if fs::symlink_metadata(beside(path, "-wal")).is_ok() {
        fs::rename(beside(path, "-wal"), beside(&aside, "-wal")).map_err(failed)?;
    }
    remove_if_there(&beside(path, "-shm")).map_err(failed)?;
    log::warn!("index.db is damaged ({cause}): set aside as {}, building it anew", aside.display());
    drop_old_ones(path).map_err(failed)
}

fn open_once(disk: &Disk, fingerprint: &str, now: Timestamp) -> Result<Opened, Refused> {
    let path = disk.index_path();
    if let Some(odd) = odd_name(&path) {
        return Err(Refused::Damaged(odd));
    }
    if !fs::metadata(&path).is_ok_and(|facts| facts.len() > 0) {
        // The log of a database that is gone belongs to nobody.
        remove_if_there(&beside(&path, "-wal"))?;
        remove_if_there(&beside(&path, "-shm"))?;
    }
    // Made by us and not by SQLite, so that it is for the owner alone; its log takes the same mode.
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
    let db = Connection::open_with_flags(
        &path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.busy_timeout(BUSY)?;
    db.set_prepared_statement_cache_capacity(32);
    // Before anything else: a later program's database is left as it is.
    let version = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version > VERSION {
        return Err(Refused::Newer(version));
    }
    db.execute_batch(SETTINGS)?;
    match version {
        VERSION => {}
        0 => build(&db, disk, fingerprint, now)?,
        1.. => upgrade(&db, version)?,
        version => return Err(Refused::Damaged(format!("version {version}"))),
    }
    load(db)
}

fn load(db: Connection) -> Result<Opened, Refused> {
    if rows::any_beyond(&db, RENDITION_BYTES_MAX)? {
        // One bit, and the whole cache would go to make room for it.
        return Err(Refused::Damaged("a row has an impossible number of bytes".to_owned()));
    }
    let number = |name| -> rusqlite::Result<Option<i64>> {
        Ok(rows::fact(&db, name)?.and_then(|value| value.parse().ok()))
    };
    Ok(Opened {
        held: rows::held(&db)?,
        newest_access: rows::newest_access(&db)?,
        fingerprint: rows::fact(&db, FINGERPRINT)?.unwrap_or_default(),
        originals: rows::fact(&db, ORIGINALS)?,
        generation: number(GENERATION)?.and_then(|value| u64::try_from(value).ok()).unwrap_or(0),
        last_cleanup: number(LAST_CLEANUP)?.map(Timestamp),
        sources: rows::count_sources(&db)?,
        counts: Counts::load(&db)?,
        db,
    })
}

/// Makes the tables and adopts the files, in one transaction: killed half-way, the next start finds
/// version 0 and does it again.
fn build(db: &Connection, disk: &Disk, fingerprint: &str, now: Timestamp) -> Result<(), Refused> {
    let transaction = db.unchecked_transaction()?;
    for step in STEPS {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    let adopted = adopt(&transaction, disk, fingerprint)?;
    rows::put_fact(&transaction, FINGERPRINT, fingerprint)?;
    // The clock, not 1: whoever remembers a generation of a deleted cache must not take this for it.
    rows::put_fact(&transaction, GENERATION, &now.0.to_string())?;
    transaction.commit()?;
    if adopted > 0 {
        log::info!("index.db was built anew renditions={adopted}");
    }
    Ok(())
}

/// From an earlier version, whose covers and counts stay.
fn upgrade(db: &Connection, version: i64) -> Result<(), Refused> {
    let transaction = db.unchecked_transaction()?;
    for step in STEPS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(transaction.commit()?)
}

fn adopt(db: &Connection, disk: &Disk, fingerprint: &str) -> Result<u64, Refused> {
    let is_ours = disk.noted_recipe().is_none_or(|recipe| recipe == fingerprint);
    let mut adopted = Vec::new();
    let mut foreign = Vec::new();
    disk.walk(&mut |found| if is_ours { adopted.push(found) } else { foreign.push(found) })?;
    for found in foreign {
        disk.remove(found.key, found.variant)?;
    }
    // Oldest first, so that files written in the same second have stamps of their own.
    adopted.sort_by_key(|found| found.modified_at);
    let mut newest = 0;
    for Found { key, variant, bytes, digest, modified_at } in &adopted {
        newest = modified_at.0.saturating_mul(SECOND).max(newest + 1);
        rows::insert(
            db,
            (*key, *variant),
            Row { bytes: *bytes, digest: *digest },
            None,
            newest,
            &mut Held::default(),
        )?;
    }
    Ok(adopted.len() as u64)
}

fn drop_old_ones(path: &Path) -> std::io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let prefix = format!("{}.damaged-", name.to_string_lossy());
    let mut seconds: Vec<i64> = fs::read_dir(folder)?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix(&prefix)?.parse().ok())
        .collect();
    seconds.sort_unstable_by(|a, b| b.cmp(a));
    for second in seconds.into_iter().skip(SET_ASIDE_MAX) {
        let old = beside(path, &format!(".damaged-{second}"));
        remove_if_there(&beside(&old, "-wal"))?;
        remove_if_there(&old)?;
    }
    Ok(())
}

/// What stands in the place of the database or its log and is no file.
pub(super) fn odd_name(path: &Path) -> Option<String> {
    let odd = sqlite::odd_files(path).into_iter().next()?;
    Some(format!("{} is no file", odd.file_name()?.to_string_lossy()))
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(facts) if facts.is_dir() => fs::remove_dir_all(path),
        _ => fs::remove_file(path),
    };
    match removed {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Why the database was not opened this time.
enum Refused {
    Damaged(String),
    Newer(i64),
    Other(String),
}

impl Refused {
    fn into_error(self, path: &Path) -> IndexError {
        match self {
            Refused::Newer(version) => IndexError::Newer { path: path.to_owned(), version, known: VERSION },
            Refused::Damaged(cause) | Refused::Other(cause) => {
                IndexError::Open { path: path.to_owned(), cause }
            }
        }
    }
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Refused {
        if is_damage(&error) {
            Refused::Damaged(error.to_string())
        } else {
            Refused::Other(error.to_string())
        }
    }
}

impl From<DiskError> for Refused {
    fn from(error: DiskError) -> Refused {
        Refused::Other(error.to_string())
    }
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Refused {
        Refused::Other(error.to_string())
    }
}
