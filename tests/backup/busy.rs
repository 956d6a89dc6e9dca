//! A backup that is taken while the server works is consistent, and does not hold the server up.

use crate::stage::{albums, assert_whole, filled, json, origin, preload, printed, rows, run};
use crate::support::folder::Folder;
use crate::support::http::Connection;
use crate::support::origin::Origin;
use crate::support::vault::Vault;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Albums of one import: a backup has all of them or none.
const AT_ONCE: u32 = 25;

#[test]
fn a_backup_beside_imports_downloads_and_a_clear_is_of_one_moment() {
    let origin = origin();
    let vault = filled(&origin, AT_ONCE);
    let folder = Folder::new();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| work(&vault, &origin, &done));
        scope.spawn(|| view(&vault, &done));
        // Also when a round fails: the others must end for the test to fail.
        let _end = End(&done);
        for round in 0..6 {
            let file = folder.join(&format!("{round}.tar"));
            let file = file.to_str().unwrap();
            let made = json(&vault.run(&["backup", file, "--json"]));
            let there = folder.join(&format!("there-{round}"));
            printed(&run(&there, &["restore", file]));
            assert_whole(&there);
            let count = rows(&there.join("vinylvault.db"))["album"].len();
            assert_eq!(made["albums"], count, "round {round}");
            assert_eq!(count as u32 % AT_ONCE, 0, "round {round}: a part of an import");
        }
    });
    assert_eq!(vault.get("/ready").status, 200);
}

/// Imports, downloads and clears until it is done.
fn work(vault: &Vault, origin: &Origin, done: &AtomicBool) {
    let mut next = AT_ONCE + 1;
    while !done.load(Ordering::Relaxed) {
        vault.import(&albums(origin, next..=next + AT_ONCE - 1));
        preload(vault, origin, next..=next + AT_ONCE - 1);
        next += AT_ONCE;
        if next.is_multiple_of(2) {
            let reply = Connection::open_as_stranger(vault.address()).post_json("/api/cache/clear", "{}");
            assert_eq!(reply.status, 200, "{}", reply.text());
        }
    }
}

/// Looks at pages, each of which must come.
fn view(vault: &Vault, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        for page in ["/", "/?sort=year", "/random", "/health"] {
            let reply = vault.get(page);
            assert!(reply.status < 400, "{page}: {}", reply.status);
        }
    }
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
