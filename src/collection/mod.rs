//! The collection: what stands on the owner's shelf, in `vinylvault.db`. Owns the albums, the two
//! connections to them and their automatic copies; reads no file of the owner's (that is [`import`])
//! and knows neither the cache nor HTTP.
//!
//! Two connections, each behind its mutex: pages read through one and never wait for the other,
//! which imports through a single transaction (WAL lets them overlap).

mod catalogue;
mod copies;
mod copy;
mod copyist;
mod cover;
mod damage;
pub mod fold;
pub mod import;
mod query;
mod record;
mod report;
mod rescue;
mod schema;
mod shelve;

pub use catalogue::Catalogue;
pub use copies::{Copies, Copy, KEPT, Kept};
pub use copy::{Inspected, copy, inspect};
pub use copyist::Copyist;
pub use damage::{Flaw, examine};
pub use query::{Decade, Facet, Facets, Order, PAGE_SIZE, Page, Query, Sort};
pub use record::Record;
pub use report::ImportReport;
pub use shelve::ImportMode;

use crate::key::CacheKey;
use crate::sqlite;
use rusqlite::{Connection, OptionalExtension};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::{fmt, io};

/// One row of the owner's shelf: two copies of a pressing are two albums.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Album {
    pub id: i64,
    /// Of the cover, where the record's `cover_url` is one that can be fetched.
    pub key: Option<CacheKey>,
    pub record: Record,
}

pub struct Collection {
    path: PathBuf,
    reader: Mutex<Reader>,
    writer: Mutex<Connection>,
    /// What was found damaged while running; the next start restores.
    damaged: OnceLock<String>,
}

/// The reading connection, and the facets as of `version`: SQLite's `data_version`, which changes
/// with every commit of another connection, ours or another program's.
struct Reader {
    connection: Connection,
    facets: Option<(i64, Arc<Facets>)>,
}

/// Makes the data folder where there is none, for its owner alone (0700): what somebody owns, and what
/// it is worth, is nobody else's business. The rights of one that is there are left to its owner.
pub fn make_folder(data_dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir)
}

impl Collection {
    /// Opens the file, or creates it with mode 0600. Refuses what a newer program or another
    /// program wrote, and what is damaged (every page is read): [`CollectionError::Damaged`].
    pub fn open(path: &Path) -> Result<Collection, CollectionError> {
        // The writer first: it creates what the reader expects.
        let writer = schema::open_writer(path)?;
        let reader = Reader { connection: schema::open_reader(path)?, facets: None };
        let (reader, writer) = (Mutex::new(reader), Mutex::new(writer));
        Ok(Collection { path: path.to_owned(), reader, writer, damaged: OnceLock::new() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The albums of one page. A page past the end is the last one.
    pub fn page(&self, query: &Query) -> Result<Page, CollectionError> {
        self.read("a page of albums", |reader| query::page(&reader.connection, query))
    }

    pub fn album(&self, id: i64) -> Result<Option<Album>, CollectionError> {
        self.read("an album", |reader| query::album(&reader.connection, id))
    }

    /// The albums that show the cover with this key, the newest first; at most 20.
    pub fn albums_with_cover(&self, key: CacheKey) -> Result<Vec<Album>, CollectionError> {
        self.read("a cover's albums", |reader| query::albums_with_cover(&reader.connection, key))
    }

    /// The URL of the cover with this key, when an album has it.
    pub fn cover_url(&self, key: CacheKey) -> Result<Option<String>, CollectionError> {
        let select = "SELECT cover_url FROM album WHERE cover_key = ?1 ORDER BY id DESC LIMIT 1";
        self.read("a cover's URL", |reader| {
            let mut statement = reader.connection.prepare_cached(select)?;
            statement.query_row([key.as_bytes()], |row| row.get(0)).optional()
        })
    }

    /// Any album, each as likely as the others.
    pub fn random_id(&self) -> Result<Option<i64>, CollectionError> {
        let select = "SELECT id FROM album LIMIT 1
                      OFFSET (random() & 0x7fffffff) % max(1, (SELECT count(*) FROM album))";
        self.read("a random album", |reader| {
            reader.connection.query_row(select, [], |row| row.get(0)).optional()
        })
    }

    pub fn count(&self) -> Result<u64, CollectionError> {
        self.read("the number of albums", |reader| query::count(&reader.connection))
    }

    /// Distinct covers.
    pub fn cover_count(&self) -> Result<u64, CollectionError> {
        self.read("the number of covers", |reader| query::cover_count(&reader.connection))
    }

    /// The URL of each distinct cover whose newest album is older than `before`, and that album, the newest
    /// first; at most `limit`.
    pub fn covers_before(&self, before: i64, limit: usize) -> Result<Vec<(i64, String)>, CollectionError> {
        self.read("cover URLs", |reader| query::covers_before(&reader.connection, before, limit))
    }

    /// What the collection can be narrowed by. Counted once per change of the collection.
    pub fn facets(&self) -> Result<Arc<Facets>, CollectionError> {
        self.read("the genres", |reader| {
            let version = query::version(&reader.connection)?;
            if let Some((known, facets)) = &reader.facets
                && *known == version
            {
                return Ok(facets.clone());
            }
            let facets = Arc::new(query::facets(&reader.connection)?);
            reader.facets = Some((version, facets.clone()));
            Ok(facets)
        })
    }

    /// Answers a trivial query, unless anything was found damaged since the start: for `/ready`.
    pub fn check(&self) -> Result<(), CollectionError> {
        if let Some(cause) = self.damaged.get() {
            return Err(CollectionError::Damaged { path: self.path.clone(), cause: cause.clone() });
        }
        let first = "SELECT id FROM album LIMIT 1";
        self.read("the first album", |reader| {
            reader.connection.query_row(first, [], |_| Ok(())).optional().map(|_| ())
        })
    }

    /// Puts albums onto the shelf in one transaction: all of them or none. Importing the same
    /// albums again changes nothing; `shelve.rs` says how copies are told apart.
    pub fn import(&self, albums: &[Record], mode: ImportMode) -> Result<ImportReport, CollectionError> {
        let shelved = {
            let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            shelve::shelve(&mut writer, albums, mode)
        };
        shelved
            .map_err(|error| self.noticed(CollectionError::database("import the albums".to_owned(), error)))
    }

    /// Changes with every commit of anybody since this collection was opened.
    fn version(&self) -> Result<i64, CollectionError> {
        self.read("its version", |reader| query::version(&reader.connection))
    }

    fn read<T>(
        &self,
        what: &str,
        question: impl FnOnce(&mut Reader) -> rusqlite::Result<T>,
    ) -> Result<T, CollectionError> {
        // The lock ends with the line: what is noticed goes to the log.
        let answer = question(&mut self.reader.lock().unwrap_or_else(PoisonError::into_inner));
        answer.map_err(|source| {
            self.noticed(CollectionError::database(format!("read {what} from the collection"), source))
        })
    }

    /// Remembers damage, and says it once.
    fn noticed(&self, error: CollectionError) -> CollectionError {
        let cause = match &error {
            CollectionError::Damaged { path, cause } if *path == self.path => Some(cause.clone()),
            CollectionError::Database { source, .. } if sqlite::is_damage(source) => Some(source.to_string()),
            _ => None,
        };
        if let Some(cause) = cause
            && self.damaged.set(cause).is_ok()
        {
            log::error!("{} was damaged while we ran, restart to restore it: {error}", self.path.display());
        }
        error
    }
}

/// Why the collection cannot be opened, read or written.
#[derive(Debug)]
pub enum CollectionError {
    /// The file has a newer schema than this program knows.
    Newer {
        path: PathBuf,
        found: i64,
        known: i64,
    },
    /// The file is not what was written.
    Damaged {
        path: PathBuf,
        cause: String,
    },
    /// A database, but not ours.
    Foreign {
        path: PathBuf,
    },
    File {
        act: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    Database {
        act: String,
        source: rusqlite::Error,
    },
}

impl CollectionError {
    /// Whether the same call may succeed in a moment: another program holds the file.
    pub fn is_transient(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
        match self {
            CollectionError::Database { source, .. } => {
                matches!(source.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
            }
            _ => false,
        }
    }

    fn database(act: String, source: rusqlite::Error) -> CollectionError {
        CollectionError::Database { act, source }
    }

    /// Of a file that is being opened or copied as a whole.
    fn opening(path: &Path, source: rusqlite::Error) -> CollectionError {
        match sqlite::is_damage(&source) || sqlite::is_misfit(&source) {
            true => CollectionError::Damaged { path: path.to_owned(), cause: source.to_string() },
            false => CollectionError::database(format!("open {}", path.display()), source),
        }
    }

    fn file(act: &'static str, path: &Path, source: io::Error) -> CollectionError {
        CollectionError::File { act, path: path.to_owned(), source }
    }
}

impl fmt::Display for CollectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CollectionError::Newer { path, found, known } => write!(
                f,
                "{} was written by a newer VinylVault (schema {found}, this one knows {known}): \
                 use that version or restore a backup",
                path.display()
            ),
            CollectionError::Damaged { path, cause } => write!(
                f,
                "{} is damaged ({cause}): start the server, which sets it aside and restores the newest \
                 good copy",
                path.display()
            ),
            CollectionError::Foreign { path } => {
                write!(f, "{} is another program's database, not a collection of VinylVault", path.display())
            }
            CollectionError::File { act, path, source } => {
                write!(f, "cannot {act} {}: {source}", path.display())
            }
            CollectionError::Database { act, source } => write!(f, "cannot {act}: {source}"),
        }
    }
}

impl std::error::Error for CollectionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            CollectionError::File { source, .. } => Some(source),
            CollectionError::Database { source, .. } => Some(source),
            CollectionError::Newer { .. }
            | CollectionError::Foreign { .. }
            | CollectionError::Damaged { .. } => None,
        }
    }
}
