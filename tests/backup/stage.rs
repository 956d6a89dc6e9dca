//! Vaults with something in them, what is in a data folder, and commands whose streams a test holds.

use crate::support::folder::Folder;
use crate::support::http::Reply;
use crate::support::origin::{Origin, Script, pictures};
use crate::support::process::{binary, finish};
use crate::support::vault::{Builder, Vault};
use rusqlite::Connection;
use rusqlite::types::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use vinylvault::key::Digest;

/// An origin with as many covers as anybody asks for, each of its own: `/1.jpg`, `/2.jpg`.
pub fn origin() -> Origin {
    let origin = Origin::start();
    origin.on_prefix("/", |path| {
        let number = path.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0);
        Script::picture(pictures::sleeve(number, 300))
    });
    origin
}

/// A server that may fetch from `origin`.
pub fn settings(origin: &Origin) -> Builder {
    Vault::builder().private_source(origin.private_source()).setting("min-free-mb", "0")
}

pub fn albums(origin: &Origin, numbers: std::ops::RangeInclusive<u32>) -> serde_json::Value {
    let album = |number| {
        json!({ "artist": format!("Artist {number}"), "title": format!("Title {number}"),
                "cover_url": origin.url(&format!("/{number}.jpg")) })
    };
    numbers.map(album).collect()
}

/// Fetches the covers of these albums and waits until they are on the card.
#[track_caller]
pub fn preload(vault: &Vault, origin: &Origin, numbers: std::ops::RangeInclusive<u32>) {
    let urls: Vec<String> = numbers.map(|number| origin.url(&format!("/{number}.jpg"))).collect();
    let reply = vault.post_json("/api/cache/preload?wait=1", &json!({ "urls": urls }).to_string());
    assert_eq!(reply.status, 200, "{}", reply.text());
    crate::support::until("every flight has landed", || vault.stat("in_flight") == 0);
}

/// A server with so many albums and their covers.
#[track_caller]
pub fn filled(origin: &Origin, count: u32) -> Vault {
    let vault = settings(origin).start();
    vault.import(&albums(origin, 1..=count));
    preload(&vault, origin, 1..=count);
    vault
}

/// The answer is a cover and no placeholder.
#[track_caller]
pub fn assert_cover(reply: &Reply) {
    let stand_in = reply.header("x-vinylvault-placeholder");
    assert_eq!((reply.status, stand_in), (200, None), "{}", reply.text());
}

/// Where a server has the cover of `cache/covers/detail/2b/2b37....webp`.
pub fn address(cover: &Path) -> String {
    let parts: Vec<&str> = cover.iter().map(|part| part.to_str().unwrap()).collect();
    format!("/cache/{}/{}", parts[2], parts[4])
}

/// Every file below a folder with its content's digest, by its path in it.
pub fn files(folder: &Path) -> BTreeMap<PathBuf, Digest> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap().flatten() {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else {
                let digest = Digest::of(&fs::read(&path).unwrap());
                files.insert(path.strip_prefix(folder).unwrap().to_owned(), digest);
            }
        }
    }
    files
}

/// The covers among them.
pub fn covers(folder: &Path) -> BTreeMap<PathBuf, Digest> {
    let mut files = files(folder);
    files.retain(|path, _| {
        path.extension().is_some_and(|ending| ending == "webp")
            && !path.to_string_lossy().contains("placeholder")
    });
    files
}

/// Everything that a database says: each table's rows in the order of their first columns.
pub fn rows(database: &Path) -> BTreeMap<String, Vec<Vec<Value>>> {
    let db = Connection::open(database).unwrap();
    let check: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok", "{}", database.display());
    let mut names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let read = |name: String| {
        let mut statement = db.prepare(&format!("SELECT * FROM {name} ORDER BY 1, 2")).unwrap();
        let width = statement.column_count();
        let row = |row: &rusqlite::Row| (0..width).map(|i| row.get(i)).collect::<Result<Vec<Value>, _>>();
        let rows = statement.query_map([], row).unwrap().map(Result::unwrap).collect();
        (name, rows)
    };
    names.into_iter().map(read).collect()
}

/// Each row of the index has its file and each file its row, and each database is whole.
#[track_caller]
pub fn assert_whole(data_dir: &Path) {
    rows(&data_dir.join("vinylvault.db"));
    let index = rows(&data_dir.join("cache/index.db"));
    let mut listed: Vec<PathBuf> = index["rendition"]
        .iter()
        .map(|row| {
            let (Value::Blob(key), Value::Integer(variant)) = (&row[0], &row[1]) else { panic!("{row:?}") };
            let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
            let variant = ["thumbnails", "detail"][*variant as usize];
            PathBuf::from(format!("cache/covers/{variant}/{}/{hex}.webp", &hex[..2]))
        })
        .collect();
    listed.sort();
    assert_eq!(listed, covers(data_dir).into_keys().collect::<Vec<_>>());
}

/// `vinylvault ARGS --data-dir DATA_DIR`, to its end.
#[track_caller]
pub fn run(data_dir: &Path, args: &[&str]) -> Output {
    finish(command(data_dir, args))
}

pub fn command(data_dir: &Path, args: &[&str]) -> Command {
    let mut command = binary();
    command.args(args).arg("--data-dir").arg(data_dir);
    // Where the databases' copies of a stream go: not memory, and seen if they stay.
    command.env("TMPDIR", data_dir.parent().unwrap());
    command
}

/// What a successful command printed.
#[track_caller]
pub fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
pub fn json(output: &Output) -> serde_json::Value {
    serde_json::from_str(&printed(output)).unwrap()
}

/// The one line of a refusal, which was exit code 1.
#[track_caller]
pub fn refusal(output: &Output) -> String {
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("vinylvault: ")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    lines[0].to_owned()
}

/// A backup of this data folder, as a file in `folder`.
#[track_caller]
pub fn backup(data_dir: &Path, folder: &Folder) -> PathBuf {
    let file = folder.join("vinyl.tar");
    printed(&run(data_dir, &["backup", file.to_str().unwrap()]));
    file
}

/// What stands in a folder, by name.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
