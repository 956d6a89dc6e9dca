//! The binary as a process: started without the shell's settings, its output captured and shown when
//! a test fails, killed when its value ends. Knows nothing of HTTP.

use super::{slowness, until_within};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A debug build, on a machine that has other work.
const START_WAIT: Duration = Duration::from_secs(60);

/// A server that has said where it is.
pub struct Process {
    pub child: Child,
    pub address: SocketAddr,
    stdout: Captured,
    stderr: Captured,
}

type Captured = Arc<Mutex<String>>;

impl Process {
    /// Starts a server and waits for the line that names its address.
    #[track_caller]
    pub fn start(mut command: Command) -> Process {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stderr, _) = capture(child.stderr.take().unwrap());
        let (stdout, lines) = capture(child.stdout.take().unwrap());
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        // Made before the wait: whatever happens in it, the child is killed and its log shown.
        let mut process = Process { child, address: nowhere, stdout, stderr };
        let deadline = Instant::now() + START_WAIT * slowness();
        while process.address == nowhere {
            let line = lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
                .unwrap_or_else(|e| panic!("{command:?} said no address: {e}"));
            process.address = announced(&line).unwrap_or(nowhere);
        }
        process
    }

    pub fn log(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    pub fn stdout(&self) -> String {
        self.stdout.lock().unwrap().clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the server's log\n{}---", self.log());
        }
    }
}

/// The program of this build, or the one that `VINYLVAULT_BINARY` names, under the emulator that
/// `VINYLVAULT_RUNNER` says (`qemu-arm-static -cpu arm1176`); without settings that the shell of
/// whoever runs the tests may carry.
pub fn binary() -> Command {
    let program = std::env::var_os("VINYLVAULT_BINARY");
    let program = program.unwrap_or_else(|| env!("CARGO_BIN_EXE_vinylvault").into());
    let runner = std::env::var("VINYLVAULT_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    without_settings(match words.next() {
        Some(emulator) => {
            let mut command = Command::new(emulator);
            command.args(words).arg(program);
            command
        }
        None => Command::new(program),
    })
}

/// The program of this build, on the machine that runs the tests, whichever is tested.
pub fn host_binary() -> Command {
    without_settings(Command::new(env!("CARGO_BIN_EXE_vinylvault")))
}

fn without_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("VINYL_VAULT_") {
            command.env_remove(name);
        }
    }
    command.env_remove("JOURNAL_STREAM").stdin(Stdio::null());
    command
}

/// Runs a command that ends by itself; one that does not is killed and fails the test.
#[track_caller]
pub fn finish(mut command: Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (stdout, _) = capture(child.stdout.take().unwrap());
    let (stderr, _) = capture(child.stderr.take().unwrap());
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let mut process = Process { child, address: nowhere, stdout, stderr };
    until_within(START_WAIT, &format!("{command:?} ends"), || process.child.try_wait().unwrap().is_some());
    let read = || Arc::strong_count(&process.stdout) == 1 && Arc::strong_count(&process.stderr) == 1;
    until_within(START_WAIT, "the pipes of an ended process are read", read);
    let status = process.child.wait().unwrap();
    Output { status, stdout: process.stdout().into_bytes(), stderr: process.log().into_bytes() }
}

/// The address in `VinylVault is at http://127.0.0.1:PORT/`.
fn announced(line: &str) -> Option<SocketAddr> {
    line.split_once("VinylVault is at http://")?.1.trim_end().trim_end_matches('/').parse().ok()
}

/// Reads a pipe to its end on a thread of its own, line by line into both.
fn capture(pipe: impl Read + Send + 'static) -> (Captured, Receiver<String>) {
    let captured = Captured::default();
    let (sender, lines) = channel();
    let into = captured.clone();
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            line.clear();
            into.lock().unwrap().push_str(&text);
            let _ = sender.send(text);
        }
    });
    (captured, lines)
}
