//! What was counted hour by hour: shown while the hour goes on, kept over a stop, read at rest, and
//! written at most once an hour.

use crate::stage::{address_of, assert_cover, origin, settings, settle};
use crate::support::clear_of_the_hours_end;
use crate::support::origin::{Script, pictures};
use crate::support::vault::Vault;
use serde_json::Value;
use std::time::Duration;
use vinylvault::cache::index::{AtRest, Hour};
use vinylvault::key::Timestamp;

fn hours(vault: &Vault) -> Vec<Value> {
    let reply = vault.get("/api/cache/history");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["hours"].as_array().unwrap().clone()
}

/// One cover seen three times, and one that the origin does not have.
fn use_it(vault: &Vault, origin: &crate::support::origin::Origin) {
    let address = address_of(vault, &origin.url("/cover.jpg"), "detail");
    for _ in 0..3 {
        assert_cover(&vault.get(&address));
    }
    vault.get(&address_of(vault, &origin.url("/gone.jpg"), "detail"));
    settle(vault);
}

#[test]
fn the_running_hour_is_shown_and_kept_over_a_stop_and_read_at_rest() {
    clear_of_the_hours_end();
    let origin = origin();
    // Over loopback a whole cover may take less than the millisecond in which downloads are counted.
    let cover = Script::picture(pictures::sleeve(1, 600)).after(Duration::from_millis(5));
    origin.on("/cover.jpg", cover);
    origin.on("/gone.jpg", Script::status(404));
    let mut vault = settings(&origin).start();
    assert_eq!(hours(&vault), [] as [Value; 0], "nothing has happened");
    use_it(&vault, &origin);
    let shown = hours(&vault);
    assert_eq!(shown.len(), 1, "{shown:?}");
    let hour = &shown[0];
    let begins = Timestamp::now().0 / 3600 * 3600;
    assert_eq!(hour["hour"], Timestamp(begins).to_string());
    for (name, expected) in [
        ("memory_hits", 2),
        ("disk_hits", 0),
        ("misses", 2),
        ("placeholders", 0),
        ("coalesced", 0),
        ("downloads", 1),
        ("evictions", 0),
        ("evicted_bytes", 0),
    ] {
        assert_eq!(hour[name], expected, "{name} in {hour}");
    }
    assert_eq!(hour["failures"], serde_json::json!({ "absent": 1 }));
    let stats = vault.stats();
    for name in ["downloaded_bytes", "download_ms", "thumbnail_bytes", "detail_bytes"] {
        assert!(hour[name].as_u64().unwrap() > 0, "{name} in {hour}");
        assert_eq!(hour[name], stats[name], "{name}");
    }
    vault.terminate();
    let at_rest = AtRest::open(&vault.data_dir().join("cache")).unwrap().unwrap();
    let read: Vec<Value> = at_rest.history(Timestamp::now()).unwrap().iter().map(Hour::to_json).collect();
    assert_eq!(read, shown);
    drop(at_rest);
    vault.restart();
    assert_eq!(hours(&vault), shown);
    use_it(&vault, &origin);
    let again = hours(&vault);
    assert_eq!((again.len(), &again[0]["misses"], &again[0]["placeholders"]), (1, &3.into(), &1.into()));
    assert_eq!((&again[0]["memory_hits"], &again[0]["disk_hits"]), (&4.into(), &1.into()), "{again:?}");
}

#[test]
fn a_kill_loses_the_running_hour_and_no_other() {
    let origin = origin();
    let mut vault = settings(&origin).start();
    use_it(&vault, &origin);
    vault.terminate();
    let database = vault.data_dir().join("cache/index.db");
    // What was recorded now was recorded two hours ago.
    rusqlite::Connection::open(&database).unwrap().execute("UPDATE hour SET hour = hour - 2", []).unwrap();
    vault.restart();
    use_it(&vault, &origin);
    let shown = hours(&vault);
    assert_eq!(shown.len(), 2, "{shown:?}");
    vault.kill9();
    vault.restart();
    assert_eq!(hours(&vault), shown[..1]);
}
