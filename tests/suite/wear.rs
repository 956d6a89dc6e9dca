//! A page view causes no write; a thousand repeated hits write nothing.

use crate::stage::{address_of, assert_cover, origin, settings};
use crate::support::clear_of_the_hours_end;
use crate::support::vault::Vault;

/// Bytes that the process has caused to be sent to storage, and write calls of any kind.
fn written(vault: &Vault) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{}/io", vault.pid())).unwrap();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap();
    line.parse().unwrap()
}

/// What was written when the first reading after the last commit is over: it notes in the shared memory
/// beside a database how far it has read, a page that counts as written if a `sync` has cleaned it.
fn settled(vault: &Vault, mut view: impl FnMut()) -> u64 {
    let mut before = 0;
    crate::support::until("a view writes nothing more", || {
        view();
        std::mem::replace(&mut before, written(vault)) == before
    });
    before
}

#[test]
fn a_thousand_repeated_hits_and_a_hundred_page_views_write_nothing() {
    clear_of_the_hours_end();
    let origin = origin();
    let vault = settings(&origin).start();
    vault
        .import(&serde_json::json!([{ "artist": "A", "title": "T", "cover_url": origin.url("/cover.jpg") }]));
    let address = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    assert_cover(&vault.get(&address));
    crate::support::until("the cover is on disk", || {
        vault.stat("total_entries") == 2 && vault.stat("in_flight") == 0
    });
    let mut client = vault.connect();
    let before = settled(&vault, || {
        client.get(&address);
        client.get("/");
    });
    for _ in 0..1_000 {
        assert_cover(&client.get(&address));
    }
    for _ in 0..100 {
        assert_eq!(client.get("/").status, 200);
    }
    assert_eq!(written(&vault), before);
}

#[test]
fn hits_from_disk_write_nothing_either() {
    clear_of_the_hours_end();
    let origin = origin();
    let vault = settings(&origin).setting("memory-cache-mb", "0").start();
    let address = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    assert_cover(&vault.get(&address));
    crate::support::until("the cover is on disk", || {
        vault.stat("total_entries") == 2 && vault.stat("in_flight") == 0
    });
    let mut client = vault.connect();
    let before = settled(&vault, || drop(client.get(&address)));
    for _ in 0..1_000 {
        let reply = client.get(&address);
        assert_eq!(reply.header("cache-status"), Some("VinylVault; hit; detail=disk"));
    }
    assert_eq!(written(&vault), before);
}
