//! `vinylvault demo` itself: a temporary data folder, the origin, the import, and then a server
//! like any other. Owns the folder, which goes when the demo does.

use std::path::{Path, PathBuf};
use std::{env, fmt, fs, io, process};

use log::warn;

use super::{DemoOrigin, albums, to_import};
use crate::collection::import::read_bytes;
use crate::collection::{Collection, CollectionError, ImportMode};
use crate::config::Config;
use crate::guard::Guard;
use crate::serve::{ServeError, Server};

/// Serves the sample collection until SIGTERM or Ctrl-C.
///
/// # Errors
/// When the folder, the origin or the server cannot be had.
pub fn run(mut config: Config) -> Result<(), DemoError> {
    let folder = Folder::new()?;
    let origin = DemoOrigin::start().map_err(DemoError::Origin)?;
    let private = origin.address().to_string();
    config.guard = Guard::new(None, Some(&private)).map_err(|reason| DemoError::Guard(reason.to_string()))?;
    config.data_dir = folder.path.clone();
    fill_shelf(&config.data_dir.join("vinylvault.db"), &origin)?;
    let server = Server::open(config)?;
    server.announce();
    server.serve()?;
    Ok(())
}

fn fill_shelf(database: &Path, origin: &DemoOrigin) -> Result<(), DemoError> {
    let albums = to_import(&albums(), origin).to_string();
    let reading =
        read_bytes(albums.as_bytes(), "demo.json").map_err(|error| DemoError::Shelf(error.to_string()))?;
    Collection::open(database)?.import(&reading.albums, ImportMode::Write)?;
    Ok(())
}

/// A folder of the demo's own; removed with the value.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new() -> Result<Folder, DemoError> {
        let path = env::temp_dir().join(format!("vinylvault-demo-{}", process::id()));
        // A restart in place keeps the process's number, and a killed demo may have had it before.
        let cleared = match fs::remove_dir_all(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
            _ => fs::create_dir(&path),
        };
        match cleared {
            Ok(()) => Ok(Folder { path }),
            Err(cause) => Err(DemoError::Folder { path, cause }),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(cause) = fs::remove_dir_all(&self.path) {
            warn!("cannot remove the demo's folder {} cause={cause}", self.path.display());
        }
    }
}

/// Why there is no demo.
#[derive(Debug)]
pub enum DemoError {
    Folder { path: PathBuf, cause: io::Error },
    Origin(io::Error),
    Guard(String),
    Shelf(String),
    Collection(CollectionError),
    Serve(ServeError),
}

impl fmt::Display for DemoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DemoError::Folder { path, cause } => {
                write!(f, "cannot make the demo's folder {}: {cause}", path.display())
            }
            DemoError::Origin(cause) => write!(f, "cannot start the demo's origin on loopback: {cause}"),
            DemoError::Guard(reason) => write!(f, "cannot allow the demo's own origin: {reason}"),
            DemoError::Shelf(reason) => write!(f, "cannot read the demo's albums: {reason}"),
            DemoError::Collection(error) => error.fmt(f),
            DemoError::Serve(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DemoError {}

impl From<CollectionError> for DemoError {
    fn from(error: CollectionError) -> DemoError {
        DemoError::Collection(error)
    }
}

impl From<ServeError> for DemoError {
    fn from(error: ServeError) -> DemoError {
        DemoError::Serve(error)
    }
}
