//! What an origin does wrong, and what is remembered of it: definite answers for long, others
//! until they may have healed; nothing is asked before its time; nothing wrong is ever stored.

use std::time::Duration;

use rusqlite::Connection;

use crate::stage::{address_of, assert_cover, cover_files, origin, settings, stand_in};
use crate::support::origin::{Origin, Script, pictures};
use crate::support::vault::Vault;

#[track_caller]
fn ask(vault: &Vault, origin: &Origin, path: &str) -> String {
    let reply = vault.get(&address_of(vault, &origin.url(path), "detail"));
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
    assert_eq!(reply.header("etag"), None);
    stand_in(&reply).unwrap_or_else(|| panic!("{path} became a cover")).to_owned()
}

#[test]
fn a_missing_cover_is_absent_and_is_not_asked_for_again_even_after_a_restart() {
    let origin = origin();
    for status in [404, 410] {
        origin.on(&format!("/{status}"), Script::status(status));
    }
    let mut vault = settings(&origin).start();
    for path in ["/404", "/410"] {
        assert_eq!(ask(&vault, &origin, path), "absent");
        assert_eq!(ask(&vault, &origin, path), "absent");
        assert_eq!(origin.hits(path), 1);
    }
    vault.restart();
    assert_eq!(ask(&vault, &origin, "/404"), "absent");
    assert_eq!(origin.hits("/404"), 1);
}

#[test]
fn a_clock_that_was_years_ahead_keeps_no_cover_away() {
    let origin = origin();
    origin.on("/viewed.jpg", [Script::status(404), Script::picture(pictures::sleeve(2, 300))]);
    origin.on("/preloaded.jpg", [Script::status(404), Script::picture(pictures::sleeve(3, 300))]);
    let mut vault = settings(&origin).start();
    for path in ["/viewed.jpg", "/preloaded.jpg"] {
        assert_eq!(ask(&vault, &origin, path), "absent");
    }
    vault.terminate();
    let index = Connection::open(vault.data_dir().join("cache/index.db")).unwrap();
    let years = "UPDATE failure SET failed_at = failed_at + 300000000, next_try_at = next_try_at + 300000000";
    assert_eq!(index.execute(years, []).unwrap(), 2);
    drop(index);
    vault.restart();
    assert_cover(&vault.get(&address_of(&vault, &origin.url("/viewed.jpg"), "detail")));
    let body = serde_json::json!({ "urls": [origin.url("/preloaded.jpg")] }).to_string();
    assert_eq!(vault.post_json("/api/cache/preload?wait=1", &body).json()["preloaded"], 1);
}

#[test]
fn what_failed_by_one_address_is_asked_for_by_another_of_the_same_picture() {
    let origin = origin();
    let good = Script::picture(pictures::sleeve(2, 300));
    origin.on("/registered.jpg", [Script::status(403), good.clone()]);
    origin.on("/imported.jpg", [Script::status(404), good]);
    let vault = settings(&origin).start();
    assert_eq!(ask(&vault, &origin, "/registered.jpg"), "failed");
    assert_eq!(ask(&vault, &origin, "/registered.jpg"), "failed");
    assert_eq!(ask(&vault, &origin, "/imported.jpg"), "absent");
    // Two spellings are one picture, as two signatures of Discogs are.
    let another = |path: &str| origin.url(path).replace("http://", "HTTP://");
    assert_cover(&vault.get(&address_of(&vault, &another("/registered.jpg"), "detail")));
    let url = another("/imported.jpg");
    let known = address_of(&vault, &origin.url("/imported.jpg"), "detail");
    vault.import(&serde_json::json!([{ "artist": "Neu!", "title": "Neu!", "cover_url": url }]));
    assert_cover(&vault.get(&known));
    assert_eq!((origin.hits("/registered.jpg"), origin.hits("/imported.jpg")), (2, 2));
}

#[test]
fn what_was_too_large_is_asked_for_again_once_the_limit_was_raised() {
    let origin = origin();
    origin.on("/large.jpg", Script::picture(pictures::sleeve(4, 1_100)));
    let mut vault = settings(&origin).env("VINYL_VAULT_MAX_IMAGE_MEGAPIXELS", 1).start();
    assert_eq!(ask(&vault, &origin, "/large.jpg"), "failed");
    vault.restart();
    assert_eq!(ask(&vault, &origin, "/large.jpg"), "failed");
    assert_eq!(origin.hits("/large.jpg"), 1, "under the same limits nothing else comes of it");
    vault.restart_with("VINYL_VAULT_MAX_IMAGE_MEGAPIXELS", 2);
    assert_cover(&vault.get(&address_of(&vault, &origin.url("/large.jpg"), "detail")));
}

#[test]
fn what_is_no_picture_is_refused_by_its_bytes_whatever_it_is_called() {
    let origin = origin();
    let html = b"<!doctype html><script>alert(1)</script>".to_vec();
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>".to_vec();
    origin.on("/page.jpg", Script::bytes("image/jpeg", html));
    origin.on("/drawing.png", Script::bytes("image/png", svg));
    origin.on("/empty.jpg", Script::bytes("image/jpeg", Vec::new()));
    origin.on("/real", Script::bytes("text/html", pictures::jpeg(50, 50, [200, 10, 10])));
    let vault = settings(&origin).start();
    for path in ["/page.jpg", "/drawing.png", "/empty.jpg"] {
        assert_eq!(ask(&vault, &origin, path), "failed");
        let asked = origin.hits(path);
        assert_eq!(ask(&vault, &origin, path), "failed");
        assert_eq!(origin.hits(path), asked, "{path} is remembered");
    }
    assert_eq!(cover_files(&vault.data_dir()).len(), 0);
    assert_cover(&vault.get(&address_of(&vault, &origin.url("/real"), "detail")));
}

#[test]
fn what_heals_is_tried_again_while_the_viewer_waits() {
    let origin = origin();
    let good = Script::picture(pictures::sleeve(3, 200));
    origin.fail_then("/flaky", 1, Script::status(503), good.clone());
    origin.fail_then("/cut", 1, good.clone().cut(500), good);
    let vault = settings(&origin).start();
    for path in ["/flaky", "/cut"] {
        assert_cover(&vault.get(&address_of(&vault, &origin.url(path), "detail")));
        assert_eq!(origin.hits(path), 2, "{path}");
    }
}

#[test]
fn at_most_three_tries_and_then_none_before_the_time() {
    let origin = origin();
    origin.on("/down", Script::status(500));
    let vault = settings(&origin).start();
    let address = address_of(&vault, &origin.url("/down"), "detail");
    crate::support::until("the server gives up", || stand_in(&vault.get(&address)) == Some("failed"));
    assert_eq!(origin.hits("/down"), 3);
    for _ in 0..5 {
        assert_eq!(ask(&vault, &origin, "/down"), "failed");
    }
    assert_eq!(origin.hits("/down"), 3, "no request before the next try");
}

#[test]
fn an_origin_that_asks_to_be_left_alone_is_left_alone() {
    let origin = origin();
    origin.on("/busy", Script::busy(429, "600"));
    let vault = settings(&origin).start();
    assert_eq!(ask(&vault, &origin, "/busy"), "failed");
    assert_eq!(origin.hits("/busy"), 1);
    // Another cover of the same host is not asked for either.
    assert_eq!(ask(&vault, &origin, "/cover.jpg"), "failed");
    assert_eq!(ask(&vault, &origin, "/busy"), "failed");
    assert_eq!(origin.hits_in_all(), 1);
    let stats = vault.stats();
    assert!(stats["origins"][0]["paused_seconds"].as_u64().unwrap() > 500, "{stats}");
}

#[test]
fn a_truncated_jpeg_is_never_stored() {
    let origin = origin();
    let whole = pictures::sleeve(5, 600);
    // Every length is honest: only the picture itself can tell that it was cut.
    origin.on("/half.jpg", Script::picture(whole[..whole.len() / 2].to_vec()));
    let vault = settings(&origin).start();
    let address = address_of(&vault, &origin.url("/half.jpg"), "detail");
    crate::support::until("the server gives up", || stand_in(&vault.get(&address)) == Some("failed"));
    assert_eq!(cover_files(&vault.data_dir()).len(), 0);
}

#[test]
fn hostile_answers_end_in_a_placeholder_and_the_server_goes_on() {
    let origin = origin();
    origin.on("/infinite", Script::infinite());
    origin.on("/bomb", Script::gzip_bomb(200_000_000));
    origin.on("/junk", Script::junk());
    origin.on("/hangup", Script::hangup());
    origin.on("/liar", Script::picture(pictures::jpeg(20, 20, [1, 2, 3])).declares("1000000000000000"));
    origin.on("/header", Script::endless_header());
    let vault = settings(&origin).setting("max-image-mb", "2").start();
    let before = vault.rss_kb();
    for path in ["/infinite", "/bomb", "/junk", "/hangup", "/liar", "/header"] {
        let address = address_of(&vault, &origin.url(path), "detail");
        crate::support::until_within(Duration::from_secs(60), path, || {
            stand_in(&vault.get(&address)) == Some("failed")
        });
    }
    assert_eq!(cover_files(&vault.data_dir()).len(), 0);
    assert!(vault.rss_kb() < before + 20_000, "{} kB grew to {} kB", before, vault.rss_kb());
    assert_cover(&vault.get(&address_of(&vault, &origin.url("/cover.jpg"), "detail")));
}

#[test]
fn fifty_hung_covers_do_not_slow_what_is_cached() {
    let origin = origin();
    origin.on_prefix("/hung/", |_| Script::silent());
    let vault = settings(&origin).start();
    let cached = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    assert_cover(&vault.get(&cached));
    let mut waiting = Vec::new();
    for number in 0..50 {
        let address = address_of(&vault, &origin.url(&format!("/hung/{number}")), "detail");
        let mut viewer = vault.connect();
        viewer
            .send(format!("GET {address} HTTP/1.1\r\nHost: {}\r\n\r\n", vault.address()).as_bytes())
            .unwrap();
        waiting.push(viewer);
    }
    let begun = std::time::Instant::now();
    let mut client = vault.connect();
    for _ in 0..50 {
        assert_cover(&client.get(&cached));
    }
    // Those who wait lose patience after four seconds.
    assert!(begun.elapsed() < Duration::from_millis(3_500), "{:?}", begun.elapsed());
    for viewer in &mut waiting {
        assert_eq!(stand_in(&viewer.receive("GET").unwrap()), Some("pending"));
    }
}

#[test]
fn nothing_on_the_own_network_is_contacted_unless_it_was_named() {
    let (named, canary) = (origin(), origin());
    named.on("/to-canary", Script::redirect(&canary.url("/cover.jpg")));
    named.on("/to-metadata", Script::redirect("http://169.254.169.254/latest/meta-data/"));
    named.on("/to-file", Script::redirect("file:///etc/passwd"));
    let vault = settings(&named).start();
    let port = canary.address().port();
    for url in [
        format!("http://127.0.0.1:{port}/cover.jpg"),
        format!("http://localhost:{port}/cover.jpg"),
        format!("http://[::ffff:127.0.0.1]:{port}/cover.jpg"),
        format!("http://2130706433:{port}/cover.jpg"),
        format!("http://0x7f.1:{port}/cover.jpg"),
        format!("http://0:{port}/cover.jpg"),
        format!("http://user@127.0.0.1:{port}/cover.jpg"),
        "file:///etc/passwd".to_owned(),
        "gopher://127.0.0.1/".to_owned(),
    ] {
        let body = serde_json::json!({ "urls": [url] }).to_string();
        let reply = vault.post_json("/api/cache/preload?wait=1", &body);
        assert_eq!(reply.json()["preloaded"], 0, "{url}: {}", reply.text());
    }
    for path in ["/to-canary", "/to-metadata", "/to-file"] {
        assert_eq!(ask(&vault, &named, path), "failed", "{path}");
    }
    assert_eq!(canary.connections(), 0);
}

#[test]
fn the_origin_learns_nothing_about_the_viewer() {
    let origin = origin();
    let vault = settings(&origin).start();
    let address = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    let own = [
        ("Cookie", "secret=1"),
        ("Authorization", "Bearer x"),
        ("Referer", "http://pi/"),
        ("User-Agent", "Me"),
    ];
    assert_cover(&vault.request("GET", &address, &own, b""));
    let request = &origin.requests("/cover.jpg")[0];
    for name in ["cookie", "authorization", "referer", "x-forwarded-for"] {
        assert_eq!(request.header(name), None, "{name}");
    }
    assert!(request.header("user-agent").unwrap().starts_with("VinylVault/"), "{request:?}");
}
