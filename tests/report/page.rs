//! `vinylvault report`: beside a server and without one, as text, page and JSON, and where it puts
//! the page.

use crate::history;
use crate::stage::*;
use crate::support::folder::Folder;
use crate::support::vault::Vault;
use serde_json::json;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;
use vinylvault::report::{Alphabet, Facts, Report};

/// A server that has fetched three covers, failed with one, and shown some.
fn lived_in() -> (crate::support::origin::Origin, Vault) {
    let origin = origin();
    let vault = settings(&origin).start();
    let mut urls = covers(&origin, 3);
    urls.push(origin.url("/gone/1.jpg"));
    let albums: Vec<_> =
        urls.iter().map(|url| json!({ "artist": "A", "title": url, "cover": url })).collect();
    vault.import(&albums.into());
    run(&vault.data_dir(), &["preload", "--all"]);
    for url in &urls[..2] {
        let found = vault.get(&format!("/api/cache/image?url={url}&size=detail"));
        assert_eq!(vault.get(found.header("location").unwrap()).status, 200);
    }
    (origin, vault)
}

#[track_caller]
fn page_of(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout).to_owned()
}

#[track_caller]
fn refusal(data_dir: &Path, args: &[&str], code: i32) -> String {
    let output = run(data_dir, args);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    text(&output.stderr).to_owned()
}

/// Whole, and alone.
#[track_caller]
fn assert_page(page: &str) {
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>"), "{page}");
    for foreign in ["<script", "<link", "<img", "<iframe", "@import", "url(", "http-equiv=\"refresh"] {
        assert!(!page.contains(foreign), "{foreign} in {page}");
    }
    assert!(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none';"));
    assert!(!page.contains("{{") && !page.contains("{%") && !page.contains("undefined"));
}

#[test]
fn a_report_asks_the_server_and_without_one_reads_the_store() {
    let (_origin, mut vault) = lived_in();
    let data_dir = vault.data_dir();
    for source in ["server", "store"] {
        let said = json(&run(&data_dir, &["report", "--json"]));
        assert_eq!((&said["source"], &said["albums"]), (&source.into(), &4.into()), "{said}");
        assert_eq!(said["stats"]["total_entries"], 6);
        let hours = said["hours"].as_array().unwrap();
        let sum = |name: &str| hours.iter().map(|hour| hour[name].as_u64().unwrap()).sum::<u64>();
        assert_eq!((sum("downloads"), sum("misses")), (3, 0), "{said}");
        assert_eq!(sum("memory_hits") + sum("disk_hits"), 2);
        assert_eq!(hours.last().unwrap()["failures"], json!({ "absent": 1 }));

        let page = page_of(&run(&data_dir, &["report"]));
        let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(page.contains("4 albums stand on the shelf. 6 pictures of covers are kept in "), "{page}");
        assert!(page.contains("Of 2 requests for covers in the last 30 days, 100.0 % were"), "{page}");
        assert!(page.contains("no such picture") && page.contains("Import the collection again"), "{page}");
        assert!(page.contains(&format!("Facts from the {source}")), "{page}");
        assert_page(&page_of(&run(&data_dir, &["report", "--html", "-"])));
        if source == "server" {
            vault.terminate();
        }
    }
}

#[test]
fn a_folder_without_a_cache_has_an_empty_report_and_stays_as_it_is() {
    let folder = Folder::new();
    let args = ["report", "--listen=127.0.0.1:1"];
    let page = page_of(&run(&folder.join("data"), &args));
    assert!(page.contains("The shelf is empty. No cover is kept yet; they may take 2.0 GB; "), "{page}");
    assert!(page.contains("Nothing has been recorded yet."), "{page}");
    let said = json(&run(&folder.join("data"), &["report", "--json", "--listen=127.0.0.1:1"]));
    assert_eq!((&said["source"], &said["hours"]), (&"store".into(), &json!([])));
    assert_page(&page_of(&run(&folder.join("data"), &["report", "--html=-", "--listen=127.0.0.1:1"])));
    assert!(!folder.join("data").exists());
}

#[test]
fn a_page_replaces_a_file_whole_or_not_at_all() {
    let (vault, folder) = (Vault::start(), Folder::new());
    let data_dir = vault.data_dir();
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let write = |name: &str| run(&data_dir, &["report", "--html", &file(name)]);
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();

    let said = page_of(&write("new.html"));
    assert!(
        said.starts_with(&format!("wrote {}, ", file("new.html"))) && said.contains("the server"),
        "{said}"
    );
    assert_page(&read("new.html"));

    std::fs::write(folder.join("old.html"), "old").unwrap();
    std::fs::set_permissions(folder.join("old.html"), std::fs::Permissions::from_mode(0o604)).unwrap();
    symlink("old.html", folder.join("link.html")).unwrap();
    page_of(&write("link.html"));
    assert!(folder.join("link.html").symlink_metadata().unwrap().is_symlink(), "a link is followed");
    assert_page(&read("old.html"));
    assert_eq!(folder.join("old.html").metadata().unwrap().permissions().mode() & 0o777, 0o604);

    std::fs::create_dir(folder.join("shelf")).unwrap();
    for (target, why) in
        [("shelf", "it is a folder"), ("nowhere/a.html", "No such file"), ("", "it names no file")]
    {
        let target = if target.is_empty() { String::new() } else { file(target) };
        let line = refusal(&data_dir, &["report", "--html", &target], 1);
        assert!(line.contains("cannot write the report to") && line.contains(why), "{line}");
    }
    let left: Vec<PathBuf> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left.len(), 4, "nothing half-written is left: {left:?}");
    page_of(&run(&data_dir, &["report", "--html", "/dev/null"]));
    assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    assert!(refusal(&data_dir, &["report", "--json", "--html=-"], 2).contains("one at a time"));
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let vault = Vault::start();
    for args in [&["report"][..], &["report", "--json"], &["report", "--html", "-"]] {
        let status = command(&vault.data_dir(), args).stdout(nobody()).status().unwrap();
        assert_eq!(status.code(), Some(0), "{args:?}");
    }
}

#[test]
fn the_text_fits_80_columns_and_any_locale() {
    for facts in [history::month(), history::nothing(), history::latest(1), history::latest(60)] {
        let report = Report::new(facts);
        for alphabet in [Alphabet::Unicode, Alphabet::Ascii] {
            let page = report.text(alphabet);
            for line in page.lines() {
                assert!(line.chars().count() <= 80 && line.trim_end() == line, "{line:?} in\n{page}");
            }
            assert!(alphabet == Alphabet::Unicode || page.is_ascii(), "{page}");
        }
    }
    let vault = Vault::start();
    let page = page_of(&crate::support::process::finish({
        let mut command = command(&vault.data_dir(), &["report"]);
        command.env("LC_ALL", "C");
        command
    }));
    assert!(page.is_ascii(), "{page}");
}

#[test]
fn the_same_numbers_stand_in_the_text_and_on_the_page() {
    let report = Report::new(history::month());
    let (page, text) = (report.html().unwrap(), report.text(Alphabet::Unicode));
    for number in ["2,386 albums", "48,041", "92.6 %", "The cache is full: 2,714 pictures", "asked to wait"] {
        assert!(page.contains(number) && text.contains(number), "{number} in\n{text}");
    }
    assert_page(&page);
    assert_eq!(page.matches("role=\"img\"").count(), 6);
    assert_eq!(page.matches("<desc").count(), 6);
    assert_eq!(page.matches("<details>").count(), 6);
    assert!(page.len() < 150_000, "{} bytes", page.len());
}

#[test]
fn what_strangers_wrote_stays_text() {
    let nasty = "\"><script>alert(1)</script><img src=x onerror=alert(1)>\u{1b}[2J\n'";
    let month = history::month();
    let mut stats = month.stats.clone();
    stats["last_disk_error"] = nasty.into();
    stats["origins"] = json!([{ "host": nasty, "requests": 1, "failures": 1 }]);
    let mut hours = month.hours.clone();
    hours[5]["failures"] = json!({ nasty: 7 });
    hours[6]["hour"] = nasty.into();
    hours[7] = json!("no hour at all");
    let facts = Facts { stats, hours, whence: nasty.to_owned(), ..month };
    let page = Report::new(facts.clone()).html().unwrap();
    assert_page(&page);
    assert!(!page.contains("onerror=alert(1)>") && page.contains("&lt;script&gt;"), "{page}");
    let wrong = Facts { stats: json!("nothing"), hours: json!({ "a": [1] }), ..facts };
    assert!(Report::new(wrong).html().unwrap().contains("Nothing has been recorded yet."));
}
