//! The disk never holds more than the budget; what goes is what was not looked at for longest.

use crate::stage::{address_of, assert_cover, cover_bytes, cover_files, origin, settings, settle};
use crate::support::http::Connection;
use crate::support::origin::{Origin, Script, pictures};
use crate::support::vault::Vault;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn many(origin: &Origin) {
    origin.on_prefix("/many/", |path| {
        let seed = path.bytes().map(u32::from).sum();
        Script::picture(pictures::sleeve(seed, 300))
    });
}

fn view(vault: &Vault, origin: &Origin, number: u32) {
    for variant in ["thumbnails", "detail"] {
        assert_cover(&vault.get(&address_of(vault, &origin.url(&format!("/many/{number}")), variant)));
    }
    settle(vault);
}

/// Whether both renditions of a cover are on the disk.
fn is_kept(vault: &Vault, origin: &Origin, number: u32) -> bool {
    let address = address_of(vault, &origin.url(&format!("/many/{number}")), "detail");
    let key = address.rsplit('/').next().unwrap().to_owned();
    cover_files(&vault.data_dir()).iter().filter(|file| file.ends_with(&key)).count() == 2
}

#[test]
fn the_disk_never_holds_more_than_the_budget_at_any_moment_watched() {
    let origin = origin();
    many(&origin);
    let vault = settings(&origin).setting("cache-size-gb", "0.0004").start();
    let (done, most) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let watcher = {
        let (done, most, folder) = (Arc::clone(&done), Arc::clone(&most), vault.data_dir());
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(cover_bytes(&folder), Ordering::Relaxed);
            }
        })
    };
    let urls: Vec<String> = (0..150).map(|number| origin.url(&format!("/many/{number}"))).collect();
    let body = serde_json::json!({ "urls": urls }).to_string();
    let reply = vault.post_json("/api/cache/preload?wait=1", &body);
    assert_eq!(reply.json()["preloaded"], 150, "{}", reply.text());
    done.store(true, Ordering::Relaxed);
    watcher.join().unwrap();
    let most = most.load(Ordering::Relaxed);
    assert!(most > 200_000, "the budget was used: {most}");
    assert!(most <= 400_000, "{most} bytes were seen under a budget of 400,000");
    let stats = vault.stats();
    assert_eq!(stats["total_size_bytes"].as_u64().unwrap(), cover_bytes(&vault.data_dir()));
    assert_eq!(stats["total_entries"].as_u64().unwrap(), cover_files(&vault.data_dir()).len() as u64);
    assert!(stats["evictions"].as_u64().unwrap() > 0);
}

#[test]
fn the_oldest_goes_first_also_after_a_restart() {
    let origin = origin();
    many(&origin);
    // Room for a handful of covers at about 20 kB for both variants.
    let mut vault =
        settings(&origin).setting("cache-size-gb", "0.00015").setting("memory-cache-mb", "0").start();
    let mut viewed = 0;
    while vault.stat("evictions") == 0 && viewed < 60 {
        viewed += 1;
        view(&vault, &origin, viewed);
    }
    assert!(viewed > 3 && viewed < 60, "{viewed} covers filled the budget");
    assert!(!is_kept(&vault, &origin, 1), "the first one viewed went first");
    assert!(is_kept(&vault, &origin, viewed), "the last one viewed stayed");
    let oldest = (1..=viewed).find(|number| is_kept(&vault, &origin, *number)).unwrap();
    vault.restart();
    let evicted = vault.stat("evictions");
    let mut more = viewed;
    while vault.stat("evictions") == evicted {
        more += 1;
        view(&vault, &origin, more);
    }
    assert!(!is_kept(&vault, &origin, oldest), "recency outlives a restart");
    assert!(is_kept(&vault, &origin, more));
}

#[test]
fn clear_empties_the_disk_and_says_what_it_freed() {
    let origin = origin();
    many(&origin);
    let vault = settings(&origin).start();
    for number in 0..5 {
        view(&vault, &origin, number);
    }
    let bytes = cover_bytes(&vault.data_dir());
    let reply = Connection::open_as_stranger(vault.address()).post_json("/api/cache/clear", "");
    assert_eq!(reply.status, 200, "{}", reply.text());
    let said = reply.json();
    assert_eq!(
        (&said["success"], &said["removed"], &said["freed_bytes"]),
        (&true.into(), &10.into(), &bytes.into())
    );
    assert_eq!(cover_files(&vault.data_dir()).len(), 0);
    assert_eq!(vault.stat("total_entries"), 0);
    assert_eq!(vault.stat("memory_cache_bytes"), 0);
    view(&vault, &origin, 0);
    assert_eq!(origin.hits("/many/0"), 2, "what was cleared is fetched anew");
}

#[test]
fn cleanup_removes_what_was_not_looked_at_for_so_long_and_nothing_else() {
    let origin = origin();
    many(&origin);
    let vault = settings(&origin).start();
    view(&vault, &origin, 0);
    let reply = vault.post_json("/api/cache/cleanup", r#"{"max_age_days":30}"#);
    assert_eq!((&reply.json()["success"], &reply.json()["removed"]), (&true.into(), &0.into()));
    assert_eq!(vault.stats()["last_cleanup"].as_str().map(|at| at.ends_with('Z')), Some(true));
    for wrong in
        [r#"{"max_age_days":-1}"#, r#"{"max_age_days":"30"}"#, r#"{"max_age_days":1.5}"#, "[30]", "{"]
    {
        assert_eq!(vault.post_json("/api/cache/cleanup", wrong).status, 400, "{wrong}");
    }
}
