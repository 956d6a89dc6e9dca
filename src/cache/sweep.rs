//! A purge while no server runs. The index's own thread does it, with its order of unlinks and
//! deletions, but the store is opened as it is: neither a budget nor a recipe of whoever cleans up
//! makes anything else go.

use super::CacheError;
use super::disk::Disk;
use super::index::{AtRest, Index, Limits, Purged, Scope, Totals};
use std::path::Path;
use std::sync::Arc;

/// What a sweep found, took and left.
#[derive(Clone, Debug)]
pub struct Swept {
    pub before: Totals,
    pub purged: Purged,
    pub after: Totals,
}

/// Purges `root` (`DATA_DIR/cache`), which stays locked meanwhile. `None`: there is no cache yet, and
/// none was made.
///
/// # Errors
/// [`super::disk::DiskError::Locked`] while a server or another command has the cache open.
pub fn sweep(root: &Path, scope: Scope) -> Result<Option<Swept>, CacheError> {
    if !["covers", "index.db"].iter().any(|name| root.join(name).exists()) {
        return Ok(None);
    }
    let disk = Arc::new(Disk::open(root)?);
    // A damaged index is built anew from the files, whose recipe the tag knows.
    let indexed = AtRest::open(root).ok().flatten().and_then(|store| store.fingerprint().ok().flatten());
    let fingerprint = indexed.or_else(|| disk.noted_recipe()).unwrap_or_default();
    let limits = Limits { bytes_max: u64::MAX, free_bytes_min: 0, fingerprint, originals: None };
    let index = Index::open(disk, limits)?;
    let before = index.totals()?;
    let purged = index.purge(scope)?;
    let after = index.totals()?;
    index.stop();
    Ok(Some(Swept { before, purged, after }))
}
