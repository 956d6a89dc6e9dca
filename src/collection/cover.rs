//! The collection's one door to [`crate::source`]: which cover an album has, if any.

use crate::key::CacheKey;
use crate::source::{Source, SourceError, names_no_cover};

/// The key of a cover's URL; `None` when it is no usable source.
pub(super) fn key_of(url: &str) -> Option<CacheKey> {
    Source::parse(url).ok().map(|source| source.key())
}

/// `Ok(None)` where Discogs' address says that there is no picture.
pub(super) fn usable(url: String) -> Result<Option<String>, SourceError> {
    if names_no_cover(&url) {
        return Ok(None);
    }
    Source::parse(&url).map(|_| Some(url))
}
