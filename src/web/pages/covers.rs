//! Addresses of covers in pages: pure text, computed from the URL. No page looks into the cache,
//! waits for it or starts a download; the browser asks for each picture when it wants it.

use crate::key::Variant;
use crate::source::Source;
use minijinja::State;

/// `get_thumbnail_url(url)` of the templates.
pub(super) fn thumbnail(state: &State, url: Option<String>) -> String {
    cover(state, url, Variant::Thumbnail)
}

/// `get_detail_image_url(url)` of the templates.
pub(super) fn detail(state: &State, url: Option<String>) -> String {
    cover(state, url, Variant::Detail)
}

/// `get_placeholder_url(variant)` of the templates; what is no variant is the grid's.
pub(super) fn placeholder(variant: &str) -> String {
    placeholder_of(Variant::parse(variant).unwrap_or(Variant::Thumbnail))
}

/// The version is the page's: it changes when renditions would look different.
fn cover(state: &State, url: Option<String>, variant: Variant) -> String {
    let source = url.filter(|url| !url.is_empty()).and_then(|url| Source::parse(&url).ok());
    match source {
        Some(source) => {
            let version = state.lookup("version").unwrap_or_default();
            format!("/cache/{}/{}.webp?v={version}", variant.name(), source.key())
        }
        None => placeholder_of(variant),
    }
}

fn placeholder_of(variant: Variant) -> String {
    format!("/cache/placeholders/placeholder_{}.webp", variant.name())
}
