//! What every database file of ours goes through, whatever its tables: a consistent copy while others
//! write, its log folded into it, and a suspicious look at one that came from elsewhere. Knows no table.

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::StatVfsMountFlags;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Another process holds a file for one transaction at most.
const BUSY: Duration = Duration::from_secs(10);
/// Whoever has the file open for longer than a moment is not about to close it.
const FOLD_BUSY: Duration = Duration::from_secs(1);
/// The file format: magic bytes first, and at 18 and 19 whether a log belongs to the file (2) or not (1).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER_BYTES: u64 = 100;
/// Names of tables and indices that a schema may have; ours have a dozen.
const NAMES_MAX: usize = 1_000;

/// What became of a database whose log was to be folded into it.
#[derive(Debug)]
pub enum Folded {
    /// It is one file now, with everything that was committed.
    One,
    /// Another process has it open.
    InUse,
    /// It cannot be read as a database; it and its log are as they were.
    Unreadable(String),
}

/// Why a database file is not to be trusted.
#[derive(Debug)]
pub enum Doubt {
    File(io::Error),
    /// Not SQLite's, not whole, or not true to itself.
    Damaged(String),
    /// A whole database with tables that are not ours.
    Foreign(String),
    Newer {
        found: i64,
        known: i64,
    },
}

/// Writes what is committed in `from`, and nothing else, into the new file `to`: one file without a
/// log and without free pages. Others may read and write meanwhile, and are not held up. Not fsynced.
///
/// # Errors
/// When `from` is missing or damaged, or `to` is there already or cannot be written.
pub fn copy(from: &Path, to: &Path) -> rusqlite::Result<()> {
    let copied = open(from).and_then(|db| vacuum_into(&db, to));
    match copied {
        // A log needs a file beside the database, which a card that went read-only has no place for.
        Err(ref error) if is_cannot_open(error) && is_on_read_only_disk(from) && !has_log(from) => {
            vacuum_into(&open_unchanging(from)?, to)
        }
        copied => copied,
    }
}

/// Folds the log of `path` into it, so that the file alone is the database.
pub fn fold(path: &Path) -> Folded {
    // SQLite removes the log of what it takes for no database; somebody may still want to look at both.
    if !header(path).is_ok_and(|header| header.starts_with(MAGIC)) {
        return Folded::Unreadable("it is no SQLite database".to_owned());
    }
    let folded = open(path).and_then(|db| {
        db.busy_timeout(FOLD_BUSY)?;
        db.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get::<_, String>(0))
    });
    match folded {
        Ok(mode) if mode == "delete" => Folded::One,
        Ok(_) => Folded::InUse,
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Folded::InUse,
            _ => Folded::Unreadable(error.to_string()),
        },
    }
}

/// Opens a file of unknown origin to read, once it is known to hold exactly the tables that `tables`
/// gives for its version (none: a version that never was) and to be whole. Nothing that stands in the
/// file is run before its schema was compared, and nothing is written beside it.
pub fn inspect(
    path: &Path,
    known: i64,
    tables: impl Fn(i64) -> Option<&'static [&'static str]>,
) -> Result<(Connection, i64), Doubt> {
    refuse_other_files(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    db.execute_batch(
        "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;
         PRAGMA temp_store = MEMORY;",
    )?;
    let version = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version > known {
        return Err(Doubt::Newer { found: version, known });
    }
    let Some(tables) = tables(version) else {
        return Err(Doubt::Foreign(format!("it claims the version {version}, which never was")));
    };
    compare(&schema(&db)?, &expected(tables)?)?;
    let verdict: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(Doubt::Damaged(verdict));
    }
    let orphan = db.prepare("PRAGMA foreign_key_check")?.exists([])?;
    if orphan {
        return Err(Doubt::Damaged("a row refers to one that is not there".to_owned()));
    }
    Ok((db, version))
}

/// The name of a file that SQLite keeps beside `path`: `-wal`, `-shm`.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Opens a file that is there, to write it too where that is allowed: the last one to close a
/// database takes its log away, so a copy leaves nothing behind.
pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    Ok(db)
}

/// For a file on a file system where nobody can write.
fn open_unchanging(path: &Path) -> rusqlite::Result<Connection> {
    // Every byte as an escape: a folder may have `?` or `#` in its name.
    let escaped: String = path.as_os_str().as_bytes().iter().map(|byte| format!("%{byte:02x}")).collect();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let uri = format!("file:{escaped}?immutable=1");
    Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)
}

fn vacuum_into(db: &Connection, to: &Path) -> rusqlite::Result<()> {
    // Bound as it is: a path need not be UTF-8.
    let to = ToSqlOutput::Borrowed(ValueRef::Text(to.as_os_str().as_bytes()));
    db.execute("VACUUM INTO ?1", [to]).map(|_| ())
}

fn is_cannot_open(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::CannotOpen)
}

fn is_on_read_only_disk(path: &Path) -> bool {
    rustix::fs::statvfs(path).is_ok_and(|facts| facts.f_flag.contains(StatVfsMountFlags::RDONLY))
}

fn has_log(path: &Path) -> bool {
    std::fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

fn refuse_other_files(path: &Path) -> Result<(), Doubt> {
    let header = header(path).map_err(Doubt::File)?;
    if !header.starts_with(MAGIC) || (header.len() as u64) < HEADER_BYTES {
        return Err(Doubt::Damaged("it is no SQLite database".to_owned()));
    }
    if header[18..20] != [1, 1] {
        return Err(Doubt::Foreign("it is not the one file that a copy is, but waits for a log".to_owned()));
    }
    Ok(())
}

fn header(path: &Path) -> io::Result<Vec<u8>> {
    let mut header = Vec::new();
    File::open(path)?.take(HEADER_BYTES).read_to_end(&mut header)?;
    Ok(header)
}

/// Kind, name, table and statement of each thing in a schema.
type Schema = Vec<[String; 4]>;

fn schema(db: &Connection) -> rusqlite::Result<Schema> {
    let select = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema
                  ORDER BY type, name LIMIT ?1";
    let mut statement = db.prepare(select)?;
    let rows = statement.query_map([NAMES_MAX as i64], |row| {
        Ok([row.get(0)?, row.get(1)?, row.get(2)?, without_comments(&row.get::<_, String>(3)?)])
    })?;
    rows.collect()
}

fn expected(tables: &[&str]) -> rusqlite::Result<Schema> {
    let db = Connection::open_in_memory()?;
    tables.iter().try_for_each(|batch| db.execute_batch(batch))?;
    schema(&db)
}

fn compare(found: &Schema, expected: &Schema) -> Result<(), Doubt> {
    if let Some([kind, name, ..]) = found.iter().find(|one| !expected.contains(one)) {
        return Err(Doubt::Foreign(format!("its {kind} {name:?} is not ours")));
    }
    match expected.iter().find(|one| !found.contains(one)) {
        Some([kind, name, ..]) => Err(Doubt::Foreign(format!("it has no {kind} {name:?}"))),
        None => Ok(()),
    }
}

/// A statement without `--` comments and with single spaces: a remark that was reworded is no other
/// table. Sound only because our own statements have neither quotes nor `/*`: a text that comes out
/// equal to one of them had none outside of its comments either.
fn without_comments(sql: &str) -> String {
    let code = sql.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code));
    code.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::File(cause) => write!(f, "cannot be read: {cause}"),
            Doubt::Damaged(cause) => write!(f, "is damaged: {cause}"),
            Doubt::Foreign(cause) => write!(f, "is not a database of VinylVault: {cause}"),
            Doubt::Newer { found, known } => write!(
                f,
                "was written by a newer VinylVault (schema {found}, this one knows {known}): use that version"
            ),
        }
    }
}

impl std::error::Error for Doubt {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Doubt::File(cause) => Some(cause),
            Doubt::Damaged(_) | Doubt::Foreign(_) | Doubt::Newer { .. } => None,
        }
    }
}

impl From<rusqlite::Error> for Doubt {
    fn from(error: rusqlite::Error) -> Doubt {
        Doubt::Damaged(error.to_string())
    }
}
