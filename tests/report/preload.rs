//! `vinylvault preload`: what it asks for, what it says, and how it ends.

use crate::stage::*;
use crate::support::folder::Folder;
use crate::support::origin::{Origin, Script, pictures};
use crate::support::process::{binary, finish};
use crate::support::terminal::{Size, Terminal};
use crate::support::vault::Vault;
use crate::support::{until, until_within};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::process::{Child, ExitStatus};
use std::time::Duration;

/// 200 covers on two busy cores, some of them waited for twice.
const FETCH_WAIT: Duration = Duration::from_secs(90);

/// An origin that takes its time, so that there is some to do something in.
fn slow_origin() -> Origin {
    let origin = Origin::start();
    let cover = pictures::jpeg(60, 60, [30, 60, 180]);
    origin.on_prefix("/cover/", move |_| Script::picture(cover.clone()).after(Duration::from_millis(100)));
    origin
}

#[track_caller]
fn ended(child: &mut Child) -> ExitStatus {
    until_within(FETCH_WAIT, "the command ends", || child.try_wait().unwrap().is_some());
    child.wait().unwrap()
}

/// Nothing is under way at the server any more.
#[track_caller]
fn settled(vault: &Vault) {
    until("nothing is under way", || vault.stat("in_flight") == 0 && vault.stat("queued") == 0);
}

#[test]
fn covers_are_fetched_once_and_those_that_fail_are_named() {
    let (origin, folder) = (origin(), Folder::new());
    let vault = settings(&origin).start();
    let mut urls = covers(&origin, 195);
    urls.extend((0..4).map(|number| origin.url(&format!("/gone/{number}.jpg"))));
    urls.extend(["ftp://example.org/a.jpg".to_owned(), String::new(), urls[0].clone()]);
    let child = &mut begin(command_reading(&vault.data_dir(), &["preload", "-"], &folder, &urls), &folder);
    assert_eq!(ended(child).code(), Some(1), "{:?}", written(&folder));
    let (stdout, stderr) = written(&folder);
    assert!(stdout.starts_with("200 covers, asked of the server at 127.0.0.1:"), "{stdout}");
    assert!(stdout.contains("\n195 fetched, 0 here already, 5 failed in "), "{stdout}");
    assert!(stdout.contains(&format!("  {}: the origin has no such picture\n", urls[195])), "{stdout}");
    assert!(stdout.contains("  ftp://example.org/a.jpg: the address does not begin with"), "{stdout}");
    assert_eq!(stderr, "vinylvault: 5 of 200 covers could not be fetched\n");
    assert!(!stdout.contains('\u{1b}') && !stdout.contains('\r'), "a bar was drawn in a pipe: {stdout}");

    origin.forget();
    let again = finish(command_reading(&vault.data_dir(), &["preload", "-", "--json"], &folder, &urls));
    let said = json(&again);
    assert_eq!(again.status.code(), Some(1));
    for (name, value) in [("total", 200), ("done", 200), ("failed", 5), ("skipped", 195), ("fetched", 0)] {
        assert_eq!(said[name], value, "{name} in {said}");
    }
    assert_eq!((&said["source"], &said["interrupted"]), (&"server".into(), &false.into()));
    assert!(said["seconds"].is_f64() && said["errors"].as_array().unwrap().len() == 5, "{said}");
    assert_eq!(origin.hits_in_all(), 0, "what is here is not fetched again");
}

#[test]
fn a_pipe_hears_of_each_tenth_at_most_once() {
    let (origin, folder) = (slow_origin(), Folder::new());
    let vault = settings(&origin).start();
    let urls = covers(&origin, 60);
    let child = &mut begin(command_reading(&vault.data_dir(), &["preload", "-"], &folder, &urls), &folder);
    assert_eq!(ended(child).code(), Some(0), "{:?}", written(&folder));
    let stdout = written(&folder).0;
    let percents: Vec<u64> =
        stdout.lines().filter_map(|line| line.split_once(" %  ")?.0.trim().parse().ok()).collect();
    assert!(!percents.is_empty() && percents.len() < 10, "{stdout}");
    assert!(percents.windows(2).all(|pair| pair[0] / 10 < pair[1] / 10), "{stdout}");
}

#[test]
fn all_is_every_cover_of_the_collection() {
    let origin = origin();
    let vault = settings(&origin).start();
    let nothing = run(&vault.data_dir(), &["preload", "--all"]);
    assert_eq!(nothing.status.code(), Some(0), "{nothing:?}");
    assert!(text(&nothing.stdout).contains("there is nothing to fetch"), "{nothing:?}");
    let albums: Vec<_> = covers(&origin, 30)
        .iter()
        .enumerate()
        .map(|(n, url)| json!({ "artist": format!("Artist {n}"), "title": "Title", "cover": url }))
        .chain([json!({ "artist": "Bare", "title": "Without a cover" })])
        .collect();
    vault.import(&albums.into());
    let first = run(&vault.data_dir(), &["preload", "--all", "--json"]);
    assert_eq!(first.status.code(), Some(0), "{first:?}");
    assert_eq!((&json(&first)["total"], &json(&first)["fetched"]), (&30.into(), &30.into()));
    assert_eq!(vault.stat("total_entries"), 60);
    let second = json(&run(&vault.data_dir(), &["preload", "--all", "--json"]));
    assert_eq!((&second["fetched"], &second["skipped"]), (&0.into(), &30.into()));
    assert_eq!(origin.hits_in_all(), 30);
}

#[test]
fn all_and_the_report_are_of_the_server_that_was_asked_wherever_its_folder_is() {
    let (origin, elsewhere) = (origin(), Folder::new());
    let vault = settings(&origin).start();
    let listen = format!("--listen={}", vault.address());
    let ask = |args: &[&str]| {
        let mut command = binary();
        command.args(args).arg(&listen).current_dir(elsewhere.path());
        finish(command)
    };
    let nothing = ask(&["preload", "--all"]);
    assert!(text(&nothing.stdout).contains("there is nothing to fetch"), "{nothing:?}");
    // More than one request carries, most of which no server fetches; two albums share a cover.
    let mut urls: Vec<String> = (0..1_200).map(|n| format!("http://10.0.0.1/{n}.jpg")).collect();
    urls.extend(covers(&origin, 30));
    urls.push(urls[1_200].clone());
    let albums = urls.iter().enumerate();
    vault.import(&albums.map(|(n, url)| json!({ "artist": "A", "title": n, "cover": url })).collect());
    let said = ask(&["preload", "--all", "--json"]);
    let counts = ["total", "done", "fetched", "failed"].map(|name| json(&said)[name].as_u64().unwrap());
    assert_eq!((counts, said.status.code()), ([1_230, 1_230, 30, 1_200], Some(1)), "{said:?}");
    assert_eq!(json(&ask(&["report", "--json"]))["albums"], 1_231);
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0, "asking leaves nothing");
}

#[test]
fn a_list_longer_than_one_request_goes_in_several() {
    let folder = Folder::new();
    let vault = Vault::start();
    // No server fetches from there, so each is refused at once; long ones fill a body early.
    let urls: Vec<String> =
        (0..2_300).map(|n| format!("http://10.0.0.1/{}/{n}.jpg", "x".repeat(n % 7 * 100))).collect();
    let output = finish(command_reading(&vault.data_dir(), &["preload", "-", "--json"], &folder, &urls));
    let said = json(&output);
    assert_eq!(
        (&said["total"], &said["done"], &said["failed"]),
        (&2_300.into(), &2_300.into(), &2_300.into())
    );
    assert_eq!(said["errors"].as_array().unwrap().len(), 100);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn ctrl_c_ends_the_fetching_and_the_next_call_goes_on_from_there() {
    let (origin, folder) = (slow_origin(), Folder::new());
    let vault = settings(&origin).start();
    let urls = covers(&origin, 100);
    let preload = || command_reading(&vault.data_dir(), &["preload", "-", "--json"], &folder, &urls);
    let child = &mut begin(preload(), &folder);
    until("some are fetched", || origin.hits_in_all() >= 10);
    kill_process(Pid::from_child(child), Signal::INT).unwrap();
    assert_eq!(ended(child).code(), Some(1));
    let (stdout, stderr) = written(&folder);
    assert!(stderr.contains("stopped after") && stderr.contains("goes on from there"), "{stderr}");
    let said: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&said["interrupted"], &said["total"]), (&true.into(), &100.into()), "{said}");
    settled(&vault);
    let fetched = origin.hits_in_all();
    assert!(fetched < 100, "the server went on");
    let second = json(&finish(preload()));
    assert_eq!((&second["failed"], &second["done"]), (&0.into(), &100.into()), "{second}");
    assert_eq!(origin.hits_in_all(), 100, "none is fetched twice");
}

#[test]
fn a_killed_command_is_followed_by_one_that_fetches_nothing_twice() {
    let (origin, folder) = (slow_origin(), Folder::new());
    let vault = settings(&origin).start();
    let urls = covers(&origin, 60);
    let preload = || command_reading(&vault.data_dir(), &["preload", "-", "--json"], &folder, &urls);
    let child = &mut begin(preload(), &folder);
    until("some are fetched", || origin.hits_in_all() >= 10);
    child.kill().unwrap();
    child.wait().unwrap();
    let second = json(&finish(preload()));
    assert_eq!((&second["failed"], &second["done"]), (&0.into(), &60.into()), "{second}");
    assert_eq!(origin.hits_in_all(), 60);
}

#[test]
fn a_server_that_restarts_under_it_is_found_again_and_fetches_the_rest() {
    let (origin, folder) = (slow_origin(), Folder::new());
    let mut vault = settings(&origin).start();
    let urls = covers(&origin, 60);
    let child = &mut begin(command_reading(&vault.data_dir(), &["preload", "-"], &folder, &urls), &folder);
    until("some are fetched", || origin.hits_in_all() >= 10);
    vault.restart();
    assert_eq!(ended(child).code(), Some(0), "{:?}", written(&folder));
    let stdout = written(&folder).0;
    assert!(stdout.contains("the server was restarted; beginning again with what is missing"), "{stdout}");
    // What was fetched after the last look before the end is here already for the new server.
    assert!(stdout.contains(" here already, 0 failed in ") && !stdout.contains("60 here"), "{stdout}");
    assert_eq!(vault.stat("thumbnail_count"), 60);
}

#[test]
fn without_a_server_it_says_how_to_start_one_and_without_urls_what_it_wants() {
    let folder = Folder::new();
    let alone = run(&folder.join("data"), &["preload", "https://example.org/a.jpg", "--listen=127.0.0.1:1"]);
    assert_eq!(alone.status.code(), Some(1));
    assert!(text(&alone.stderr).contains("cannot preload: no server runs"), "{alone:?}");
    assert!(!folder.join("data").exists(), "asking makes no folder");
    let bare = run(&folder.join("data"), &["preload"]);
    assert_eq!(bare.status.code(), Some(2));
    assert!(text(&bare.stderr).contains("needs URLs, or --all"), "{bare:?}");
}

#[test]
fn a_reader_that_has_gone_does_not_stop_the_fetching() {
    let (origin, folder) = (origin(), Folder::new());
    let vault = settings(&origin).start();
    let urls = covers(&origin, 20);
    let mut command = command_reading(&vault.data_dir(), &["preload", "-"], &folder, &urls);
    let child = &mut command.stdout(nobody()).spawn().unwrap();
    assert_eq!(ended(child).code(), Some(0));
    assert_eq!(vault.stat("thumbnail_count"), 20);
}

#[test]
fn a_server_with_a_token_wants_it_here_too() {
    let origin = origin();
    let vault = settings(&origin).setting("admin-token", "a-long-enough-token").start();
    let url = origin.url("/cover/1.jpg");
    let refused = run(&vault.data_dir(), &["preload", &url]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("cannot preload: the server answered 401"), "{refused:?}");
    let allowed = run(&vault.data_dir(), &["preload", &url, "--admin-token=a-long-enough-token"]);
    assert_eq!(allowed.status.code(), Some(0), "{allowed:?}");
}

#[test]
fn a_terminal_sees_a_bar_with_pace_and_rest_and_then_the_result() {
    let origin = slow_origin();
    let vault = settings(&origin).start();
    let albums: Vec<_> = covers(&origin, 100)
        .iter()
        .map(|url| json!({ "artist": "A", "title": url, "cover": url }))
        .chain([json!({ "artist": "A", "title": "gone", "cover": origin.url("/gone/1.jpg") })])
        .collect();
    vault.import(&albums.into());
    let mut preload = command(&vault.data_dir(), &["preload", "--all"]);
    preload.env("TERM", "xterm-256color");
    let mut terminal = Terminal::start(&preload, Size(24, 80));
    terminal.until("a bar, its pace and the rest", |text| {
        ["[█", " %  ", " of 101", " failed, ", " a second, ", " s left"]
            .iter()
            .all(|part| text.contains(part))
    });
    terminal.until_shows("1 of 101 covers could not be fetched");
    assert_eq!(terminal.until_ended().code(), Some(1));
    let end = terminal.text();
    assert!(end.contains("100 fetched, 0 here already, 1 failed in ") && !end.contains("[█"), "{end}");
    assert!(end.contains("gone/1.jpg: the origin has no such picture"), "{end}");
}

#[test]
fn ctrl_c_on_a_terminal_stops_it() {
    let origin = slow_origin();
    let vault = settings(&origin).start();
    let urls = covers(&origin, 80);
    let mut preload = command(&vault.data_dir(), &["preload"]);
    preload.args(&urls).env("TERM", "xterm").env("LC_ALL", "C");
    let mut terminal = Terminal::start(&preload, Size(24, 80));
    terminal.until("a bar of plain characters", |text| text.contains("[#") && text.contains(" of 80"));
    terminal.press(b"\x03");
    terminal.until_shows("the same command goes on from there");
    assert_eq!(terminal.until_ended().code(), Some(1));
    settled(&vault);
    assert!(origin.hits_in_all() < 80, "the server went on");
}

#[test]
fn a_few_covers_do_not_wait_behind_many() {
    let (origin, folder) = (origin(), Folder::new());
    let vault = settings(&origin).start();
    let held: Vec<String> = (0..3).map(|number| format!("/cover/{number}.jpg")).collect();
    held.iter().for_each(|path| origin.hold(path));
    let many = covers(&origin, 60);
    let child = &mut begin(command_reading(&vault.data_dir(), &["preload", "-"], &folder, &many), &folder);
    until("every worker is kept waiting", || held.iter().all(|path| origin.holding(path) == 1));
    let few: Vec<String> = (0..3).map(|number| origin.url(&format!("/cover/few/{number}.jpg"))).collect();
    let taken = vault.post_json("/api/cache/preload", &json!({ "urls": few }).to_string());
    assert_eq!(taken.status, 202);
    held.iter().for_each(|path| origin.release(path));
    assert_eq!(ended(child).code(), Some(0), "{:?}", written(&folder));
    until("the few are here", || vault.stat("thumbnail_count") == 63);
    let asked = origin.requests_in_all();
    let last_of_few = asked.iter().rposition(|request| request.target.contains("/few/")).unwrap();
    assert!(last_of_few < 30, "the last of them was number {last_of_few} of {}", asked.len());
}
