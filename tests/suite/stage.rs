//! A server and an origin that know each other: what nearly every test begins with.

use std::path::{Path, PathBuf};

use crate::support::http::Reply;
use crate::support::origin::{Origin, Script, pictures};
use crate::support::vault::{Builder, Vault};

/// An origin with one good cover at `/cover.jpg`.
pub fn origin() -> Origin {
    let origin = Origin::start();
    origin.on("/cover.jpg", Script::picture(pictures::sleeve(1, 600)));
    origin
}

/// Settings of a server that may fetch from `origin` and has no floor of free space: the disk of
/// a build machine may be fuller than a Pi's card.
pub fn settings(origin: &Origin) -> Builder {
    Vault::builder().private_source(origin.private_source()).setting("min-free-mb", "0")
}

/// Makes a source known; the address of its rendition.
#[track_caller]
pub fn address_of(vault: &Vault, url: &str, variant: &str) -> String {
    let mut stranger = crate::support::http::Connection::open_as_stranger(vault.address());
    let reply = stranger.get(&format!("/api/cache/image?url={}&size={variant}", encode(url)));
    assert_eq!(reply.status, 302, "{}", reply.text());
    reply.header("location").expect("a redirect has a location").to_owned()
}

/// The bytes of a query value.
pub fn encode(url: &str) -> String {
    url.bytes()
        .map(|byte| match byte.is_ascii_alphanumeric() {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

/// What stands in for a cover, if anything does: `pending`, `absent` or `failed`.
pub fn stand_in(reply: &Reply) -> Option<&str> {
    reply.header("x-vinylvault-placeholder")
}

/// The answer is a whole rendition, not a placeholder.
#[track_caller]
pub fn assert_cover(reply: &Reply) {
    assert_eq!((reply.status, stand_in(reply)), (200, None), "{}", String::from_utf8_lossy(&reply.head));
    let length = u32::from_le_bytes(reply.body[4..8].try_into().unwrap()) as usize;
    assert_eq!((&reply.body[..4], &reply.body[8..12]), (&b"RIFF"[..], &b"WEBP"[..]));
    assert_eq!(length + 8, reply.body.len(), "the header's length is the body's");
}

/// Waits until every flight has landed: a cover is delivered before it is on the card.
#[track_caller]
pub fn settle(vault: &Vault) {
    crate::support::until("every flight has landed", || vault.stat("in_flight") == 0);
}

/// Every rendition below `covers/`, as files; placeholders are not renditions.
pub fn cover_files(data_dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for variant in ["thumbnails", "detail"] {
        let Ok(shards) = std::fs::read_dir(data_dir.join("cache/covers").join(variant)) else { continue };
        for shard in shards.flatten() {
            let Ok(entries) = std::fs::read_dir(shard.path()) else { continue };
            files.extend(entries.flatten().map(|entry| entry.path()));
        }
    }
    files
}

/// Bytes of all renditions on disk now.
pub fn cover_bytes(data_dir: &Path) -> u64 {
    cover_files(data_dir).iter().filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}
