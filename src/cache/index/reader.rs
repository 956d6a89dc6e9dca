//! The connection that callers read through. Point lookups by primary key in a WAL database: a
//! commit in progress does not hold them up.

use super::schema;
use rusqlite::Connection;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// One connection behind one lock. The lock is held over a lookup of some microseconds that reads
/// cached pages; a connection a thread would cost a page cache each.
pub(super) struct Reader {
    connection: Mutex<Option<Connection>>,
}

impl Reader {
    pub fn open(path: &Path) -> rusqlite::Result<Reader> {
        Ok(Reader { connection: Mutex::new(Some(schema::connect_to_read(path)?)) })
    }

    /// Reads from `path` from now on.
    pub fn reopen(&self, path: &Path) -> rusqlite::Result<()> {
        let connection = schema::connect_to_read(path)?;
        self.replace(Some(connection));
        Ok(())
    }

    /// Every lookup finds nothing from now on.
    pub fn close(&self) {
        self.replace(None);
    }

    pub fn query<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<Option<T>>,
    ) -> rusqlite::Result<Option<T>> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        connection.as_ref().map_or(Ok(None), query)
    }

    fn replace(&self, connection: Option<Connection>) {
        let old = std::mem::replace(
            &mut *self.connection.lock().unwrap_or_else(PoisonError::into_inner),
            connection,
        );
        // Closing may checkpoint, which is no work for under a lock.
        drop(old);
    }
}
