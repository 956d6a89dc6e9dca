//! Disks that are full, read-only or mounted in the way. Each needs a mount of its own, in a namespace
//! that ends with the test: where that is not allowed, the test says so and checks nothing.

use crate::stage::{backup, filled, origin};
use crate::support::folder::Folder;
use crate::support::vault::Vault;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a script with mounts of its own; what it printed, or `None` where that cannot be.
#[track_caller]
fn script(folder: &Folder, file: &Path, text: &str) -> Option<String> {
    let whole = format!(
        "set -u; cd '{}'; mkdir card || exit 9; FILE='{}'; vv() {{ '{}' \"$@\" 2>&1; }}\n\
         sums() {{ find \"$@\" -type f | sort | xargs sha1sum; }}\n{text}",
        folder.path().display(),
        file.display(),
        env!("CARGO_BIN_EXE_vinylvault"),
    );
    let output =
        Command::new("unshare").args(["--mount", "--propagation", "private", "sh", "-c", &whole]).output();
    let output = output.ok().filter(|output| output.status.code() != Some(77))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.starts_with("unshare:") {
        return None;
    }
    assert!(output.status.success(), "{}\n{said}", String::from_utf8_lossy(&output.stdout));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// A vault at rest with 40 covers, and its backup: some 600 kB.
fn stage() -> (Vault, Folder, PathBuf) {
    let origin = origin();
    let mut vault = filled(&origin, 20);
    vault.terminate();
    let folder = Folder::new();
    let file = backup(&vault.data_dir(), &folder);
    (vault, folder, file)
}

fn skipped() {
    eprintln!("not checked: only root can mount");
}

#[test]
fn a_full_disk_leaves_everything_as_it_was() {
    let (_vault, folder, file) = stage();
    let said = script(
        &folder,
        &file,
        "mount -t tmpfs -o size=9m tmpfs card || exit 77
         vv restore \"$FILE\" --data-dir small --json > made.txt || exit 1
         vv backup few.tar --collection-only --data-dir small > said.txt || exit 2
         vv restore few.tar --data-dir card/data || exit 3
         head -c 4000000 /dev/zero > card/film
         head -c 5050000 /dev/zero >> card/film
         sums card > before.txt
         vv restore \"$FILE\" --data-dir card/data && exit 4
         vv restore - --data-dir card/data < \"$FILE\" && exit 5
         sums card > after.txt
         cmp before.txt after.txt || exit 6
         ls card",
    );
    let Some(said) = said else { return skipped() };
    assert!(said.contains("MB free and") && said.contains("No space left"), "{said}");
    assert!(said.ends_with("\ndata\nfilm\n"), "{said}");
}

#[test]
fn a_backup_that_does_not_fit_keeps_the_older_one() {
    let (_vault, folder, file) = stage();
    let said = script(
        &folder,
        &file,
        "mount -t tmpfs -o size=400k tmpfs card || exit 77
         vv restore \"$FILE\" --data-dir data || exit 1
         echo older > card/vinyl.tar
         vv backup card/vinyl.tar --data-dir data && exit 2
         cat card/vinyl.tar; ls -A card",
    );
    let Some(said) = said else { return skipped() };
    assert!(said.contains("are needed") || said.contains("full"), "{said}");
    assert!(said.ends_with("older\nvinyl.tar\n"), "{said}");
}

#[test]
fn a_card_that_went_read_only_can_still_be_backed_up() {
    let (_vault, folder, file) = stage();
    let said = script(
        &folder,
        &file,
        "mount -t tmpfs tmpfs card || exit 77
         vv restore \"$FILE\" --data-dir card/data || exit 1
         mount -o remount,ro card || exit 2
         vv backup saved.tar --data-dir card/data || exit 3
         vv restore saved.tar --data-dir copy || exit 4
         sums card/data/cache/covers | sed 's, card/data/, ,' > there.txt
         sums copy/cache/covers | sed 's, copy/, ,' > here.txt
         cmp there.txt here.txt && wc -l < here.txt",
    );
    let Some(said) = said else { return skipped() };
    assert!(said.contains("20 albums, 40 covers"), "{said}");
    assert!(said.ends_with("\n40\n"), "{said}");
}

#[test]
fn a_data_folder_that_is_a_mount_of_its_own_is_filled_in_place() {
    let (_vault, folder, file) = stage();
    for mount in ["mount -t tmpfs tmpfs card", "mount --bind card card"] {
        let said = script(
            &folder,
            &file,
            &format!(
                "{mount} || exit 77
                 vv restore \"$FILE\" --data-dir card || exit 1
                 vv restore \"$FILE\" --data-dir card || exit 2
                 ls -A card; ls -A card/card.set-aside-*; ls; umount card; rm -r card"
            ),
        );
        let Some(said) = said else { return skipped() };
        assert!(said.contains("/card/card.set-aside-"), "{said}");
        assert!(said.ends_with("\nvinylvault.db\ncache\nvinylvault.db\ncard\nvinyl.tar\n"), "{said}");
    }
}
