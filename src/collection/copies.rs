//! The automatic copies of the collection: `copies/vinylvault-YYYY-MM-DD.db` beside it, at most one a
//! day, none while nothing changed, the newest seven kept. Owns their names, their order and how
//! one is made; when is `copyist`'s business.
//!
//! The order is the names'. A Pi without a clock starts in the past, and one with a wrong clock has been
//! in the future: a copy that would sort before the newest takes the day after it, so that no clock ever
//! makes an old copy the newest or a good one the eighth.

use super::import::dates::day_number;
use super::{CollectionError, schema};
use crate::key::Timestamp;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use rustix::fs::OFlags;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A week's: enough to notice a bad import, some 10 MB for 2,000 albums.
pub const KEPT: usize = 7;
/// Seconds.
const DAY: i64 = 24 * 60 * 60;
/// The last day that four digits of a year can say, 9999-12-31.
const LAST_DAY: i64 = 2_932_896;

/// The folder of the copies of one collection.
pub struct Copies {
    database: PathBuf,
    folder: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Copy {
    /// Days since 1970, by the name.
    day: i64,
    pub path: PathBuf,
}

/// What came of asking for a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    Made(PathBuf),
    /// There is one of today.
    Today,
    /// The newest says the same as the collection.
    Unchanged,
    /// There are no albums to copy.
    Empty,
}

impl Copies {
    pub fn beside(database: &Path) -> Copies {
        let folder = database.parent().unwrap_or(Path::new("")).join("copies");
        Copies { database: database.to_owned(), folder }
    }

    /// The newest first; nothing where they cannot be listed.
    pub fn list(&self) -> Vec<Copy> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let copy = |path: PathBuf| {
            let name = path.file_name()?.to_str()?;
            let day = day_number(name.strip_prefix("vinylvault-")?.strip_suffix(".db")?)?;
            Some(Copy { day, path })
        };
        let mut copies: Vec<Copy> = entries.filter_map(|entry| copy(entry.ok()?.path())).collect();
        copies.sort_unstable_by(|a, b| b.cmp(a));
        copies
    }

    pub fn exist(&self) -> bool {
        !self.list().is_empty()
    }

    /// Makes the copy of the day of `now`, unless there is one or nothing changed, and lets go of those
    /// beyond [`KEPT`]. Writes nothing otherwise. Two programs that ask at once make one copy.
    ///
    /// # Errors
    /// The collection cannot be read or the copy not be written or was not good; there is none then.
    pub fn keep(&self, now: Timestamp) -> Result<Kept, CollectionError> {
        if self.list().first().is_some_and(|newest| newest.is_of_today(now)) {
            return Ok(Kept::Today);
        }
        let failed = |error| CollectionError::database(format!("copy {}", self.database.display()), error);
        let source = schema::open_source(&self.database)?;
        if super::query::count(&source).map_err(failed)? == 0 {
            return Ok(Kept::Empty);
        }
        let is_same = |newest: &Copy| {
            let theirs = schema::open_source(&newest.path).ok().and_then(|copy| fingerprint(&copy).ok());
            Ok(theirs == Some(fingerprint(&source)?))
        };
        if self.list().first().map_or(Ok(false), is_same).map_err(failed)? {
            return Ok(Kept::Unchanged);
        }
        let io = |act, source| CollectionError::file(act, &self.folder, source);
        let folder = self.open_folder().map_err(|error| io("create", error))?;
        // Until it is closed: who comes second finds the copy of the first.
        folder.lock().map_err(|error| io("lock", error))?;
        let newest = self.list().into_iter().next();
        if newest.as_ref().is_some_and(|newest| newest.is_of_today(now)) {
            return Ok(Kept::Today);
        }
        let made = self.make(&source, newest.map_or(day(now), |newest| day(now).max(newest.day + 1)))?;
        folder.sync_all().map_err(|error| io("sync", error))?;
        self.let_go();
        Ok(Kept::Made(made))
    }

    /// For the owner alone, and made to last.
    fn open_folder(&self) -> io::Result<File> {
        match DirBuilder::new().mode(0o700).create(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) => {}
            Ok(()) => {
                let parent = self.folder.parent().filter(|parent| !parent.as_os_str().is_empty());
                File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
            }
        }
        // The owner may have put a link there, to a stick; a FIFO must not hold us up.
        OpenOptions::new().read(true).custom_flags(OFlags::DIRECTORY.bits() as i32).open(&self.folder)
    }

    /// A copy has its name only when it is whole, on the card, and was read back.
    fn make(&self, source: &Connection, day: i64) -> Result<PathBuf, CollectionError> {
        let part = Part(self.folder.join("copy.part"));
        let io = |act, path: &Path| {
            let path = path.to_owned();
            move |error| CollectionError::File { act, path, source: error }
        };
        // What a killed program left; nobody else is here, for the folder is locked.
        let _ = fs::remove_file(&part.0);
        // Made by us, for its mode: SQLite writes into a file that is there and empty.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part.0);
        let file = file.map_err(io("create", &part.0))?;
        let name = part.0.to_str().ok_or_else(|| CollectionError::File {
            act: "copy the collection to",
            path: part.0.clone(),
            source: io::Error::new(io::ErrorKind::InvalidFilename, "the name of the folder is no text"),
        })?;
        source
            .execute("VACUUM INTO ?1", [name])
            .map_err(|error| CollectionError::opening(&self.database, error))?;
        file.sync_all().map_err(io("sync", &part.0))?;
        schema::check_copy(&part.0)
            .map_err(|cause| CollectionError::Damaged { path: part.0.clone(), cause })?;
        let path = self.path(day);
        fs::rename(&part.0, &path).map_err(io("put into place", &path))?;
        Ok(path)
    }

    /// By number, not by age: a clock that jumps a year ahead makes no copy old.
    fn let_go(&self) {
        for old in self.list().into_iter().skip(KEPT) {
            if let Err(error) = fs::remove_file(&old.path) {
                log::warn!("cannot remove the old copy {}: {error}", old.path.display());
            }
        }
    }

    fn path(&self, day: i64) -> PathBuf {
        let date = Timestamp(day.min(LAST_DAY) * DAY).to_string();
        self.folder.join(format!("vinylvault-{}.db", &date[..10]))
    }
}

impl Copy {
    /// When it was made, by the clock of then.
    pub fn made_at(&self) -> Timestamp {
        Timestamp(fs::metadata(&self.path).map_or(self.day * DAY, |facts| facts.mtime()))
    }

    /// By its name; where the clock has been ahead of now, names say nothing, and the file's own time does.
    fn is_of_today(&self, now: Timestamp) -> bool {
        let is_recent = || now.0.abs_diff(self.made_at().0) < DAY.unsigned_abs();
        self.day == day(now) || self.day > day(now) && is_recent()
    }
}

fn day(now: Timestamp) -> i64 {
    now.0.div_euclid(DAY).clamp(0, LAST_DAY)
}

/// A copy that is not finished; removed when it never will be.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // Renamed: nothing is there.
        let _ = fs::remove_file(&self.0);
    }
}

/// The same for two files with the same albums under the same schema. The other tables are made from the
/// albums.
fn fingerprint(connection: &Connection) -> rusqlite::Result<[u8; 20]> {
    let mut sha1 = sha1_smol::Sha1::new();
    let schema: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    sha1.update(&schema.to_le_bytes());
    let mut statement = connection.prepare("SELECT * FROM album ORDER BY id")?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            let (kind, bytes) = match row.get_ref(column)? {
                ValueRef::Null => (0, &[][..]),
                ValueRef::Integer(number) => {
                    sha1.update(&number.to_le_bytes());
                    (1, &[][..])
                }
                ValueRef::Real(number) => {
                    sha1.update(&number.to_le_bytes());
                    (2, &[][..])
                }
                ValueRef::Text(text) => (3, text),
                ValueRef::Blob(bytes) => (4, bytes),
            };
            // Lengths, so that two columns cannot be read as two others.
            sha1.update(&[kind]);
            sha1.update(&(bytes.len() as u64).to_le_bytes());
            sha1.update(bytes);
        }
    }
    Ok(sha1.digest().bytes())
}
