//! The own network from outside: the running program is given every way into it that the threat model
//! lists, and connects to nobody; and its service's narrow view of the system opens none.

use crate::stage::{origin, settings};
use crate::support::http::Connection;
use crate::support::origin::{Origin, Script};
use crate::support::own_network::{canaries, urls};
use crate::support::process::{binary, finish};
use crate::support::until_within;
use crate::support::vault::Vault;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

/// A few names are asked for three times, with seconds between the tries.
const ALL_TRIES: Duration = Duration::from_secs(60);

/// Ports that the list names or means; what cannot be watched here (no root, or taken) is said.
const USUAL_PORTS: [u16; 5] = [22, 25, 80, 443, 6379];

fn watch_usual_ports() -> Vec<Origin> {
    let free = |address: &String| {
        let bound = TcpListener::bind(address);
        bound.as_ref().inspect_err(|error| eprintln!("not watched: {address}: {error}")).is_ok()
    };
    let addresses = USUAL_PORTS.map(|port| format!("127.0.0.1:{port}"));
    addresses.iter().filter(|address| free(address)).map(|address| Origin::start_on(address)).collect()
}

/// One preload to its end; the job's last word.
fn preload(vault: &Vault, urls: &[String]) -> (Value, Value) {
    let said = vault.post_json("/api/cache/preload", &json!({ "urls": urls }).to_string());
    assert_eq!(said.status, 202, "{}", said.text());
    let job = format!("/api/jobs/{}", said.json()["job"].as_str().unwrap());
    let ask = || Connection::open_as_stranger(vault.address()).get(&job).json();
    until_within(ALL_TRIES, "the preload has ended", || ask()["state"] == "done");
    (said.json(), ask())
}

#[test]
fn no_url_of_a_preload_and_no_redirect_reaches_the_own_network() {
    let (canaries, usual) = (canaries(), watch_usual_ports());
    let ports = canaries.iter().map(|canary| format!(":{}", canary.address().port()));
    // On port 80 it is the address alone that is refused.
    let list: Vec<String> = ports.chain([String::new()]).flat_map(|port| urls(&port)).collect();
    let origin = origin();
    let vault = settings(&origin).start();

    let (said, end) = preload(&vault, &list);
    assert_eq!(said["total"], list.len());
    assert_eq!(end["failed"], end["total"], "{end}");

    let mut hops = Vec::new();
    // A line break would end the header.
    for url in list.iter().filter(|url| !url.contains('\n')) {
        let path = format!("/hop/{}", hops.len());
        origin.on(&path, Script::redirect(url));
        hops.push(origin.url(&path));
    }
    let (said, end) = preload(&vault, &hops);
    assert_eq!((&said["accepted"], &end["failed"]), (&json!(hops.len()), &json!(hops.len())), "{end}");
    for place in 0..hops.len() {
        assert!(origin.hits(&format!("/hop/{place}")) > 0, "{place} was never asked for");
    }

    for canary in canaries.iter().chain(&usual) {
        assert_eq!(canary.connections(), 0, "{}: {:?}", canary.address(), canary.requests_in_all());
    }
    assert_eq!(vault.stat("total_entries"), 0);
    let (_, end) = preload(&vault, &[origin.url("/cover.jpg")]);
    assert_eq!((&end["done"], &end["failed"]), (&json!(1), &json!(0)), "what is allowed still comes: {end}");
}

/// What the program says about fetching from there, in a network of its own (`2a00:1::/64`) and behind the
/// mounts that these words make. `None`: this machine does not let us.
fn permitted(mounts: &str, url: &str) -> Option<bool> {
    let folder = crate::support::folder::Folder::new();
    let program = binary();
    let mut command = Command::new("unshare");
    let network = "ip link set lo up && ip -6 addr add 2a00:1::1/64 dev lo";
    command
        .args(["-m", "-n", "sh", "-c", &format!("{network} && {mounts} || exit 77; exec \"$0\" \"$@\"")])
        .arg(program.get_program())
        .args(program.get_args())
        .args(["explain", url, "--json", "--data-dir"])
        .arg(folder.join("data"));
    let made = Command::new("unshare").args(["-m", "-n", "true"]).output();
    if !made.is_ok_and(|made| made.status.success()) {
        return None;
    }
    let output = finish(command);
    if output.status.code() == Some(77) {
        return None;
    }
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    said["permitted"].as_bool()
}

#[test]
fn in_a_service_that_sees_only_itself_an_ipv6_neighbour_is_no_origin() {
    let (neighbour, stranger) = ("http://[2a00:1::2]/a.jpg", "http://[2a00:1:0:1::2]/a.jpg");
    // As ProcSubset=pid of our unit mounts it.
    let subset = "mount -t proc -o subset=pid proc /proc";
    let nothing = "mount -t tmpfs none /proc";
    let Some(seen) = permitted("true", neighbour) else {
        return eprintln!("not checked: no network and mounts of one's own here (needs root and iproute2)");
    };
    assert!(!seen, "a neighbour is refused where all of /proc is seen");
    if let Some(is_permitted) = permitted(subset, neighbour) {
        assert!(!is_permitted, "a neighbour is refused in the service");
        assert_eq!(permitted(subset, stranger), Some(true), "the Internet is not");
    } else {
        eprintln!("not checked: this kernel knows no subset=pid");
    }
    assert_eq!(permitted(nothing, neighbour), Some(false));
    assert_eq!(permitted(nothing, stranger), Some(false), "who cannot look does not guess");
    assert_eq!(permitted(nothing, "http://1.1.1.1/a.jpg"), Some(true), "IPv4 needs no /proc");
}
