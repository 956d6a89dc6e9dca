//! The files under `/static/`: embedded in the binary, named by their exact names, tagged by
//! their content. There is no path to leave a folder by, because there is no folder.

use crate::key::Digest;
use std::sync::LazyLock;

/// A file under `/static/`.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    pub bytes: &'static [u8],
    pub content_type: &'static str,
    /// Strong, with its quotation marks.
    pub etag: &'static str,
    /// What `?v=` carries in its address: with exactly this the answer may be kept for ever.
    pub version: &'static str,
}

struct File {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

const FILES: [File; 4] = [
    File {
        name: "app.css",
        content_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../../../static/app.css"),
    },
    File {
        name: "app.js",
        content_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../../static/app.js"),
    },
    File {
        name: "vinyl-icon.svg",
        content_type: "image/svg+xml",
        bytes: include_bytes!("../../../static/vinyl-icon.svg"),
    },
    File {
        name: "manifest.webmanifest",
        content_type: "application/manifest+json",
        bytes: include_bytes!("../../../static/manifest.webmanifest"),
    },
];

/// Digests of the files, computed at first use: a few microseconds, once.
static TAGS: LazyLock<[String; FILES.len()]> = LazyLock::new(|| {
    FILES.each_ref().map(|file| format!("\"{}\"", &Digest::of(file.bytes).to_string()[..16]))
});

/// A file under `/static/` by its exact name.
///
/// ```
/// use vinylvault::web::pages::asset;
/// assert_eq!(asset("app.css").unwrap().content_type, "text/css; charset=utf-8");
/// assert!(asset("../app.css").is_none());
/// ```
pub fn asset(name: &str) -> Option<Asset> {
    let place = FILES.iter().position(|file| file.name == name)?;
    let File { content_type, bytes, .. } = FILES[place];
    let etag: &'static str = &TAGS[place];
    Some(Asset { bytes, content_type, etag, version: etag.trim_matches('"') })
}

/// `/static/{name}?v=...`, which changes with the content. Without a version where there is no
/// such file: a template's mistake then shows as a 404 and not as a panic.
pub(super) fn address(name: &str) -> String {
    match asset(name) {
        Some(asset) => format!("/static/{name}?v={}", asset.version),
        None => format!("/static/{name}"),
    }
}
