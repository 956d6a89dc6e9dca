//! `/metrics` is what Prometheus reads, says what happened, and has no more series for strange requests.

use crate::exposition::{Series, key, read};
use crate::stage::{address_of, assert_cover, origin, settings, settle};
use crate::support::origin::Script;
use crate::support::until;
use crate::support::vault::Vault;

#[track_caller]
fn metrics(vault: &Vault) -> Series {
    let mut stranger = crate::support::http::Connection::open_as_stranger(vault.address());
    let reply = stranger.get("/metrics");
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    read(&reply.text()).unwrap_or_else(|error| panic!("{error}\n{}", reply.text()))
}

#[track_caller]
fn value(series: &Series, name: &str, labels: &[(&str, &str)]) -> f64 {
    let name = format!("vinylvault_{name}");
    *series.get(&key(&name, labels)).unwrap_or_else(|| panic!("no {name} {labels:?} in {series:#?}"))
}

#[test]
fn a_fresh_server_has_every_family_and_a_used_one_says_what_happened() {
    let origin = origin();
    origin.on("/gone.jpg", Script::status(404));
    origin.on("/busy.jpg", Script::busy(429, "600"));
    let vault = settings(&origin).setting("memory-cache-mb", "32").start();
    let fresh = metrics(&vault);
    let address = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    for _ in 0..3 {
        assert_cover(&vault.get(&address));
    }
    let tag = vault.get(&address).header("etag").unwrap().to_owned();
    for _ in 0..2 {
        assert_eq!(vault.request("GET", &address, &[("If-None-Match", &tag)], b"").status, 304);
    }
    for path in ["/gone.jpg", "/gone.jpg", "/busy.jpg"] {
        vault.get(&address_of(&vault, &origin.url(path), "thumbnails"));
    }
    vault.get("/");
    vault.get("/nothing");
    settle(&vault);
    let used = metrics(&vault);
    let requests = |route, code| value(&used, "requests_total", &[("route", route), ("code", code)]);
    assert_eq!((requests("cover", "200"), requests("cover", "304")), (7.0, 2.0));
    assert_eq!((requests("grid", "200"), requests("none", "404"), requests("image", "302")), (1.0, 1.0, 4.0));
    let results = |size| {
        ["hit_mem", "hit_disk", "miss", "coalesced", "placeholder"]
            .map(|result| value(&used, "cache_requests_total", &[("size", size), ("result", result)]))
    };
    assert_eq!(results("detail"), [5.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!(results("thumbnails"), [0.0, 0.0, 2.0, 0.0, 1.0]);
    assert_eq!(value(&used, "cache_limit_bytes", &[("tier", "disk")]), 2e9);
    assert_eq!(value(&used, "cache_limit_bytes", &[("tier", "memory")]), 32e6);
    for size in ["thumbnails", "detail"] {
        assert_eq!(value(&used, "cache_entries", &[("size", size)]), 1.0);
    }
    let home = origin.address().ip().to_string();
    let asked = |code| value(&used, "origin_requests_total", &[("origin", &home), ("code", code)]);
    assert_eq!((asked("200"), asked("404"), asked("429")), (1.0, 1.0, 1.0));
    assert_eq!(value(&used, "negative_entries", &[("class", "absent")]), 1.0);
    assert_eq!(value(&used, "failures_total", &[("class", "throttled")]), 1.0);
    assert!((500.0..=600.0).contains(&value(&used, "origin_pause_seconds", &[("origin", &home)])));
    for (stage, count) in [("wait", 3.0), ("fetch", 3.0), ("render", 1.0), ("store", 1.0)] {
        assert_eq!(value(&used, "stage_duration_seconds_count", &[("stage", stage)]), count, "{stage}");
    }
    let took = |stage| value(&used, "stage_duration_seconds_sum", &[("stage", stage)]);
    let steps = ["decode", "resize", "encode"].map(took);
    assert!(steps.iter().all(|took| *took > 0.0) && steps.iter().sum::<f64>() <= took("render"), "{steps:?}");
    for prio in ["high", "low"] {
        assert_eq!(value(&used, "queue_depth", &[("prio", prio)]), 0.0);
    }
    for check in ["store", "index", "space", "database", "listener"] {
        assert_eq!(value(&used, "ready", &[("check", check)]), 1.0, "{check}");
    }
    let rss = value(&used, "resident_memory_bytes", &[]) / 1024.0;
    assert!((rss - vault.rss_kb() as f64).abs() < 8192.0, "{rss}");
    // Whatever was there at first is still there: a series that vanishes looks like a restart.
    let lost: Vec<_> = fresh.keys().filter(|series| !used.contains_key(series)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn strange_requests_and_many_origins_make_no_further_series() {
    let origin = origin();
    let mut builder = settings(&origin);
    for number in 2..22 {
        builder = builder.private_source(format!("127.0.0.{number}:9"));
    }
    let vault = builder.start();
    let urls: Vec<String> = (2..22).map(|number| format!("http://127.0.0.{number}:9/a.jpg")).collect();
    let said = vault.post_json("/api/cache/preload", &serde_json::json!({ "urls": urls }).to_string()).json();
    let job = format!("/api/jobs/{}", said["job"].as_str().unwrap());
    let mut client = vault.connect();
    for number in 0..200 {
        for target in [format!("/no/{number}"), format!("/album/{number}"), format!("/cache/{number}\"}}")] {
            client.get(&target);
        }
    }
    crate::support::until_within(std::time::Duration::from_secs(60), "the preload ends", || {
        let mut stranger = crate::support::http::Connection::open_as_stranger(vault.address());
        stranger.get(&job).json()["state"] == "done"
    });
    let series = metrics(&vault);
    let origins = series.keys().filter(|(name, _)| name == "vinylvault_origin_pause_seconds").count();
    assert_eq!(origins, 17);
    let refused = value(&series, "origin_requests_total", &[("origin", "other"), ("code", "none")]);
    assert!(refused >= 4.0, "{refused}");
    let routes = series.keys().filter(|(name, _)| name == "vinylvault_requests_total").count();
    assert!(routes < 20, "{routes}");
    assert!(series.len() < 300, "{}", series.len());
}

#[test]
fn counters_begin_anew_with_the_process_and_never_fall() {
    let origin = origin();
    let mut vault = settings(&origin).start();
    let address = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    assert_cover(&vault.get(&address));
    settle(&vault);
    vault.terminate();
    vault.restart();
    assert_eq!(vault.stat("misses"), 1, "the statistics remember");
    let detail = |result| [("size", "detail"), ("result", result)];
    assert_eq!(value(&metrics(&vault), "cache_requests_total", &detail("miss")), 0.0);
    // Hits that were not stored yet when it was killed: a count that fell back to what was stored would
    // look as if it had been reached anew.
    for _ in 0..5 {
        assert_cover(&vault.get(&address));
    }
    vault.kill9();
    vault.restart();
    let after = metrics(&vault);
    assert_eq!(value(&after, "cache_requests_total", &detail("hit_mem")), 0.0);
    assert_eq!(value(&after, "downloads_total", &[]), 0.0);
}

#[test]
fn counts_are_of_answers_given_not_of_requests_seen() {
    let origin = origin();
    origin.on("/slow.jpg", Script::silent());
    let vault = settings(&origin).start();
    let address = address_of(&vault, &origin.url("/slow.jpg"), "detail");
    let mut viewer = vault.connect();
    viewer.send(format!("GET {address} HTTP/1.1\r\nHost: {}\r\n\r\n", vault.address()).as_bytes()).unwrap();
    until("the viewer waits", || value(&metrics(&vault), "waiting_requests", &[]) == 1.0);
    let covers = key("vinylvault_requests_total", &[("route", "cover"), ("code", "200")]);
    assert_eq!(metrics(&vault).get(&covers), None);
    assert_eq!(viewer.receive("GET").unwrap().placeholder(), Some("pending"));
    assert_eq!(metrics(&vault).get(&covers), Some(&1.0));
}
