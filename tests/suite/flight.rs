//! A cover is downloaded once for all its variants, however many ask at the same time; who waits
//! holds no thread; patience ends in a placeholder that nobody keeps.

use std::time::{Duration, Instant};

use crate::stage::{address_of, assert_cover, origin, settings, stand_in};
use crate::support::http::Connection;
use crate::support::origin::{Origin, Script, pictures};
use crate::support::until;
use crate::support::vault::Vault;
use vinylvault::source::Source;

#[test]
fn a_hundred_viewers_of_one_cold_cover_cost_one_download() {
    let origin = origin();
    let vault = settings(&origin).start();
    let address = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    origin.hold("/cover.jpg");
    let mut viewers: Vec<Connection> =
        (0..100).map(|_| Connection::open_as_stranger(vault.address())).collect();
    let request = format!("GET {address} HTTP/1.1\r\nHost: {}\r\n\r\n", vault.address());
    let begun = Instant::now();
    for viewer in &mut viewers {
        viewer.send(request.as_bytes()).unwrap();
    }
    // Not before all hundred have asked: one who comes after the release would be a plain hit.
    until("all have asked", || vault.stat("coalesced") == 99);
    let in_time = begun.elapsed() < Duration::from_secs(2);
    origin.release("/cover.jpg");
    let replies: Vec<_> = viewers.iter_mut().map(|viewer| viewer.receive("GET").unwrap()).collect();
    let covers = replies.iter().filter(|reply| stand_in(reply).is_none()).count();
    assert!(covers <= 64, "no more may wait: {covers}");
    // On a machine so slow that asking took most of their patience, some are not waiting any more.
    assert!(covers == 64 || !in_time, "who waited has the cover: {covers}");
    for reply in replies {
        match stand_in(&reply) {
            None => assert_cover(&reply),
            Some(why) => assert_eq!((why, reply.header("cache-control")), ("pending", Some("no-store"))),
        }
    }
    assert_eq!(origin.hits("/cover.jpg"), 1);
}

#[test]
fn patience_ends_in_a_placeholder_that_is_not_kept_and_the_cover_comes_on_the_next_request() {
    let origin = origin();
    let vault = settings(&origin).start();
    let address = address_of(&vault, &origin.url("/cover.jpg"), "thumbnails");
    origin.hold("/cover.jpg");
    let begun = Instant::now();
    let reply = vault.get(&address);
    let waited = begun.elapsed();
    assert_eq!((reply.status, stand_in(&reply)), (200, Some("pending")));
    assert!(waited >= Duration::from_millis(3_500) && waited < Duration::from_secs(15), "{waited:?}");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(
        (reply.header("etag"), reply.header("last-modified"), reply.header("expires")),
        (None, None, None)
    );
    assert!(reply.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(image::load_from_memory(&reply.body).unwrap().width(), 150);
    origin.release("/cover.jpg");
    assert_cover(&vault.get(&address));
    assert_eq!(origin.hits("/cover.jpg"), 1);
}

#[test]
fn who_waits_holds_no_thread_of_the_pool() {
    let origin = origin();
    origin.on("/other.jpg", Script::picture(pictures::sleeve(2, 300)));
    let vault = settings(&origin).setting("threads", "1").start();
    let held = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    let other = address_of(&vault, &origin.url("/other.jpg"), "detail");
    origin.hold("/cover.jpg");
    let request = format!("GET {held} HTTP/1.1\r\nHost: {}\r\n\r\n", vault.address());
    let mut waiting: Vec<Connection> = (0..12).map(|_| vault.connect()).collect();
    for viewer in &mut waiting {
        viewer.send(request.as_bytes()).unwrap();
    }
    until("all wait", || vault.stat("waiting") == 12);
    let begun = Instant::now();
    assert_cover(&vault.get(&other));
    assert_eq!(vault.get("/").status, 200);
    // Those who wait lose patience after four.
    assert!(begun.elapsed() < Duration::from_millis(3_500), "{:?}", begun.elapsed());
    origin.release("/cover.jpg");
    for viewer in &mut waiting {
        assert_cover(&viewer.receive("GET").unwrap());
    }
}

#[test]
fn a_preload_of_a_thousand_covers_downloads_each_of_them_once() {
    let origin = origin();
    origin
        .on_prefix("/many/", |path| Script::picture(pictures::jpeg(40, 40, [path.len() as u8 * 9, 80, 120])));
    let vault = settings(&origin).start();
    let urls: Vec<String> = (0..1_000).map(|number| origin.url(&format!("/many/{number}.jpg"))).collect();
    let reply = vault.post_json("/api/cache/preload", &serde_json::json!({ "urls": urls }).to_string());
    assert_eq!(reply.status, 202, "{}", reply.text());
    assert_eq!(reply.json()["accepted"], 1_000);
    let job = format!("/api/jobs/{}", reply.json()["job"].as_str().unwrap());
    let progress = || Connection::open_as_stranger(vault.address()).get(&job).json();
    crate::support::until_within(Duration::from_secs(120), "the preload ends", || {
        progress()["state"] == "done"
    });
    let end = progress();
    assert_eq!((&end["done"], &end["failed"]), (&1_000.into(), &0.into()), "{end}");
    assert_eq!(vault.stat("total_entries"), 2_000);
    assert_eq!(origin.hits_in_all(), 1_000, "each was downloaded once");
}

#[test]
fn a_full_queue_keeps_patience_and_the_core_and_loses_nothing_that_it_accepted() {
    let origin = origin();
    origin.on_prefix("/many/", |_| Script::picture(pictures::jpeg(40, 40, [90, 80, 120])));
    let vault = settings(&origin).start();
    let paths: Vec<String> = (0..QUEUE + 40).map(|number| format!("/many/{number}")).collect();
    paths.iter().for_each(|path| origin.hold(path));
    let addresses = shelve(&vault, &origin, &paths);

    let mut parked: Vec<Connection> =
        (0..PARKED).map(|_| Connection::open_as_stranger(vault.address())).collect();
    let begun = Instant::now();
    for (viewer, address) in parked.iter_mut().zip(&addresses) {
        let request = format!("GET {address} HTTP/1.1\r\nHost: {}\r\n\r\n", vault.address());
        viewer.send(request.as_bytes()).unwrap();
    }
    until("there is no place to wait any more", || vault.stat("waiting") == PARKED as u64);
    let mut late = Connection::open_as_stranger(vault.address());
    for address in &addresses[PARKED..] {
        assert_eq!(stand_in(&late.get(address)), Some("pending"), "who finds no place is told at once");
    }
    let accepted = vault.stat("in_flight");
    assert_eq!(vault.stat("queued"), QUEUE as u64, "the queue is full");

    let urls: Vec<String> = (0..20).map(|number| origin.url(&format!("/many/p{number}"))).collect();
    let reply = vault.post_json("/api/cache/preload", &serde_json::json!({ "urls": urls }).to_string());
    assert_eq!(reply.status, 202, "{}", reply.text());
    let (spent, since) = (vault.cpu(), Instant::now());
    for viewer in &mut parked {
        assert_eq!(stand_in(&viewer.receive("GET").unwrap()), Some("pending"));
    }
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_millis(3_500) && waited < Duration::from_secs(15), "{waited:?}");
    let (spent, since) = (vault.cpu() - spent, since.elapsed());
    assert!(spent < since / 4, "nothing can be done, and {spent:?} of {since:?} were spent on it");

    paths.iter().for_each(|path| origin.release(path));
    // On a busy machine the three that are held may have run into their own deadline, and are put off.
    crate::support::until_within(Duration::from_secs(300), "everything accepted arrives", || {
        vault.stat("total_entries") == 2 * (accepted + 20)
    });
}

/// As the program has them: misses that may wait for a worker, and requests that may wait for a cover.
const QUEUE: usize = 256;
const PARKED: usize = 64;

/// Albums with these covers; the addresses of their details.
fn shelve(vault: &Vault, origin: &Origin, paths: &[String]) -> Vec<String> {
    let albums = paths
        .iter()
        .map(|path| serde_json::json!({ "artist": "Various", "title": path, "cover_url": origin.url(path) }));
    vault.import(&albums.collect());
    let key = |path: &String| Source::parse(&origin.url(path)).unwrap().key();
    paths.iter().map(|path| format!("/cache/detail/{}.webp", key(path))).collect()
}

#[test]
fn at_most_three_downloads_run_at_once() {
    let origin = origin();
    origin.on_prefix("/slow/", |_| {
        Script::picture(pictures::jpeg(60, 60, [90, 90, 90])).after(Duration::from_millis(30))
    });
    let vault = settings(&origin).start();
    let urls: Vec<String> = (0..40).map(|number| origin.url(&format!("/slow/{number}"))).collect();
    let body = serde_json::json!({ "urls": urls }).to_string();
    let reply = vault.post_json("/api/cache/preload?wait=1", &body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["preloaded"], 40);
    assert_eq!(origin.concurrency_max(), 3);
}

#[test]
fn a_viewer_does_not_wait_behind_a_preload() {
    let origin = origin();
    origin.on_prefix("/bulk/", |_| {
        Script::picture(pictures::jpeg(60, 60, [90, 90, 90])).after(Duration::from_millis(100))
    });
    let vault = settings(&origin).start();
    let urls: Vec<String> = (0..400).map(|number| origin.url(&format!("/bulk/{number}"))).collect();
    let reply = vault.post_json("/api/cache/preload", &serde_json::json!({ "urls": urls }).to_string());
    assert_eq!(reply.status, 202);
    until("the preload runs", || origin.hits_in_all() > 3);
    let address = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    assert_cover(&vault.get(&address));
    let before = origin.hits_in_all();
    assert!(before < 200, "{before} of 400 came before");
}
