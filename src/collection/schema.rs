//! Opens `vinylvault.db` and brings it to the schema this program knows. Owns the tables, the
//! pragmas and the file's mode; knows no query of a page.

use super::{CollectionError, damage};
use crate::sqlite::{self, Check};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

/// Counts up with each change of the tables or of [`super::fold`].
pub(super) const SCHEMA: i64 = 1;
/// `VVLT`: tells our file from another program's that happens to have the same name.
pub(super) const APPLICATION: i64 = 0x5656_4c54;
/// The owner's shelf is the owner's business: nobody else on the machine reads it.
const MODE: u32 = 0o600;
/// An import in another process holds the file for one transaction; a page waits this long for it.
const BUSY: Duration = Duration::from_secs(10);

pub(super) const TABLES: &str = "
CREATE TABLE album (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- What makes two rows copies of one pressing (see shelve.rs), and which copy this is.
    work TEXT NOT NULL,
    copy INTEGER NOT NULL CHECK (copy > 0),
    release_id INTEGER,
    instance_id INTEGER,
    artist TEXT NOT NULL,
    title TEXT NOT NULL,
    year INTEGER,
    labels TEXT NOT NULL,
    catalogue_numbers TEXT NOT NULL,
    formats TEXT NOT NULL,
    genres TEXT NOT NULL,
    styles TEXT NOT NULL,
    folder TEXT,
    rating INTEGER CHECK (rating BETWEEN 1 AND 5),
    date_added TEXT,
    media_condition TEXT,
    sleeve_condition TEXT,
    notes TEXT,
    cover_url TEXT,
    cover_key BLOB CHECK (length(cover_key) = 20),
    artist_sort TEXT NOT NULL,
    title_sort TEXT NOT NULL,
    UNIQUE (work, copy)
) STRICT;
CREATE INDEX album_by_artist ON album (artist_sort, year, title_sort, id);
CREATE INDEX album_by_title ON album (title_sort, artist_sort, id);
CREATE INDEX album_by_year ON album (year, artist_sort, title_sort, id);
CREATE INDEX album_by_date ON album (date_added, id);
CREATE INDEX album_by_rating ON album (rating DESC, artist_sort, year, title_sort, id);
CREATE INDEX album_by_cover ON album (cover_key) WHERE cover_key IS NOT NULL;

-- Apart from the album, so that a search reads 100 bytes a record and not its notes.
CREATE TABLE album_text (
    album INTEGER PRIMARY KEY REFERENCES album (id) ON DELETE CASCADE,
    folded TEXT NOT NULL
) STRICT;

-- One row per genre (kind 0), style (1) and format (2) of an album.
CREATE TABLE tag (
    kind INTEGER NOT NULL,
    folded TEXT NOT NULL,
    album INTEGER NOT NULL REFERENCES album (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    PRIMARY KEY (kind, folded, album)
) STRICT, WITHOUT ROWID;
CREATE INDEX tag_by_album ON tag (album);
";

/// The connection that writes. Creates the file (mode 0600) and the tables where there are none, and
/// reads all of what is there, so that damage is found before a page or an import finds it.
pub(super) fn open_writer(path: &Path) -> Result<Connection, CollectionError> {
    damage::refuse_odd(path)?;
    create(path)
}

/// [`open_writer`] where there may be nothing, whatever copies there are.
pub(super) fn create(path: &Path) -> Result<Connection, CollectionError> {
    create_private(path)?;
    let failed = |error| CollectionError::opening(path, error);
    let mut connection = connect(path, flags()).map_err(failed)?;
    // A log is not folded into a file that turns out to be damaged or a newer program's.
    sqlite::keep_log(&connection, sqlite::has_log(path)).map_err(failed)?;
    refuse(path, sqlite::flaw(&connection, Check::Whole))?;
    refuse_foreign(&connection, path)?;
    // Before there is a log, which takes the same mode.
    make_private(path);
    // WAL: pages go on reading while an import writes. FULL: what an import reported as done
    // survives the power cut that follows it.
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).map_err(failed)?;
    connection.pragma_update(None, "synchronous", "full").map_err(failed)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    migrate(&mut connection).map_err(failed)?;
    refuse(path, damage::of_content(&connection))?;
    sqlite::keep_log(&connection, false).map_err(failed)?;
    Ok(connection)
}

/// A connection for an audit, after everything that [`open_writer`] checks; changes nothing.
pub(super) fn open_auditor(path: &Path) -> Result<Connection, CollectionError> {
    let failed = |error| CollectionError::opening(path, error);
    let connection = sqlite::open_to_look(path, BUSY).map_err(failed)?;
    refuse(path, sqlite::flaw(&connection, Check::Whole))?;
    refuse_foreign(&connection, path)?;
    if version(&connection).map_err(failed)? == SCHEMA {
        refuse(path, damage::of_content(&connection))?;
    }
    Ok(connection)
}

/// A connection that a copy is made from: `VACUUM INTO` counts as a write to `query_only`.
pub(super) fn open_source(path: &Path) -> Result<Connection, CollectionError> {
    let failed = |error| CollectionError::opening(path, error);
    let connection = connect(path, flags()).map_err(failed)?;
    sqlite::keep_log(&connection, sqlite::has_log(path)).map_err(failed)?;
    Ok(connection)
}

/// A connection to a file that is known to be damaged.
pub(super) fn open_to_mend(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path, flags())?;
    sqlite::keep_log(&connection, true)?;
    Ok(connection)
}

/// Whether a copy could take the collection's place; else why not. A copy is in no need of a log, so
/// nothing appears beside it.
pub(super) fn check_copy(path: &Path) -> Result<(), String> {
    if !fs::symlink_metadata(path).is_ok_and(|facts| facts.is_file()) {
        return Err("it is no file".to_owned());
    }
    let look = || -> rusqlite::Result<Result<(), String>> {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        if let Some(cause) = sqlite::flaw(&connection, Check::Whole)? {
            return Ok(Err(cause));
        }
        let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        match version(&connection)? {
            _ if application != APPLICATION => Ok(Err("it is another program's".to_owned())),
            SCHEMA => Ok(damage::of_content(&connection)?.map_or(Ok(()), Err)),
            newer if newer > SCHEMA => Ok(Err(format!("it is a newer program's (schema {newer})"))),
            _ => Ok(Ok(())),
        }
    };
    look().unwrap_or_else(|error| Err(error.to_string()))
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

fn refuse(path: &Path, damage: rusqlite::Result<Option<String>>) -> Result<(), CollectionError> {
    let Some(cause) = damage.map_err(|error| CollectionError::opening(path, error))? else { return Ok(()) };
    // SQLite does not always tell a page that is wrong from one that could not be read.
    sqlite::read_through(path).map_err(|error| CollectionError::file("read", path, error))?;
    Err(CollectionError::Damaged { path: path.to_owned(), cause })
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// The connection that pages read through: it cannot write, whatever it is asked.
pub(super) fn open_reader(path: &Path) -> Result<Connection, CollectionError> {
    let failed = |error| CollectionError::database(format!("open {} to read", path.display()), error);
    let connection = connect(path, flags()).map_err(failed)?;
    connection.pragma_update(None, "query_only", true).map_err(failed)?;
    // A sort that does not fit an index is a few hundred kB; an SD card is the wrong place for it.
    connection.pragma_update(None, "temp_store", "memory").map_err(failed)?;
    Ok(connection)
}

/// The connection of another process than the one that writes; `None` where there are no tables yet.
pub(super) fn open_catalogue(path: &Path) -> Result<Option<Connection>, CollectionError> {
    let failed = |error| CollectionError::database(format!("open {} to read", path.display()), error);
    let only_read = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, only_read).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    refuse_foreign(&connection, path)?;
    let schema: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    Ok((schema > 0).then_some(connection))
}

/// Without SQLite's own mutex: each connection stands behind ours. Without URI file names: a
/// folder may be called `file:`.
fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// SQLite gives the `-wal` and `-shm` files the mode of the database, so one mode covers all.
fn create_private(path: &Path) -> Result<(), CollectionError> {
    let failed = |error| CollectionError::file("create", path, error);
    match fs::OpenOptions::new().write(true).create_new(true).mode(MODE).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        created => created.map(drop).map_err(failed),
    }
}

/// For a file that turned out to be ours.
fn make_private(path: &Path) {
    if fs::metadata(path).is_ok_and(|facts| facts.permissions().mode() & 0o077 != 0) {
        // May be refused on a borrowed file or a FAT card, where modes mean nothing anyway.
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(MODE));
    }
}

/// A newer program's tables or another program's file must not be touched.
fn refuse_foreign(connection: &Connection, path: &Path) -> Result<(), CollectionError> {
    let failed = |error| CollectionError::opening(path, error);
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(failed);
    let schema = version(connection).map_err(failed)?;
    let application = number("PRAGMA application_id")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    if application != APPLICATION && tables > 0 {
        return Err(CollectionError::Foreign { path: path.to_owned() });
    }
    if schema > SCHEMA {
        return Err(CollectionError::Newer { path: path.to_owned(), found: schema, known: SCHEMA });
    }
    Ok(())
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    // Immediate: of two programs that start at once, the second sees the first one's tables.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if version(&transaction)? < 1 {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", SCHEMA)?;
    }
    transaction.commit()
}
