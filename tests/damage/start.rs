//! The whole program on damaged data: it starts, its log says what became of what, and its pages show
//! the collection.

use crate::collection::{ALBUMS, albums};
use crate::store::{fifo, replace};
use crate::support::vault::{Builder, Vault};
use crate::support::{not_checked, until};
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use vinylvault::collection::{Collection, Copies, ImportMode, Kept};
use vinylvault::key::Timestamp;

/// Does harm to the file at a path.
type Damage = fn(&Path);

/// A data folder that was used: albums, and a copy of them made yesterday.
fn used() -> Builder {
    let builder = Vault::builder();
    fs::create_dir_all(builder.data_dir()).unwrap();
    let database = database(&builder);
    Collection::open(&database).unwrap().import(&albums(0, ALBUMS), ImportMode::Write).unwrap();
    let yesterday = Timestamp(Timestamp::now().0 - 86_400);
    assert!(matches!(Copies::beside(&database).keep(yesterday), Ok(Kept::Made(_))));
    builder
}

fn database(builder: &Builder) -> PathBuf {
    builder.data_dir().join("vinylvault.db")
}

fn shown(vault: &Vault) -> String {
    let page = vault.get("/").text().to_owned();
    let at = page.find(&format!("{ALBUMS}"));
    assert!(at.is_some() || !page.contains("Title 0"), "albums, and not all of them");
    page
}

#[test]
fn a_damaged_collection_is_restored_and_the_log_says_from_when() {
    let damages: [(&str, Damage); 6] = [
        ("garbage", |path| fs::write(path, b"a dying card ".repeat(1000)).unwrap()),
        ("truncated", |path| fs::write(path, &fs::read(path).unwrap()[..9000]).unwrap()),
        ("emptied", |path| fs::write(path, b"").unwrap()),
        ("gone", |path| fs::remove_file(path).unwrap()),
        ("a folder", |path| replace(path, |path| fs::create_dir(path).unwrap())),
        ("a FIFO", |path| replace(path, fifo)),
    ];
    for (name, damage) in damages {
        let builder = used();
        damage(&database(&builder));
        let vault = builder.start();
        assert!(shown(&vault).contains("Title 0"), "{name}");
        assert_eq!(vault.get("/ready").status, 200, "{name}");
        let log = vault.log();
        let told: Vec<&str> = log.lines().filter(|line| line.contains("restored")).collect();
        assert_eq!(told.len(), 1, "{name}: {log}");
        assert!(told[0].contains(" warn ") && told[0].contains("copies/vinylvault-20"), "{name}: {log}");
        assert_eq!(told[0].contains(".damaged-"), name != "gone", "{name}: {log}");
    }
}

#[test]
fn a_damaged_collection_without_a_copy_is_an_error_in_the_log_and_an_empty_shelf() {
    let builder = used();
    fs::remove_dir_all(builder.data_dir().join("copies")).unwrap();
    fs::write(database(&builder), b"garbage").unwrap();
    let vault = builder.start();
    assert!(!shown(&vault).contains("Title 0"));
    let log = vault.log();
    let told = log.lines().find(|line| line.contains("no good copy")).unwrap_or_else(|| panic!("{log}"));
    assert!(told.contains(" error ") && told.contains("vinylvault.db.damaged-"), "{told}");
}

#[test]
fn an_import_into_a_damaged_collection_is_refused_and_touches_nothing() {
    let builder = used();
    let file = builder.data_dir().join("albums.json");
    fs::write(&file, r#"[{ "artist": "A", "title": "T" }]"#).unwrap();
    for damage in [&b"garbage"[..], b""] {
        fs::write(database(&builder), damage).unwrap();
        let output = builder.run(&["import", file.to_str().unwrap()]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
        assert!(said.contains("is damaged") && said.contains("start the server"), "{said}");
        assert_eq!(fs::read(database(&builder)).unwrap(), damage);
    }
}

#[test]
fn a_damaged_index_is_built_anew_and_the_log_says_so() {
    let damages: [(&str, Damage); 4] = [
        ("garbage", |path| fs::write(path, b"garbage ".repeat(1000)).unwrap()),
        ("truncated", |path| fs::write(path, &fs::read(path).unwrap()[..5000]).unwrap()),
        ("a folder", |path| replace(path, |path| fs::create_dir(path).unwrap())),
        ("a FIFO", |path| replace(path, fifo)),
    ];
    let mut vault = used().start();
    for (name, damage) in damages {
        // Answered: it hears a signal now, and puts its log away.
        assert_eq!(vault.get("/health").status, 200);
        assert!(vault.terminate().status.success());
        damage(&vault.data_dir().join("cache/index.db"));
        vault.restart();
        let log = vault.log();
        assert!(log.contains("index.db is damaged") && log.contains("building it anew"), "{name}: {log}");
        assert_eq!(vault.get("/ready").status, 200, "{name}");
    }
}

#[test]
fn damage_while_running_is_told_by_ready_and_gone_after_a_restart() {
    let mut vault = used().start();
    let database = vault.data_dir().join("vinylvault.db");
    let mut bytes = fs::read(&database).unwrap();
    bytes[4096..].fill(0x5a);
    fs::write(&database, bytes).unwrap();
    assert_eq!(vault.get("/").status, 503, "nothing of the collection was in memory yet");
    let ready = vault.get("/ready");
    assert_eq!((ready.status, &ready.json()["checks"]["database"]), (503, &"failed".into()));
    assert!(ready.json()["reasons"]["database"].as_str().unwrap().contains("restart"), "{}", ready.text());
    let told = vault.log().lines().filter(|line| line.contains("was damaged while we ran")).count();
    assert_eq!(told, 1, "{}", vault.log());
    vault.restart();
    assert_eq!(vault.get("/ready").status, 200);
    assert!(shown(&vault).contains("Title 0"));
}

#[test]
fn a_newer_database_of_either_kind_is_exit_code_1_and_one_line() {
    for name in ["vinylvault.db", "cache/index.db"] {
        let builder = used();
        let path = builder.data_dir().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
        let before = fs::read(&path).unwrap();
        let output = builder.run(&["serve", "--listen", "127.0.0.1:0"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        assert_eq!((said.lines().count(), said.matches("newer").count()), (1, 1), "{name}: {said}");
        assert!(said.contains(name), "{said}");
        // Of this folder, before it was started, only the version is there.
        assert_eq!(fs::read(&path).unwrap(), before, "{name}");
    }
}

#[test]
fn a_card_that_cannot_be_read_is_no_damage() {
    let builder = used();
    let before = fs::read(database(&builder)).unwrap();
    let mut command = Command::new("strace");
    // Of all the reads only those of the collection itself; the first ones are the header.
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=pread64", "-P"]).arg(database(&builder));
    command.args(["-e", "inject=pread64:error=EIO:when=4+"]);
    command.arg(env!("CARGO_BIN_EXE_vinylvault")).args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
    let output = command.arg(builder.data_dir()).output();
    let Some(output) = output.ok().filter(|output| output.status.code() != Some(127)) else {
        return not_checked("there is no strace here");
    };
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("Operation not permitted") || said.contains("ptrace") {
        return not_checked(&format!("strace may not trace here: {said}"));
    }
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("disk I/O error") && !said.contains("restored"), "{said}");
    assert_eq!(fs::read(database(&builder)).unwrap(), before);
    let aside = fs::read_dir(builder.data_dir()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(aside.filter(|name| name.to_string_lossy().contains("damaged")).count(), 0);
}

#[test]
fn a_server_copies_what_changed_and_an_import_copies_what_it_is_about_to_change() {
    let builder = Vault::builder();
    let copies = Copies::beside(&database(&builder));
    let mut vault = builder.start();
    vault.import(&serde_json::json!([{ "artist": "A", "title": "T" }]));
    assert_eq!(copies.list().len(), 0, "there was nothing to copy before the first import");
    vault.restart();
    until("the start copies what is new", || copies.list().len() == 1);
    vault.terminate();
    fs::remove_file(&copies.list()[0].path).unwrap();
    vault.import(&serde_json::json!([{ "artist": "B", "title": "U" }]));
    let copy = Collection::open(&copies.list()[0].path).unwrap();
    assert_eq!(copy.count().unwrap(), 1, "as it was before the import");
}
