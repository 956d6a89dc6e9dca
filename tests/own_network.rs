//! Whom this program contacts: the rules of the guard, and that no URL and no redirect gets past
//! them to a canary on the own network.

mod support;

use std::net::SocketAddr;
use std::time::Duration;
use support::origin::{Origin as Scripted, Script};
use support::own_network::{canaries, urls};
use vinylvault::cache::origin::{FetchError, Origin, vet};
use vinylvault::guard::Guard;
use vinylvault::source::Source;

fn source(url: &str) -> Source {
    Source::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// What may fetch from there only, with a deadline of a second.
fn fetcher(private: &str) -> Origin {
    Origin::with_deadline(Guard::new(None, Some(private)).unwrap(), 1000, Duration::from_secs(5))
}

/// Refused before anything was connected to: by the reader, the guard, or for want of an address.
fn assert_never_connected(url: &str, error: &FetchError) {
    assert!(
        matches!(
            error,
            FetchError::Forbidden(_)
                | FetchError::ForbiddenAddress { .. }
                | FetchError::Dns { .. }
                | FetchError::BadRedirect { .. }
        ),
        "{url}: {error:?}"
    );
}

#[test]
fn no_url_reaches_the_own_network() {
    let allowed = Scripted::start();
    let canaries = canaries();
    let origin = fetcher(&allowed.private_source());
    let ports = canaries.iter().map(|canary| format!(":{}", canary.address().port()));
    // On port 80 it is the address alone that is refused.
    for url in ports.chain([String::new()]).flat_map(|port| urls(&port)) {
        if let Ok(source) = Source::parse(&url) {
            assert_never_connected(&url, &origin.download(&source).expect_err(&url));
        }
    }
    for canary in canaries {
        assert_eq!(canary.connections(), 0);
    }
    assert_eq!(allowed.connections(), 0);
}

#[test]
fn no_redirect_reaches_the_own_network() {
    let allowed = Scripted::start();
    let canaries = canaries();
    let origin = fetcher(&allowed.private_source());
    let ports = canaries.iter().map(|canary| format!(":{}", canary.address().port()));
    for (n, url) in ports.chain([String::new()]).flat_map(|port| urls(&port)).enumerate() {
        if url.contains('\n') {
            continue; // would end the header
        }
        let path = format!("/{n}");
        allowed.on(&path, Script::redirect(&url));
        assert_never_connected(&url, &origin.download(&source(&allowed.url(&path))).expect_err(&url));
        assert_eq!(allowed.hits(&path), 1);
    }
    for canary in canaries {
        assert_eq!(canary.connections(), 0);
    }
}

#[test]
fn a_name_is_allowed_with_its_port_and_not_with_another() {
    let scripted = Scripted::start();
    scripted.on("/a", Script::picture(vec![1]));
    let port = scripted.address().port();
    let origin = fetcher(&format!("localhost:{port}"));
    assert_eq!(origin.download(&source(&format!("http://localhost:{port}/a"))).unwrap(), [1]);
    let literal = origin.download(&source(&scripted.url("/a"))).unwrap_err();
    assert!(
        matches!(literal, FetchError::Forbidden(_)),
        "the name was allowed, not the address: {literal:?}"
    );
    let other = origin.download(&source("http://localhost/a")).unwrap_err();
    assert!(matches!(other, FetchError::ForbiddenAddress { .. }), "{other:?}");
    assert_eq!(scripted.hits_in_all(), 1);
}

#[test]
fn one_forbidden_address_refuses_all_of_a_name() {
    let guard = Guard::new(None, Some("10.0.0.5:80")).unwrap();
    let permitted = |addresses: &[&str]| {
        let addresses: Vec<SocketAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        vet(&guard, "name.example", &addresses)
    };
    assert!(permitted(&["1.1.1.1:80", "[2606:4700::1111]:80"]));
    assert!(permitted(&["1.1.1.1:80", "10.0.0.5:80"]));
    for forbidden in ["127.0.0.1:80", "[::1]:80", "10.0.0.6:80", "[::ffff:10.0.0.6]:80", "0.0.0.0:80"] {
        assert!(!permitted(&["1.1.1.1:80", forbidden]), "{forbidden}");
        assert!(!permitted(&[forbidden, "1.1.1.1:80"]), "{forbidden}");
    }
}

fn permits(guard: &Guard, url: &str) -> bool {
    guard.permits(&source(url)).is_ok()
}

#[test]
fn a_list_of_hosts_is_exact() {
    let guard = Guard::new(Some("i.discogs.com, *.Example.com,1.1.1.1"), None).unwrap();
    for url in [
        "https://i.discogs.com/a",
        "http://I.DISCOGS.com/a",
        "https://sub.example.com/a",
        "https://a.b.example.com/a",
        "https://1.1.1.1/a",
    ] {
        assert!(permits(&guard, url), "{url}");
    }
    for url in [
        "https://example.com/a",
        "https://evilexample.com/a",
        "https://example.com.evil.net/a",
        "https://discogs.com/a",
        "https://x.i.discogs.com/a",
        "https://evil-i.discogs.com/a",
        "https://1.0.0.1/a",
        "https://i.discogs.com:8443/a",
    ] {
        assert!(!permits(&guard, url), "{url}");
    }
    let address: SocketAddr = "1.1.1.1:443".parse().unwrap();
    assert!(guard.permits_address("i.discogs.com", address));
    assert!(!guard.permits_address("other.example", address), "the list holds for addresses too");
}

#[test]
fn without_a_list_every_public_web_server_is_permitted_and_no_other_port() {
    for guard in
        [Guard::default(), Guard::new(Some(" "), Some("")).unwrap(), Guard::new(Some("*"), None).unwrap()]
    {
        assert!(permits(&guard, "http://anything.example/"));
        assert!(permits(&guard, "https://anything.example:80/"));
        for port in [1, 22, 25, 81, 444, 6379, 8080, 65535] {
            assert!(!permits(&guard, &format!("http://anything.example:{port}/")), "{port}");
            assert!(!permits(&guard, &format!("http://1.1.1.1:{port}/")), "{port}");
        }
    }
}

#[test]
fn the_own_network_is_open_exactly_where_its_owner_says() {
    let opened = |private: &str| Guard::new(Some("i.discogs.com"), Some(private)).unwrap();
    let guard = opened("nas.local:4533, 192.168.1.5:8080,172.16.0.0/30:81,[fd00::5]:99,[fd02::/16]:7");
    let address = |host: &str, address: &str| guard.permits_address(host, address.parse().unwrap());
    assert!(permits(&guard, "http://nas.local:4533/x") && !permits(&guard, "http://nas.local:4534/x"));
    assert!(address("nas.local", "192.168.7.7:4533") && !address("nas.local", "192.168.7.7:4534"));
    assert!(!address("other.local", "192.168.7.7:4533"), "the name is permitted, not what it leads to");
    assert!(permits(&guard, "http://192.168.1.5:8080/") && !permits(&guard, "http://192.168.1.5/"));
    assert!(!permits(&guard, "http://192.168.1.6:8080/"));
    assert!(permits(&guard, "http://172.16.0.3:81/") && !permits(&guard, "http://172.16.0.4:81/"));
    assert!(permits(&guard, "http://[fd00::5]:99/") && !permits(&guard, "http://[fd00::5]/"));
    assert!(permits(&guard, "http://[fd02::1]:7/") && !permits(&guard, "http://[fd02::1]:8/"));
    assert!(permits(&guard, "http://[::ffff:192.168.1.5]:8080/"), "the same address");

    assert!(permits(&guard, "http://other.local:81/"), "it may lead into the range");
    assert!(address("other.local", "172.16.0.1:81"), "and then it is permitted");
    assert!(!address("other.local", "1.1.1.1:81"), "but only then");
    assert!(!address("other.local", "1.1.1.1:80"), "not by the list of hosts");

    assert!(guard.is_private(&source("http://nas.local:4533/")));
    assert!(guard.is_private(&source("http://192.168.1.5:8080/")));
    assert!(!guard.is_private(&source("http://192.168.1.5:80/")));
    assert!(!guard.is_private(&source("https://i.discogs.com/")));

    let any_port = opened("10.1.2.3,fd01::/16,[fd03::1]");
    for url in ["http://10.1.2.3/", "http://10.1.2.3:22/", "http://[fd01::1]:123/", "https://[fd03::1]/"] {
        assert!(permits(&any_port, url), "{url}");
    }
    for url in ["http://10.1.2.4/", "http://[fd00::1]:123/", "https://[fd03::2]/"] {
        assert!(!permits(&any_port, url), "{url}");
    }
}

#[test]
fn a_wrong_rule_is_named_and_what_is_allowed_is_said() {
    for hosts in [
        "https://i.discogs.com",
        "i.discogs.com:443",
        "*evil.com",
        "a.*.com",
        "*.",
        "**",
        "*.*.com",
        "a b",
        "user@a",
        "ex/ample",
        "*.1.2.3.4",
        "127.1",
        ",",
    ] {
        let error = Guard::new(Some(hosts), None).expect_err(hosts);
        assert!(error.contains("*.archive.org"), "{error}");
        assert!(hosts == "," || error.contains(hosts), "{error}");
    }
    for private in [
        "nas.local",
        "nas.local:",
        "nas.local:0",
        "nas.local:65536",
        ":80",
        "10.0.0.0/33",
        "10.0.0/8",
        "fd00::/129",
        "[fd00::5",
        "[nas]:80",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/",
        "*:80",
        "*.local:80",
        "http://10.0.0.1",
        "127.1:80",
        "fd00::5]:80",
    ] {
        let error = Guard::new(None, Some(private)).expect_err(private);
        assert!(error.contains(private) && error.contains("192.168.1.0/24"), "{error}");
    }
}
