//! What SQLite says of a file, and what that means: damage of the file, or only a card, a lock, a right or
//! a full disk. Both databases are looked at and judged here; what they hold and what follows from damage
//! is the business of their rooms.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};
use std::fmt::Write;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How closely a file is looked at; each reads all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Pages, cells and constraints; a third of the other's time.
    Structure,
    /// Also whether indexes and tables agree.
    Whole,
}

/// Opens a database to look at it while others may write, or nobody. Nothing is changed: a log with
/// something in it is left for the next start. The connection may write and is asked not to, for one
/// that may not leaves `-wal` and `-shm` behind when it is the last. On a card that is mounted
/// read-only, the file is all there is.
///
/// # Errors
/// Also for a damaged header: the first page is read.
pub fn open_to_look(path: &Path, patience: Duration) -> rusqlite::Result<Connection> {
    let log = has_log(path);
    let look = |db: Connection| {
        db.busy_timeout(patience)?;
        keep_log(&db, log)?;
        db.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -1024; PRAGMA mmap_size = 0;")?;
        db.query_row("PRAGMA schema_version", [], |_| Ok(()))?;
        Ok(db)
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match Connection::open_with_flags(path, flags).and_then(look) {
        Err(error) if !log && is_about_writing(&error) => open_as(path, "immutable=1").and_then(look),
        opened => opened,
    }
}

/// Opens a file to read with an option of SQLite's own (sqlite.org/uri.html), e.g. `immutable=1`.
pub fn open_as(path: &Path, option: &str) -> rusqlite::Result<Connection> {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            // Writing to a string cannot fail.
            byte => drop(write!(uri, "%{byte:02X}")),
        }
    }
    uri.push('?');
    uri.push_str(option);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(uri, flags)
}

fn is_about_writing(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
}

/// Whether the file itself is bad.
pub fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Whether a question does not fit the tables, or an answer not its type. Of a question that is part of
/// this program that is damage too: the file has not the tables that its version promises.
pub fn is_misfit(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{
        FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, SqlInputError, Utf8Error,
    };
    matches!(error.sqlite_error_code(), Some(ErrorCode::Unknown | ErrorCode::TypeMismatch))
        || matches!(
            error,
            SqlInputError { .. }
                | FromSqlConversionFailure(..)
                | IntegralValueOutOfRange(..)
                | InvalidColumnType(..)
                | Utf8Error(..)
        )
}

/// The first thing that SQLite finds wrong; `None`: nothing.
///
/// # Errors
/// What is no damage: above all a card that cannot be read, which SQLite's checks report as if it were.
pub fn flaw(db: &Connection, check: Check) -> rusqlite::Result<Option<String>> {
    let question = match check {
        Check::Structure => "PRAGMA quick_check(1)",
        Check::Whole => "PRAGMA integrity_check(1)",
    };
    match db.query_row(question, [], |row| row.get::<_, String>(0)) {
        Ok(verdict) if verdict == "ok" => Ok(None),
        Ok(verdict) => match circumstance(&verdict) {
            Some(error) => Err(error),
            // The first line only says of which database it is.
            None => Ok(verdict.lines().last().map(str::to_owned)),
        },
        Err(error) if is_damage(&error) || is_misfit(&error) => Ok(Some(error.to_string())),
        Err(error) => Err(error),
    }
}

/// The error behind "unable to get the page. error code=266", unless it is damage.
fn circumstance(verdict: &str) -> Option<rusqlite::Error> {
    let (_, code) = verdict.rsplit_once("error code=")?;
    let digits = code.find(|c: char| !c.is_ascii_digit()).unwrap_or(code.len());
    let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code[..digits].parse().ok()?), None);
    (!is_damage(&error)).then_some(error)
}

/// Reads the file and its log to the end, to tell a bad file from a bad card.
///
/// Not while a connection of this process is in use: closing any descriptor of a file ends the locks that
/// SQLite holds on it (fcntl(2)).
pub fn read_through(path: &Path) -> io::Result<()> {
    for file in [path.to_owned(), beside(path, "-wal")] {
        match File::open(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            file => drop(io::copy(&mut file?, &mut io::sink())?),
        }
    }
    Ok(())
}

/// What stands under the name of a database, its log or the log's index, and is no file: a folder, a
/// link that would lead elsewhere, a FIFO that would hold us up.
pub fn odd_files(path: &Path) -> Vec<PathBuf> {
    let is_odd = |file: &PathBuf| fs::symlink_metadata(file).is_ok_and(|facts| !facts.is_file());
    ["", "-wal", "-shm"].map(|suffix| beside(path, suffix)).into_iter().filter(is_odd).collect()
}

/// Whether changes wait in the log, as after a kill.
pub fn has_log(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

/// Whether closing the last connection leaves the log and the file as they are.
pub fn keep_log(db: &Connection, keep: bool) -> rusqlite::Result<()> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep).map(|_| ())
}

/// `index.db` and `-wal` are `index.db-wal`.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn a_card_a_lock_a_right_and_a_full_disk_are_no_damage() {
        for code in [
            ffi::SQLITE_IOERR,
            ffi::SQLITE_IOERR_READ,
            ffi::SQLITE_IOERR_SHORT_READ,
            ffi::SQLITE_BUSY,
            ffi::SQLITE_LOCKED,
            ffi::SQLITE_PERM,
            ffi::SQLITE_AUTH,
            ffi::SQLITE_READONLY,
            ffi::SQLITE_CANTOPEN,
            ffi::SQLITE_FULL,
            ffi::SQLITE_NOMEM,
            ffi::SQLITE_INTERRUPT,
        ] {
            assert!(!is_damage(&error(code)) && !is_misfit(&error(code)), "{code}");
            let told =
                format!("*** in database main ***\nTree 3 page 9: unable to get the page. error code={code}");
            assert!(circumstance(&told).is_some(), "{code}");
        }
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB] {
            assert!(is_damage(&error(code)), "{code}");
            assert!(
                circumstance(&format!("Tree 3 page 9: unable to get the page. error code={code}")).is_none()
            );
        }
        assert!(circumstance("row 3 missing from index album_by_date").is_none());
    }
}
