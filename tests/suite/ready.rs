//! `/ready` says what does not work, by name, and forgets it when it works again; a full cache is ready.

use crate::stage::{address_of, assert_cover, origin, settings, settle, stand_in};
use crate::support::http::Connection;
use crate::support::origin::{Script, pictures};
use crate::support::until;
use crate::support::vault::Vault;
use serde_json::json;
use vinylvault::cache::{ImageCache, Settings};
use vinylvault::guard::Guard;
use vinylvault::picture::Recipe;

const CHECKS: [&str; 5] = ["store", "index", "space", "database", "listener"];

/// What is not ready, with the sentences left out.
#[track_caller]
fn failed(vault: &Vault) -> Vec<String> {
    let reply = vault.get("/ready");
    let said = reply.json();
    let names = said["failed"].as_array().unwrap().iter();
    let failed: Vec<String> = names.map(|name| name.as_str().unwrap().to_owned()).collect();
    assert_eq!(reply.status, if failed.is_empty() { 200 } else { 503 }, "{said}");
    assert_eq!(said["ready"], failed.is_empty());
    assert_eq!(said["checks"].as_object().unwrap().len(), CHECKS.len(), "{said}");
    for name in CHECKS {
        let has_failed = failed.iter().any(|failed| failed == name);
        assert_eq!(said["checks"][name], if has_failed { "failed" } else { "ok" }, "{said}");
        assert_eq!(said["reasons"][name].is_string(), has_failed, "{said}");
    }
    let body = reply.text();
    assert!(!body.contains(vault.data_dir().to_str().unwrap()), "a path is told to strangers: {body}");
    failed
}

#[test]
fn a_full_cache_that_gives_up_its_oldest_is_ready() {
    let origin = origin();
    origin.on_prefix("/many/", |path| {
        Script::picture(pictures::sleeve(path.bytes().map(u32::from).sum(), 300))
    });
    let vault = settings(&origin).setting("cache-size-gb", "0.0001").start();
    assert_eq!(failed(&vault), [] as [&str; 0]);
    let urls: Vec<String> = (0..30).map(|number| origin.url(&format!("/many/{number}"))).collect();
    vault.post_json("/api/cache/preload?wait=1", &json!({ "urls": urls }).to_string());
    settle(&vault);
    assert!(vault.stat("evictions") > 0);
    assert_eq!(failed(&vault), [] as [&str; 0]);
}

#[test]
fn a_card_that_others_have_filled_is_not_ready() {
    let origin = origin();
    // More than there is, however much others free meanwhile.
    let folder = rustix::fs::statvfs(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let free = folder.f_bavail * folder.f_frsize;
    let vault = settings(&origin).setting("min-free-mb", 1_000 + free / 1_000_000 * 2).start();
    assert_eq!(failed(&vault), ["space"]);
    let ready = Connection::open(vault.address()).get("/metrics").text();
    assert!(ready.contains("vinylvault_ready{check=\"space\"} 0\n"));
}

#[test]
fn a_card_that_refuses_a_write_is_not_ready_until_it_takes_one_again() {
    let origin = origin();
    origin.on("/second.jpg", Script::picture(pictures::sleeve(2, 100)));
    origin.on("/third.jpg", Script::picture(pictures::sleeve(3, 100)));
    let vault = settings(&origin).start();
    let tmp = vault.data_dir().join("cache/tmp");
    let view = |path: &str| assert_cover(&vault.get(&address_of(&vault, &origin.url(path), "detail")));
    std::fs::remove_dir(&tmp).unwrap();
    view("/cover.jpg");
    settle(&vault);
    assert_eq!(failed(&vault), ["store"]);
    assert!(vault.stats()["last_disk_error"].is_string());
    // The next cover that is kept says that it works again.
    std::fs::create_dir(&tmp).unwrap();
    view("/second.jpg");
    settle(&vault);
    assert_eq!(failed(&vault), [] as [&str; 0]);
    assert!(vault.stats()["last_disk_error"].is_null());
}

#[test]
fn a_card_that_works_again_is_found_out_without_a_new_cover() {
    let origin = origin();
    let vault = settings(&origin).start();
    let tmp = vault.data_dir().join("cache/tmp");
    std::fs::remove_dir(&tmp).unwrap();
    assert_cover(&vault.get(&address_of(&vault, &origin.url("/cover.jpg"), "detail")));
    settle(&vault);
    std::fs::create_dir(&tmp).unwrap();
    assert_eq!(failed(&vault), ["store"], "nothing has been tried since");
    until("the card was tried again", || failed(&vault).is_empty());
    assert_eq!(std::fs::read_dir(&tmp).unwrap().count(), 0, "and nothing of it is left");
}

#[test]
fn a_collection_that_does_not_answer_is_not_ready() {
    let vault = Vault::start();
    let db = rusqlite::Connection::open(vault.data_dir().join("vinylvault.db")).unwrap();
    db.execute_batch("ALTER TABLE album RENAME TO lost").unwrap();
    assert_eq!(failed(&vault), ["database"]);
}

#[test]
fn a_cache_that_is_told_to_stop_says_so_and_then_that_it_has() {
    let folder = crate::support::folder::Folder::new();
    let settings = Settings {
        recipe: Recipe { thumbnail_side: 150, detail_side: 600, quality: 85, effort: 0, megapixels_max: 10 },
        render_bytes_max: 64_000_000,
        memory_bytes_max: 1_000_000,
        disk_bytes_max: 1_000_000,
        free_bytes_min: 0,
        downloads: 1,
        image_bytes_max: 1_000_000,
        guard: Guard::new(None, None).unwrap(),
    };
    let cache = ImageCache::open(&folder.join("cache"), settings).unwrap();
    assert!(cache.condition().serving && cache.condition().index);
    cache.hang_up();
    assert!(!cache.condition().serving && cache.condition().index);
    cache.stop();
    assert!(!cache.condition().index);
}

#[test]
fn images_say_how_long_they_took_when_debug_is_on_and_only_then() {
    let origin = origin();
    let slow = Script::picture(pictures::sleeve(5, 300)).after(std::time::Duration::from_millis(120));
    origin.on("/slow.jpg", slow);
    let mut vault = settings(&origin).env("VINYL_VAULT_DEBUG", "1").start();
    let address = address_of(&vault, &origin.url("/slow.jpg"), "detail");
    let miss = vault.get(&address);
    let timing = miss.header("server-timing").unwrap_or_else(|| panic!("{miss:?}"));
    let parts: Vec<(&str, f64)> = timing
        .split(", ")
        .map(|part| part.split_once(";dur=").map(|(name, ms)| (name, ms.parse().unwrap())).unwrap())
        .collect();
    assert_eq!(parts.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["wait", "fetch", "render"]);
    assert!(parts[1].1 >= 120.0 && parts[2].1 > 0.0, "{timing}");
    assert_eq!(vault.get(&address).header("server-timing"), None, "memory is not worth a clock");
    vault.restart();
    let disk = vault.get(&address);
    assert_eq!(disk.header("cache-status"), Some("VinylVault; hit; detail=disk"));
    assert!(disk.header("server-timing").unwrap().starts_with("disk;dur="));
    let quiet = settings(&origin).start();
    let address = address_of(&quiet, &origin.url("/slow.jpg"), "detail");
    let reply = quiet.get(&address);
    assert_eq!((stand_in(&reply), reply.header("server-timing")), (None, None));
}
