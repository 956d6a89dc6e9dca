//! The whole program on the machine that its binary is for. `scripts/emulate` runs these tests, and
//! those of covers and of stopping, with the static binaries under an emulator of each Pi's processor.

use crate::stage::{assert_cover, encode, origin, stand_in};
use crate::support::folder::Folder;
use crate::support::http::{Connection, Reply};
use crate::support::origin::{Origin, Script, pictures};
use crate::support::process::{Process, binary, finish, host_binary};
use crate::support::until;
use crate::support::vault::Vault;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Covers looked at of the demo's first page; each is drawn, pressed, downloaded and rendered anew.
const COVERS: usize = 6;

/// The covers' addresses in a page, with their version.
fn thumbnails(page: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for part in page.split("/cache/thumbnails/").skip(1) {
        let end = part.find(['"', ' ']).expect("an address in a page ends");
        let address = format!("/cache/thumbnails/{}", &part[..end]);
        if address.contains(".webp") && !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

/// What stands at an address once nothing is under way there: an emulator may take longer for a
/// cover than the program's patience, and then a placeholder is the right answer.
#[track_caller]
fn settled(vault: &Vault, address: &str) -> Reply {
    no_longer_pending(address, || vault.get(address))
}

#[track_caller]
fn no_longer_pending(address: &str, get: impl Fn() -> Reply) -> Reply {
    let mut reply = get();
    until(&format!("{address} is no longer pending"), || {
        let is_pending = stand_in(&reply) == Some("pending");
        if is_pending {
            reply = get();
        }
        !is_pending
    });
    reply
}

#[test]
fn the_demo_shows_its_page_and_whole_covers_of_both_sizes_and_ends_when_asked() {
    let mut vault = Vault::demo().start();
    let page = vault.get("/");
    assert_eq!(page.status, 200, "{}", page.text());
    let addresses = thumbnails(&page.text());
    assert!(addresses.len() >= 2 * COVERS, "the page shows {} covers", addresses.len());
    let mut whole = 0;
    for address in &addresses {
        let thumbnail = settled(&vault, address);
        // The demo has records whose covers never come, so that one sees how that looks.
        if matches!(stand_in(&thumbnail), Some("absent" | "failed")) {
            continue;
        }
        let detail = settled(&vault, &address.replace("/thumbnails/", "/detail/"));
        for (reply, side) in [(&thumbnail, 150), (&detail, 600)] {
            assert_cover(reply);
            let picture = image::load_from_memory_with_format(&reply.body, image::ImageFormat::WebP).unwrap();
            assert_eq!(picture.width().max(picture.height()), side, "{address}");
            assert!(shades(&picture.to_luma8()) > 8, "{address} is a picture and not one colour");
        }
        whole += 1;
        if whole == COVERS {
            break;
        }
    }
    assert_eq!(whole, COVERS);
    assert_eq!(vault.terminate().status.code(), Some(0), "{}", vault.log());
}

#[test]
fn an_empty_vault_is_ready_keeps_what_is_imported_and_ends_when_asked() {
    let mut vault = Vault::start();
    assert_eq!(vault.get("/").status, 200);
    assert_eq!(vault.get("/ready").status, 200);
    assert_eq!(vault.stat("total_entries"), 0);
    let imported = vault.import(&json!([{ "artist": "Björk", "title": "Début", "year": 1993 }]));
    assert_eq!(imported["added"], 1, "{imported}");
    let running = status(&vault);
    assert_eq!((&running["source"], &running["cache_stats"]["total_entries"]), (&json!("server"), &json!(0)));
    assert_eq!(vault.terminate().status.code(), Some(0), "{}", vault.log());
    assert_eq!(status(&vault)["source"], "store");
    vault.restart();
    let page = vault.get("/?q=debut").text();
    assert!(page.contains("Début"), "found without its accents after a restart");
    assert_eq!(vault.terminate().status.code(), Some(0), "{}", vault.log());
}

/// A server of this program over a folder.
#[track_caller]
fn serve(mut program: Command, data_dir: &Path, origin: &Origin) -> Process {
    program.args(["serve", "--listen=127.0.0.1:0", "--min-free-mb=0", "--data-dir"]).arg(data_dir);
    program.arg(format!("--private-sources={}", origin.private_source()));
    Process::start(program)
}

#[track_caller]
fn run(mut program: Command, data_dir: &Path, args: &[&str]) {
    program.args(args).arg("--data-dir").arg(data_dir);
    let output = finish(program);
    assert!(output.status.success(), "{args:?}: {output:?}");
}

/// What one program keeps comes out of its backup as the same bytes where the other one restores it.
#[track_caller]
fn assert_moves(from: fn() -> Command, to: fn() -> Command) {
    let (origin, folder) = (origin(), Folder::new());
    let (old, new) = (folder.join("old"), folder.join("new"));
    let (albums, backup) = (folder.join("albums.json"), folder.join("vinyl.tar"));
    let url = |number: u32| origin.url(&format!("/moved/{number}.jpg"));
    origin.on_prefix("/moved/", |path| {
        Script::picture(pictures::sleeve(path.bytes().map(u32::from).sum(), 300))
    });
    let shelf: Vec<Value> = (0..3)
        .map(|number| json!({ "artist": "Björk", "title": format!("Début {number}"), "cover": url(number) }))
        .collect();
    std::fs::write(&albums, json!(shelf).to_string()).unwrap();
    run(from(), &old, &["import", albums.to_str().unwrap()]);
    let first = serve(from(), &old, &origin);
    let mut covers = Vec::new();
    for (number, size) in (0..3).flat_map(|number| ["thumbnails", "detail"].map(|size| (number, size))) {
        let ask = format!("/api/cache/image?url={}&size={size}", encode(&url(number)));
        let found = Connection::open_as_stranger(first.address).get(&ask);
        let address = found.header("location").unwrap_or_else(|| panic!("{found:?}")).to_owned();
        let cover = no_longer_pending(&address, || Connection::open(first.address).get(&address));
        assert_cover(&cover);
        covers.push((address, cover.body));
    }
    until("every cover is on the card", || {
        let stats = Connection::open_as_stranger(first.address).get("/api/cache/stats").json();
        (&stats["total_entries"], &stats["in_flight"]) == (&json!(6), &json!(0))
    });
    run(from(), &old, &["backup", backup.to_str().unwrap()]);
    drop(first);

    run(to(), &new, &["restore", backup.to_str().unwrap()]);
    origin.forget();
    let second = serve(to(), &new, &origin);
    for (address, bytes) in covers {
        let cover = Connection::open(second.address).get(&address);
        assert_cover(&cover);
        assert!(cover.body == bytes, "{address} is not what it was");
    }
    let page = Connection::open(second.address).get("/?q=debut").text();
    assert!((0..3).all(|number| page.contains(&format!("Début {number}"))), "{page}");
    assert_eq!(origin.hits_in_all(), 0, "nothing is downloaded again");
}

#[test]
fn what_another_machine_backed_up_is_restored_here_to_the_byte() {
    assert_moves(host_binary, binary);
}

#[test]
fn what_is_backed_up_here_is_restored_on_another_machine_to_the_byte() {
    assert_moves(binary, host_binary);
}

/// `vinylvault status --json`: a second process of the binary, over HTTP or over the store.
#[track_caller]
fn status(vault: &Vault) -> Value {
    let output = vault.run(&["status", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// How many different grey values a picture has.
fn shades(picture: &image::GrayImage) -> usize {
    picture.pixels().map(|pixel| pixel.0[0]).collect::<std::collections::HashSet<u8>>().len()
}
