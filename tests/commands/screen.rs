//! `monitor` on a real terminal: what it shows, that it follows the server and the window, and that it
//! leaves the terminal as it found it, whatever ends it.

use crate::asking::{command, fetch, filled};
use crate::support::terminal::{PROMPT, Size, Terminal};
use crate::support::until;
use crate::support::vault::Vault;
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, Termios};

const COMMON: Size = Size(24, 80);

#[track_caller]
fn monitor(vault: &Vault, size: Size) -> Terminal {
    let terminal = Terminal::start(&command(vault, &["monitor"]), size);
    terminal.until_shows("Ctrl-C ends");
    terminal
}

/// As it was before the program: its words, its cursor, its settings.
#[track_caller]
fn assert_as_found(terminal: &Terminal, found: &Termios) {
    until("the program's last words are shown", || !terminal.screen().alternate_screen());
    let screen = terminal.screen();
    assert_eq!(screen.contents().trim_end(), PROMPT.trim_end());
    assert!(!screen.hide_cursor(), "the cursor is there again");
    assert_eq!(usize::from(screen.cursor_position().1), PROMPT.len());
    let left = terminal.settings();
    assert_eq!(left.local_modes, found.local_modes);
    assert_eq!((left.input_modes, left.output_modes), (found.input_modes, found.output_modes));
}

/// A terminal's settings while nobody has changed them.
fn found() -> Termios {
    let plain = Terminal::start(&std::process::Command::new("true"), COMMON);
    plain.settings()
}

#[test]
fn it_shows_the_facts_and_follows_them() {
    let (origin, vault) = filled(2);
    let terminal = monitor(&vault, COMMON);
    terminal.until_shows("4 files: 2 thumbnails, 2 detail");
    let screen = terminal.screen();
    assert!(screen.alternate_screen() && screen.hide_cursor());
    assert!(!terminal.settings().local_modes.contains(LocalModes::ECHO));
    let text = terminal.text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("VinylVault, up ") && lines[0].ends_with('Z'), "{text}");
    assert!(lines[1].contains(&format!("http://{}", vault.address())), "{text}");
    assert_eq!(lines.len(), 24, "{text}");
    assert!(lines[23].starts_with("every 2 s, next in "), "{text}");
    assert!(text.contains("127.0.0.1  2 asked"), "{text}");
    fetch(&origin, &vault, "/new.jpg");
    terminal.until_shows("6 files: 3 thumbnails, 3 detail");
    terminal.until("requests are counted", |text| text.contains("a second"));
}

#[test]
fn whatever_ends_it_the_terminal_is_as_it_was() {
    let (_origin, vault) = filled(1);
    let found = found();
    for keys in [&b"\x03"[..], b"q", b"\x04"] {
        let mut terminal = monitor(&vault, COMMON);
        terminal.press(keys);
        assert_eq!(terminal.until_ended().code(), Some(0), "{keys:?}");
        assert_as_found(&terminal, &found);
    }
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut terminal = monitor(&vault, COMMON);
        kill_process(Pid::from_child(&terminal.child), signal).unwrap();
        assert_eq!(terminal.until_ended().code(), Some(0), "{signal:?}");
        assert_as_found(&terminal, &found);
    }
}

#[test]
fn keys_that_mean_nothing_leave_no_trace() {
    let (_origin, vault) = filled(0);
    let mut terminal = monitor(&vault, COMMON);
    terminal.press(b"zzzzz\r\n");
    terminal.until_shows("next in 1 s");
    assert!(!terminal.text().contains('z'), "{}", terminal.text());
    terminal.press(b"q");
    terminal.until_ended();
    assert_as_found(&terminal, &found());
}

#[test]
fn it_fits_itself_to_the_window() {
    let (_origin, vault) = filled(1);
    let terminal = monitor(&vault, COMMON);
    for (rows, columns) in [(12, 40), (5, 20), (40, 132), (1, 10)] {
        terminal.resize(Size(rows, columns));
        let fits = |text: &str| {
            let lines = terminal.rows();
            let foot = lines.get(usize::from(rows) - 1).is_some_and(|line| line.starts_with("every 2 s"));
            let head = rows == 1 || lines[0].starts_with("VinylVault");
            let whole = rows < 40 || text.contains("Last error");
            head && foot && whole && lines.iter().all(|line| line.chars().count() <= usize::from(columns))
        };
        terminal.until(&format!("a picture of {rows} x {columns}"), fits);
    }
}

#[test]
fn it_says_since_when_the_server_is_gone_and_finds_it_again() {
    let (_origin, mut vault) = filled(1);
    let terminal = monitor(&vault, COMMON);
    terminal.until_shows("2 files");
    vault.kill9();
    terminal.until_shows("The server does not answer since 20");
    assert!(terminal.text().contains("read from the store") && terminal.text().contains("2 files"));
    let since = |text: &str| text.lines().nth(1).unwrap_or_default().to_owned();
    let before = since(&terminal.text());
    let clock = terminal.text().lines().next().unwrap_or_default().to_owned();
    terminal.until("a later picture", |text| text.lines().next() != Some(&clock));
    assert_eq!(since(&terminal.text()), before, "the time at which it went stays");
    vault.restart();
    terminal.until_shows(&format!("the server at http://{}", vault.address()));
    terminal.until("the alarm is over", |text| !text.contains("does not answer"));
}

#[test]
fn a_suspended_monitor_gives_the_terminal_back_until_it_goes_on() {
    let (_origin, vault) = filled(1);
    let mut terminal = monitor(&vault, COMMON);
    let pid = Pid::from_child(&terminal.child);
    terminal.press(b"\x1a");
    let is_stopped = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
        status.contains("State:\tT")
    };
    until("it is stopped", is_stopped);
    assert_as_found(&terminal, &found());
    kill_process(pid, Signal::CONT).unwrap();
    terminal.until("it paints again", |text| text.starts_with("VinylVault"));
    assert!(terminal.screen().alternate_screen() && terminal.screen().hide_cursor());
    terminal.press(b"q");
    assert_eq!(terminal.until_ended().code(), Some(0));
    assert_as_found(&terminal, &found());
}

#[test]
fn a_terminal_that_cannot_be_painted_on_gets_lines() {
    let (_origin, vault) = filled(1);
    let mut dumb = command(&vault, &["monitor"]);
    dumb.env("TERM", "dumb");
    let terminal = Terminal::start(&dumb, Size(24, 200));
    terminal.until_shows("source=server");
    assert!(!terminal.screen().alternate_screen());
}

#[test]
fn trouble_is_red_unless_colours_are_unwanted() {
    let (_origin, mut vault) = filled(0);
    vault.terminate();
    for (variable, colour) in [("", vt100::Color::Idx(1)), ("1", vt100::Color::Default)] {
        let mut monitor = command(&vault, &["monitor"]);
        monitor.env("NO_COLOR", variable);
        let terminal = Terminal::start(&monitor, COMMON);
        terminal.until_shows("The server does not answer");
        let cell = terminal.screen().cell(1, 0).unwrap().clone();
        assert_eq!((cell.fgcolor(), cell.bold()), (colour, true), "NO_COLOR={variable}");
    }
}

#[test]
fn a_server_that_hangs_holds_neither_the_picture_nor_the_keys() {
    let (_origin, vault) = filled(1);
    let mut terminal = monitor(&vault, COMMON);
    terminal.until_shows("2 files");
    vault.signal(Signal::STOP);
    terminal.until_shows("did not answer yet");
    assert!(terminal.text().contains("2 files"), "{}", terminal.text());
    terminal.press(b"\x03");
    let ended = terminal.until_ended();
    vault.signal(Signal::CONT);
    assert_eq!(ended.code(), Some(0));
    assert_as_found(&terminal, &found());
}
