//! `health`: what is sick is named and has an exit code; what is full or fresh is not sick.

use crate::asking::{NOWHERE, fetch, filled, json, names, nothing, printed};
use crate::stage::{address_of, origin, settings};
use crate::support::origin::Script;
use crate::support::until;
use crate::support::vault::Vault;
use serde_json::Value;
use std::path::Path;
use std::process::Output;

const ASK: &[&str] = &["health", "--json", NOWHERE];

/// Exit code, verdict and checks; the three must agree.
#[track_caller]
fn health(output: &Output) -> Value {
    let health = json(output);
    assert_eq!(names(&health), ["checks", "source", "status", "timestamp"]);
    let verdict = health["status"].as_str().unwrap().to_owned();
    let code = ["healthy", "degraded", "unhealthy"].iter().position(|word| *word == verdict).unwrap();
    assert_eq!(output.status.code(), Some(i32::try_from(code).unwrap()), "{health}");
    for (name, check) in health["checks"].as_object().unwrap() {
        assert_eq!(names(check), ["detail", "status"], "{name}");
        assert!(!check["detail"].as_str().unwrap().is_empty(), "{name}");
    }
    health
}

#[track_caller]
fn of_server(vault: &Vault) -> Value {
    let health = health(&vault.run(&["health", "--json"]));
    assert_eq!(health["source"], "server");
    health
}

#[track_caller]
fn of_store(output: &Output) -> Value {
    let health = health(output);
    assert_eq!(health["source"], "store");
    health
}

#[track_caller]
fn assert_check(health: &Value, verdict: &str, name: &str, status: &str, said: &str) {
    let check = &health["checks"][name];
    assert_eq!((&health["status"], &check["status"]), (&verdict.into(), &status.into()), "{health}");
    assert!(check["detail"].as_str().unwrap().contains(said), "{check}");
}

#[test]
fn a_fresh_server_is_healthy() {
    let (_origin, vault) = filled(0);
    let health = of_server(&vault);
    assert_check(&health, "healthy", "server", "ok", &vault.address().to_string());
    for name in ["store", "database", "free_space", "origins", "last_errors"] {
        assert_eq!(health["checks"][name]["status"], "ok", "{name}: {health}");
    }
    let output = vault.run(&["health"]);
    assert!(printed(&output).starts_with("VinylVault is healthy.\n"), "{}", printed(&output));
}

#[test]
fn a_full_cache_is_healthy() {
    let origin = origin();
    let vault = settings(&origin).setting("cache-size-gb", "0.00002").start();
    for number in 0..20 {
        fetch(&origin, &vault, &format!("/{number}.jpg"));
    }
    until("the cache is full and evicts", || vault.stat("evictions") > 0);
    assert_eq!(of_server(&vault)["status"], "healthy");
}

#[test]
fn an_origin_that_wants_to_be_left_alone_is_degraded_and_named() {
    let origin = origin();
    origin.on("/busy", Script::busy(429, "600"));
    let vault = settings(&origin).start();
    vault.get(&address_of(&vault, &origin.url("/busy"), "detail"));
    assert_check(&of_server(&vault), "degraded", "origins", "degraded", "127.0.0.1 asked to be left alone");
    let output = vault.run(&["health"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("VinylVault is degraded.\n") && text.contains("127.0.0.1"), "{text}");
    assert!(output.stderr.is_empty(), "the page says it all");
}

#[test]
fn an_origin_that_only_fails_is_degraded_until_it_answers_again() {
    let origin = origin();
    origin.on("/down", Script::status(500));
    let vault = settings(&origin).start();
    vault.get(&address_of(&vault, &origin.url("/down"), "detail"));
    until("the server gives up", || origin.hits("/down") == 3 && vault.stat("failures") == 1);
    assert_check(&of_server(&vault), "degraded", "origins", "degraded", "failed the last 3 times in a row");
    fetch(&origin, &vault, "/good.jpg");
    assert_check(&of_server(&vault), "healthy", "origins", "ok", "all well");
}

#[test]
fn a_file_system_that_others_have_filled_is_degraded() {
    let origin = origin();
    // More than any disk that these tests run on has free.
    let vault = settings(&origin).setting("min-free-mb", "1000000").start();
    assert_check(&of_server(&vault), "degraded", "free_space", "degraded", "something else fills");
}

#[test]
fn a_stopped_server_is_degraded_and_its_store_is_looked_through() {
    let (_origin, mut vault) = filled(2);
    vault.terminate();
    let health = of_store(&vault.run(ASK));
    assert_check(&health, "degraded", "server", "degraded", "not running");
    for name in ["store", "index", "database", "free_space"] {
        assert_eq!(health["checks"][name]["status"], "ok", "{name}: {health}");
    }
    vault.restart();
    vault.kill9();
    assert_check(&of_store(&vault.run(ASK)), "degraded", "index", "ok", "whole");
}

#[test]
fn where_there_is_nothing_only_the_server_is_missed() {
    let builder = nothing();
    let health = of_store(&builder.run(ASK));
    assert_check(&health, "degraded", "server", "degraded", "not running");
    let sick = health["checks"].as_object().unwrap().values().filter(|check| check["status"] == "degraded");
    assert_eq!(sick.count(), 1, "{health}");
    assert!(!builder.data_dir().exists());
}

#[test]
fn a_damaged_collection_is_unhealthy_and_a_damaged_index_only_degraded() {
    let (origin, mut vault) = filled(2);
    let albums: Vec<Value> = (0..200)
        .map(|n| serde_json::json!({ "artist": format!("A {n}"), "title": "T", "cover_url": origin.url("/0.jpg") }))
        .collect();
    vault.import(&Value::Array(albums));
    vault.terminate();
    overwrite(&vault.data_dir().join("cache/index.db"), 4096);
    assert_check(&of_store(&vault.run(ASK)), "degraded", "index", "degraded", "");
    overwrite(&vault.data_dir().join("vinylvault.db"), 4096);
    assert_check(&of_store(&vault.run(ASK)), "unhealthy", "database", "failed", "");
}

/// Everything behind the first `from` bytes becomes nonsense of the same length.
fn overwrite(path: &Path, from: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    assert!(bytes.len() > from);
    bytes[from..].fill(0xa5);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_store_of_a_newer_program_is_unhealthy() {
    let (_origin, mut vault) = filled(0);
    vault.terminate();
    let index = rusqlite::Connection::open(vault.data_dir().join("cache/index.db")).unwrap();
    index.pragma_update(None, "user_version", 999).unwrap();
    drop(index);
    assert_check(&of_store(&vault.run(ASK)), "unhealthy", "index", "failed", "newer");
}

#[test]
fn a_server_that_hangs_is_unhealthy() {
    let (_origin, vault) = filled(0);
    vault.signal(rustix::process::Signal::STOP);
    let output = vault.run(&["health", "--json"]);
    vault.signal(rustix::process::Signal::CONT);
    assert_check(&health(&output), "unhealthy", "server", "failed", "does not answer");
}
