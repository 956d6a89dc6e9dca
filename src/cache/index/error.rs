//! What can go wrong with the index, for people.

use std::fmt;
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexError {
    /// The database cannot be opened or built.
    Open { path: PathBuf, cause: String },
    /// The database says what no program wrote.
    Damaged { path: PathBuf, cause: String },
    /// A later program has written the database.
    Newer { path: PathBuf, version: i64, known: i64 },
    /// A query was refused.
    Read(String),
    /// A transaction was refused, twice where an eviction could have helped.
    Statement(String),
    /// The index's thread has ended, in order or not.
    Stopped,
}

impl IndexError {
    /// Whether the same request may succeed later without anybody's help.
    pub fn is_transient(&self) -> bool {
        matches!(self, IndexError::Statement(_) | IndexError::Read(_))
    }
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IndexError::Open { path, cause } => write!(f, "cannot open {}: {cause}", path.display()),
            IndexError::Damaged { path, cause } => {
                write!(f, "cannot read {}: it is damaged: {cause}", path.display())
            }
            IndexError::Newer { path, version, known } => write!(
                f,
                "cannot open {}: a newer vinylvault wrote it (version {version}, this one knows {known}); \
                 start that one, or remove the file to have it built anew",
                path.display()
            ),
            IndexError::Read(cause) => write!(f, "cannot read the cache's index: {cause}"),
            IndexError::Statement(cause) => write!(f, "cannot write the cache's index: {cause}"),
            IndexError::Stopped => write!(f, "cannot use the cache's index: it has stopped"),
        }
    }
}

impl std::error::Error for IndexError {}
