//! Why there is no backup, or why a restore left everything as it was.

use crate::cache::disk::DiskError;
use crate::cache::index::IndexError;
use crate::collection::CollectionError;
use crate::database::Doubt;
use std::path::{Path, PathBuf};
use std::{fmt, io};

#[derive(Debug)]
pub enum BackupError {
    /// The stream is not what a backup writes, or not all of it.
    Refused(String),
    /// What is in the way is named, with what to do about it.
    InTheWay(String),
    NoRoom {
        folder: PathBuf,
        needed: u64,
        free: u64,
    },
    /// Somebody wanted it to stop.
    Stopped,
    /// A restore that could neither be finished nor taken back: what was put into place and what could
    /// not be.
    HalfWay {
        path: PathBuf,
        aside: PathBuf,
        cause: io::Error,
    },
    Io {
        act: &'static str,
        object: String,
        cause: io::Error,
    },
    Collection(CollectionError),
    Index(IndexError),
    Disk(DiskError),
}

impl BackupError {
    /// Whether the same call may succeed without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            BackupError::Collection(error) => error.is_transient(),
            BackupError::Index(error) => error.is_transient(),
            BackupError::Disk(error) => matches!(error, DiskError::Locked { .. }),
            _ => false,
        }
    }

    /// Whether everything is as it was before the call.
    pub fn changed_nothing(&self) -> bool {
        !matches!(self, BackupError::HalfWay { .. })
    }

    pub(super) fn refused(sentence: impl Into<String>) -> BackupError {
        BackupError::Refused(sentence.into())
    }

    pub(super) fn file(act: &'static str, path: &Path) -> impl Fn(io::Error) -> BackupError {
        move |cause| BackupError::Io { act, object: path.display().to_string(), cause }
    }

    pub(super) fn doubt(name: impl fmt::Display) -> impl Fn(Doubt) -> BackupError {
        move |doubt| BackupError::refused(format!("{name} {doubt}"))
    }
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackupError::Refused(sentence) | BackupError::InTheWay(sentence) => f.write_str(sentence),
            BackupError::NoRoom { folder, needed, free } => write!(
                f,
                "{} has {} MB free and {} MB are needed",
                folder.display(),
                free / 1_000_000,
                needed.div_ceil(1_000_000)
            ),
            BackupError::Stopped => f.write_str("stopped"),
            BackupError::HalfWay { path, aside, cause } => write!(
                f,
                "the cache was put into place, {} was not, and the cache could not be put back: {cause}; \
                 the old cache and the backup's collection are in {}",
                path.display(),
                aside.display()
            ),
            BackupError::Io { act, object, cause } => write!(f, "cannot {act} {object}: {cause}"),
            BackupError::Collection(error) => error.fmt(f),
            BackupError::Index(error) => error.fmt(f),
            BackupError::Disk(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BackupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BackupError::Io { cause, .. } | BackupError::HalfWay { cause, .. } => Some(cause),
            BackupError::Collection(error) => Some(error),
            BackupError::Index(error) => Some(error),
            BackupError::Disk(error) => Some(error),
            _ => None,
        }
    }
}

impl From<CollectionError> for BackupError {
    fn from(error: CollectionError) -> BackupError {
        BackupError::Collection(error)
    }
}

impl From<IndexError> for BackupError {
    fn from(error: IndexError) -> BackupError {
        BackupError::Index(error)
    }
}

impl From<DiskError> for BackupError {
    fn from(error: DiskError) -> BackupError {
        BackupError::Disk(error)
    }
}
