//! `index.db` as an audit reads it, beside a running server or at rest, and as a repair changes it
//! while nobody else may. Compares nothing itself.

use super::rows::{self, Held};
use super::{Entry, IndexError, Row, schema};
use crate::cache::disk::Disk;
use crate::key::{CacheKey, Digest, Timestamp, Variant};
use crate::sqlite::{self, Check};
use rusqlite::{Connection, params};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A server holds the database for one commit.
const BUSY: Duration = Duration::from_secs(10);
/// Rows read at a time: some 20 kB, and a read transaction that holds up no checkpoint.
const CHUNK: usize = 256;

/// What is in the place of `index.db`.
pub enum Sight {
    /// Nothing, or nothing built yet: the next start builds it from the files.
    Absent,
    /// Why it is of no use; the next start sets it aside.
    Damaged(String),
    Readable(Audit),
}

/// The rows, one transaction a question.
pub struct Audit {
    db: Connection,
    path: PathBuf,
}

impl Audit {
    /// Looks at the index of `root` (`DATA_DIR/cache`) and changes nothing. Says nothing of pages
    /// that it did not read: that is [`Audit::damage`].
    ///
    /// # Errors
    /// [`IndexError::Newer`]; [`IndexError::Open`] for a card or a folder that cannot be read.
    pub fn open(root: &Path) -> Result<Sight, IndexError> {
        let path = root.join("index.db");
        if let Some(odd) = schema::odd_name(&path) {
            return Ok(Sight::Damaged(odd));
        }
        match fs::metadata(&path) {
            Ok(facts) if facts.len() > 0 => {}
            _ => return Ok(Sight::Absent),
        }
        let version = |db: &Connection| db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
        match sqlite::open_to_look(&path, BUSY).and_then(|db| Ok((version(&db)?, db))) {
            Ok((0, _)) => Ok(Sight::Absent),
            Ok((version, _)) if version > schema::VERSION => {
                Err(IndexError::Newer { path, version, known: schema::VERSION })
            }
            Ok((_, db)) => Ok(Sight::Readable(Audit { db, path })),
            Err(error) if schema::is_damage(&error) => Ok(Sight::Damaged(error.to_string())),
            Err(error) => Err(IndexError::Open { path, cause: error.to_string() }),
        }
    }

    /// Opens the index for a repair, under the lock that `disk` is. What is damaged is set aside and
    /// built from the files, as a start would; `None` where only a start knows how (nothing says which
    /// recipe the files are of).
    pub fn open_to_repair(disk: &Disk) -> Result<(Option<Audit>, Option<String>), IndexError> {
        let path = disk.index_path();
        let now = Timestamp::now();
        let damage = match Audit::open(path.parent().unwrap_or(&path))? {
            Sight::Absent => None,
            Sight::Damaged(cause) => Some(cause),
            Sight::Readable(audit) => audit.damage()?,
        };
        if let Some(cause) = &damage {
            schema::set_aside(&path, cause, now)?;
        }
        let recipe = disk.noted_recipe();
        if recipe.is_none() && !path.exists() {
            return Ok((None, damage));
        }
        let opened = schema::open(disk, &recipe.unwrap_or_default(), now)?;
        Ok((Some(Audit { db: opened.db, path }), damage))
    }

    /// The first thing that is wrong with the database itself. Reads every page of it.
    pub fn damage(&self) -> Result<Option<String>, IndexError> {
        let look = || match sqlite::flaw(&self.db, Check::Whole)? {
            None if any_misshapen(&self.db)? => {
                Ok(Some("a rendition's row is none that was written".to_owned()))
            }
            flaw => Ok(flaw),
        };
        match look() {
            Err(error) if schema::is_damage(&error) => Ok(Some(error.to_string())),
            looked => looked.map_err(|error| self.failed(&error)),
        }
    }

    pub fn count(&self) -> Result<u64, IndexError> {
        count(&self.db).map_err(|error| self.failed(&error))
    }

    pub fn row(&self, key: CacheKey, variant: Variant) -> Result<Option<Row>, IndexError> {
        rows::row(&self.db, (key, variant)).map_err(|error| self.failed(&error))
    }

    /// The next rows by key, from after `from`; none at the end.
    pub fn rows_after(&self, from: Option<Entry>) -> Result<Vec<(Entry, Row)>, IndexError> {
        after(&self.db, from, CHUNK).map_err(|error| self.failed(&error))
    }

    /// Deletes rows whose files are gone for good, in one transaction. For [`Audit::open_to_repair`].
    pub fn delete(&self, entries: &[Entry]) -> Result<(), IndexError> {
        let delete = || {
            let transaction = self.db.unchecked_transaction()?;
            for entry in entries {
                rows::delete(&transaction, *entry, &mut Held::default())?;
            }
            transaction.commit()
        };
        delete().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &rusqlite::Error) -> IndexError {
        let (path, cause) = (self.path.clone(), error.to_string());
        match schema::is_damage(error) {
            true => IndexError::Damaged { path, cause },
            false => IndexError::Open { path, cause },
        }
    }
}

/// Whether any row is one that no program of ours writes, whatever SQLite thinks of it.
fn any_misshapen(db: &Connection) -> rusqlite::Result<bool> {
    let misshapen = "SELECT EXISTS(SELECT 1 FROM rendition
                     WHERE length(key) <> 20 OR length(digest) <> 20 OR variant NOT IN (?1, ?2) OR bytes < 0)";
    db.query_row(misshapen, [Variant::Thumbnail.number(), Variant::Detail.number()], |row| row.get(0))
}

fn count(db: &Connection) -> rusqlite::Result<u64> {
    let count = "SELECT count(*) FROM rendition INDEXED BY rendition_by_access";
    db.query_row(count, [], |row| Ok(rows::unsigned(row.get(0)?)))
}

/// Rows by key and variant, at most `count`, from after `from`.
pub(super) fn after(
    db: &Connection,
    from: Option<Entry>,
    count: usize,
) -> rusqlite::Result<Vec<(Entry, Row)>> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let (key, number) = match &from {
        Some((key, variant)) => (key.as_bytes().as_slice(), variant.number()),
        None => (&[][..], -1),
    };
    db.prepare_cached(
        "SELECT key, variant, bytes, digest FROM rendition WHERE (key, variant) > (?1, ?2)
         ORDER BY key, variant LIMIT ?3",
    )?
    .query_map(params![key, number, count], |row| {
        let entry = (CacheKey::from_bytes(row.get(0)?), rows::variant(row.get(1)?)?);
        Ok((entry, Row { bytes: rows::unsigned(row.get(2)?), digest: Digest::from_bytes(row.get(3)?) }))
    })?
    .collect()
}
