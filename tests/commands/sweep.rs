//! `cleanup` and `clear`: through the server and on a store at rest, and never more than was asked for.

use crate::asking::{NOWHERE, filled, json, names, nothing, printed};
use crate::stage::{address_of, assert_cover, cover_bytes, cover_files};
use crate::support::vault::Vault;
use serde_json::{Value, json};

const CLEANUP: [&str; 8] = [
    "after",
    "before",
    "entries_cleaned",
    "max_age_days",
    "size_saved_bytes",
    "size_saved_mb",
    "source",
    "timestamp",
];

#[track_caller]
fn cleanup(vault: &Vault, days: &str) -> Value {
    let said = json(&vault.run(&["cleanup", "--json", "--days", days]));
    assert_eq!(names(&said), CLEANUP);
    assert_eq!(said["max_age_days"].to_string(), days);
    said
}

#[test]
fn a_running_server_is_told_and_what_is_young_stays() {
    let (_origin, vault) = filled(3);
    let kept = cleanup(&vault, "30");
    assert_eq!((&kept["source"], &kept["entries_cleaned"]), (&json!("server"), &json!(0)));
    assert_eq!((&kept["before"], &kept["before"]["entries"]), (&kept["after"], &json!(6)));
    let held = cover_bytes(&vault.data_dir());
    let gone = cleanup(&vault, "0");
    assert_eq!((&gone["entries_cleaned"], &gone["size_saved_bytes"]), (&json!(6), &json!(held)));
    assert_eq!(
        (&gone["before"]["entries"], &gone["after"]),
        (&json!(6), &json!({ "entries": 0, "size_mb": 0.0 }))
    );
    assert_eq!(cover_files(&vault.data_dir()).len(), 0);
}

#[test]
fn a_store_at_rest_is_cleaned_itself_after_a_stop_and_after_a_kill() {
    let (_origin, mut vault) = filled(3);
    let held = cover_bytes(&vault.data_dir());
    vault.terminate();
    let kept = cleanup(&vault, "30");
    assert_eq!((&kept["source"], &kept["entries_cleaned"]), (&json!("store"), &json!(0)));
    assert_eq!(cover_files(&vault.data_dir()).len(), 6);
    vault.restart();
    vault.kill9();
    let gone = cleanup(&vault, "0");
    assert_eq!((&gone["entries_cleaned"], &gone["size_saved_bytes"]), (&json!(6), &json!(held)));
    assert_eq!(cover_files(&vault.data_dir()).len(), 0);
    vault.restart();
    assert_eq!((vault.stat("total_entries"), vault.stat("hits")), (0, 3), "the counters are as they were");
}

#[test]
fn whoever_cleans_with_other_settings_than_the_server_removes_no_more() {
    let (origin, mut vault) = filled(3);
    vault.terminate();
    let output = vault.run(&[
        "cleanup",
        "--cache-size-gb",
        "0.000001",
        "--thumbnail-size",
        "99",
        "--min-free-mb",
        "1000000",
    ]);
    assert!(printed(&output).contains("Removed 0 files"), "{}", printed(&output));
    vault.restart();
    let address = address_of(&vault, &origin.url("/0.jpg"), "detail");
    assert_cover(&vault.get(&address));
    assert_eq!((vault.stat("total_entries"), origin.hits("/0.jpg")), (6, 1));
}

#[test]
fn clear_empties_the_cache_and_leaves_the_collection() {
    let (origin, mut vault) = filled(2);
    vault.import(&json!([{ "artist": "A", "title": "T", "cover_url": origin.url("/0.jpg") }]));
    let held = cover_bytes(&vault.data_dir());
    let said = json(&vault.run(&["clear", "--json"]));
    assert_eq!(names(&said), ["after", "before", "freed_bytes", "removed", "source", "timestamp"]);
    assert_eq!(
        (&said["source"], &said["removed"], &said["freed_bytes"]),
        (&json!("server"), &json!(4), &json!(held))
    );
    assert_cover(&vault.get(&address_of(&vault, &origin.url("/0.jpg"), "detail")));
    crate::stage::settle(&vault);
    vault.terminate();
    let output = vault.run(&["clear"]);
    assert!(printed(&output).starts_with("Removed 2 files, "), "{}", printed(&output));
    assert!(printed(&output).contains("the store in "), "{}", printed(&output));
    assert_eq!(cover_files(&vault.data_dir()).len(), 0);
    vault.restart();
    assert!(vault.get("/").text().contains("<h1>") && vault.get("/album/1").status == 200);
}

#[test]
fn where_there_is_nothing_nothing_is_removed_and_nothing_made() {
    let builder = nothing();
    for command in ["cleanup", "clear"] {
        let output = builder.run(&[command, NOWHERE]);
        assert!(
            printed(&output).contains("Removed 0 files") && printed(&output).contains("nothing yet"),
            "{command}"
        );
        let said = json(&builder.run(&[command, "--json", NOWHERE]));
        assert_eq!(said["before"], json!({ "entries": 0, "size_mb": 0.0 }), "{command}");
    }
    assert!(!builder.data_dir().exists());
}

#[test]
fn an_age_that_is_none_is_wrong_usage() {
    let (_origin, vault) = filled(1);
    for days in ["-1", "x", "1.5", "36501", ""] {
        let output = vault.run(&["cleanup", &format!("--days={days}")]);
        assert_eq!(output.status.code(), Some(2), "{days}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("from 0 to 36500"), "{days}");
    }
    assert_eq!(vault.stat("total_entries"), 2);
}

#[test]
fn the_admin_token_opens_the_way_and_its_absence_is_explained() {
    let builder = Vault::builder().env("VINYL_VAULT_ADMIN_TOKEN", "a-long-enough-admin-token");
    let vault = builder.setting("min-free-mb", "0").start();
    assert_eq!(json(&vault.run(&["clear", "--json"]))["removed"], 0);
    let refused = vault.run(&["clear", "--admin-token", "another-long-wrong-token"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("cannot clear the cache") && said.contains("token"), "{said}");
    assert!(!said.contains("another-long"), "{said}");
}
