//! How a restored folder takes its place: what is set aside, what stays, what is never touched.

use crate::stage::{
    assert_whole, backup, command, covers, filled, names, origin, printed, refusal, rows, run,
};
use crate::support::folder::Folder;
use crate::support::until;
use crate::support::vault::Vault;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A vault at rest with so many albums, and its backup.
fn stage(albums: u32) -> (Vault, Folder, PathBuf) {
    let origin = origin();
    let mut vault = filled(&origin, albums);
    vault.terminate();
    let folder = Folder::new();
    let file = backup(&vault.data_dir(), &folder);
    (vault, folder, file)
}

#[track_caller]
fn restore(data_dir: &Path, file: &Path) -> String {
    printed(&run(data_dir, &["restore", file.to_str().unwrap()]))
}

/// The folder that the last line names.
#[track_caller]
fn set_aside(said: &str) -> PathBuf {
    PathBuf::from(said.lines().last().unwrap().strip_prefix("what was there is in ").unwrap())
}

fn album_count(data_dir: &Path) -> usize {
    rows(&data_dir.join("vinylvault.db"))["album"].len()
}

#[test]
fn what_was_there_is_set_aside_as_a_whole_and_named_last() {
    let (vault, folder, file) = stage(3);
    let (other, ..) = stage(1);
    let data_dir = other.data_dir();
    fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o750)).unwrap();
    let old = covers(&data_dir);
    let aside = set_aside(&restore(&data_dir, &file));
    assert_eq!(aside.parent(), data_dir.parent());
    assert!(aside.file_name().unwrap().to_str().unwrap().starts_with("data.set-aside-2"));
    assert_eq!((covers(&aside), album_count(&aside)), (old, 1));
    assert_eq!((covers(&data_dir), album_count(&data_dir)), (covers(&vault.data_dir()), 3));
    assert_eq!(fs::metadata(&data_dir).unwrap().permissions().mode() & 0o777, 0o750, "as it was");
    // A second one within the same second has a name of its own.
    let again = set_aside(&restore(&data_dir, &file));
    assert_ne!(again, aside);
    assert_eq!((album_count(&again), album_count(&aside)), (3, 1));
    assert_eq!(names(folder.path()), ["vinyl.tar"]);
}

#[test]
fn files_of_others_in_the_data_folder_stay_where_they_are() {
    let (vault, _folder, file) = stage(3);
    let (other, ..) = stage(1);
    let data_dir = other.data_dir();
    fs::write(data_dir.join("notes.txt"), "mine").unwrap();
    let inode = fs::metadata(&data_dir).unwrap().ino();
    let aside = set_aside(&restore(&data_dir, &file));
    assert_eq!(fs::metadata(&data_dir).unwrap().ino(), inode, "the folder itself stays");
    assert_eq!(names(&data_dir), ["cache", "notes.txt", "vinylvault.db"]);
    assert_eq!((covers(&data_dir), album_count(&data_dir)), (covers(&vault.data_dir()), 3));
    assert_eq!(names(&aside), ["cache", "vinylvault.db"]);
    assert_eq!(album_count(&aside), 1);
    assert_whole(&data_dir);
}

#[test]
fn an_empty_folder_is_filled_and_nothing_is_set_aside() {
    let (vault, folder, file) = stage(2);
    for (name, with) in [("empty", None), ("notes", Some("notes.txt"))] {
        let data_dir = folder.join(name);
        fs::create_dir(&data_dir).unwrap();
        if let Some(name) = with {
            fs::write(data_dir.join(name), "mine").unwrap();
        }
        let said = restore(&data_dir, &file);
        assert!(said.lines().last().unwrap().starts_with("restored into"), "{said}");
        assert_eq!(covers(&data_dir), covers(&vault.data_dir()));
        assert_whole(&data_dir);
    }
    assert_eq!(names(folder.path()), ["empty", "notes", "vinyl.tar"]);
}

#[test]
fn a_folder_behind_a_link_is_replaced_and_the_link_stays() {
    let (_vault, folder, file) = stage(2);
    let (card, data_dir) = (folder.join("card"), folder.join("data"));
    fs::create_dir(&card).unwrap();
    restore(&card.join("vault"), &file);
    symlink(card.join("vault"), &data_dir).unwrap();
    restore(&data_dir, &file);
    assert!(fs::symlink_metadata(&data_dir).unwrap().is_symlink());
    assert_eq!(names(&card).len(), 2, "set aside where it really was");
    // A cache elsewhere cannot be exchanged, and silently losing the other card would be worse.
    let cache = card.join("vault/cache");
    fs::rename(&cache, folder.join("elsewhere")).unwrap();
    symlink(folder.join("elsewhere"), &cache).unwrap();
    let said = refusal(&run(&data_dir, &["restore", file.to_str().unwrap()]));
    assert!(said.contains("cache is a link"), "{said}");
    assert_eq!(names(&card).len(), 2, "nothing is left");
}

#[test]
fn a_damaged_collection_gives_way_and_its_log_is_not_replayed() {
    let (_vault, _folder, file) = stage(3);
    let noise = "a bad card wrote this".repeat(1000);
    for (with, wrecks_log) in
        [(None, false), (Some("notes.txt"), false), (None, true), (Some("notes.txt"), true)]
    {
        let (mut other, ..) = stage(1);
        let data_dir = other.data_dir();
        other.restart();
        // A log with albums in it, as a power cut leaves it, and a database that nobody can read.
        other.import(&serde_json::json!([{ "artist": "A", "title": "lost" }]));
        other.kill9();
        let log = data_dir.join("vinylvault.db-wal");
        assert!(fs::metadata(&log).unwrap().len() > 0);
        fs::write(data_dir.join("vinylvault.db"), &noise).unwrap();
        if wrecks_log {
            fs::write(&log, &noise).unwrap();
        }
        let left = fs::read(&log).unwrap();
        if let Some(name) = with {
            fs::write(data_dir.join(name), "mine").unwrap();
        }
        let aside = set_aside(&restore(&data_dir, &file));
        assert!(!log.exists());
        let kept = fs::read(aside.join("vinylvault.db-wal")).unwrap();
        assert!(kept == left, "it goes with what it belongs to, for whoever wants to look");
        assert_eq!(album_count(&data_dir), 3);
        other.restart();
        assert!(!other.get("/").text().contains("lost"));
        assert_eq!(other.get("/ready").status, 200);
    }
}

#[test]
fn only_leftovers_of_killed_restores_are_removed() {
    let (_vault, folder, file) = stage(1);
    let data_dir = folder.join("data");
    let kept = folder.join("kept");
    for name in [
        "data.restore-123",
        "data.restore-12x",
        "data.restore-",
        "other.restore-1",
        "data.set-aside-2020",
        "kept",
    ] {
        fs::create_dir_all(folder.join(name).join("cache")).unwrap();
        fs::write(folder.join(name).join("cache/file"), "x").unwrap();
    }
    fs::write(folder.join("data.restore-7"), "a file").unwrap();
    symlink(&kept, folder.join("data.restore-8")).unwrap();
    restore(&data_dir, &file);
    assert_eq!(
        names(folder.path()),
        [
            "data",
            "data.restore-",
            "data.restore-12x",
            "data.restore-7",
            "data.restore-8",
            "data.set-aside-2020",
            "kept",
            "other.restore-1",
            "vinyl.tar"
        ]
    );
    assert!(kept.join("cache/file").exists());
}

#[test]
fn of_two_restores_at_once_the_second_is_refused() {
    let (_vault, folder, file) = stage(4);
    let data_dir = folder.join("data");
    let mut bytes = Vec::new();
    File::open(&file).unwrap().read_to_end(&mut bytes).unwrap();
    let mut first = command(&data_dir, &["restore", "-"]);
    let mut first = first.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut pipe = first.stdin.take().unwrap();
    pipe.write_all(&bytes[..bytes.len() / 2]).unwrap();
    until("the first one unpacks", || names(folder.path()).iter().any(|name| name.contains(".restore-")));
    until("its lock is held", || {
        let output = run(&data_dir, &["restore", file.to_str().unwrap()]);
        assert_ne!(output.status.code(), Some(0));
        String::from_utf8_lossy(&output.stderr).contains("another restore")
    });
    pipe.write_all(&bytes[bytes.len() / 2..]).unwrap();
    drop(pipe);
    assert!(first.wait().unwrap().success());
    assert_whole(&data_dir);
}

#[test]
fn what_root_restores_belongs_to_whose_folder_it_is() {
    let (_vault, _folder, file) = stage(2);
    let (other, ..) = stage(1);
    let data_dir = other.data_dir();
    if chown(&data_dir, Some(12_345), Some(12_346)).is_err() {
        eprintln!("not checked: only root can give a folder away");
        return;
    }
    restore(&data_dir, &file);
    let mut folders = vec![data_dir];
    while let Some(folder) = folders.pop() {
        let facts = fs::metadata(&folder).unwrap();
        assert_eq!((facts.uid(), facts.gid()), (12_345, 12_346), "{}", folder.display());
        if facts.is_dir() {
            folders.extend(fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
}
