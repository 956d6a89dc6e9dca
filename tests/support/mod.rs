//! What black-box tests stand on: the real binary (`vault`), an HTTP client that shows exact bytes
//! (`http`), its process (`process`), a terminal around it (`terminal`) and a picture of that (`drawing`),
//! a scripted origin (`origin`), ways into the own network (`own_network`), folders that end with their
//! test (`folder`), and conditions with a deadline. Holds no expectation of its own about the product.
#![allow(dead_code, reason = "every test binary takes the part of this that it needs")]

pub mod browser;
pub mod drawing;
pub mod folder;
pub mod http;
pub mod origin;
pub mod own_network;
pub mod process;
pub mod terminal;
pub mod vault;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a condition may take on a busy two-core machine before the test is called failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Says that a check was left out for want of a tool. Where `CI=true` promises that every tool is there
/// (.ci/run installs them), that is a failure.
#[track_caller]
pub fn not_checked(why: &str) {
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "not checked: {why}");
    eprintln!("not checked: {why}");
}

/// How many times longer everything may take: `VINYLVAULT_SLOWNESS`, for a program under an emulator.
pub fn slowness() -> u32 {
    let factor = std::env::var("VINYLVAULT_SLOWNESS").ok();
    factor.map_or(1, |factor| factor.parse().expect("VINYLVAULT_SLOWNESS is a whole number"))
}

/// Waits for a condition; panics with `what` after [`PATIENCE`]. There is no sleep in a test but this one's.
#[track_caller]
pub fn until(what: &str, condition: impl FnMut() -> bool) {
    until_within(PATIENCE, what, condition);
}

/// [`until`] for what is known to take longer, or must be faster.
#[track_caller]
pub fn until_within(patience: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let patience = patience * slowness();
    let deadline = Instant::now() + patience;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {patience:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits for the next hour where this one is about to end: the hourly history may be written then, and a
/// test that promises that nothing is written must not be about it.
#[track_caller]
pub fn clear_of_the_hours_end() {
    let left = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        3600 - since.as_secs() % 3600
    };
    let at_least = 30;
    until_within(Duration::from_secs(at_least + 10), "the next hour", || left() > at_least);
}
