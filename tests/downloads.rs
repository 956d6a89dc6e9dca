//! Downloads against a real, scripted origin on loopback: what comes back, what is refused, and
//! that nothing takes longer than the deadline.

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};
use support::origin::{Origin as Scripted, Script, pictures};
use vinylvault::cache::failure::Class;
use vinylvault::cache::origin::{FetchError, Origin};
use vinylvault::guard::Guard;
use vinylvault::source::Source;

const BODY_MAX: u64 = 100_000;
const DEADLINE: Duration = Duration::from_secs(2);
/// What a loaded machine may take beyond the deadline.
const GRACE: Duration = Duration::from_secs(10);

/// What may fetch from this scripted origin only, with [`DEADLINE`].
fn fetcher(scripted: &Scripted) -> Origin {
    fetcher_of(&[scripted])
}

fn fetcher_of(scripted: &[&Scripted]) -> Origin {
    let private: Vec<String> = scripted.iter().map(|origin| origin.private_source()).collect();
    Origin::with_deadline(Guard::new(None, Some(&private.join(","))).unwrap(), BODY_MAX, DEADLINE)
}

fn source(url: &str) -> Source {
    Source::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

fn download(scripted: &Scripted, path: &str) -> Result<Vec<u8>, FetchError> {
    let begun = Instant::now();
    let result = fetcher(scripted).download(&source(&scripted.url(path)));
    assert!(begun.elapsed() < DEADLINE + GRACE, "{path} took {:?}", begun.elapsed());
    result
}

#[test]
fn a_picture_arrives_as_it_was_sent_and_connections_are_kept() {
    let scripted = Scripted::start();
    let picture = pictures::jpeg(64, 64, [200, 30, 30]);
    scripted.on("/whole.jpg", Script::picture(picture.clone()));
    scripted.on("/chunked.jpg", Script::picture(picture.clone()).chunked());
    scripted.on("/pieces.jpg", Script::picture(picture.clone()).trickle(100, Duration::from_millis(1)));
    scripted.on("/type.jpg", Script::bytes("text/html", picture.clone()));
    let origin = fetcher(&scripted);
    for path in ["/whole.jpg", "/chunked.jpg", "/pieces.jpg", "/type.jpg", "/whole.jpg"] {
        assert_eq!(origin.download(&source(&scripted.url(path))).unwrap(), picture, "{path}");
    }
    assert_eq!(scripted.hits("/whole.jpg"), 2);
    assert_eq!(scripted.connections(), 1);
    scripted.on("/close.jpg", Script::picture(picture.clone()).without_length());
    assert_eq!(origin.download(&source(&scripted.url("/close.jpg"))).unwrap(), picture);
}

#[test]
fn downloads_run_side_by_side_and_a_held_one_does_not_hold_the_others() {
    let scripted = Scripted::start();
    scripted.on_prefix("/covers/", |target| Script::picture(target.as_bytes()));
    scripted.fail_then("/flaky.jpg", 2, Script::status(503), Script::picture(vec![9]));
    let origin = Origin::new(Guard::new(None, Some(&scripted.private_source())).unwrap(), BODY_MAX);
    let fetch = |path: &str| origin.download(&source(&scripted.url(path)));
    scripted.hold("/covers/1");
    std::thread::scope(|scope| {
        let held = [0, 1].map(|_| scope.spawn(|| fetch("/covers/1")));
        support::until("both are held", || scripted.holding("/covers/1") == 2);
        assert_eq!(fetch("/covers/2?x").unwrap(), b"/covers/2?x");
        assert_eq!(scripted.concurrency_max(), 3);
        scripted.release("/covers/1");
        for download in held {
            assert_eq!(download.join().unwrap().unwrap(), b"/covers/1");
        }
    });
    assert_eq!((scripted.hits("/covers/1"), scripted.holding("/covers/1")), (2, 0));
    let codes: Vec<bool> = (0..4).map(|_| fetch("/flaky.jpg").is_ok()).collect();
    assert_eq!(codes, [false, false, true, true]);
    assert_eq!(scripted.connections(), 3);
    scripted.forget();
    assert_eq!((scripted.hits_in_all(), scripted.connections(), scripted.concurrency_max()), (0, 0, 0));
}

#[test]
fn an_origin_is_told_who_asks_and_nothing_else() {
    let scripted = Scripted::start();
    let hop = Script::redirect("/b.jpg").header("Set-Cookie", "id=1; Path=/");
    scripted.on("/a.jpg", hop);
    scripted.on("/b.jpg", Script::picture(vec![1]).header("Set-Cookie", "id=2; Path=/"));
    let origin = fetcher(&scripted);
    for _ in 0..2 {
        origin.download(&source(&scripted.url("/a.jpg?x=%2F#fragment"))).unwrap();
    }
    let requests = scripted.requests_in_all();
    assert_eq!(requests.len(), 4);
    for request in requests {
        let mut names: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "accept-encoding", "host", "user-agent"]);
        assert!(request.header("user-agent").unwrap().starts_with("VinylVault/"));
        assert!(request.header("user-agent").unwrap().contains(" (+https://"));
        assert_eq!(request.header("host"), Some(scripted.address().to_string().as_str()));
        assert!(["/a.jpg?x=%2F", "/b.jpg"].contains(&request.target.as_str()), "{}", request.target);
        assert_eq!(request.method, "GET");
    }
}

#[test]
fn the_body_may_be_exactly_as_large_as_allowed() {
    let scripted = Scripted::start();
    let too_large = Err(FetchError::TooLarge { limit_bytes: BODY_MAX });
    for (length, allowed) in [(BODY_MAX as usize, true), (BODY_MAX as usize + 1, false)] {
        let body = Script::picture(vec![7; length]);
        scripted.on("/length", body.clone());
        scripted.on("/chunked", body.clone().chunked());
        scripted.on("/closed", body.without_length());
        scripted.on("/gzip", Script::gzip_bomb(length));
        for path in ["/length", "/chunked", "/closed", "/gzip"] {
            let got = download(&scripted, path).map(|bytes| bytes.len());
            assert_eq!(
                got,
                if allowed { Ok(length) } else { too_large.clone().map(|()| 0) },
                "{path} {length}"
            );
        }
    }
    assert!(FetchError::TooLarge { limit_bytes: BODY_MAX }.is_permanent());
}

#[test]
fn what_is_too_large_is_not_read() {
    let scripted = Scripted::start();
    scripted.on("/infinite", Script::infinite());
    scripted.on("/liar", Script::picture(vec![0; 10]).declares(10u64.pow(15)));
    scripted.on("/bomb", Script::gzip_bomb(300_000_000));
    for path in ["/infinite", "/liar", "/bomb"] {
        assert_eq!(download(&scripted, path), Err(FetchError::TooLarge { limit_bytes: BODY_MAX }), "{path}");
    }
}

#[test]
fn an_answer_that_ends_early_is_cut_and_worth_another_try() {
    let scripted = Scripted::start();
    let picture = Script::picture(pictures::sleeve(1, 100));
    scripted.on("/cut", picture.clone().cut(500));
    scripted.on("/nothing", picture.clone().cut(0));
    scripted.on("/short", Script::picture(vec![0; 10]).declares(20));
    scripted.on("/cutchunk", picture.chunked_cut());
    scripted.on("/hangup", Script::hangup());
    scripted.on("/reset", Script::reset());
    for path in ["/cut", "/nothing", "/short", "/cutchunk", "/hangup", "/reset"] {
        let error = download(&scripted, path).unwrap_err();
        assert!(matches!(error, FetchError::Cut { .. }), "{path}: {error:?}");
        assert!(!error.is_permanent() && error.class() == Class::Unreachable, "{path}");
    }
}

#[test]
fn what_breaks_the_rules_of_http_is_refused() {
    let scripted = Scripted::start();
    let many = (0..200).fold(Script::picture(vec![1]), |script, n| script.header(&format!("X-{n}"), "a"));
    scripted.on("/manyheaders", many);
    scripted.on("/longheader", Script::picture(vec![1]).header("X-Long", &"a".repeat(40_000)));
    scripted.on("/endlessheader", Script::endless_header());
    scripted.on("/junk", Script::junk());
    scripted.on("/negative", Script::picture(vec![1]).declares("-1"));
    scripted.on(
        "/twolengths",
        Script::raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"),
    );
    scripted.on(
        "/badchunk",
        Script::raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n0\r\n\r\n"),
    );
    scripted.on("/badgzip", Script::picture(vec![1; 50]).header("Content-Encoding", "gzip"));
    for path in [
        "/manyheaders",
        "/longheader",
        "/endlessheader",
        "/junk",
        "/negative",
        "/twolengths",
        "/badchunk",
        "/badgzip",
    ] {
        let error = download(&scripted, path).unwrap_err();
        assert!(matches!(error, FetchError::Protocol { .. }), "{path}: {error:?}");
        assert!(!error.is_permanent(), "{path}");
    }
}

#[test]
fn nothing_takes_longer_than_the_deadline() {
    let scripted = Scripted::start();
    scripted.on("/silent", Script::silent());
    scripted.on("/slowheader", Script::slow_header(Duration::from_millis(50)));
    scripted.on("/slowbody", Script::picture(vec![0; 1000]).trickle(1, Duration::from_millis(20)));
    scripted.on("/slowchunks", Script::raw(b"HTTP/1.1 200 OK\r\n").after(Duration::from_secs(60)));
    for (n, path) in ["/h0", "/h1", "/h2"].into_iter().enumerate() {
        scripted.on(path, Script::redirect(&format!("/h{}", n + 1)).after(DEADLINE * 2 / 5));
    }
    scripted.on("/h3", Script::picture(vec![1]));
    std::thread::scope(|scope| {
        for path in ["/silent", "/slowheader", "/slowbody", "/slowchunks", "/h0"] {
            let scripted = &scripted;
            scope.spawn(move || {
                let begun = Instant::now();
                let error = download(scripted, path).unwrap_err();
                assert!(matches!(error, FetchError::Timeout { .. }), "{path}: {error:?}");
                assert!(begun.elapsed() >= DEADLINE - Duration::from_millis(50), "{path} gave up early");
                assert!(!error.is_permanent());
            });
        }
    });
    assert_eq!(scripted.hits("/h3"), 0, "the deadline is for all hops together");
}

#[test]
fn each_status_is_remembered_for_what_it_is() {
    let scripted = Scripted::start();
    for (code, permanent, class) in [
        (404, true, Class::Absent),
        (410, true, Class::Absent),
        (400, true, Class::Refused),
        (451, true, Class::Refused),
        (401, false, Class::Refused),
        (403, false, Class::Refused),
        (408, false, Class::Refused),
        (429, false, Class::Throttled),
        (500, false, Class::Broken),
        (503, false, Class::Broken),
        (204, false, Class::Refused),
        (206, false, Class::Refused),
        (304, false, Class::Refused),
        (302, false, Class::Refused),
    ] {
        scripted.on("/a", Script::status(code));
        let error = download(&scripted, "/a").unwrap_err();
        assert_eq!(error, FetchError::Status { code, retry_after: None });
        assert_eq!((error.is_permanent(), error.class()), (permanent, class), "{code}");
    }
}

#[test]
fn an_origin_that_says_when_to_come_back_is_understood() {
    let scripted = Scripted::start();
    let in_a_minute = httpdate::fmt_http_date(std::time::SystemTime::now() + Duration::from_secs(60));
    for (script, at_least, at_most) in [
        (Script::busy(429, "30"), 30, 30),
        (Script::busy(503, "86400"), 3600, 3600),
        (Script::busy(429, &in_a_minute), 55, 60),
    ] {
        scripted.on("/a", script);
        let wait = download(&scripted, "/a").unwrap_err().retry_after().expect("a wait").as_secs();
        assert!((at_least..=at_most).contains(&wait), "{wait}");
    }
    scripted.on("/a", Script::busy(500, "30"));
    assert_eq!(download(&scripted, "/a").unwrap_err().retry_after(), None);
}

#[test]
fn three_redirects_are_followed_and_no_fourth() {
    let scripted = Scripted::start();
    scripted.on("/0", Script::redirect("/1"));
    scripted.on("/1", Script::status(301).header("Location", &scripted.url("/d/2")));
    scripted.on("/d/2", Script::status(308).header("Location", "../3"));
    scripted.on("/3", Script::picture(vec![1, 2, 3]));
    assert_eq!(download(&scripted, "/0").unwrap(), [1, 2, 3]);
    scripted.on("/before", Script::status(307).header("Location", "/0"));
    assert_eq!(download(&scripted, "/before"), Err(FetchError::RedirectLoop));
    scripted.on("/loop", Script::redirect("/loop"));
    assert_eq!(download(&scripted, "/loop"), Err(FetchError::RedirectLoop));
    assert_eq!(scripted.hits("/loop"), 4);
    scripted.on("/talkative", Script::infinite().code(302).header("Location", "/3"));
    assert_eq!(download(&scripted, "/talkative").unwrap(), [1, 2, 3], "its body is not waited for");
}

#[test]
fn strangers_cannot_tell_a_closed_door_from_a_forbidden_one() {
    let scripted = Scripted::start();
    scripted.on("/silent", Script::silent());
    scripted.on("/junk", Script::junk());
    scripted.on("/hangup", Script::hangup());
    let closed = Scripted::start();
    let origin = fetcher_of(&[&scripted, &closed]);
    let closed_url = closed.url("/");
    drop(closed);
    let reason = |url: &str| origin.download(&source(url)).unwrap_err().public_reason();
    let urls = [
        closed_url,
        "http://localhost/".to_owned(),
        "http://no-such-name.invalid/".to_owned(),
        scripted.url("/silent"),
        scripted.url("/junk"),
        scripted.url("/hangup"),
        format!("https://{}/", scripted.address()),
    ];
    for url in urls {
        assert_eq!(reason(&url), "the origin could not be reached", "{url}");
    }
}

#[test]
fn every_failure_is_told_without_addresses_of_the_own_network() {
    let scripted = Scripted::start();
    scripted.on("/in", Script::redirect("http://192.168.7.9:8080/"));
    scripted.on("/down", Script::redirect("gopher://192.168.7.9/"));
    for path in ["/in", "/down", "/missing"] {
        let reason = download(&scripted, path).unwrap_err().public_reason();
        assert!(!reason.contains("127.0.0.1") && !reason.contains("192.168"), "{path}: {reason}");
    }
}

#[test]
fn a_closed_port_is_no_connection() {
    let closed = Scripted::start();
    let origin = fetcher(&closed);
    let url = closed.url("/");
    drop(closed);
    let error = origin.download(&source(&url)).unwrap_err();
    assert!(matches!(error, FetchError::Connect { .. }), "{error:?}");
}

#[test]
fn plain_text_is_no_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").unwrap();
        let _ = stream.read(&mut [0; 4096]);
    });
    let guard = Guard::new(None, Some(&address.to_string())).unwrap();
    let origin = Origin::with_deadline(guard, BODY_MAX, DEADLINE);
    let error = origin.download(&source(&format!("https://{address}/"))).unwrap_err();
    assert!(matches!(error, FetchError::Tls { .. }), "{error:?}");
    server.join().unwrap();
}

#[test]
fn a_proxy_in_the_environment_is_not_asked() {
    let scripted = Scripted::start();
    let proxy = Scripted::start();
    scripted.on("/a", Script::picture(vec![42]));
    let proxy_url = proxy.url("");
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child_downloads_what_its_environment_says", "--test-threads=1"]);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(name, &proxy_url);
    }
    child.env_remove("NO_PROXY").env_remove("no_proxy");
    child.env("ORIGIN_ADDRESS", scripted.private_source());
    let output = child.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!((scripted.hits("/a"), proxy.connections()), (1, 0));
}

#[test]
fn child_downloads_what_its_environment_says() {
    let Ok(address) = std::env::var("ORIGIN_ADDRESS") else { return };
    let guard = Guard::new(None, Some(&address)).unwrap();
    let origin = Origin::new(guard, BODY_MAX);
    assert_eq!(origin.download(&source(&format!("http://{address}/a"))).unwrap(), [42]);
    let metadata = origin.download(&source("http://169.254.169.254/")).unwrap_err();
    assert!(matches!(metadata, FetchError::Forbidden(_)));
}
