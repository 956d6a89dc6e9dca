//! `explain`: each state of a cover has its name, from the server and from the store, and no answer
//! gives a secret away.

use crate::asking::{NOWHERE, fetch, filled, json, names, nothing, printed};
use crate::stage::{address_of, encode, origin, settings};
use crate::support::http::Connection;
use crate::support::origin::{Origin, Script};
use crate::support::until;
use crate::support::vault::Vault;
use serde_json::{Value, json};

const KEYS: [&str; 18] = [
    "albums",
    "canonical",
    "failure",
    "fetching",
    "in_preload",
    "key",
    "meaning",
    "origin",
    "permitted",
    "queued",
    "refusal",
    "registered",
    "source",
    "state",
    "timestamp",
    "url",
    "variants",
    "waiting",
];

#[track_caller]
fn explain(vault: &Vault, cover: &str) -> Value {
    let said = json(&vault.run(&["explain", "--json", cover]));
    assert_eq!(names(&said), KEYS);
    said
}

/// A server with a cover in every state but pending; where each one is.
fn states() -> (Origin, Vault, Vec<(String, &'static str)>) {
    let origin = origin();
    origin.on("/gone.jpg", Script::status(404));
    origin.on("/busy.jpg", Script::busy(403, "1"));
    let vault = settings(&origin).start();
    fetch(&origin, &vault, "/here.jpg");
    for (path, state) in [("/gone.jpg", "absent"), ("/busy.jpg", "failed")] {
        let address = address_of(&vault, &origin.url(path), "detail");
        until("the origin's answer is remembered", || vault.get(&address).placeholder() == Some(state));
    }
    address_of(&vault, &origin.url("/later.jpg"), "detail");
    vault.import(&json!([{ "artist": "A", "title": "Own network", "cover_url": "http://10.0.0.1/a.jpg" }]));
    crate::stage::settle(&vault);
    let states = [
        ("/here.jpg", "cached"),
        ("/gone.jpg", "absent"),
        ("/busy.jpg", "failed"),
        ("/later.jpg", "never_asked"),
        ("/nobody.jpg", "unknown"),
    ];
    let mut covers: Vec<_> = states.into_iter().map(|(path, state)| (origin.url(path), state)).collect();
    covers.push(("http://10.0.0.1/a.jpg".to_owned(), "refused"));
    (origin, vault, covers)
}

#[test]
fn each_state_has_its_name_whether_a_server_runs_or_not() {
    let (origin, mut vault, covers) = states();
    for (cover, state) in &covers {
        let said = explain(&vault, cover);
        assert_eq!((&said["state"], &said["source"]), (&json!(state), &json!("server")), "{cover}: {said}");
    }
    let before = origin.hits_in_all();
    vault.terminate();
    // At rest the settings are those of whoever asks.
    let own = format!("--private-sources={}", origin.private_source());
    for (cover, state) in &covers {
        let said = json(&vault.run(&["explain", "--json", cover, &own]));
        assert_eq!(names(&said), KEYS);
        assert_eq!((&said["state"], &said["source"]), (&json!(state), &json!("store")), "{cover}: {said}");
        assert_eq!((&said["fetching"], &said["origin"]), (&Value::Null, &Value::Null));
    }
    vault.restart();
    vault.kill9();
    assert_eq!(json(&vault.run(&["explain", "--json", &covers[0].0, &own]))["state"], "cached");
    assert_eq!(origin.hits_in_all(), before, "asking fetches nothing");
}

#[test]
fn a_cached_cover_has_its_sizes_and_a_failed_one_its_reason() {
    let (origin, vault, _) = states();
    let here = explain(&vault, &origin.url("/here.jpg"));
    let stats = vault.stats();
    let bytes = |variant: &str| here["variants"][variant]["bytes"].as_u64().unwrap();
    assert_eq!(bytes("thumbnails") + bytes("detail"), stats["total_size_bytes"].as_u64().unwrap());
    let detail = &here["variants"]["detail"];
    let tag = vault.get(&address_of(&vault, &origin.url("/here.jpg"), "detail"));
    assert_eq!(tag.header("etag").unwrap().trim_matches('"'), detail["version"].as_str().unwrap());
    assert_eq!((&detail["cached"], &detail["in_memory"]), (&json!(true), &json!(true)));
    assert!(detail["accessed_seconds_ago"].as_u64().unwrap() < 3_600, "{detail}");
    assert_eq!(
        (&here["failure"], &here["registered"], &here["permitted"]),
        (&Value::Null, &json!(true), &json!(true))
    );

    let gone = explain(&vault, &origin.url("/gone.jpg"));
    let failure = &gone["failure"];
    assert_eq!((&failure["class"], &failure["tries"]), (&json!("absent"), &json!(1)));
    assert!(failure["next_try_in_seconds"].as_u64().unwrap() > 3_600, "{failure}");
    assert_eq!(
        (&gone["origin"]["host"], &gone["variants"]["detail"]["cached"]),
        (&json!("127.0.0.1"), &json!(false))
    );
    let output = vault.run(&["explain", &origin.url("/gone.jpg")]);
    let text = printed(&output);
    assert!(text.contains("absent: its origin says") && text.contains("Next try"), "{text}");
}

#[test]
fn a_cover_on_its_way_is_pending() {
    let origin = origin();
    origin.hold("/cover.jpg");
    let vault = settings(&origin).start();
    let address = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    let mut viewer = vault.connect();
    viewer.send(format!("GET {address} HTTP/1.1\r\nHost: {}\r\n\r\n", vault.address()).as_bytes()).unwrap();
    until("he waits", || vault.stat("waiting") == 1);
    let said = explain(&vault, &origin.url("/cover.jpg"));
    assert_eq!(
        (&said["state"], &said["fetching"], &said["waiting"]),
        (&json!("pending"), &json!(true), &json!(1))
    );
    let output = vault.run(&["explain", &origin.url("/cover.jpg")]);
    assert!(printed(&output).contains("it is being fetched, 1 viewer waits for it"), "{}", printed(&output));
    origin.release("/cover.jpg");
}

#[test]
fn a_cover_is_named_by_its_key_its_address_or_its_picture_on_the_page() {
    let (origin, vault) = filled(1);
    let url = origin.url("/0.jpg");
    let albums = json!([
        { "artist": "Ada", "title": "First", "cover_url": url },
        { "artist": "Ada", "title": "First", "cover_url": url, "release_id": 7 },
    ]);
    vault.import(&albums);
    let by_url = explain(&vault, &url);
    let key = by_url["key"].as_str().unwrap();
    let on_the_page = vault.url(&format!("/cache/thumbnails/{key}.webp?v=1"));
    for name in [key, &on_the_page, &format!("/cache/detail/{key}.jpg"), &url.replace("http", "HTTP")] {
        let said = explain(&vault, name);
        assert_eq!(
            (&said["key"], &said["state"], &said["url"]),
            (&by_url["key"], &json!("cached"), &json!(url)),
            "{name}"
        );
        assert_eq!(said["albums"].as_array().unwrap().len(), 2, "{said}");
        assert_eq!(
            (&said["albums"][0]["artist"], &said["albums"][0]["title"]),
            (&json!("Ada"), &json!("First"))
        );
    }
}

#[test]
fn what_is_no_cover_is_wrong_usage() {
    let builder = nothing();
    for (name, said) in
        [("nonsense", "http"), ("", "http"), ("ftp://example.org/a.jpg", "http"), ("http://0x7f.1/", "host")]
    {
        let output = builder.run(&["explain", name, NOWHERE]);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {complaint}");
        assert!(complaint.contains(said) && complaint.lines().count() == 1, "{name}: {complaint}");
    }
    let unknown = json(&builder.run(&["explain", "--json", "http://example.org/a.jpg", NOWHERE]));
    assert_eq!((&unknown["state"], &unknown["source"]), (&json!("unknown"), &json!("store")));
    assert!(!builder.data_dir().exists());
}

#[test]
fn signatures_and_tokens_are_never_said() {
    let (_origin, mut vault) = filled(0);
    let encoded = "czM6Ly9kaXNjb2dz/LWRhdGFiYXNlLWlt/YWdlcy9SLTIyMzM4/LTEyMTU5ODQ2MTku/anBlZw";
    let signed =
        format!("https://i.discogs.com/sIgNaTuReOfDiscogs/rs:fit/g:sm/q:90/h:600/w:600/{encoded}.jpeg");
    let album = json!([
        { "artist": "A", "title": "T", "cover_url": signed },
        { "artist": "B", "title": "\u{1b}[2J\u{202e}sly", "cover_url": "https://nas.example/cover?id=7&t=sEcReT" },
    ]);
    vault.import(&album);
    for phase in ["server", "store"] {
        for (url, canonical) in [
            (signed.as_str(), "discogs:R-22338-1215984619.jpeg"),
            ("https://nas.example/cover?id=7&t=sEcReT", "https://nas.example/cover?id=[hidden]&t=[hidden]"),
        ] {
            let said = explain(&vault, url);
            assert_eq!((&said["source"], &said["canonical"]), (&json!(phase), &json!(canonical)));
            let output = vault.run(&["explain", said["key"].as_str().unwrap()]);
            let text = printed(&output);
            for all in [said.to_string().as_str(), text] {
                assert!(!all.contains("sIgNaTuRe") && !all.contains("sEcReT"), "{phase}: {all}");
            }
            assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
        }
        if phase == "server" {
            vault.terminate();
        }
    }
}

#[test]
fn the_route_refuses_what_is_no_cover_and_is_limited_like_the_others() {
    let (origin, vault) = filled(1);
    let mut client = Connection::open_as_stranger(vault.address());
    for (target, status) in [
        ("/api/cache/explain".to_owned(), 400),
        ("/api/cache/explain?source=nonsense".to_owned(), 400),
        (format!("/api/cache/explain?source={}", encode(&origin.url("/0.jpg"))), 200),
    ] {
        let reply = client.get(&target);
        assert_eq!(reply.status, status, "{target}: {}", reply.text());
        assert!(status == 200 || reply.json()["code"].is_string(), "{}", reply.text());
    }
    assert_eq!(client.post_json("/api/cache/explain", "{}").status, 405);
    let limited = (0..130).find(|_| client.get("/api/cache/explain?source=x").status == 429);
    assert!(limited.is_some(), "a flood of questions ends in 429");
}
