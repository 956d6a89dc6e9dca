//! The collection as a file that is carried away and brought back: a consistent copy while others
//! write, and what a file of unknown origin is found to be. Decides nothing about where it goes.

use super::schema::{APPLICATION, SCHEMA, TABLES};
use super::{CollectionError, query};
use crate::database::{self, Doubt};
use std::path::Path;

/// What a whole collection of ours is found to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inspected {
    pub schema: i64,
    pub albums: u64,
}

/// Copies the collection at `from` into the new file `to`, as it is at one moment; an import that is
/// under way is in it as a whole or not at all. Nobody is held up. The copy is not fsynced.
///
/// # Errors
/// When `from` is missing or damaged, or `to` is there already or cannot be written.
pub fn copy(from: &Path, to: &Path) -> Result<(), CollectionError> {
    database::copy(from, to)
        .map_err(|source| CollectionError::database(format!("copy {}", from.display()), source))
}

/// Looks at a copy of unknown origin: whether it is a collection of a version that this program
/// knows, with its tables and nothing else, and whole. Changes nothing and leaves nothing beside it.
pub fn inspect(path: &Path) -> Result<Inspected, Doubt> {
    let (db, schema) = database::inspect(path, SCHEMA, tables)?;
    let application: i64 = db.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if application != APPLICATION {
        return Err(Doubt::Foreign("it does not carry our mark".to_owned()));
    }
    Ok(Inspected { schema, albums: query::count(&db)? })
}

/// The statements that made the tables of a version; each version that ever was stays here.
fn tables(version: i64) -> Option<&'static [&'static str]> {
    (version == SCHEMA).then_some(&[TABLES])
}
