//! Where a backup may go, and what a target is until it is finished.

use crate::stage::{command, covers, filled, names, origin, printed, refusal, run};
use crate::support::folder::Folder;
use crate::support::process::finish;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Stdio;

#[test]
fn leftovers_of_a_killed_backup_are_written_anew() {
    let origin = origin();
    let vault = filled(&origin, 2);
    let folder = Folder::new();
    fs::write(folder.join("vinyl.tar.part"), "half of one".repeat(100_000)).unwrap();
    fs::create_dir(folder.join("vinyl.tar.part.d")).unwrap();
    fs::write(folder.join("vinyl.tar.part.d/vinylvault.db"), "half of one").unwrap();
    let file = folder.join("vinyl.tar");
    printed(&vault.run(&["backup", file.to_str().unwrap()]));
    assert_eq!(names(folder.path()), ["vinyl.tar"]);
    printed(&run(&folder.join("data"), &["restore", file.to_str().unwrap()]));
    assert_eq!(covers(&folder.join("data")), covers(&vault.data_dir()));
}

#[test]
fn two_backups_into_one_file_do_not_mix() {
    let origin = origin();
    let vault = filled(&origin, 1);
    let folder = Folder::new();
    let part = File::create(folder.join("vinyl.tar.part")).unwrap();
    part.lock().unwrap();
    let file = folder.join("vinyl.tar");
    let said = refusal(&vault.run(&["backup", file.to_str().unwrap()]));
    assert!(said.contains("another backup is writing"), "{said}");
    assert_eq!(names(folder.path()), ["vinyl.tar.part"], "it belongs to the other one");
}

#[test]
fn a_link_to_a_file_is_followed_and_anything_else_is_refused() {
    let origin = origin();
    let vault = filled(&origin, 1);
    let folder = Folder::new();
    let real = folder.join("real.tar");
    fs::write(&real, "older").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
    symlink(&real, folder.join("latest.tar")).unwrap();
    printed(&vault.run(&["backup", folder.join("latest.tar").to_str().unwrap()]));
    assert!(fs::symlink_metadata(folder.join("latest.tar")).unwrap().is_symlink());
    assert!(fs::metadata(&real).unwrap().len() > 10_000);
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);

    fs::create_dir(folder.join("folder")).unwrap();
    symlink("/nowhere", folder.join("dangling")).unwrap();
    for (target, said) in [
        (folder.join("folder"), "no file"),
        ("/dev/null".into(), "no file"),
        (folder.join("dangling"), "follow"),
        (folder.join("no/such/folder.tar"), "create"),
        ("/".into(), "no file"),
    ] {
        let line = refusal(&vault.run(&["backup", target.to_str().unwrap()]));
        assert!(line.contains(said), "{}: {line}", target.display());
    }
    assert!(fs::symlink_metadata("/dev/null").is_ok_and(|null| !null.is_file()));
    assert_eq!(names(folder.path()), ["dangling", "folder", "latest.tar", "real.tar"]);
}

#[test]
fn a_reader_that_leaves_early_has_no_backup() {
    let origin = origin();
    let vault = filled(&origin, 2);
    let folder = Folder::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut sender = command(&vault.data_dir(), &["backup", "-"]);
    let output = sender.stdout(writer).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot write the backup"), "{said}");
    assert!(
        !names(vault.data_dir().parent().unwrap()).iter().any(|name| name.contains("backup")),
        "no scratch"
    );
    drop(folder);
}

/// Of a tar, bytes.
const BLOCK: usize = 512;

#[test]
fn ctrl_c_ends_both_and_leaves_nothing() {
    let origin = origin();
    let vault = filled(&origin, 3);
    let folder = Folder::new();
    let file = folder.join("vinyl.tar");
    printed(&vault.run(&["backup", file.to_str().unwrap()]));
    let bytes = fs::read(&file).unwrap();
    let mut receiver = command(&folder.join("data"), &["restore", "-"]);
    let mut receiver = receiver.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = receiver.stdin.take().unwrap();
    std::io::Write::write_all(&mut pipe, &bytes[..bytes.len() / 2]).unwrap();
    crate::support::until("it unpacks", || {
        names(folder.path()).iter().any(|name| name.contains(".restore-"))
    });
    let pid = rustix::process::Pid::from_child(&receiver);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    // The signal is heard at the next member, of which there must be one: the rest comes by the block of a
    // tar, and never its last.
    let mut rest = bytes[bytes.len() / 2..bytes.len() - BLOCK].chunks(BLOCK);
    crate::support::until("it has heard", || {
        // An error says that nobody reads any more.
        let _ = rest.next().map(|block| std::io::Write::write_all(&mut pipe, block));
        receiver.try_wait().unwrap().is_some()
    });
    let output = receiver.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("stopped; nothing was changed"), "{said}");
    assert_eq!(names(folder.path()), ["vinyl.tar"]);
    let _ = finish(command(&folder.join("data"), &["restore", file.to_str().unwrap()]));
}
