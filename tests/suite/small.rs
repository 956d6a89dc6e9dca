//! A cover that is here from a small original is fetched anew, once, when the address of a larger one is
//! known; until that has come, and if it never comes, what is here stays.

use rusqlite::Connection;

use crate::stage::{address_of, assert_cover, origin, settings, settle};
use crate::support::origin::{Origin, Script, pictures};
use crate::support::until;
use crate::support::vault::Vault;

/// A server with the cover of `/cover.jpg` on its card, 150 pixels wide as from Discogs' small address, and
/// on its shelf.
fn vault_with_a_small_cover(origin: &Origin) -> (Vault, String) {
    origin.on("/cover.jpg", Script::picture(pictures::sleeve(7, 150)));
    let mut vault = settings(origin).start();
    let url = origin.url("/cover.jpg");
    vault.import(&serde_json::json!([{ "artist": "Can", "title": "Tago Mago", "cover_url": url }]));
    let address = address_of(&vault, &url, "detail");
    assert_eq!(width(&vault, &address), 150);
    settle(&vault);
    vault.terminate();
    // No origin on loopback has an address that says its size.
    let index = Connection::open(vault.data_dir().join("cache/index.db")).unwrap();
    let noted = index.execute("UPDATE rendition SET asked = 150 WHERE variant = 1", []).unwrap();
    assert_eq!(noted, 1);
    drop(index);
    vault.restart();
    (vault, address)
}

#[track_caller]
fn width(vault: &Vault, address: &str) -> u32 {
    let reply = vault.get(address);
    assert_cover(&reply);
    image::load_from_memory(&reply.body).unwrap().width()
}

/// What the page puts behind `?v=` of its covers.
fn version(vault: &Vault) -> String {
    let page = vault.get("/").text();
    let (_, after) = page.split_once(".webp?v=").expect("a cover with a version");
    after.chars().take_while(char::is_ascii_hexdigit).collect()
}

#[test]
fn a_look_at_a_small_cover_brings_the_larger_one_once_under_an_address_that_no_browser_has() {
    let origin = origin();
    let (vault, address) = vault_with_a_small_cover(&origin);
    let before = version(&vault);
    origin.on("/cover.jpg", Script::picture(pictures::sleeve(7, 600)));
    assert_eq!(width(&vault, &address), 150, "nobody waits for the larger one");
    until("the larger one is here", || width(&vault, &address) == 600);
    settle(&vault);
    assert_ne!(version(&vault), before);
    vault.post_json("/api/cache/preload?wait=1", &body(&origin));
    assert_eq!((width(&vault, &address), origin.hits("/cover.jpg")), (600, 2));
    assert_eq!((vault.stat("thumbnail_count"), vault.stat("detail_count")), (1, 1));
}

#[test]
fn a_preload_brings_the_larger_one_too() {
    let origin = origin();
    let (vault, address) = vault_with_a_small_cover(&origin);
    origin.on("/cover.jpg", Script::picture(pictures::sleeve(7, 600)));
    let said = vault.post_json("/api/cache/preload?wait=1", &body(&origin)).json();
    assert_eq!(said["preloaded"], 1, "{said}");
    assert_eq!((width(&vault, &address), origin.hits("/cover.jpg")), (600, 2));
}

#[test]
fn a_small_cover_stays_when_the_larger_one_cannot_be_had() {
    let origin = origin();
    let (mut vault, address) = vault_with_a_small_cover(&origin);
    origin.on("/cover.jpg", Script::status(404));
    assert_eq!(width(&vault, &address), 150);
    until("it was asked for", || vault.stat("failures") == 1);
    vault.restart();
    assert_eq!(width(&vault, &address), 150);
    settle(&vault);
    assert_eq!(origin.hits("/cover.jpg"), 2, "and not again before its time");
}

fn body(origin: &Origin) -> String {
    serde_json::json!({ "urls": [origin.url("/cover.jpg")] }).to_string()
}
