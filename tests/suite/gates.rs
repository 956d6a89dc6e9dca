//! Who may ask for what: other sites' pages, other names for this machine, the owner's token,
//! how often, how much.

use crate::stage::{address_of, assert_cover, origin, settings, settle};
use crate::support::http::{Connection, Reply};
use crate::support::vault::Vault;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// A request from an address that no other test uses.
fn from(vault: &Vault, own: [u8; 2], method: &str, target: &str, headers: &[(&str, &str)]) -> Reply {
    let own = IpAddr::V4(Ipv4Addr::new(127, 78, own[0], own[1]));
    let body: &[u8] = if method == "POST" { b"{}" } else { b"" };
    Connection::open_from(vault.address(), own).request(method, target, headers, body)
}

#[test]
fn a_page_of_another_site_cannot_change_anything() {
    let origin = origin();
    let vault = settings(&origin).start();
    let address = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    assert_cover(&vault.get(&address));
    settle(&vault);
    let own = format!("http://{}", vault.address());
    let json = ("Content-Type", "application/json");
    for headers in [
        vec![json, ("Sec-Fetch-Site", "cross-site")],
        vec![json, ("Sec-Fetch-Site", "same-site"), ("Origin", &own)],
        vec![json, ("Origin", "http://evil.example")],
        vec![json, ("Origin", "null")],
    ] {
        for route in ["/api/cache/clear", "/api/cache/cleanup", "/api/cache/preload"] {
            let mut stranger = Connection::open_as_stranger(vault.address());
            let reply = stranger.request("POST", route, &headers, b"{\"urls\":[\"http://example.org/a\"]}");
            assert_eq!(reply.status, 403, "{route} {headers:?}");
        }
    }
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
        let reply = vault.request("POST", "/api/cache/clear", &[("Content-Type", content_type)], b"{}");
        assert_eq!(reply.status, 415, "{content_type}");
    }
    let reply = vault.request(
        "GET",
        "/api/cache/image?url=http%3A%2F%2Fexample.org",
        &[("Sec-Fetch-Site", "cross-site")],
        b"",
    );
    assert_eq!(reply.status, 403);
    assert_eq!(vault.stat("total_entries"), 2, "the cache is untouched");
    for headers in [vec![json, ("Sec-Fetch-Site", "same-origin")], vec![json, ("Origin", &own)], vec![json]] {
        let mut stranger = Connection::open_as_stranger(vault.address());
        assert_eq!(stranger.request("POST", "/api/cache/clear", &headers, b"").status, 200, "{headers:?}");
    }
}

#[test]
fn under_a_foreign_name_nothing_is_answered() {
    let origin = origin();
    let vault = settings(&origin).setting("allowed-hosts", "covers.example.org").start();
    let cover = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    assert_cover(&vault.get(&cover));
    for host in
        ["evil.example", "127.0.0.1.evil.example", "evil.example:5000", "covers.example.org.evil.example"]
    {
        for target in ["/", cover.as_str(), "/api/cache/stats", "/health", "/static/app.css"] {
            let reply = vault.request("GET", target, &[("Host", host)], b"");
            assert_eq!(reply.status, 421, "{host} {target}");
            assert!(reply.body.len() < 200, "no body of ours");
        }
    }
    for host in [
        "localhost",
        "raspberrypi",
        "raspberrypi.local:5000",
        "192.168.1.7",
        "[::1]:5000",
        "covers.example.org",
    ] {
        assert_eq!(vault.request("GET", "/", &[("Host", host)], b"").status, 200, "{host}");
    }
}

#[test]
fn with_a_token_set_only_the_owner_changes_anything() {
    let vault = Vault::builder().setting("admin-token", "correct-horse-battery").start();
    let json = ("Content-Type", "application/json");
    let clear = |headers: &[(&str, &str)]| {
        Connection::open_as_stranger(vault.address()).request("POST", "/api/cache/clear", headers, b"{}")
    };
    assert_eq!(clear(&[json]).status, 401);
    assert!(clear(&[json]).header("www-authenticate").is_some());
    assert_eq!(clear(&[json, ("Authorization", "Bearer wrong")]).status, 401);
    assert_eq!(clear(&[json, ("Authorization", "Bearer correct-horse-battery")]).status, 200);
    assert_eq!(vault.get("/api/cache/stats").status, 200, "reading needs no token");
    assert!(!vault.log().contains("battery"), "the token is in no log");
}

#[test]
fn each_address_has_its_own_limit_and_images_have_none() {
    let origin = origin();
    let vault = settings(&origin).start();
    let ask = |own: u8, headers: &[(&str, &str)]| {
        let own = IpAddr::V4(Ipv4Addr::new(127, 77, 0, own));
        Connection::open_from(vault.address(), own).request("GET", "/api/cache/stats", headers, b"")
    };
    for _ in 0..60 {
        assert_eq!(ask(1, &[]).status, 200);
    }
    let refused = ask(1, &[]);
    assert_eq!(refused.status, 429);
    assert!((1..=60).contains(&refused.header("retry-after").unwrap().parse::<u32>().unwrap()));
    assert_eq!(refused.json()["code"], "rate_limited");
    assert_eq!(ask(1, &[("X-Forwarded-For", "10.9.9.9")]).status, 429, "a forged header changes nothing");
    assert_eq!(ask(2, &[]).status, 200);
    let address = address_of(&vault, &origin.url("/cover.jpg"), "thumbnails");
    let mut client = vault.connect();
    for _ in 0..500 {
        assert_cover(&client.get(&address));
    }
}

#[test]
fn too_much_is_refused_with_its_reason() {
    let vault = Vault::start();
    let urls: Vec<String> = (0..1_001).map(|number| format!("https://example.org/{number}")).collect();
    let reply = vault.post_json("/api/cache/preload", &serde_json::json!({ "urls": urls }).to_string());
    assert_eq!(reply.status, 413, "{}", reply.text());
    let reply =
        vault.post_json("/api/cache/preload", &format!("{{\"urls\":[\"{}\"]}}", "x".repeat(300 * 1024)));
    assert_eq!(reply.status, 413);
    for body in [
        "",
        "{}",
        "[]",
        "{\"urls\":[]}",
        "{\"urls\":\"http://a\"}",
        "{\"urls\":[1]}",
        "{\"urls\":[\"http://a\"",
        "nonsense",
    ] {
        let status = vault.post_json("/api/cache/preload", body).status;
        assert!(status == 400 || (body.is_empty() && status == 411), "{body}: {status}");
    }
    let deep = format!("{{\"urls\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(vault.post_json("/api/cache/preload", &deep).status, 400);
    assert_eq!(vault.get("/health").status, 200);
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let vault = Vault::start();
    for (method, target, allow) in [
        ("GET", "/api/cache/clear", "POST"),
        ("POST", "/api/cache/stats", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("DELETE", "/health", "GET, HEAD"),
        ("PUT", "/api/jobs/1", "GET, HEAD, DELETE"),
    ] {
        let reply = vault.request(method, target, &[], b"");
        assert_eq!((reply.status, reply.header("allow")), (405, Some(allow)), "{method} {target}");
    }
}

#[test]
fn a_page_of_another_site_cannot_use_up_what_the_owner_may_ask_for() {
    let vault = Vault::start();
    let foreign = [JSON, ("Sec-Fetch-Site", "cross-site")];
    let form = [("Content-Type", "text/plain")];
    for route in ["/api/cache/clear", "/api/cache/cleanup", "/api/cache/preload"] {
        for _ in 0..10 {
            assert_eq!(from(&vault, [1, 1], "POST", route, &foreign).status, 403);
            assert_eq!(from(&vault, [1, 1], "POST", route, &form).status, 415);
        }
    }
    for _ in 0..6 {
        assert_eq!(from(&vault, [1, 1], "POST", "/api/cache/clear", &[JSON]).status, 200);
    }
    assert_eq!(from(&vault, [1, 1], "POST", "/api/cache/clear", &[JSON]).status, 429);
}

#[test]
fn after_ten_wrong_tokens_no_answer_tells_which_one_is_right() {
    let vault = Vault::builder().env("VINYL_VAULT_ADMIN_TOKEN", "correct-horse").start();
    let clear =
        |own, token: &str| from(&vault, own, "POST", "/api/cache/clear", &[JSON, ("Authorization", token)]);
    for number in 0..10 {
        let reply = clear([2, 1], &format!("Bearer {number}"));
        assert_eq!((reply.status, &reply.json()["code"]), (401, &"token_wrong".into()));
    }
    for token in ["Bearer wrong", "Bearer correct-horse"] {
        let reply = clear([2, 1], token);
        assert_eq!((reply.status, &reply.json()["code"]), (429, &"rate_limited".into()), "{token}");
        assert!(reply.header("retry-after").is_some());
    }
    assert_eq!(clear([2, 2], "Bearer correct-horse").status, 200, "others are not held up");
}

#[test]
fn with_a_token_set_only_the_owner_makes_a_source_known() {
    let origin = origin();
    let vault = settings(&origin).env("VINYL_VAULT_ADMIN_TOKEN", "correct-horse").start();
    let target = |path: &str| format!("/api/cache/image?url={}", crate::stage::encode(&origin.url(path)));
    let get = |path: &str, headers: &[(&str, &str)]| vault.request("GET", &target(path), headers, b"");
    let page = ("Sec-Fetch-Site", "same-origin");
    assert_eq!(get("/cover.jpg", &[]).json()["code"], "token_missing");
    assert_eq!(get("/cover.jpg", &[page]).json()["code"], "token_missing", "anybody can write that header");
    assert_eq!(get("/cover.jpg", &[("Authorization", "Bearer x")]).json()["code"], "token_wrong");
    assert_eq!(vault.request("HEAD", &target("/cover.jpg"), &[], b"").status, 401);
    let asked =
        vault.get(&format!("/api/cache/explain?source={}", crate::stage::encode(&origin.url("/cover.jpg"))));
    assert_eq!(asked.json()["registered"], false);
    let known = get("/cover.jpg", &[("Authorization", "Bearer correct-horse")]);
    assert_eq!((known.status, get("/cover.jpg", &[]).header("location")), (302, known.header("location")));
    assert_cover(&vault.get(known.header("location").unwrap()));
    // What an album has is known too.
    let url = origin.url("/album.jpg");
    vault.import(&serde_json::json!([{ "artist": "A", "title": "T", "cover_url": url }]));
    assert_eq!(get("/album.jpg", &[]).status, 302);
    let page = vault.get("/cache").text();
    assert!(!page.contains("data-action=\"clear\"") && page.contains("vinylvault clear"), "{page}");
}

/// A request that the door refuses by itself, and what it says.
#[track_caller]
fn refused(vault: &Vault, bytes: &str) -> Reply {
    let mut connection = vault.connect();
    connection.send(bytes.as_bytes()).unwrap();
    connection.receive("GET").unwrap()
}

#[test]
fn errors_of_the_api_are_json_whoever_refuses() {
    let vault = Vault::start();
    let (long, many) = ("a".repeat(9_000), "A: b\r\n".repeat(101));
    for target in ["/api/cache/preload", "/api/nothing", "/health", "/metrics", "/"] {
        let request = |line: &str, headers: &str| format!("{line} HTTP/1.1\r\n{headers}\r\n");
        let get = format!("GET {target}");
        let cases = [
            (400, "bad_request", request(&get, "")),
            (400, "bad_request", request(&get, "Host: pi\r\nTransfer-Encoding: chunked\r\n")),
            (
                413,
                "body_too_large",
                request(&format!("POST {target}"), "Host: pi\r\nContent-Length: 262145\r\n"),
            ),
            (414, "address_too_long", request(&format!("{get}?{long}"), "Host: pi\r\n")),
            (421, "wrong_host", request(&get, "Host: evil.example\r\n")),
            (431, "headers_too_large", request(&get, &format!("Host: pi\r\n{many}"))),
        ];
        for (status, code, bytes) in cases {
            let reply = refused(&vault, &bytes);
            let content_type = reply.header("content-type").unwrap();
            assert_eq!(reply.status, status, "{target}");
            if target == "/" {
                assert_eq!(content_type, "text/plain; charset=utf-8", "{status}");
                continue;
            }
            assert_eq!((content_type, &reply.json()["code"]), ("application/json", &code.into()), "{target}");
            let sentence = reply.json()["error"].as_str().unwrap().to_owned();
            assert!(sentence.len() > 5 && sentence.ends_with('.'), "{sentence:?}");
        }
    }
    let reply = vault.request("PUT", "/health", &[], b"");
    assert_eq!((reply.status, &reply.json()["code"]), (405, &"method_not_allowed".into()));
}

#[test]
fn another_site_gets_no_permission_and_nothing_to_embed() {
    let origin = origin();
    let vault = settings(&origin).start();
    let cover = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    let image = format!("/api/cache/image?url={}", crate::stage::encode(&origin.url("/cover.jpg")));
    let foreign = [
        ("Origin", "http://evil.example"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "content-type, authorization"),
    ];
    for target in ["/", "/cache", "/random", "/static/app.js", "/nothing", "/health", "/ready", "/metrics"]
        .into_iter()
        .chain(["/api/cache/stats", "/api/cache/history", "/api/cache/clear", "/api/jobs/1", &cover, &image])
    {
        for method in ["OPTIONS", "GET", "HEAD"] {
            let reply = vault.request(method, target, &foreign, b"");
            assert!(method != "OPTIONS" || matches!(reply.status, 404 | 405), "{target}: {}", reply.status);
            let permits = |name: &str| name.to_ascii_lowercase().starts_with("access-control-");
            assert!(!reply.headers.iter().any(|(name, _)| permits(name)), "{method} {target}: {reply:?}");
            assert_eq!(
                reply.header("cross-origin-resource-policy"),
                Some("same-origin"),
                "{method} {target}"
            );
            let is_page = reply.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
            let opener = reply.header("cross-origin-opener-policy");
            assert!(!is_page || opener == Some("same-origin"), "{method} {target}");
        }
    }
    for target in ["/health", "/ready"] {
        let (get, head) = (vault.get(target), vault.head(target));
        assert_eq!((get.status, head.status), (200, 200), "{target}");
        assert_eq!(get.header("content-length"), head.header("content-length"), "{target}");
    }
}

#[test]
fn the_data_folder_is_its_owners_alone() {
    let vault = Vault::start();
    let rights = std::fs::metadata(vault.data_dir()).unwrap().permissions().mode();
    assert_eq!(rights & 0o777, 0o700, "{rights:o}");
}
