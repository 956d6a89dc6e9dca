//! `index.db` as a file that is carried away and brought back: a consistent copy while the thread
//! writes, its rows in order, and those taken out whose files did not come along.

use super::audit;
use super::rows::{self, Held};
use super::schema::{self, FINGERPRINT};
use super::{Entry, IndexError, Row};
use crate::database::{self, Doubt};
use crate::key::{CacheKey, Variant};
use rusqlite::Connection;
use std::path::Path;

/// Rows read at once: bounds memory, and costs a lookup for each.
const ROWS_AT_ONCE: usize = 512;

/// A copy of the index that nobody writes, opened to read and known to be whole.
pub struct IndexCopy {
    db: Connection,
    version: i64,
}

/// One row of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    pub key: CacheKey,
    pub variant: Variant,
    pub row: Row,
}

/// What the rows of a copy add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    pub renditions: u64,
    pub bytes: u64,
}

/// The rows of a copy by key and variant, some hundred in memory at a time.
pub struct Rows<'a> {
    copy: &'a IndexCopy,
    page: std::vec::IntoIter<Listed>,
    last: Option<Entry>,
}

impl IndexCopy {
    /// Copies the index at `from` (`DATA_DIR/cache/index.db`) into the new file `to`, as it is at one
    /// moment, while a server may write it. Not fsynced.
    pub fn make(from: &Path, to: &Path) -> Result<(), IndexError> {
        database::copy(from, to)
            .map_err(|error| IndexError::Open { path: from.to_owned(), cause: error.to_string() })
    }

    /// Opens a copy of unknown origin, once it is known to be whole and to hold our tables only.
    pub fn inspect(path: &Path) -> Result<IndexCopy, Doubt> {
        let (db, version) = database::inspect(path, schema::VERSION, schema::tables)?;
        Ok(IndexCopy { db, version })
    }

    pub fn version(&self) -> i64 {
        self.version
    }

    /// What its renditions were made like.
    pub fn fingerprint(&self) -> Result<String, Doubt> {
        Ok(rows::fact(&self.db, FINGERPRINT)?.unwrap_or_default())
    }

    pub fn extent(&self) -> Result<Extent, Doubt> {
        let held = rows::held(&self.db)?;
        Ok(Extent { renditions: held.thumbnails + held.details, bytes: held.bytes() })
    }

    pub fn rows(&self) -> Rows<'_> {
        Rows { copy: self, page: Vec::new().into_iter(), last: None }
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Listed, Doubt>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(listed) = self.page.next() {
            return Some(Ok(listed));
        }
        match listed(&self.copy.db, self.last) {
            Ok(page) => {
                self.last = page.last().map(|listed| (listed.key, listed.variant)).or(self.last);
                self.page = page.into_iter();
                self.page.next().map(Ok)
            }
            Err(error) => Some(Err(error.into())),
        }
    }
}

/// Removes the rows of `path`, a copy that nobody else has open, whose rendition `is_there` denies;
/// returns how many. In one transaction.
pub fn drop_rows(path: &Path, is_there: impl Fn(CacheKey, Variant) -> bool) -> Result<u64, IndexError> {
    let failed =
        |error: rusqlite::Error| IndexError::Open { path: path.to_owned(), cause: error.to_string() };
    let db = database::open(path).map_err(failed)?;
    let transaction = db.unchecked_transaction().map_err(failed)?;
    let (mut last, mut dropped) = (None, 0);
    loop {
        let page = listed(&transaction, last).map_err(failed)?;
        let Some(end) = page.last() else { break };
        last = Some((end.key, end.variant));
        for listed in page.iter().filter(|listed| !is_there(listed.key, listed.variant)) {
            let entry = (listed.key, listed.variant);
            rows::delete(&transaction, entry, &mut Held::default()).map_err(failed)?;
            dropped += 1;
        }
    }
    transaction.commit().map_err(failed)?;
    Ok(dropped)
}

fn listed(db: &Connection, from: Option<Entry>) -> rusqlite::Result<Vec<Listed>> {
    let page = audit::after(db, from, ROWS_AT_ONCE)?;
    Ok(page.into_iter().map(|((key, variant), row)| Listed { key, variant, row }).collect())
}
