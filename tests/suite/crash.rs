//! After `kill -9` the program starts by itself, serves what is whole and forgets what is not.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::stage::{address_of, assert_cover, cover_bytes, cover_files, origin, settings, stand_in};
use crate::support::http::Connection;
use crate::support::origin::{Origin, Script, pictures};
use crate::support::vault::Vault;

/// Covers in play: few enough that all are asked for again and again.
const COVERS: u32 = 40;

/// Of the 80 files that there may be: so many on the card, and the clearer empties it.
const CLEARED_AT: usize = 8;

/// Times the server is killed.
const KILLS: usize = 50;

/// The promise is a second, of a release build. Here a debug build starts beside other tests, on a machine
/// that may have other work.
const READY_MEDIAN: Duration = Duration::from_secs(4);
const READY_MAX: Duration = Duration::from_secs(20);

/// Moments of the kill, spread over half a second without a random number generator.
fn moment(round: usize) -> Duration {
    Duration::from_millis(20 + (round as u64).wrapping_mul(7_919) % 480)
}

/// What every cover looks like whole, in both sizes, by its address.
type Truth = Arc<HashMap<String, Vec<u8>>>;

#[test]
fn fifty_kills_under_load_leave_no_file_without_a_row_and_no_wrong_byte() {
    let origin = origin();
    origin.on_prefix("/kill/", |path| {
        let seed = path.bytes().fold(7, |sum: u32, byte| sum.wrapping_mul(31) + u32::from(byte));
        Script::picture(pictures::sleeve(seed, 200))
    });
    let budget = 200_000;
    let mut vault = settings(&origin).setting("cache-size-gb", "0.0002").start();
    let (addresses, truth) = learn_the_truth(&origin, &vault);
    let (mut ready, mut cleared) = (Vec::new(), 0);
    for round in 0..KILLS {
        let load = Load::start(&vault, &addresses, &truth);
        let kill_at = Instant::now() + moment(round);
        crate::support::until("the moment comes", || Instant::now() >= kill_at);
        vault.kill9();
        cleared += load.stop();
        // Before the next start, the disk as the kill left it.
        assert_every_file_has_a_row(&vault);
        let begun = Instant::now();
        vault.restart();
        ready.push(begun.elapsed());
        assert!(cover_bytes(&vault.data_dir()) <= budget);
        assert_eq!(std::fs::read_dir(vault.data_dir().join("cache/tmp")).unwrap().count(), 0);
    }
    for address in &addresses {
        let reply = vault.get(address);
        assert_cover(&reply);
        assert_eq!(&reply.body, &truth[address]);
    }
    assert_every_file_has_a_row(&vault);
    ready.sort();
    let (median, worst) = (ready[KILLS / 2], ready[KILLS - 1]);
    println!("ready after a kill: median {median:?}, worst {worst:?}; the cache was emptied {cleared} times");
    assert!(cleared > 0, "nothing was being removed");
    assert!(median <= READY_MEDIAN && worst <= READY_MAX, "median {median:?}, worst {worst:?}");
}

fn learn_the_truth(origin: &Origin, vault: &Vault) -> (Vec<String>, Truth) {
    let sources = (0..COVERS).map(|number| origin.url(&format!("/kill/{number}")));
    let addresses: Vec<String> = sources
        .flat_map(|url| ["thumbnails", "detail"].map(|variant| address_of(vault, &url, variant)))
        .collect();
    let mut truth = HashMap::new();
    for address in &addresses {
        let reply = vault.get(address);
        assert_cover(&reply);
        truth.insert(address.clone(), reply.body);
    }
    (addresses, Arc::new(truth))
}

fn assert_every_file_has_a_row(vault: &Vault) {
    let database = vault.data_dir().join("cache/index.db");
    let rows = rusqlite::Connection::open(database).unwrap();
    let check: String = rows.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    for file in cover_files(&vault.data_dir()) {
        let hex = file.file_stem().unwrap().to_str().unwrap();
        let variant = i64::from(file.to_string_lossy().contains("/detail/"));
        let sql = "SELECT bytes FROM rendition WHERE hex(key) = upper(?1) AND variant = ?2";
        let bytes: Result<i64, _> = rows.query_row(sql, (hex, variant), |row| row.get(0));
        assert!(bytes.is_ok(), "{} has no row", file.display());
    }
}

/// Viewers, who check every byte, and a clearer, until told to stop.
struct Load {
    done: Arc<AtomicBool>,
    viewers: Vec<JoinHandle<()>>,
    clearer: JoinHandle<usize>,
}

impl Load {
    fn start(vault: &Vault, addresses: &[String], truth: &Truth) -> Load {
        let done = Arc::new(AtomicBool::new(false));
        let server = vault.address();
        let viewers = (0..4)
            .map(|viewer| {
                let (done, truth, addresses) = (done.clone(), truth.clone(), addresses.to_vec());
                std::thread::spawn(move || view(viewer * 11, server, &addresses, &truth, &done))
            })
            .collect();
        let (over, folder) = (done.clone(), vault.data_dir());
        let clearer = std::thread::spawn(move || clear(server, &folder, &over));
        Load { done, viewers, clearer }
    }

    /// How many times the cache was emptied.
    fn stop(self) -> usize {
        self.done.store(true, Ordering::Relaxed);
        for viewer in self.viewers {
            viewer.join().unwrap();
        }
        self.clearer.join().unwrap()
    }
}

/// Looks at one cover after the other, thumbnails and details.
fn view(first: usize, server: SocketAddr, addresses: &[String], truth: &Truth, done: &AtomicBool) {
    let mut next = first;
    while !done.load(Ordering::Relaxed) {
        let Ok(mut client) = Connection::try_open(server, None) else { continue };
        for _ in 0..10 {
            next = (next + 7) % addresses.len();
            let address = &addresses[next];
            // The server may be killed under it: only a whole answer is judged.
            let Ok(reply) = client.try_request("GET", address, &[], b"") else { break };
            if stand_in(&reply).is_none() && reply.status == 200 {
                assert_eq!(&reply.body, &truth[address], "a wrong byte was served");
            }
        }
    }
}

/// Empties the cache whenever there is something in it; says how often it was told that it is.
fn clear(server: SocketAddr, folder: &Path, done: &AtomicBool) -> usize {
    let mut cleared = 0;
    while !done.load(Ordering::Relaxed) {
        if cover_files(folder).len() < CLEARED_AT {
            std::thread::yield_now();
            continue;
        }
        let Ok(mut clearer) = Connection::try_open_as_stranger(server) else { continue };
        let json = [("Content-Type", "application/json")];
        if let Ok(reply) = clearer.try_request("POST", "/api/cache/clear", &json, b"{}") {
            assert_eq!(reply.status, 200, "{}", reply.text());
            cleared += 1;
        }
    }
    cleared
}

#[test]
fn a_damaged_file_is_never_served_and_is_fetched_anew() {
    let origin = origin();
    let mut vault = settings(&origin).start();
    let address = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    let good = vault.get(&address).body;
    type Damage = fn(&std::path::Path, Vec<u8>);
    let damages: [(&str, Damage); 5] = [
        ("cut short", |file, bytes| std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap()),
        ("emptied", |file, _| std::fs::write(file, b"").unwrap()),
        ("one bit turned over", |file, mut bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(file, bytes).unwrap();
        }),
        ("a link elsewhere", |file, _| {
            std::fs::remove_file(file).unwrap();
            std::os::unix::fs::symlink("/etc/hostname", file).unwrap();
        }),
        ("gone", |file, _| std::fs::remove_file(file).unwrap()),
    ];
    for (name, damage) in damages {
        vault.terminate();
        let file = cover_files(&vault.data_dir())
            .into_iter()
            .find(|file| file.to_string_lossy().contains("/detail/"))
            .unwrap();
        damage(&file, good.clone());
        let asked = origin.hits("/cover.jpg");
        vault.restart();
        let reply = vault.get(&address);
        assert_cover(&reply);
        assert_eq!(reply.body, good, "{name}");
        assert_eq!(origin.hits("/cover.jpg"), asked + 1, "{name}");
        crate::support::until(name, || file.symlink_metadata().is_ok_and(|file| file.is_file()));
    }
}

#[test]
fn removing_the_cache_folder_while_stopped_is_safe() {
    let origin = origin();
    let mut vault = settings(&origin).start();
    vault
        .import(&serde_json::json!([{ "artist": "A", "title": "T", "cover_url": origin.url("/cover.jpg") }]));
    let address = address_of(&vault, &origin.url("/cover.jpg"), "detail");
    assert_cover(&vault.get(&address));
    vault.terminate();
    std::fs::remove_dir_all(vault.data_dir().join("cache")).unwrap();
    vault.restart();
    assert_cover(&vault.get(&address));
}

#[test]
fn a_second_server_on_the_folder_exits_at_once_with_one_line() {
    let vault = Vault::start();
    let data_dir = vault.data_dir();
    let output = vault.run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data_dir.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    let complaint: Vec<&str> = said.lines().filter(|line| line.contains("cache")).collect();
    assert_eq!(complaint.len(), 1, "{said}");
    assert_eq!(vault.get("/health").status, 200, "the first one is not disturbed");
}
