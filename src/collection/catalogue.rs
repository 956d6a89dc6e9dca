//! The collection as another process than its server reads it: one connection that never creates,
//! migrates or writes the file.

use super::{Album, CollectionError, query, schema};
use crate::key::CacheKey;
use rusqlite::Connection;
use std::path::Path;

/// `vinylvault.db`, opened to be read beside a running server or without one.
pub struct Catalogue {
    connection: Connection,
}

impl Catalogue {
    /// `None`: nobody has put an album on the shelf yet.
    ///
    /// # Errors
    /// What [`super::Collection::open`] refuses, and a file that cannot be read.
    pub fn open(path: &Path) -> Result<Option<Catalogue>, CollectionError> {
        match path.try_exists() {
            Ok(false) => Ok(None),
            Ok(true) => Ok(schema::open_catalogue(path)?.map(|connection| Catalogue { connection })),
            Err(source) => Err(CollectionError::file("look for", path, source)),
        }
    }

    /// Albums.
    pub fn count(&self) -> Result<u64, CollectionError> {
        query::count(&self.connection).map_err(reading("the number of albums"))
    }

    /// The albums that show the cover with this key, the newest first; at most 20.
    pub fn albums_with_cover(&self, key: CacheKey) -> Result<Vec<Album>, CollectionError> {
        query::albums_with_cover(&self.connection, key).map_err(reading("a cover's albums"))
    }

    /// What SQLite finds wrong with the file in one pass over its pages; `None` is nothing.
    pub fn damage(&self) -> Result<Option<String>, CollectionError> {
        let first = "PRAGMA quick_check(1)";
        let said: String =
            self.connection.query_row(first, [], |row| row.get(0)).map_err(reading("every page"))?;
        Ok((said != "ok").then_some(said))
    }
}

fn reading(what: &'static str) -> impl Fn(rusqlite::Error) -> CollectionError {
    move |source| CollectionError::database(format!("read {what} from the collection"), source)
}
