//! What is damage to a collection's file, and what is only a card, a lock or a right that we do not
//! have. Looks and says; takes nothing apart (that is `rescue`).

use super::query::{self, Query};
use super::{CollectionError, copies::Copies, schema};
use crate::sqlite;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use std::fs;
use std::path::{Path, PathBuf};

/// Something wrong with the collection or one of its copies, as `verify` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    pub file: PathBuf,
    /// One clause.
    pub cause: String,
}

/// Reads the collection at `path` and all its copies from end to end, beside a server or at rest, and
/// changes nothing. No collection and no copies are fine.
///
/// # Errors
/// As [`super::Collection::open`], but for [`CollectionError::Damaged`].
pub fn examine(path: &Path) -> Result<Vec<Flaw>, CollectionError> {
    let mut flaws = Vec::new();
    match examine_one(path) {
        Ok(causes) => flaws.extend(causes.into_iter().map(|cause| Flaw { file: path.to_owned(), cause })),
        Err(CollectionError::Damaged { cause, .. }) => flaws.push(Flaw { file: path.to_owned(), cause }),
        Err(error) => return Err(error),
    }
    for copy in Copies::beside(path).list() {
        if let Err(cause) = schema::check_copy(&copy.path) {
            flaws.push(Flaw { file: copy.path, cause });
        }
    }
    Ok(flaws)
}

fn examine_one(path: &Path) -> Result<Vec<String>, CollectionError> {
    refuse_odd(path)?;
    if fs::metadata(path).is_err() {
        return Ok(Vec::new());
    }
    let connection = schema::open_auditor(path)?;
    let orphans = "SELECT count(*) FROM pragma_foreign_key_check";
    let orphans: i64 = connection
        .query_row(orphans, [], |row| row.get(0))
        .map_err(|error| CollectionError::opening(path, error))?;
    Ok((orphans > 0)
        .then(|| format!("{orphans} rows belong to albums that are not there"))
        .into_iter()
        .collect())
}

/// What can be seen from outside: something else in the file's place, or nothing where copies say that
/// there was a collection.
///
/// # Errors
/// [`CollectionError::Damaged`]; [`CollectionError::File`] for a link to a place that is not there,
/// perhaps not yet (a stick that is mounted later).
pub(super) fn refuse_odd(path: &Path) -> Result<(), CollectionError> {
    let damaged = |cause: String| Err(CollectionError::Damaged { path: path.to_owned(), cause });
    if let Some(log) = odd_logs(path).first() {
        return damaged(format!("{} is no file", log.display()));
    }
    let failed = |source| CollectionError::file("look at", path, source);
    let bytes = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
        // The owner may keep the file elsewhere.
        Ok(facts) if facts.is_symlink() => Some(fs::metadata(path).map_err(failed)?),
        Ok(facts) => Some(facts),
    };
    match bytes {
        Some(facts) if !facts.is_file() => damaged("it is no file".to_owned()),
        Some(facts) if facts.len() > 0 => Ok(()),
        nothing if Copies::beside(path).exist() || sqlite::has_log(path) => {
            damaged(if nothing.is_some() { "it is empty" } else { "it is gone" }.to_owned())
        }
        _ => Ok(()),
    }
}

/// Of the files beside the collection those that are none; the collection itself may be a link.
pub(super) fn odd_logs(path: &Path) -> Vec<PathBuf> {
    sqlite::odd_files(path).into_iter().filter(|file| file != path).collect()
}

/// The first thing that a page could not show: SQLite does not mind tables that are not ours, nor text
/// that is none. For the schema of this program; reads every letter. Not within a transaction.
pub(super) fn of_content(connection: &Connection) -> rusqlite::Result<Option<String>> {
    match unreadable(connection) {
        Err(error) if sqlite::is_damage(&error) || sqlite::is_misfit(&error) => Ok(Some(error.to_string())),
        looked => looked,
    }
}

fn unreadable(connection: &Connection) -> rusqlite::Result<Option<String>> {
    query::page(connection, &Query { page: 1, ..Query::default() })?;
    query::facets(connection)?;
    for table in ["album", "album_text", "tag"] {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}"))?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                if let ValueRef::Text(text) = row.get_ref(column)?
                    && std::str::from_utf8(text).is_err()
                {
                    return Ok(Some(format!("table {table} has text that is not UTF-8")));
                }
            }
        }
    }
    let lists = "SELECT count(*) FROM album WHERE NOT (json_valid(labels) AND json_valid(catalogue_numbers)
                 AND json_valid(formats) AND json_valid(genres) AND json_valid(styles))";
    let broken: i64 = connection.query_row(lists, [], |row| row.get(0))?;
    Ok((broken > 0).then(|| format!("{broken} albums have a list that is none")))
}
