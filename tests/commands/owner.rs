//! `sudo vinylvault ...` on a service's folder: whatever root's command makes there belongs to the
//! folder's owner, who can go on with it, and nothing else does.

use crate::asking::{filled, printed};
use crate::support::folder::Folder;
use crate::support::http::Connection;
use crate::support::process::{Process, binary};
use crate::support::vault::Vault;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown, lchown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

/// Of those that a service manager gives away (DynamicUser=).
const USER: u32 = 61_235;

/// Every file and folder from here down, links not followed.
fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    let mut at = 0;
    while at < found.len() {
        if fs::symlink_metadata(&found[at]).unwrap().is_dir() {
            found.extend(fs::read_dir(&found[at]).unwrap().map(|entry| entry.unwrap().path()));
        }
        at += 1;
    }
    found
}

fn owner(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().uid()
}

/// A stopped service's folder, with two covers; `None` for whoever cannot give one away.
fn stage() -> Option<Vault> {
    let (_origin, mut vault) = filled(2);
    vault.import(&json!([{ "artist": "A", "title": "first" }]));
    vault.terminate();
    for path in everything(&vault.data_dir()) {
        if lchown(path, Some(USER), Some(USER)).is_err() {
            eprintln!("not checked: only root can give a folder away");
            return None;
        }
    }
    Some(vault)
}

#[track_caller]
fn assert_all_given(vault: &Vault, after: &str) {
    let kept: Vec<_> = everything(&vault.data_dir()).into_iter().filter(|path| owner(path) != USER).collect();
    assert!(kept.is_empty(), "after {after} root still has {kept:?}");
}

#[test]
fn what_root_makes_in_a_services_folder_is_the_services() {
    let Some(vault) = stage() else { return };
    let index = vault.data_dir().join("cache/index.db");
    vault.import(&json!([{ "artist": "A", "title": "second" }]));
    assert!(vault.data_dir().join("copies").is_dir(), "an import copies what was there");
    assert_all_given(&vault, "import");
    for args in [&["verify", "--repair"][..], &["cleanup", "--days=36500"], &["clear"]] {
        fs::write(&index, "a bad card wrote this".repeat(1000)).unwrap();
        printed_whatever_it_complains(&vault, args);
        assert!(fs::read(&index).unwrap().starts_with(b"SQLite format 3"), "{args:?} made a new one");
        assert_all_given(&vault, args[0]);
    }
    for folder in ["cache", "copies"] {
        fs::remove_dir_all(vault.data_dir().join(folder)).unwrap();
    }
    fs::remove_file(vault.data_dir().join("vinylvault.db")).unwrap();
    vault.import(&json!([{ "artist": "A", "title": "third" }]));
    printed(&vault.run(&["status"]));
    assert_all_given(&vault, "the first import");

    // Its files and the binary are where the tests are, which not every user may enter.
    let mut server = binary();
    server.args(["serve", "--listen=127.0.0.1:0", "--min-free-mb=0", "--data-dir"]).arg(vault.data_dir());
    server.uid(USER).gid(USER);
    let may_enter = binary().arg("--version").uid(USER).gid(USER).output();
    if !may_enter.is_ok_and(|output| output.status.success()) {
        return eprintln!("not checked: user {USER} may not enter the tests' folder");
    }
    let mut server = Process::start(server);
    let ask = || Connection::open(server.address);
    assert_eq!(ask().get("/ready").status, 200, "{}", server.log());
    assert!(ask().get("/").text().contains("third"));
    // Makes a source known: a write to the index.
    assert_eq!(ask().get("/api/cache/image?url=https://example.org/a.jpg").status, 302, "{}", server.log());
    assert_eq!(ask().post_json("/api/cache/clear", "{}").status, 200, "{}", server.log());
    kill_process(Pid::from_child(&server.child), Signal::TERM).unwrap();
    assert_eq!(server.child.wait().unwrap().code(), Some(0), "{}", server.log());
}

/// What it found damaged is in its log.
#[track_caller]
fn printed_whatever_it_complains(vault: &Vault, args: &[&str]) {
    let output = vault.run(args);
    assert!(output.status.success(), "{args:?}: {output:?}");
}

#[test]
fn nothing_but_what_is_ours_is_given_away() {
    let Some(vault) = stage() else { return };
    let outside = Folder::new();
    let (linked, named) = (outside.join("linked"), outside.join("named"));
    for path in [&linked, &named, &vault.data_dir().join("notes.txt")] {
        fs::write(path, "root's").unwrap();
    }
    let copies = vault.data_dir().join("copies");
    fs::create_dir_all(&copies).unwrap();
    chown(&copies, Some(USER), Some(USER)).unwrap();
    // What the owner of the folder could do, to be given a file of root's.
    symlink(&linked, copies.join("link")).unwrap();
    symlink(outside.path(), copies.join("folder")).unwrap();
    fs::hard_link(&named, copies.join("name")).unwrap();
    printed(&vault.run(&["status"]));
    for path in [&linked, &named, &outside.path().to_owned(), &vault.data_dir().join("notes.txt")] {
        assert_eq!(owner(path), 0, "{}", path.display());
    }
}
