//! Tars that somebody made to do harm, and tars that a bad card made: each is refused in one line,
//! and the data folder is afterwards what it was, byte for byte.

use crate::forge::{Forge, header, tar};
use crate::stage::{backup, command, files, filled, names, origin, printed, refusal, run};
use crate::support::folder::Folder;
use crate::support::process::finish;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use tar::{EntryType, Header};
use vinylvault::key::Digest;

/// A good backup of two albums: two databases, four covers.
fn good() -> Forge {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    let tar = GOOD.get_or_init(|| {
        let origin = origin();
        let mut vault = filled(&origin, 2);
        vault.terminate();
        let folder = Folder::new();
        fs::read(backup(&vault.data_dir(), &folder)).unwrap()
    });
    Forge::of(tar)
}

/// A data folder with one album, to which nothing may happen.
struct Victim {
    folder: Folder,
    before: BTreeMap<PathBuf, Digest>,
}

impl Victim {
    fn new() -> Victim {
        let folder = Folder::new();
        let file = folder.join("good.tar");
        fs::write(&file, good().sealed()).unwrap();
        printed(&run(&folder.join("data"), &["restore", file.to_str().unwrap()]));
        fs::remove_file(file).unwrap();
        let before = files(folder.path());
        Victim { folder, before }
    }

    /// Offers a tar as a file, in a pipe, and to a dry run; what was said to the first.
    #[track_caller]
    fn refuses(&self, what: &str, tar: &[u8]) -> String {
        let file = Folder::new();
        let path = file.join("hostile.tar");
        fs::write(&path, tar).unwrap();
        let data_dir = self.folder.join("data");
        let as_file = refusal(&run(&data_dir, &["restore", path.to_str().unwrap()]));
        let mut stream = command(&data_dir, &["restore", "-"]);
        stream.stdin(fs::File::open(&path).unwrap());
        let as_stream = refusal(&finish(stream));
        let looked_at = refusal(&run(&data_dir, &["restore", path.to_str().unwrap(), "--dry-run"]));
        let cause = |line: &str| {
            line.split_once(": ").and_then(|(_, rest)| rest.split_once(": ")).unwrap().1.to_owned()
        };
        assert_eq!(cause(&as_file), cause(&as_stream), "{what}");
        assert_eq!(cause(&as_file), cause(&looked_at), "{what}");
        assert!(as_file.ends_with("; nothing was changed"), "{what}: {as_file}");
        assert_eq!(names(self.folder.path()), ["data"], "{what}: something stays");
        assert_eq!(files(self.folder.path()), self.before, "{what}: something changed");
        as_file
    }

    #[track_caller]
    fn refuses_saying(&self, what: &str, tar: &[u8], said: &str) {
        let line = self.refuses(what, tar);
        assert!(line.contains(said), "{what}: {line}");
    }
}

/// The good backup with one more member at a place.
fn with(position: usize, header: Header, content: &[u8]) -> Vec<u8> {
    let forge = good();
    let whole = forge.clone().sealed();
    let mut members: Vec<(Header, Vec<u8>)> = crate::forge::members(&whole)
        .into_iter()
        .map(|(name, content)| (crate::forge::header(&name, content.len()), content))
        .collect();
    members.insert(position.min(members.len()), (header, content.to_vec()));
    tar(&members.iter().map(|(header, content)| (header.clone(), &content[..])).collect::<Vec<_>>())
}

fn of_kind(kind: EntryType, name: &str, link: &str, bytes: usize) -> Header {
    let mut header = header(name, bytes);
    header.set_entry_type(kind);
    if !link.is_empty() {
        header.set_link_name(link).unwrap();
    }
    header.set_cksum();
    header
}

const KEY: &str = "2b371ce05dcb8ec7ca5d2e8dd3a4f0c7e5a1c350";

#[test]
fn what_is_no_plain_member_of_a_backup_is_refused_wherever_it_stands() {
    let victim = Victim::new();
    let cover = format!("cache/covers/detail/2b/{KEY}.webp");
    let long = "x/".repeat(2000);
    let mut hidden = header("vinylvault.db", 4);
    hidden.as_ustar_mut().unwrap().name[14..27].copy_from_slice(b"/../../passwd");
    hidden.set_cksum();
    let mut huge = header(&cover, 0);
    huge.set_size(1 << 63);
    huge.set_cksum();
    let mut film = header("vinylvault.db", 0);
    film.set_size(1 << 40);
    film.set_cksum();
    let kinds = [
        ("a symlink", of_kind(EntryType::Symlink, &cover, "/etc/passwd", 0)),
        ("a hard link", of_kind(EntryType::Link, &cover, "vinylvault.db", 0)),
        ("a character device", of_kind(EntryType::Char, "vinylvault.db", "", 0)),
        ("a block device", of_kind(EntryType::Block, "vinylvault.db", "", 0)),
        ("a FIFO", of_kind(EntryType::Fifo, "cache/index.db", "", 0)),
        ("a folder", of_kind(EntryType::Directory, "cache/", "", 0)),
        ("a contiguous file", of_kind(EntryType::Continuous, "vinylvault.db", "", 0)),
        ("a sparse file", of_kind(EntryType::GNUSparse, "vinylvault.db", "", 4)),
        ("a global extension", of_kind(EntryType::XGlobalHeader, "pax", "", 4)),
        ("an absolute path", header("/etc/cron.d/evil", 4)),
        ("a way up", header("../evil", 4)),
        ("a way up inside", header("cache/covers/../../../evil", 4)),
        ("a way up in a cover's name", header(&format!("cache/covers/detail/../{KEY}.webp"), 4)),
        ("a log for the collection", header("vinylvault.db-wal", 4)),
        ("a lock", header("cache/lock", 4)),
        ("an unknown name", header("README", 4)),
        ("an empty name", header("", 4)),
        ("a name after a NUL", hidden),
        ("8 EiB", huge),
        ("a terabyte of database", film),
    ];
    for (what, header) in kinds {
        for position in [0, 1, 3, 7] {
            victim.refuses(&format!("{what} at {position}"), &with(position, header.clone(), b"evil"));
        }
    }
    let name = of_kind(EntryType::GNULongName, "././@LongLink", "", long.len());
    victim.refuses("a long name", &with(2, name, long.as_bytes()));
    let pax = b"30 path=../../../../tmp/evil\n\n";
    let extension = of_kind(EntryType::XHeader, "PaxHeaders/x", "", pax.len());
    victim.refuses("an extension with another path", &with(2, extension, pax));
    let size = b"22 size=9999999999999\n";
    victim.refuses(
        "an extension with another size",
        &with(0, of_kind(EntryType::XHeader, "x", "", size.len()), size),
    );
}

#[test]
fn members_that_are_twice_there_missing_or_out_of_order_are_refused() {
    let victim = Victim::new();
    let twice = |position: usize| {
        let mut forge = good();
        let member = forge.members[position].clone();
        forge.members.insert(position, member);
        forge.sealed()
    };
    for position in 0..6 {
        victim.refuses(&format!("member {position} twice"), &twice(position));
    }
    for position in 0..2 {
        let mut forge = good();
        forge.members.remove(position);
        victim.refuses(&format!("no member {position}"), &forge.sealed());
    }
    let mut forge = good();
    forge.members.swap(2, 4);
    victim.refuses_saying("covers in another order", &forge.sealed(), "wrong place");
    let mut forge = good();
    let content = forge.members[2].1.clone();
    forge.members.insert(2, (format!("cache/covers/detail/00/00{}.webp", &KEY[2..]), content));
    victim.refuses_saying("a cover that the index does not list", &forge.sealed(), "not in the index");
    let whole = good().sealed();
    victim.refuses("a member after the manifest", &with(7, header("vinylvault.db", 4), b"evil"));
    let mut more = whole.clone();
    more.extend_from_slice(b"more");
    victim.refuses_saying("something after the end", &more, "follows its end");
    let mut more = whole.clone();
    more.resize(whole.len() + 10_240, 0);
    let folder = Folder::new();
    fs::write(folder.join("padded.tar"), more).unwrap();
    let file = folder.join("padded.tar");
    printed(&run(&folder.join("data"), &["restore", file.to_str().unwrap(), "--dry-run"]));
}

#[test]
fn a_manifest_that_lies_is_refused() {
    let victim = Victim::new();
    type Lie = fn(&mut serde_json::Value);
    let lies: [(&str, Lie); 16] = [
        ("another format", |manifest| manifest["format"] = "tarball".into()),
        ("no format", |manifest| drop(manifest.as_object_mut().unwrap().remove("format"))),
        ("a newer format", |manifest| manifest["format_version"] = 2.into()),
        ("more albums", |manifest| manifest["albums"] = 3.into()),
        ("more covers", |manifest| manifest["covers"] = 5.into()),
        ("covers left out", |manifest| manifest["left_out"] = 1.into()),
        ("fewer bytes", |manifest| manifest["bytes"] = 1.into()),
        ("a negative number", |manifest| manifest["bytes"] = (-1).into()),
        ("another schema", |manifest| manifest["collection_schema"] = 0.into()),
        ("another recipe", |manifest| manifest["recipe"] = "x".into()),
        ("another kind", |manifest| manifest["kind"] = "collection-only".into()),
        ("a list for a number", |manifest| manifest["albums"] = vec![vec![1]; 50].into()),
        ("another digest", |manifest| manifest["members"][0]["sha256"] = "0".repeat(64).into()),
        ("another size", |manifest| manifest["members"][2]["bytes"] = 1.into()),
        ("a member less", |manifest| drop(manifest["members"].as_array_mut().unwrap().pop())),
        ("a member more", |manifest| {
            let member = manifest["members"][1].clone();
            manifest["members"].as_array_mut().unwrap().push(member);
        }),
    ];
    for (what, lie) in lies {
        let mut forge = good();
        lie(&mut forge.manifest);
        victim.refuses(what, &forge.assembled());
    }
    let mut forge = good();
    forge.manifest["format_version"] = 2.into();
    victim.refuses_saying("a newer format", &forge.assembled(), "newer VinylVault");
    let mut forge = good();
    forge.manifest["remark"] = "x".repeat(100_000).into();
    victim.refuses_saying("a manifest for a film", &forge.assembled(), "more than");
    let forge = good();
    for text in ["", "{", "[]", "null", "{\"members\":[]}", "{}{}", "\u{0}"] {
        let mut members: Vec<(Header, &[u8])> =
            forge.members.iter().map(|(name, content)| (header(name, content.len()), &content[..])).collect();
        members.push((header("manifest.json", text.len()), text.as_bytes()));
        victim.refuses(&format!("the manifest {text:?}"), &tar(&members));
    }
}

#[test]
fn databases_that_hold_something_else_are_refused_before_anything_in_them_runs() {
    let victim = Victim::new();
    let harms = [
        "CREATE TRIGGER evil AFTER INSERT ON album BEGIN DELETE FROM album; END",
        "CREATE VIEW evil AS SELECT load_extension('evil')",
        "CREATE TABLE evil (x)",
        "CREATE INDEX evil ON album (title)",
        "DROP INDEX album_by_title",
        "ALTER TABLE album ADD COLUMN evil TEXT DEFAULT x",
        "CREATE VIRTUAL TABLE evil USING fts5(x)",
        "PRAGMA user_version = 99",
        "PRAGMA user_version = 0",
        "PRAGMA user_version = -1",
        "PRAGMA application_id = 1",
        "PRAGMA foreign_keys = OFF; INSERT INTO tag VALUES (0, 'x', 99, 'x')",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'artist TEXT', 'artist BLOB') WHERE name = 'album'",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 2 WHERE name = 'tag'",
        "PRAGMA journal_mode = WAL",
    ];
    for harm in harms {
        let mut forge = good();
        forge.change("vinylvault.db", |content| through_sqlite(content, harm));
        victim.refuses_saying(harm, &forge.sealed(), "vinylvault.db");
    }
    for harm in [
        "CREATE TRIGGER evil AFTER DELETE ON rendition BEGIN DELETE FROM source; END",
        "PRAGMA user_version = 99",
        "UPDATE rendition SET bytes = bytes + 1",
        "UPDATE rendition SET digest = zeroblob(20)",
        "UPDATE rendition SET digest = zeroblob(19)",
        "UPDATE rendition SET variant = 7 WHERE variant = 1",
        "UPDATE rendition SET bytes = -1",
        "DELETE FROM rendition WHERE variant = 1",
        "DELETE FROM rendition",
    ] {
        let mut forge = good();
        forge.change("cache/index.db", |content| through_sqlite(content, harm));
        victim.refuses(harm, &forge.sealed());
    }
    for (what, content) in
        [("empty", Vec::new()), ("text", b"no database".repeat(100)), ("zeros", vec![0; 8192])]
    {
        for name in ["vinylvault.db", "cache/index.db"] {
            let mut forge = good();
            forge.change(name, |_| content.clone());
            victim.refuses_saying(&format!("{name} is {what}"), &forge.sealed(), name);
        }
    }
}

/// What a database is after somebody did this to it.
fn through_sqlite(content: Vec<u8>, harm: &str) -> Vec<u8> {
    let folder = Folder::new();
    let path = folder.join("a.db");
    fs::write(&path, content).unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch(harm).unwrap();
    drop(db);
    fs::read(path).unwrap()
}

#[test]
fn a_tar_that_was_cut_or_damaged_anywhere_is_refused() {
    let victim = Victim::new();
    let whole = good().sealed();
    // Up to the end of the manifest; the two empty blocks behind it carry nothing.
    let end = whole.len() - 1024;
    let mut state = 20_261_123_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for cut in [0, 1, 511, 512, 513].into_iter().chain((0..15).map(|_| random(end - 512))) {
        victim.refuses(&format!("cut after {cut} bytes"), &whole[..cut]);
    }
    let members = good().members;
    for _ in 0..25 {
        // A bit of a member's content: of what counts, not of the padding or of a date in a header.
        let position = random(members.len());
        let (name, content) = &members[position];
        let (byte, bit) = (random(content.len()), random(8));
        let mut forge = good();
        forge.change(name, |mut content| {
            content[byte] ^= 1 << bit;
            content
        });
        victim.refuses(&format!("bit {bit} of byte {byte} of {name}"), &forge.assembled());
    }
    for (magic, tool) in [(&[0x1f, 0x8b, 8, 0][..], "gzip"), (&[0x28, 0xb5, 0x2f, 0xfd], "zstd")] {
        victim.refuses_saying("compressed", magic, tool);
    }
    victim.refuses("noise", &(0..20_000).map(|_| random(256) as u8).collect::<Vec<_>>());
    victim.refuses("zeros", &[0; 10_240]);
}
