//! `monitor` where nobody watches a terminal: a line each interval, through restarts, until it is told to
//! stop or nobody reads.

use crate::asking::{NOWHERE, command, fetch, filled, names, nothing};
use crate::support::until;
use crate::support::vault::Vault;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The shortest that a monitor may be asked for is 2 s; on a busy machine several of them pass.
const LINE_WAIT: Duration = Duration::from_secs(60);

/// A monitor in a pipe.
struct Monitor {
    child: Child,
    lines: Receiver<String>,
}

impl Monitor {
    #[track_caller]
    fn start(vault: &Vault, args: &[&str]) -> Monitor {
        let mut command = command(vault, args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut pipe = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            while pipe.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
                let _ = sender.send(std::mem::take(&mut line));
            }
        });
        Monitor { child, lines }
    }

    #[track_caller]
    fn line(&self) -> String {
        self.lines.recv_timeout(LINE_WAIT).expect("another line")
    }

    /// The first line that is as wanted.
    #[track_caller]
    fn line_with(&self, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + LINE_WAIT;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if wanted(&line) => return line,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => panic!("no such line"),
            }
        }
    }

    #[track_caller]
    fn ended(&mut self) -> ExitStatus {
        until("the monitor ends", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_line_says_how_it_stands_and_ctrl_c_is_a_clean_end() {
    for signal in [Signal::INT, Signal::TERM] {
        let (_origin, vault) = filled(2);
        let mut monitor = Monitor::start(&vault, &["monitor"]);
        let line = monitor.line();
        for said in [
            " entries=4 ",
            " hits=2 ",
            " misses=2 ",
            " hit_rate=50.0% ",
            " in_flight=0 ",
            " queued=0 ",
            " source=server\n",
        ] {
            assert!(line.contains(said), "{said}: {line}");
        }
        assert!(
            line.starts_with("20") && line.contains("Z entries") && line.contains(" rss_bytes="),
            "{line}"
        );
        kill_process(Pid::from_child(&monitor.child), signal).unwrap();
        assert_eq!(monitor.ended().code(), Some(0));
    }
}

#[test]
fn each_line_of_json_is_a_status_and_shows_what_changed() {
    let (origin, vault) = filled(1);
    let monitor = Monitor::start(&vault, &["monitor", "--json", "--interval", "2"]);
    let first: Value = serde_json::from_str(&monitor.line()).unwrap();
    assert_eq!((&first["source"], &first["disk"]["file_count"]), (&json!("server"), &json!(2)));
    assert!(names(&first).contains(&"performance"));
    fetch(&origin, &vault, "/new.jpg");
    let line = monitor.line_with(|line| line.contains("\"file_count\":4"));
    let later: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(later["performance"]["hits"], 2);
}

#[test]
fn it_survives_the_server_and_finds_it_again_at_another_port() {
    let (_origin, mut vault) = filled(1);
    let monitor = Monitor::start(&vault, &["monitor", "--interval=2"]);
    assert!(monitor.line().contains("source=server"));
    let before = vault.address();
    vault.kill9();
    let resting = monitor.line_with(|line| line.contains("source=store"));
    assert!(resting.contains(" entries=2 ") && resting.contains(" rss_bytes=- "), "{resting}");
    vault.restart();
    assert_ne!(vault.address(), before);
    monitor.line_with(|line| line.contains("source=server"));
}

#[test]
fn it_ends_when_its_reader_has_seen_enough() {
    let (_origin, vault) = filled(0);
    for args in [&["monitor"][..], &["monitor", "--json"]] {
        // The next line would come in five minutes.
        let (reader, writer) = std::io::pipe().unwrap();
        let mut child = command(&vault, args).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(reader).read_line(&mut line).unwrap();
        assert!(line.contains("server"), "{line}");
        until("the monitor ends", || child.try_wait().unwrap().is_some());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    }
}

#[test]
fn no_command_minds_a_closed_pipe() {
    let (_origin, mut vault) = filled(1);
    for phase in ["server", "store"] {
        for args in
            [&["status"][..], &["health"], &["explain", "http://example.org/"], &["cleanup"], &["clear"]]
        {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let output = command(&vault, args).stdout(writer).stderr(Stdio::piped()).output().unwrap();
            let code = output.status.code().unwrap();
            assert!(code == 0 || (args == ["health"] && code == 1), "{phase} {args:?}: {code}");
            assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{phase} {args:?}");
        }
        if phase == "server" {
            vault.terminate();
        }
    }
}

#[test]
fn intervals_have_limits() {
    for (flag, value) in [("interval", "1"), ("interval", "86401"), ("monitor-interval", "x")] {
        let output = nothing().run(&["monitor", &format!("--{flag}={value}"), NOWHERE]);
        assert_eq!(output.status.code(), Some(2), "{flag} {value}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(&format!("--{flag}")) && said.contains("from 2 to 86400"), "{said}");
    }
}
