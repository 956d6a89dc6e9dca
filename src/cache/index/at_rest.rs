//! Reading `index.db` without owning it: for commands, while a server runs or after it ended, however it
//! did. Never writes: makes no file, takes no lock that a server would wait for, folds no log.
//!
//! A database in WAL mode is three files, and SQLite wants to make two of them for whoever reads. So:
//! - with a log and its shared memory (a server runs, or was killed) both are read as they are;
//! - with a log whose shared memory is gone (somebody copied the folder) a temporary copy is read;
//! - without a log (a server ended in order) the file is all there is, and nobody changes it.

use super::counters::Counts;
use super::history::{self, Hour};
use super::rows::{self, Held};
use super::schema;
use super::{IndexError, Row, Totals, clock, failed};
use crate::cache::disk::{Disk, DiskError, Keeper};
use crate::cache::failure::Failure;
use crate::key::{CacheKey, Timestamp, Variant};
use crate::sqlite::{self, beside};
use rusqlite::Connection;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A server's checkpoint at its end is the longest that a reader is kept waiting.
const BUSY: Duration = Duration::from_secs(5);
/// Version 1 had no hours.
const FIRST_WITH_HOURS: i64 = 2;
/// Version 2 noted no URL with a failure.
const FIRST_WITH_URLS: i64 = 3;

/// The index as it was when it was opened, or a little later; a reader of a moment, not to be kept.
pub struct AtRest {
    db: Connection,
    root: PathBuf,
    version: i64,
    /// Goes after the connection.
    _copy: Option<Copy>,
}

/// How the three files are to be read.
enum Way {
    Shared,
    Copied,
    Alone,
}

impl AtRest {
    /// Opens the index below `root` (`DATA_DIR/cache`); `None` when none was built yet.
    ///
    /// # Errors
    /// [`IndexError::Newer`] for a later program's, [`IndexError::Open`] for one that is damaged or not
    /// for us to read. A server that starts in the same moment may make any reading fail once.
    pub fn open(root: &Path) -> Result<Option<AtRest>, IndexError> {
        let path = root.join("index.db");
        let failed = |cause: String| IndexError::Open { path: path.clone(), cause };
        if let Some(odd) = schema::odd_name(&path) {
            return Err(failed(odd));
        }
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error.to_string())),
            Ok(facts) if facts.len() == 0 => return Ok(None),
            Ok(_) => {}
        }
        let (db, copy) = match way(root, &path) {
            Way::Shared => (connect(&path, "readonly_shm=1"), None),
            Way::Alone => (connect(&path, "immutable=1"), None),
            Way::Copied => {
                let copy = Copy::of(&path).map_err(|error| failed(format!("no copy of it: {error}")))?;
                (connect(&copy.folder.join("index.db"), "mode=ro"), Some(copy))
            }
        };
        let broken = |error: rusqlite::Error| failed(error.to_string());
        let db = db.map_err(broken)?;
        let version = db.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(broken)?;
        match version {
            0 => Ok(None),
            _ if version > schema::VERSION => {
                Err(IndexError::Newer { path, version, known: schema::VERSION })
            }
            _ => Ok(Some(AtRest { db, root: root.to_owned(), version, _copy: copy })),
        }
    }

    /// What the tables add up to; what only a running program knows is empty.
    pub fn totals(&self) -> Result<Totals, IndexError> {
        let counts = self.counts()?;
        let held = self.read(rows::held)?;
        let number = |name| -> Result<Option<i64>, IndexError> {
            Ok(self.read(|db| rows::fact(db, name))?.and_then(|value| value.parse().ok()))
        };
        let Held { thumbnails, details, thumbnail_bytes, detail_bytes, failures } = held;
        Ok(Totals {
            thumbnails,
            details,
            thumbnail_bytes,
            detail_bytes,
            bytes: held.bytes(),
            failures,
            last_cleanup: number(schema::LAST_CLEANUP)?.map(Timestamp),
            evictions: counts.evictions(),
            refused: counts.refused(),
            generation: number(schema::GENERATION)?.and_then(|value| u64::try_from(value).ok()).unwrap_or(0),
            last_error: None,
            commits: 0,
        })
    }

    pub fn counts(&self) -> Result<Counts, IndexError> {
        self.read(Counts::load)
    }

    /// The hours of the 30 days before `now`, as [`super::Index::history`] gives them.
    pub fn history(&self, now: Timestamp) -> Result<Vec<Hour>, IndexError> {
        if self.version < FIRST_WITH_HOURS {
            return Ok(Vec::new());
        }
        Ok(history::shown(self.read(|db| history::read(db, now))?, None))
    }

    pub fn row(&self, key: CacheKey, variant: Variant) -> Result<Option<Row>, IndexError> {
        self.read(|db| rows::row(db, (key, variant)))
    }

    /// The URL registered for a key.
    pub fn registered(&self, key: CacheKey) -> Result<Option<String>, IndexError> {
        self.read(|db| rows::source(db, key))
    }

    /// What is remembered of the last download of a key, be its next try due or not.
    pub fn failure(&self, key: CacheKey) -> Result<Option<Failure>, IndexError> {
        match self.version < FIRST_WITH_URLS {
            true => self.read(|db| failed::read_without_url(db, key)),
            false => self.read(|db| failed::read(db, key)),
        }
    }

    /// When a rendition was last accessed, as far as the table knows: a running server stores it within the day.
    pub fn accessed_at(&self, key: CacheKey, variant: Variant) -> Result<Option<Timestamp>, IndexError> {
        Ok(self.read(|db| rows::accessed_at(db, (key, variant)))?.map(clock::timestamp))
    }

    /// The recipe that the renditions were made by.
    pub fn fingerprint(&self) -> Result<Option<String>, IndexError> {
        self.read(|db| rows::fact(db, schema::FINGERPRINT))
    }

    /// What SQLite finds wrong with the file in one pass over its pages; `None` is nothing.
    pub fn damage(&self) -> Result<Option<String>, IndexError> {
        let said: String = self.read(|db| db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)))?;
        Ok((said != "ok").then_some(said))
    }

    /// Bytes that the owner of the store may still use on its file system.
    pub fn free_bytes(&self) -> Result<u64, DiskError> {
        Disk::free_bytes_of(&self.root)
    }

    fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, IndexError> {
        query(&self.db).map_err(|error| IndexError::Read(error.to_string()))
    }
}

fn way(root: &Path, path: &Path) -> Way {
    let bytes = |suffix| fs::metadata(beside(path, suffix)).map_or(0, |facts| facts.len());
    let (has_log, has_memory) = (bytes("-wal") > 0, bytes("-shm") > 0);
    let is_kept = !matches!(Keeper::of(root), Keeper::Nobody);
    match (has_log, has_memory) {
        (_, true) if has_log || is_kept => Way::Shared,
        (true, _) => Way::Copied,
        _ => Way::Alone,
    }
}

fn connect(path: &Path, option: &str) -> rusqlite::Result<Connection> {
    let db = sqlite::open_as(path, option)?;
    db.busy_timeout(BUSY)?;
    db.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -1024; PRAGMA mmap_size = 0;")?;
    Ok(db)
}

/// The database and its log in a temporary folder, which goes with the value.
struct Copy {
    folder: PathBuf,
}

impl Copy {
    fn of(path: &Path) -> io::Result<Copy> {
        let mut number = 0;
        let folder = loop {
            let name = format!("vinylvault-index-{}-{number}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            // Made and never found: a folder that is there already may be somebody else's.
            match DirBuilder::new().mode(0o700).create(&folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                made => break made.map(|()| folder)?,
            }
        };
        let copy = Copy { folder };
        for suffix in ["", "-wal"] {
            fs::copy(beside(path, suffix), copy.folder.join(format!("index.db{suffix}")))?;
        }
        Ok(copy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // What cannot be removed from the temporary folder goes with the next boot.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
