//! A server over a folder of its own: with which settings it starts, what it is asked, how it is
//! stopped or killed. Both process and folder end with the value.

use super::folder::Folder;
use super::http::{Connection, Reply};
use super::process::{Process, binary, finish};
use super::until;
use rustix::process::{Pid, Signal, kill_process};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::time::{Duration, Instant};

/// What a server is to be started with.
pub struct Builder {
    command: &'static str,
    flags: Vec<String>,
    private_sources: Vec<String>,
    variables: Vec<(String, String)>,
    folder: Folder,
}

/// A running (or just killed) server.
pub struct Vault {
    builder: Builder,
    process: Process,
    is_running: bool,
}

/// How a server went.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub took: Duration,
}

impl Builder {
    fn new(command: &'static str) -> Builder {
        Builder {
            command,
            flags: Vec::new(),
            private_sources: Vec::new(),
            variables: Vec::new(),
            folder: Folder::new(),
        }
    }

    /// Allows an origin on the own network: `127.0.0.1:PORT`. May be called more than once.
    pub fn private_source(mut self, origin: impl ToString) -> Builder {
        self.private_sources.push(origin.to_string());
        self
    }

    /// A setting as a flag: `.setting("cache-size-gb", "0.001")`.
    pub fn setting(mut self, flag: &str, value: impl ToString) -> Builder {
        self.flags.push(format!("--{flag}={}", value.to_string()));
        self
    }

    /// A variable of the environment: `.env("VINYL_VAULT_DEBUG", "1")`.
    pub fn env(mut self, name: &str, value: impl ToString) -> Builder {
        self.variables.push((name.to_owned(), value.to_string()));
        self
    }

    /// Everything that the program keeps; exists after the first start, or make it before.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Starts the server and waits until it says where it is.
    #[track_caller]
    pub fn start(self) -> Vault {
        let process = Process::start(self.server());
        Vault { builder: self, process, is_running: true }
    }

    /// Runs the server where it is expected to end by itself (a wrong setting, a locked folder).
    #[track_caller]
    pub fn output(self) -> Output {
        finish(self.server())
    }

    /// Runs `vinylvault ARGS` with this builder's variables and data folder to its end.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Output {
        let mut command = self.bare();
        command.args(args).env("VINYL_VAULT_DATA_DIR", self.data_dir());
        finish(command)
    }

    fn bare(&self) -> Command {
        let mut command = binary();
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        // The demo keeps its data in a temporary folder; this one is removed even after a kill.
        command.env("TMPDIR", self.folder.path());
        command
    }

    fn server(&self) -> Command {
        let mut command = self.bare();
        command.arg(self.command);
        if !self.flags.iter().any(|flag| flag.starts_with("--listen")) {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        if self.command == "serve" {
            command.arg("--data-dir").arg(self.data_dir());
        }
        if !self.private_sources.is_empty() {
            command.arg(format!("--private-sources={}", self.private_sources.join(",")));
        }
        command.args(&self.flags);
        command
    }
}

impl Vault {
    pub fn builder() -> Builder {
        Builder::new("serve")
    }

    /// `vinylvault demo`: its data folder is its own, [`Vault::data_dir`] stays empty.
    pub fn demo() -> Builder {
        Builder::new("demo")
    }

    /// A server with nothing but defaults.
    #[track_caller]
    pub fn start() -> Vault {
        Vault::builder().start()
    }

    #[track_caller]
    pub fn address(&self) -> SocketAddr {
        self.process().address
    }

    pub fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address())
    }

    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.process().child.id()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.builder.data_dir()
    }

    /// A keep-alive connection.
    #[track_caller]
    pub fn connect(&self) -> Connection {
        Connection::open(self.address())
    }

    /// One request on a connection of its own.
    #[track_caller]
    pub fn get(&self, target: &str) -> Reply {
        self.connect().get(target)
    }

    #[track_caller]
    pub fn head(&self, target: &str) -> Reply {
        self.connect().head(target)
    }

    #[track_caller]
    pub fn post_json(&self, target: &str, body: &str) -> Reply {
        self.connect().post_json(target, body)
    }

    #[track_caller]
    pub fn request(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.connect().request(method, target, headers, body)
    }

    /// `/api/cache/stats`, asked from a new address each time: the limit of 60 a minute is per address.
    #[track_caller]
    pub fn stats(&self) -> serde_json::Value {
        let reply = Connection::open_as_stranger(self.address()).get("/api/cache/stats");
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    /// One number of the statistics.
    #[track_caller]
    pub fn stat(&self, name: &str) -> u64 {
        let stats = self.stats();
        stats[name].as_u64().unwrap_or_else(|| panic!("no count {name} in {stats}"))
    }

    /// Albums through `vinylvault import FILE --json`, as JSON text; returns what it printed.
    #[track_caller]
    pub fn import(&self, albums: &serde_json::Value) -> serde_json::Value {
        let file = self.builder.folder.join("albums.json");
        std::fs::write(&file, albums.to_string()).unwrap();
        let output = self.run(&["import", file.to_str().unwrap(), "--json"]);
        assert!(output.status.success(), "import: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Another command of the program over the same data folder, to its end.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Output {
        self.builder.run(args)
    }

    /// Resident memory now, kB.
    pub fn rss_kb(&self) -> u64 {
        self.proc_status("VmRSS")
    }

    /// Time that the process has spent on a core so far, to a hundredth of a second: the unit that
    /// Linux tells it in (proc_pid_stat(5)).
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let (_, after_name) = stat.rsplit_once(')').unwrap();
        let ticks = after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap());
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }

    pub fn threads(&self) -> u64 {
        self.proc_status("Threads")
    }

    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// What the last start wrote to standard error so far; readable after its end too.
    pub fn log(&self) -> String {
        self.process.log()
    }

    pub fn stdout(&self) -> String {
        self.process.stdout()
    }

    /// SIGKILL, as a power cut without the disk's part.
    #[track_caller]
    pub fn kill9(&mut self) {
        let child = &mut self.process_mut().child;
        child.kill().unwrap();
        child.wait().unwrap();
        self.is_running = false;
    }

    /// SIGTERM, and how it went; panics when the server does not end at all.
    #[track_caller]
    pub fn terminate(&mut self) -> Ended {
        let started = Instant::now();
        self.signal(Signal::TERM);
        let child = &mut self.process_mut().child;
        until("the server ends after SIGTERM", || child.try_wait().unwrap().is_some());
        let status = child.wait().unwrap();
        self.is_running = false;
        Ended { status, took: started.elapsed() }
    }

    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process().child), signal).unwrap();
    }

    /// Starts again on the same folder with the same settings, ending the old process first
    /// (politely, when it still runs). The port is a new one.
    #[track_caller]
    pub fn restart(&mut self) {
        if self.is_running {
            self.terminate();
        }
        self.process = Process::start(self.builder.server());
        self.is_running = true;
    }

    /// [`Vault::restart`] with a variable of the environment changed.
    #[track_caller]
    pub fn restart_with(&mut self, name: &str, value: impl ToString) {
        self.builder.variables.push((name.to_owned(), value.to_string()));
        self.restart();
    }

    #[track_caller]
    fn process(&self) -> &Process {
        assert!(self.is_running, "the server was stopped by the test");
        &self.process
    }

    #[track_caller]
    fn process_mut(&mut self) -> &mut Process {
        assert!(self.is_running, "the server was stopped by the test");
        &mut self.process
    }

    fn proc_status(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }
}

/// Bytes of all files under a folder, as `du --apparent-size` counts them; files that vanish meanwhile count nothing.
pub fn bytes_under(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => bytes_under(&entry.path()),
        _ => entry.metadata().map_or(0, |file| file.len()),
    };
    entries.flatten().map(size).sum()
}
