//! The README's pictures of commands: the real program on a terminal of its own, in front of a real server
//! with a collection, recorded in the midst of its work.
//!
//! They are left in `target/screenshots/`; with `VINYLVAULT_SCREENSHOTS=1` in the environment those of the
//! README are made anew too.

use crate::asking::command;
use crate::stage::{address_of, assert_cover, origin, settle};
use crate::support::drawing;
use crate::support::http::Connection;
use crate::support::origin::{Origin, Script, pictures};
use crate::support::terminal::{PROMPT, Size, Terminal};
use crate::support::vault::Vault;
use std::path::Path;

const ALBUMS: u32 = 96;
/// The origin holds these back until the picture is taken; a preload begins with the newest.
const HELD: std::ops::Range<u32> = 0..36;
/// One that the origin does not have.
const MISSING: u32 = 77;
/// A picture is looked at by everybody who opens the README.
const BYTES_MAX: u64 = 40_000;

/// A server with albums whose covers are not here yet.
fn shelf() -> (Origin, Vault) {
    let origin = origin();
    let covers: Vec<Vec<u8>> = (0..12).map(|seed| pictures::sleeve(seed, 600)).collect();
    origin.on_prefix("/covers/", move |path| {
        let number: usize = path.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
        Script::picture(covers[number % covers.len()].clone())
    });
    origin.on(&cover(MISSING), Script::status(404));
    HELD.for_each(|number| origin.hold(&cover(number)));
    // As the program is usually found, where the port is free; only the README's readers look at it.
    let usual = "127.0.0.1:5000";
    let is_free = wanted_anew() && std::net::TcpListener::bind(usual).is_ok();
    let vault = Vault::builder()
        .private_source(origin.private_source())
        .setting("listen", if is_free { usual } else { "127.0.0.1:0" })
        .setting("cache-size-gb", "0.02")
        .setting("memory-cache-mb", "16")
        .start();
    let album = |number: u32| {
        serde_json::json!({
            "artist": format!("Artist {number}"), "title": format!("Record {number}"),
            "cover_url": origin.url(&cover(number)),
        })
    };
    vault.import(&(0..ALBUMS).map(album).collect());
    (origin, vault)
}

fn cover(number: u32) -> String {
    format!("/covers/{number}.jpg")
}

/// Somebody types it and waits.
fn type_in(vault: &Vault, args: &[&str], size: Size) -> Terminal {
    let typed = format!("{PROMPT}vinylvault {}\r\n", args.join(" "));
    Terminal::start_behind(&typed, &command(vault, args), size)
}

/// A household that looks at this many covers, in both sizes.
fn look_at_covers(origin: &Origin, vault: &Vault, count: u32) {
    let mut viewer = Connection::open(vault.address());
    for number in (0..ALBUMS).filter(|number| *number != MISSING).take(count as usize) {
        for variant in ["thumbnails", "detail"] {
            assert_cover(&viewer.get(&address_of(vault, &origin.url(&cover(number)), variant)));
        }
    }
}

fn wanted_anew() -> bool {
    std::env::var_os("VINYLVAULT_SCREENSHOTS").is_some()
}

/// Draws what stands on the terminal, and keeps it where it holds what it should.
#[track_caller]
fn keep(terminal: &Terminal, name: &str, held: &[&str]) {
    let svg = drawing::svg(&terminal.screen(), &format!("vinylvault {name}"));
    for words in held {
        assert!(svg.contains(words), "{name} without {words:?}:\n{}\n{svg}", terminal.text());
    }
    assert!(svg.starts_with("<svg ") && !svg.contains("<script") && svg.len() as u64 <= BYTES_MAX, "{name}");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("screenshots");
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screenshots");
    std::fs::create_dir_all(&target).unwrap();
    for folder in [Some(target), wanted_anew().then_some(readme)].into_iter().flatten() {
        std::fs::write(folder.join(format!("{name}.svg")), &svg).unwrap();
    }
}

#[test]
fn preload_status_and_monitor_look_as_in_the_readme() {
    let (origin, vault) = shelf();
    let mut terminal = type_in(&vault, &["preload", "--all"], Size(24, 92));
    terminal.until("it is past the middle and foretells its end", |text| {
        let percent =
            text.split(" %").next().and_then(|before| before.rsplit([' ', ']']).next()?.parse().ok());
        percent.is_some_and(|percent: u32| percent > 50) && text.contains(" left")
    });
    keep(&terminal, "preload", &["vinylvault preload --all", " of 96", "1 failed", " a second, ", " left"]);
    HELD.for_each(|number| origin.release(&cover(number)));
    terminal.until_shows("95 fetched, 0 here already, 1 failed in ");
    terminal.until_ended();
    settle(&vault);

    look_at_covers(&origin, &vault, ALBUMS);
    let mut terminal = type_in(&vault, &["status"], Size(24, 80));
    terminal.until_shows("the server at");
    terminal.until_ended();
    keep(
        &terminal,
        "status",
        &["vinylvault status", "VinylVault, up ", "190 files: 95 thumbnails, 95 detail"],
    );

    let terminal = type_in(&vault, &["monitor"], Size(21, 80));
    terminal.until_shows("Ctrl-C ends");
    // A curve needs some pictures; a test needs one.
    let pictures = if wanted_anew() { 44 } else { 2 };
    for picture in 0..pictures {
        let time = |text: &str| text.lines().next().unwrap_or_default().to_owned();
        let now = time(&terminal.text());
        look_at_covers(&origin, &vault, 2 + picture * picture % 31);
        terminal.until("the next picture", |text| time(text) != now);
    }
    terminal.until_shows("a second");
    keep(&terminal, "monitor", &["VinylVault, up ", "190 files: 95 thumbnails, 95 detail", "Ctrl-C ends"]);
}

#[test]
fn a_drawn_screen_has_its_colours_and_none_of_its_text_is_markup() {
    let size = |count| std::num::NonZeroU16::new(count).unwrap();
    let mut parser = vt100::Parser::new(size(5), size(40), 0);
    parser.process(b"\x1b[1;31m<script>&\x1b[0m  \x1b[2mfaint\x1b[0m\r\n\x1b[38;5;196;48;5;240mcube\x1b[0m");
    parser.process("\r\n[██▌░]\x1b[7mturned\x1b[0m".as_bytes());
    let svg = drawing::svg(parser.screen(), "a \"window\" & more");
    for part in [
        "fill=\"#ff6b6b\" font-weight=\"bold\">&lt;script&gt;&amp;</text>",
        "fill-opacity=\".62\">faint</text>",
        "fill=\"#ff0000\">cube</text>",
        "height=\"20\" fill=\"#585858\"/>",
        "width=\"18\" height=\"14\" opacity=\"1.00\"/>",
        "width=\"4.5\" height=\"14\"",
        "opacity=\"0.17\"/>",
        "aria-label=\"a &quot;window&quot; &amp; more\"",
    ] {
        assert!(svg.contains(part), "{part}:\n{svg}");
    }
    assert_eq!(svg.matches("<script").count(), 0);
    assert!(
        svg.contains(&format!("viewBox=\"0 0 {} {}\"", 40 * 9 + 36, 3 * 20 + 54)),
        "empty rows are cut off"
    );
}
