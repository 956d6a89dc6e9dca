//! SIGTERM ends within five seconds with answers finished; Ctrl-C is the same.

use std::time::Duration;

use crate::stage::{address_of, origin, settings, stand_in};
use crate::support::until;
use rustix::process::Signal;

#[test]
fn sigterm_finishes_the_answers_in_hand_and_ends_with_zero() {
    let origin = origin();
    let mut vault = settings(&origin).start();
    let address = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    origin.hold("/cover.jpg");
    let mut viewer = vault.connect();
    viewer.send(format!("GET {address} HTTP/1.1\r\nHost: {}\r\n\r\n", vault.address()).as_bytes()).unwrap();
    until("he waits", || vault.stat("waiting") == 1);
    let ended = vault.terminate();
    assert_eq!(ended.status.code(), Some(0));
    // Four of patience and what the disk takes, on a machine that has other work.
    assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);
    assert_eq!(stand_in(&viewer.receive("GET").unwrap()), Some("pending"));
}

#[test]
fn a_stop_answers_who_waits_for_a_preload_with_what_has_come_so_far() {
    let origin = origin();
    origin.hold("/late.jpg");
    let mut vault = settings(&origin).start();
    let (cover, late) = (origin.url("/cover.jpg"), origin.url("/late.jpg"));
    let body = serde_json::json!({ "urls": [cover, late] }).to_string();
    let mut waiting = vault.connect();
    let head = format!("Host: {}\r\nContent-Type: application/json", vault.address());
    let request = format!(
        "POST /api/cache/preload?wait=1 HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    waiting.send(request.as_bytes()).unwrap();
    // The first has landed: what is on the card is told a moment later.
    until("one is here, the other is waited for", || {
        vault.stat("total_entries") == 2 && vault.stat("in_flight") == 1 && origin.holding("/late.jpg") == 1
    });
    let ended = vault.terminate();
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.took < Duration::from_millis(3_900), "nothing is left to be waited for: {:?}", ended.took);
    let said = waiting.receive("POST").unwrap().json();
    assert_eq!((&said["results"][&cover], &said["results"][&late]), (&true.into(), &false.into()), "{said}");
}

#[test]
fn ctrl_c_is_a_clean_stop_too() {
    let origin = origin();
    let vault = settings(&origin).start();
    let idle = vault.connect();
    vault.signal(Signal::INT);
    let pid = vault.pid();
    until("the process is gone", || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.is_empty() || status.contains("State:\tZ")
    });
    until("it was not killed by it", || vault.log().contains("info stopped"));
    drop(idle);
}
