//! What went into a backup comes out of it, byte for byte, by every way there is.

use crate::stage::{
    address, assert_cover, assert_whole, backup, command, covers, files, filled, json, names, origin,
    preload, printed, refusal, rows, run,
};
use crate::support::folder::Folder;
use crate::support::process::finish;
use crate::support::vault::Vault;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use vinylvault::key::Digest;

#[test]
fn a_vault_comes_back_byte_for_byte_and_serves_without_its_origin() {
    let origin = origin();
    let vault = filled(&origin, 12);
    let folder = Folder::new();
    let file = backup(&vault.data_dir(), &folder);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(folder.path()), ["vinyl.tar"], "nothing else is left beside it");

    let truth = covers(&vault.data_dir());
    assert_eq!(truth.len(), 24);
    let albums = rows(&vault.data_dir().join("vinylvault.db"));
    drop(vault);
    drop(origin);

    let builder = Vault::builder();
    let restored = json(&builder.run(&["restore", file.to_str().unwrap(), "--json"]));
    assert_eq!((&restored["albums"], &restored["covers"]), (&12.into(), &24.into()), "{restored}");
    assert_eq!((&restored["restored"], &restored["set_aside"]), (&true.into(), &().into()), "{restored}");
    let data_dir = builder.data_dir();
    assert_eq!(fs::metadata(&data_dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(covers(&data_dir), truth);
    assert_eq!(rows(&data_dir.join("vinylvault.db")), albums);
    assert_whole(&data_dir);

    let vault = builder.start();
    for (path, digest) in &truth {
        let reply = vault.get(&address(path));
        assert_cover(&reply);
        assert_eq!(Digest::of(&reply.body), *digest, "{}", path.display());
    }
    assert_eq!((vault.stat("misses"), vault.stat("total_entries")), (0, 24));
}

#[test]
fn plain_tar_reads_it_and_the_manifest_tells_each_member() {
    let origin = origin();
    let mut vault = filled(&origin, 5);
    vault.terminate();
    let folder = Folder::new();
    let file = backup(&vault.data_dir(), &folder);
    let listed = Command::new("tar").arg("tvf").arg(&file).output();
    let Ok(listed) = listed else {
        return crate::support::not_checked("there is no tar on this machine");
    };
    let listed = String::from_utf8(listed.stdout).unwrap();
    let listed: Vec<&str> = listed.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!((listed[0], listed[1], listed[12]), ("vinylvault.db", "cache/index.db", "manifest.json"));
    assert!(listed[2..12].is_sorted_by_key(|name| &name[name.len() - 45..]), "by key: {listed:?}");

    let unpacked = folder.join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    let status = Command::new("tar").arg("xf").arg(&file).arg("-C").arg(&unpacked).status().unwrap();
    assert!(status.success());
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(unpacked.join("manifest.json")).unwrap()).unwrap();
    assert_eq!((&manifest["albums"], &manifest["covers"]), (&5.into(), &10.into()), "{manifest}");
    let members = manifest["members"].as_array().unwrap();
    assert_eq!(members.iter().map(|one| one["path"].as_str().unwrap()).collect::<Vec<_>>(), listed[..12]);
    for member in members {
        let content = fs::read(unpacked.join(member["path"].as_str().unwrap())).unwrap();
        let sum = ring::digest::digest(&ring::digest::SHA256, &content);
        let hex: String = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((&member["sha256"], &member["bytes"]), (&hex.into(), &content.len().into()), "{member}");
    }
    assert_eq!(covers(&unpacked), covers(&vault.data_dir()));
}

#[test]
fn a_pipe_carries_it_from_one_folder_to_another() {
    let origin = origin();
    let vault = filled(&origin, 6);
    let folder = Folder::new();
    let there = folder.join("there");
    let mut sender = command(&vault.data_dir(), &["backup", "-", "--json"]);
    let mut sender = sender.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut receiver = command(&there, &["restore", "-", "--json"]);
    receiver.stdin(sender.stdout.take().unwrap());
    let received = json(&finish(receiver));
    let sent = sender.wait_with_output().unwrap();
    assert!(sent.status.success(), "{sent:?}");
    let said = String::from_utf8(sent.stderr).unwrap();
    let sent: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    for fact in ["albums", "covers", "bytes", "created_at", "recipe"] {
        assert_eq!(sent[fact], received[fact], "{fact}");
    }
    assert_eq!(covers(&there), covers(&vault.data_dir()));
    assert_whole(&there);
    assert_eq!(names(folder.path()), ["there"], "no staging folder stays");
}

#[test]
fn a_backup_of_the_collection_alone_leaves_the_cache_as_it_is() {
    let origin = origin();
    let mut vault = filled(&origin, 4);
    let folder = Folder::new();
    let file = folder.join("albums.tar");
    let file = file.to_str().unwrap();
    let made = json(&vault.run(&["backup", file, "--collection-only", "--json"]));
    assert_eq!(
        (&made["kind"], &made["albums"], &made["covers"]),
        (&"collection-only".into(), &4.into(), &0.into())
    );
    assert!(fs::metadata(file).unwrap().len() < 200_000);

    let before = rows(&vault.data_dir().join("vinylvault.db"));
    vault.import(&crate::stage::albums(&origin, 5..=9));
    preload(&vault, &origin, 5..=9);
    vault.terminate();
    let but_the_lock = || {
        let mut files = files(&vault.data_dir().join("cache"));
        files.remove(Path::new("lock"));
        files
    };
    let cache = but_the_lock();
    let restored = json(&vault.run(&["restore", file, "--json"]));
    assert_eq!(rows(&vault.data_dir().join("vinylvault.db")), before);
    let aside = restored["set_aside"].as_str().unwrap();
    assert_eq!(rows(&Path::new(aside).join("vinylvault.db"))["album"].len(), 9);
    assert_eq!(but_the_lock(), cache, "the cache is as it was");
    vault.restart();
    assert_eq!(vault.stat("total_entries"), 18);
}

#[test]
fn a_dry_run_beside_a_server_says_what_there_is_and_changes_nothing() {
    let origin = origin();
    let vault = filled(&origin, 3);
    let folder = Folder::new();
    let file = backup(&vault.data_dir(), &folder);
    let before = (covers(&vault.data_dir()), names(&vault.data_dir()), names(folder.path()));
    let output = vault.run(&["restore", file.to_str().unwrap(), "--dry-run"]);
    let said = printed(&output);
    assert!(said.contains("3 albums, 6 covers") && said.contains("nothing was changed"), "{said}");
    let mut from_a_pipe = command(&vault.data_dir(), &["restore", "-", "--dry-run", "--json"]);
    from_a_pipe.stdin(fs::File::open(&file).unwrap());
    let facts = json(&finish(from_a_pipe));
    assert_eq!((&facts["covers"], &facts["restored"]), (&6.into(), &false.into()));
    assert_eq!((covers(&vault.data_dir()), names(&vault.data_dir()), names(folder.path())), before);
    assert_eq!(vault.get("/health").status, 200);
}

#[test]
fn a_running_server_is_not_restored_over() {
    let origin = origin();
    let vault = filled(&origin, 2);
    let folder = Folder::new();
    let file = backup(&vault.data_dir(), &folder);
    let before = covers(&vault.data_dir());
    let said = refusal(&vault.run(&["restore", file.to_str().unwrap()]));
    assert!(said.contains("stop it first") && said.contains("nothing was changed"), "{said}");
    assert_eq!(covers(&vault.data_dir()), before);
    assert_eq!(vault.get("/health").status, 200);
}

#[test]
fn covers_that_were_gone_or_damaged_are_left_out_and_have_no_row_afterwards() {
    let origin = origin();
    let mut vault = filled(&origin, 6);
    vault.terminate();
    let data_dir = vault.data_dir();
    let paths: Vec<_> = covers(&data_dir).into_keys().map(|path| data_dir.join(path)).collect();
    fs::remove_file(&paths[0]).unwrap();
    fs::write(&paths[3], b"short").unwrap();
    fs::remove_file(&paths[11]).unwrap();
    let folder = Folder::new();
    let file = folder.join("vinyl.tar");
    let made = json(&vault.run(&["backup", file.to_str().unwrap(), "--json"]));
    assert_eq!((&made["covers"], &made["left_out"]), (&9.into(), &3.into()), "{made}");
    let there = folder.join("there");
    printed(&run(&there, &["restore", file.to_str().unwrap()]));
    assert_eq!(covers(&there).len(), 9);
    assert_whole(&there);
}

#[test]
fn two_backups_of_one_store_differ_in_their_date_only() {
    let origin = origin();
    let mut vault = filled(&origin, 4);
    vault.terminate();
    let folder = Folder::new();
    let [first, second] = [1, 2].map(|_| {
        let members = crate::forge::members(&fs::read(backup(&vault.data_dir(), &folder)).unwrap());
        let undated = members.into_iter().map(|(name, content)| match name.as_str() {
            "manifest.json" => {
                let text = String::from_utf8(content).unwrap();
                let lines = text.lines().filter(|line| !line.contains("created_at"));
                (name, lines.collect::<String>().into_bytes())
            }
            _ => (name, content),
        });
        undated.collect::<Vec<_>>()
    });
    assert_eq!(first.len(), 11);
    assert!(first == second, "same content, same bytes");
}

#[test]
fn a_store_that_is_not_there_is_no_backup() {
    let folder = Folder::new();
    let file = folder.join("vinyl.tar");
    fs::write(&file, "an older backup").unwrap();
    let said = refusal(&run(&folder.join("nowhere"), &["backup", file.to_str().unwrap()]));
    assert!(said.contains("no collection"), "{said}");
    assert_eq!(fs::read(&file).unwrap(), b"an older backup");
    assert_eq!(names(folder.path()), ["vinyl.tar"]);
}

#[test]
fn a_terminal_is_no_place_for_a_tar() {
    let folder = Folder::new();
    for (command, word) in [("backup", "redirect it"), ("restore", "redirect it")] {
        let typed = format!(
            "{} {command} - --data-dir {}",
            env!("CARGO_BIN_EXE_vinylvault"),
            folder.path().display()
        );
        let Ok(output) =
            Command::new("script").args(["-qec", &typed, "/dev/null"]).stdin(Stdio::null()).output()
        else {
            eprintln!("not checked: there is no script on this machine");
            return;
        };
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(word), "{said}");
        assert_eq!(output.status.code(), Some(2), "{said}");
    }
}
