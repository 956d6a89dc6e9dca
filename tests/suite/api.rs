//! The shapes of the JSON that programs rely on.

use crate::stage::{address_of, assert_cover, origin, settings, settle};
use crate::support::http::Connection;
use crate::support::origin::Script;
use crate::support::until;
use crate::support::vault::Vault;

#[test]
fn stats_have_every_name_of_the_contract_and_no_rate_before_the_first_request() {
    let origin = origin();
    let vault = settings(&origin).start();
    let stats = vault.stats();
    for name in [
        "total_entries",
        "total_size_bytes",
        "thumbnail_count",
        "detail_count",
        "cache_limit_bytes",
        "available_space_bytes",
        "hits",
        "misses",
        "memory_hits",
        "disk_hits",
        "evictions",
        "memory_cache_bytes",
        "memory_cache_limit_bytes",
        "rss_bytes",
        "in_flight",
        "queued",
        "waiting",
        "coalesced",
        "failures",
    ] {
        assert!(stats[name].is_u64(), "{name} in {stats}");
    }
    assert!(stats["hit_rate"].is_null() && stats["last_cleanup"].is_null() && stats["origins"].is_array());
    assert_eq!(stats["cache_limit_bytes"], 2_000_000_000u64);
    let address = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    for _ in 0..4 {
        assert_cover(&vault.get(&address));
    }
    settle(&vault);
    let stats = vault.stats();
    assert_eq!((&stats["hits"], &stats["misses"]), (&3.into(), &1.into()));
    assert_eq!(stats["hit_rate"], 75.0);
    assert_eq!((&stats["thumbnail_count"], &stats["detail_count"]), (&1.into(), &1.into()));
}

#[test]
fn counters_survive_a_restart() {
    let origin = origin();
    let mut vault = settings(&origin).start();
    let address = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    for _ in 0..3 {
        assert_cover(&vault.get(&address));
    }
    vault.restart();
    assert_eq!((vault.stat("hits"), vault.stat("misses")), (2, 1));
}

#[test]
fn a_preload_says_what_it_took_and_what_it_refused_and_then_how_far_it_is() {
    let origin = origin();
    origin.on("/gone.jpg", Script::status(404));
    let vault = settings(&origin).start();
    let urls = [
        origin.url("/cover.jpg"),
        origin.url("/gone.jpg"),
        "ftp://example.org/a".into(),
        "http://10.0.0.1/a".into(),
    ];
    let reply = vault.post_json("/api/cache/preload", &serde_json::json!({ "urls": urls }).to_string());
    assert_eq!(reply.status, 202, "{}", reply.text());
    let said = reply.json();
    assert_eq!((&said["success"], &said["accepted"], &said["total"]), (&true.into(), &2.into(), &4.into()));
    let rejected = said["rejected"].as_array().unwrap();
    assert_eq!(rejected.len(), 2, "{said}");
    assert!(rejected.iter().all(|entry| entry["reason"].is_string()));
    let job = format!("/api/jobs/{}", said["job"].as_str().unwrap());
    // Each time from another address: a slow machine asks oftener than one may.
    let asked = || Connection::open_as_stranger(vault.address()).get(&job).json();
    until("the job ends", || asked()["state"] == "done");
    let end = vault.get(&job).json();
    assert_eq!((&end["total"], &end["done"], &end["failed"]), (&2.into(), &2.into(), &1.into()), "{end}");
    assert_eq!(end["errors"][0]["url"], origin.url("/gone.jpg"));
    assert_eq!(vault.get("/api/jobs/999").status, 404);
}

#[test]
fn a_preload_that_is_waited_for_answers_for_every_url() {
    let origin = origin();
    origin.on("/gone.jpg", Script::status(404));
    let vault = settings(&origin).start();
    let (good, gone) = (origin.url("/cover.jpg"), origin.url("/gone.jpg"));
    // The same picture under two spellings of its address is one download and two answers.
    let again = good.replace("http://", "HTTP://");
    let body = serde_json::json!({ "urls": [good, gone, again] }).to_string();
    let said = vault.post_json("/api/cache/preload?wait=1", &body).json();
    assert_eq!(
        (&said["success"], &said["preloaded"], &said["total"]),
        (&true.into(), &2.into(), &3.into()),
        "{said}"
    );
    assert_eq!(
        (&said["results"][&good], &said["results"][&gone], &said["results"][&again]),
        (&true.into(), &false.into(), &true.into())
    );
    assert_eq!(origin.hits("/cover.jpg"), 1);
}

#[test]
fn a_preload_says_of_a_cover_that_found_no_room_that_it_is_not_kept() {
    let origin = origin();
    let vault = settings(&origin).setting("cache-size-gb", "0.000001").start();
    let url = origin.url("/cover.jpg");
    let body = serde_json::json!({ "urls": [url] }).to_string();
    let said = vault.post_json("/api/cache/preload?wait=1", &body).json();
    assert_eq!((&said["preloaded"], &said["results"][&url]), (&0.into(), &false.into()), "{said}");
    let said = vault.post_json("/api/cache/preload", &body).json();
    let job = format!("/api/jobs/{}", said["job"].as_str().unwrap());
    until("the job ends", || vault.get(&job).json()["state"] == "done");
    let end = vault.get(&job).json();
    assert_eq!((&end["failed"], &end["errors"][0]["url"]), (&1.into(), &url.into()), "{end}");
}

#[test]
fn a_job_can_be_cancelled() {
    let origin = origin();
    origin.on_prefix("/slow/", |_| Script::silent());
    let vault = settings(&origin).start();
    let urls: Vec<String> = (0..50).map(|number| origin.url(&format!("/slow/{number}"))).collect();
    let said = vault.post_json("/api/cache/preload", &serde_json::json!({ "urls": urls }).to_string()).json();
    let job = format!("/api/jobs/{}", said["job"].as_str().unwrap());
    until("it runs", || vault.get(&job).json()["state"] == "running");
    let cancelled = vault.request("DELETE", &job, &[], b"");
    assert_eq!((cancelled.status, &cancelled.json()["state"]), (200, &"cancelled".into()));
    assert!(origin.hits_in_all() <= 6, "no further one is begun");
}

#[test]
fn errors_of_the_api_are_a_sentence_and_a_word() {
    let vault = Vault::start();
    for (target, status) in [
        ("/api/nothing", 404),
        ("/api/cache/image", 400),
        ("/api/cache/image?url=nonsense", 400),
        ("/api/cache/image?url=http%3A%2F%2F127.0.0.1%2Fa.jpg", 400),
        ("/api/cache/image?url=https%3A%2F%2Fexample.org%2Fa.jpg&size=huge", 400),
        ("/api/jobs/x", 404),
    ] {
        let reply = vault.get(target);
        assert_eq!(reply.status, status, "{target}");
        let error = reply.json();
        assert!(error["error"].as_str().unwrap().len() > 10 && error["code"].is_string(), "{error}");
    }
}

#[test]
fn the_server_says_that_it_lives_and_that_it_is_ready() {
    let vault = Vault::start();
    assert_eq!(vault.get("/health").status, 200);
    let ready = vault.get("/ready");
    assert_eq!(
        (ready.status, &ready.json()["checks"]["store"], &ready.json()["checks"]["database"]),
        (200, &"ok".into(), &"ok".into())
    );
}
