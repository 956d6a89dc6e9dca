//! `vinylvault verify`: its text, its JSON, its exit codes, at rest and beside a server.

use crate::collection::{ALBUMS, albums};
use crate::store::{Store, fifo, object, picture_of, replace};
use crate::support::process::{binary, finish};
use crate::support::vault::{Builder, Vault};
use serde_json::Value;
use std::fs;
use std::process::Output;
use vinylvault::cache::verify::Class;
use vinylvault::collection::{Collection, Copies, ImportMode};
use vinylvault::key::Timestamp;

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn verify(store: &Store, args: &[&str]) -> Output {
    let mut command = binary();
    command.arg("verify").args(args).arg("--data-dir").arg(store.folder.join("data"));
    finish(command)
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// With a collection and a copy of it.
fn store(names: usize) -> Store {
    let store = Store::with(names);
    let database = store.folder.join("data/vinylvault.db");
    Collection::open(&database).unwrap().import(&albums(0, ALBUMS), ImportMode::Write).unwrap();
    Copies::beside(&database).keep(Timestamp(1_790_000_000)).unwrap();
    store
}

#[test]
fn a_store_at_rest_that_is_well_is_exit_code_0_and_stays_untouched() {
    let store = store(5);
    let before = picture_of(&store.folder.join("data"));
    let output = verify(&store, &[]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let said = text(&output.stdout);
    assert!(said.starts_with("Read the store in ") && said.contains("no server runs on it"), "{said}");
    assert!(
        said.contains("10 renditions") && said.contains("1 copy") && said.contains("nothing is wrong"),
        "{said}"
    );
    let report = json(&verify(&store, &["--json"]));
    assert_eq!((&report["source"], &report["server"]), (&"store".into(), &Value::Null));
    assert_eq!(
        (&report["clean"], &report["renditions"], &report["copies"]),
        (&true.into(), &10.into(), &1.into())
    );
    for class in Class::ALL {
        assert_eq!(report["found_by_class"][class.name()], 0);
    }
    assert_eq!(picture_of(&store.folder.join("data")), before);
}

#[test]
fn what_is_wrong_is_listed_counted_and_repaired_on_request() {
    let store = store(80);
    let covers: Vec<_> = store.covers.keys().copied().collect();
    for cover in &covers[..120] {
        fs::write(store.path(*cover), b"").unwrap();
    }
    fs::remove_file(store.path(covers[120])).unwrap();
    replace(&store.path(covers[121]), fifo);
    fs::write(store.root().join("covers/a name\n\u{1b}[31m with tricks"), b"x").unwrap();

    let output = verify(&store, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("vinylvault: 123 things are wrong in "), "{output:?}");
    let said = text(&output.stdout);
    assert!(said.contains("123 things wrong") && said.contains("  empty       120\n"), "{said}");
    assert!(said.contains("and 23 more; --json lists them") && said.lines().count() < 115, "{said}");
    assert!(!said.contains('\u{1b}') && said.contains("run: vinylvault verify --repair"), "{said}");

    let report = json(&verify(&store, &["--json"]));
    assert_eq!(
        (&report["found"], &report["omitted"], &report["clean"]),
        (&123.into(), &0.into(), &false.into())
    );
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 123);
    let missing = findings.iter().find(|finding| finding["class"] == "missing").unwrap();
    let place = format!("cache/{}", object(covers[120]).display());
    assert_eq!((missing["object"].as_str(), &missing["repaired"]), (Some(&*place), &false.into()));

    let output = verify(&store, &["--repair"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{output:?}");
    assert!(text(&output.stdout).contains("123 things repaired, and all is well now"), "{output:?}");
    let report = json(&verify(&store, &["--json", "--repair"]));
    assert_eq!(
        (&report["clean"], &report["repaired"], &report["renditions"]),
        (&true.into(), &0.into(), &38.into())
    );
    assert_eq!(store.served(), &covers[122..]);
}

#[test]
fn a_damaged_collection_is_told_and_no_repair_touches_it() {
    let store = store(3);
    let database = store.folder.join("data/vinylvault.db");
    fs::write(&database, b"garbage").unwrap();
    fs::write(&Copies::beside(&database).list()[0].path, b"garbage too").unwrap();
    for args in [&["--json"][..], &["--json", "--repair"]] {
        let output = verify(&store, args);
        assert_eq!(output.status.code(), Some(1));
        let report = json(&output);
        assert_eq!(report["found_by_class"]["database"], 2, "{report}");
        assert_eq!(report["findings"][0]["object"], "vinylvault.db");
        assert!(report["findings"][1]["object"].as_str().unwrap().starts_with("copies/vinylvault-"));
        assert_eq!(fs::read(&database).unwrap(), b"garbage");
    }
    assert!(text(&verify(&store, &[]).stdout).contains("the next start of the server"));
}

#[test]
fn beside_a_server_it_reads_and_a_repair_is_refused_in_one_line() {
    let builder: Builder = Vault::builder();
    let vault = builder.start();
    vault.import(&serde_json::json!([{ "artist": "A", "title": "T" }]));
    let output = vault.run(&["verify"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    assert!(
        text(&output.stdout).contains(&format!("beside the server at {}", vault.address())),
        "{output:?}"
    );
    assert_eq!(json(&vault.run(&["verify", "--json"]))["server"], vault.address().to_string());
    fs::write(vault.data_dir().join("cache/covers/stray"), b"x").unwrap();
    assert_eq!(vault.run(&["verify"]).status.code(), Some(1));
    let refused = vault.run(&["verify", "--repair"]);
    let line = text(&refused.stderr);
    assert_eq!((refused.status.code(), line.lines().count()), (Some(1), 1), "{line}");
    assert!(
        line.contains(&format!("the server at {} has it open; stop that first", vault.address())),
        "{line}"
    );
    assert!(vault.data_dir().join("cache/covers/stray").exists());
}

#[test]
fn a_folder_that_is_not_there_is_said_and_not_made() {
    let builder = Vault::builder();
    for args in [&["verify"][..], &["verify", "--repair"]] {
        let output = builder.run(args);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("there is no such folder"), "{output:?}");
        assert!(!builder.data_dir().exists());
    }
    // A collection without a cache is well, and stays without one.
    fs::create_dir(builder.data_dir()).unwrap();
    for args in [&["verify"][..], &["verify", "--repair"]] {
        assert_eq!(builder.run(args).status.code(), Some(0));
        assert_eq!(fs::read_dir(builder.data_dir()).unwrap().count(), 0);
    }
}
