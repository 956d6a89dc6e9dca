//! `status`: the same numbers from the server and from the store that it left.

use crate::asking::{NOWHERE, filled, json, names, nothing, printed};
use crate::stage::{cover_bytes, cover_files};
use crate::support::vault::Vault;
use serde_json::{Value, json};

const KEYS: [&str; 7] =
    ["cache_stats", "disk", "memory", "performance", "source", "timestamp", "uptime_seconds"];

/// The groups of a status, by name.
const GROUPS: [(&str, &[&str]); 3] = [
    ("performance", &["evictions", "hit_rate", "hits", "misses", "total_requests"]),
    ("memory", &["limit_bytes", "limit_mb", "rss_bytes", "usage_bytes", "usage_mb", "usage_percent"]),
    ("disk", &["file_count", "free_bytes", "total_size_bytes", "total_size_mb"]),
];

#[track_caller]
fn status(vault: &Vault) -> Value {
    let status = json(&vault.run(&["status", "--json"]));
    assert_eq!(names(&status), KEYS);
    for (group, keys) in GROUPS {
        assert_eq!(names(&status[group]), keys, "{group}");
    }
    status
}

/// What a store at rest must say of three covers that were looked at twice.
#[track_caller]
fn assert_three_covers(status: &Value, vault: &Vault) {
    assert_eq!((&status["source"], &status["uptime_seconds"]), (&json!("store"), &Value::Null));
    assert_eq!(status["disk"]["file_count"], 6);
    assert_eq!(status["disk"]["total_size_bytes"], cover_bytes(&vault.data_dir()));
    assert_eq!(status["memory"]["rss_bytes"], Value::Null);
    assert!(status["disk"]["free_bytes"].as_u64().unwrap() > 0);
}

#[test]
fn a_running_server_is_asked_and_its_numbers_are_said() {
    let (_origin, vault) = filled(3);
    let status = status(&vault);
    let stats = vault.stats();
    assert_eq!(status["source"], "server");
    assert_eq!(names(&status["cache_stats"]), names(&stats), "all of the statistics and no more");
    let performance = &status["performance"];
    assert_eq!(
        performance,
        &json!({
            "hit_rate": 50.0, "total_requests": 6, "hits": 3, "misses": 3, "evictions": 0
        })
    );
    let disk = &status["disk"];
    assert_eq!((&disk["file_count"], &disk["total_size_bytes"]), (&json!(6), &stats["total_size_bytes"]));
    let memory = &status["memory"];
    assert_eq!(
        (&memory["limit_bytes"], &memory["limit_mb"]),
        (&stats["memory_cache_limit_bytes"], &memory["limit_mb"])
    );
    let (used, limit) = (memory["usage_bytes"].as_f64().unwrap(), memory["limit_bytes"].as_f64().unwrap());
    assert!(used > 0.0 && memory["rss_bytes"].as_u64() > Some(1_000_000), "{memory}");
    assert!((memory["usage_percent"].as_f64().unwrap() - used * 100.0 / limit).abs() < 0.01, "{memory}");
    assert!(status["uptime_seconds"].is_u64());
}

#[test]
fn after_a_stop_the_store_says_what_the_server_said() {
    let (_origin, mut vault) = filled(3);
    let running = status(&vault);
    vault.terminate();
    let resting = status(&vault);
    assert_three_covers(&resting, &vault);
    assert_eq!(resting["performance"], running["performance"]);
}

#[test]
fn after_a_kill_the_store_says_what_is_on_the_card() {
    let (_origin, mut vault) = filled(3);
    vault.kill9();
    assert_three_covers(&status(&vault), &vault);
    vault.restart();
    assert_eq!(status(&vault)["source"], "server");
}

#[test]
fn where_there_is_nothing_it_says_so_with_zeros_and_makes_nothing() {
    let builder = nothing();
    let output = builder.run(&["status", "--json", NOWHERE]);
    let status = json(&output);
    assert_eq!((output.status.code(), &status["source"]), (Some(0), &json!("store")));
    assert_eq!(
        (&status["disk"]["file_count"], &status["performance"]["total_requests"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(status["performance"]["hit_rate"], Value::Null);
    let output = builder.run(&["status", NOWHERE]);
    assert!(printed(&output).contains("nothing kept yet"), "{}", printed(&output));
    assert!(!builder.data_dir().exists());
}

#[test]
fn the_page_fits_a_terminal_and_says_who_was_asked() {
    let (_origin, mut vault) = filled(3);
    let output = vault.run(&["status"]);
    let page = printed(&output);
    for said in
        ["6 files: 3 thumbnails, 3 detail", "50.0 % at once, 3 of 6 requests", "3 covers, ", "1 asked"]
    {
        assert!(page.contains(said), "{said}:\n{page}");
    }
    assert!(page.ends_with(&format!("the server at http://{}\n", vault.address())), "{page}");
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
    assert!(!page.contains('\u{1b}'), "a page is for pipes too");
    vault.terminate();
    let output = vault.run(&["status"]);
    let page = printed(&output);
    assert!(page.contains("VinylVault, not running") && page.contains("no server runs"), "{page}");
    assert!(page.contains("6 files: 3 thumbnails, 3 detail"), "{page}");
    assert!(!page.contains("on the way"), "{page}");
}

#[test]
fn a_terminal_without_unicode_gets_none() {
    let builder = nothing().env("LC_ALL", "C");
    let output = builder.run(&["status", NOWHERE]);
    assert!(printed(&output).is_ascii() && printed(&output).contains("......"), "{}", printed(&output));
    let builder = nothing().env("LC_ALL", "de_DE.UTF-8");
    let output = builder.run(&["status", NOWHERE]);
    assert!(printed(&output).contains('░'), "{}", printed(&output));
}

#[test]
fn reading_the_store_changes_no_file_in_it() {
    let (_origin, mut vault) = filled(2);
    vault.terminate();
    let folder = vault.data_dir().join("cache");
    let before = listing(&folder);
    for command in ["status", "health"] {
        vault.run(&[command]);
        assert_eq!(listing(&folder), before, "{command}");
    }
    assert_eq!(cover_files(&vault.data_dir()).len(), 4);
}

/// Name, size and time of every file directly in a folder.
fn listing(folder: &std::path::Path) -> Vec<(std::ffi::OsString, u64, std::time::SystemTime)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let (entry, file) = entry.map(|entry| (entry.file_name(), entry.metadata().unwrap())).unwrap();
            (entry, file.len(), file.modified().unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_server_that_does_not_answer_is_a_failure_that_names_it() {
    let (_origin, vault) = filled(0);
    vault.signal(rustix::process::Signal::STOP);
    let output = vault.run(&["status"]);
    vault.signal(rustix::process::Signal::CONT);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("does not answer") && said.contains(&vault.address().to_string()), "{said}");
    assert!(output.stdout.is_empty());
}
