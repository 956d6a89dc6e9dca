//! Every picture of the corpus beside the repository comes out of the real program as its
//! manifest says: accepted with the right size, or never stored. Says so when it is not there.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::stage::{address_of, assert_cover, origin, settings, stand_in};
use crate::support::http::Connection;
use crate::support::origin::Script;
use crate::support::until_within;

/// A payload that some files carry where no pixel is.
const PAYLOAD: &[u8] = b"VVPAYLOAD-MUST-NOT-SURVIVE";

struct Line {
    path: String,
    expected: String,
    width: u32,
    height: u32,
    may_lie_on_its_side: bool,
}

fn lines(folder: &Path) -> Vec<Line> {
    let manifest = fs::read_to_string(folder.join("MANIFEST.tsv")).unwrap();
    let line = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        Line {
            path: format!("/{}", fields[0]),
            expected: fields[3].to_owned(),
            width: fields[4].parse().unwrap(),
            height: fields[5].parse().unwrap(),
            may_lie_on_its_side: fields[8].contains("is tolerated"),
        }
    };
    manifest.lines().skip(1).map(line).collect()
}

/// Sides of a picture within a box of 600, never enlarged, never 0.
fn fitted(width: u32, height: u32) -> (u32, u32) {
    let longest = f64::from(width.max(height));
    let scale = (600.0 / longest).min(1.0);
    let side = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
    (side(width), side(height))
}

#[test]
fn every_picture_of_the_corpus_comes_out_as_its_manifest_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    if !folder.is_dir() {
        println!("skipped: there is no ../shared/corpus beside the repository");
        return;
    }
    let (origin, lines) = (origin(), lines(&folder));
    for line in &lines {
        origin.on(&line.path, Script::picture(fs::read(folder.join(&line.path[1..])).unwrap()));
    }
    let vault = settings(&origin).start();
    let urls: Vec<String> = lines.iter().map(|line| origin.url(&line.path)).collect();
    let reply = vault.post_json("/api/cache/preload", &serde_json::json!({ "urls": urls }).to_string());
    assert_eq!(reply.json()["accepted"], lines.len(), "{}", reply.text());
    let job = format!("/api/jobs/{}", reply.json()["job"].as_str().unwrap());
    until_within(Duration::from_secs(180), "every picture was tried", || {
        Connection::open_as_stranger(vault.address()).get(&job).json()["state"] == "done"
    });
    for line in &lines {
        let reply = vault.get(&address_of(&vault, &origin.url(&line.path), "detail"));
        let is_cover = stand_in(&reply).is_none();
        match line.expected.as_str() {
            "ok" => assert!(is_cover, "{} was refused", line.path),
            "refuse" => assert!(!is_cover, "{} became a cover", line.path),
            _ => {}
        }
        if !is_cover {
            continue;
        }
        assert_cover(&reply);
        assert!(!reply.body.windows(PAYLOAD.len()).any(|bytes| bytes == PAYLOAD), "{}", line.path);
        if line.expected == "ok" {
            let picture = image::load_from_memory(&reply.body).unwrap();
            let found = (picture.width(), picture.height());
            let (wide, high) = fitted(line.width, line.height);
            let is_right = [found.0.abs_diff(wide), found.1.abs_diff(high)].iter().all(|off| *off <= 1);
            let is_turned = line.may_lie_on_its_side && found == (high, wide);
            assert!(is_right || is_turned, "{}: {found:?} instead of {:?}", line.path, (wide, high));
        }
    }
    assert!(lines.len() > 100, "the manifest has {} lines", lines.len());
}
