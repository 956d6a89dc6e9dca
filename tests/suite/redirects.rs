//! Manners belong to the host that is asked, whoever sent us there.

use std::time::Duration;

use crate::stage::{address_of, assert_cover, settings, stand_in};
use crate::support::origin::{Origin, Script, pictures};

/// A host of its own on loopback; what redirects to it is `front`.
fn cdn() -> Origin {
    Origin::start_on("127.0.0.2:0")
}

#[test]
fn a_host_behind_redirects_is_asked_three_times_at_once_and_who_sends_us_there_only_once() {
    let cdn = cdn();
    cdn.on_prefix("/", |_| {
        Script::picture(pictures::jpeg(60, 60, [90, 90, 90])).after(Duration::from_millis(100))
    });
    let fronts: Vec<Origin> = (3..7).map(|last| Origin::start_on(&format!("127.0.0.{last}:0"))).collect();
    let mut builder = settings(&cdn).setting("max-concurrent-downloads", "12");
    let mut urls = Vec::new();
    for (place, front) in fronts.iter().enumerate() {
        builder = builder.private_source(front.private_source());
        for number in 0..6 {
            let path = format!("/{place}/{number}.jpg");
            front.on(&path, Script::redirect(&cdn.url(&path)));
            urls.push(front.url(&path));
        }
    }
    let vault = builder.start();
    let body = serde_json::json!({ "urls": urls }).to_string();
    let said = vault.post_json("/api/cache/preload?wait=1", &body).json();
    assert_eq!(said["preloaded"], 24, "{said}");
    assert_eq!(cdn.concurrency_max(), 3);
    let asked: usize = fronts.iter().map(Origin::hits_in_all).sum();
    assert_eq!(asked, 24, "what waits for its turn goes on from where it stood");
}

#[test]
fn a_host_that_wants_to_be_left_alone_is_left_alone_by_its_own_address_and_nobody_else_is() {
    let (cdn, front) = (cdn(), Origin::start());
    cdn.on("/busy.jpg", Script::busy(429, "600"));
    cdn.on("/other.jpg", Script::picture(pictures::sleeve(1, 300)));
    front.on("/busy.jpg", Script::redirect(&cdn.url("/busy.jpg")));
    front.on("/own.jpg", Script::picture(pictures::sleeve(2, 300)));
    let vault = settings(&cdn).private_source(front.private_source()).start();
    let ask = |url: &str| vault.get(&address_of(&vault, url, "detail"));
    assert_eq!(stand_in(&ask(&front.url("/busy.jpg"))), Some("failed"));
    assert_eq!(stand_in(&ask(&cdn.url("/other.jpg"))), Some("failed"));
    assert_eq!(cdn.hits("/other.jpg"), 0, "it said when to come back");
    assert_cover(&ask(&front.url("/own.jpg")));
}
