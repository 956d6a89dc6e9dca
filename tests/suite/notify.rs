//! The service manager hears that the server is ready when it is, that it lives while it answers,
//! and that it stops before it is gone. The manager is a datagram socket, as systemd's is.

use std::ffi::OsStr;
use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection as Database;
use vinylvault::cache::disk::Keeper;

use crate::support::folder::Folder;
use crate::support::http::Connection;
use crate::support::vault::{Builder, Vault};
use crate::support::{until, until_within};

/// As systemd has one: hears datagrams in the order in which they were sent.
struct Manager {
    socket: UnixDatagram,
    /// What `NOTIFY_SOCKET` is.
    name: String,
    _folder: Option<Folder>,
}

impl Manager {
    fn at_a_path() -> Manager {
        let folder = Folder::new();
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        Manager::new(socket, path.to_str().unwrap().to_owned(), Some(folder))
    }

    fn at_an_abstract_name() -> Manager {
        let name = format!("vinylvault-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Manager::new(socket, format!("@{name}"), None)
    }

    fn new(socket: UnixDatagram, name: String, folder: Option<Folder>) -> Manager {
        socket.set_nonblocking(true).unwrap();
        Manager { socket, name, _folder: folder }
    }

    /// A server that tells this manager, on one pool thread so that it is easily made deaf.
    fn server(&self) -> Builder {
        Vault::builder().setting("threads", 1).env("NOTIFY_SOCKET", &self.name)
    }

    fn heard(&self) -> Option<String> {
        let mut buffer = [0; 1024];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    /// The next message that has this line; whatever comes before it is let go.
    #[track_caller]
    fn wait_for(&self, line: &str) -> String {
        let mut message = String::new();
        until_within(Duration::from_secs(60), line, || {
            message = self.heard().unwrap_or_default();
            message.lines().any(|said| said == line)
        });
        message
    }
}

/// Names of the threads of a server.
fn threads(vault: &Vault) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", vault.pid())).unwrap();
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
    tasks.flatten().filter_map(name).map(|name| name.trim_end().to_owned()).collect()
}

fn has_watchdog(vault: &Vault) -> bool {
    threads(vault).iter().any(|name| name == "watchdog")
}

fn questions_in_vain(vault: &Vault) -> usize {
    vault.log().matches("the server does not answer itself").count()
}

/// Holds the index's write lock, so that who registers a source waits for five seconds.
fn lock(data_dir: &Path) -> Database {
    let database = Database::open(data_dir.join("cache/index.db")).unwrap();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    database
}

#[test]
fn ready_is_said_at_a_path_and_at_an_abstract_name_and_stopping_before_the_end() {
    for manager in [Manager::at_a_path(), Manager::at_an_abstract_name()] {
        let mut vault = manager.server().start();
        assert!(manager.wait_for("READY=1").contains(&format!("STATUS=Serving at {}", vault.url("/"))));
        assert_eq!(vault.get("/").status, 200);
        assert_eq!(vault.terminate().status.code(), Some(0));
        assert_eq!(manager.heard().as_deref(), Some("STOPPING=1\nSTATUS=Stopping"));
        assert_eq!(manager.heard(), None);
    }
}

#[test]
fn while_the_store_is_not_open_it_asks_for_time_and_is_not_ready() {
    let manager = Manager::at_a_path();
    let mut vault = manager.server().start();
    vault.terminate();
    while manager.heard().is_some() {}
    // Without a log, a lock keeps readers out too.
    let index = Database::open(vault.data_dir().join("cache/index.db")).unwrap();
    index.execute_batch("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE").unwrap();
    let cache = vault.data_dir().join("cache");
    std::thread::scope(|scope| {
        let starting = scope.spawn(|| vault.restart());
        assert!(manager.wait_for("STATUS=Opening the store").contains("EXTEND_TIMEOUT_USEC="));
        until("the folder is taken", || Keeper::of(&cache) != Keeper::Nobody);
        assert_eq!(manager.heard(), None);
        drop(index);
        starting.join().unwrap();
    });
    manager.wait_for("READY=1");
    assert_eq!(vault.get("/").status, 200);
}

#[test]
fn beats_come_while_it_answers_and_none_while_it_is_deaf() {
    let manager = Manager::at_a_path();
    let vault = manager.server().env("WATCHDOG_USEC", 1_500_000).start();
    manager.wait_for("READY=1");
    manager.wait_for("WATCHDOG=1");
    assert!(has_watchdog(&vault));

    let lock = lock(&vault.data_dir());
    let mut waiting: Vec<Connection> = (0..6).map(|_| vault.connect()).collect();
    for (number, client) in waiting.iter_mut().enumerate() {
        let target = format!("/api/cache/image?url=https%3A%2F%2Fcovers.example%2F{number}.jpg");
        client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
    }
    let mut since = questions_in_vain(&vault);
    until_within(Duration::from_secs(60), "three questions in a row are in vain and no beat is sent", || {
        if manager.heard().is_some() {
            since = questions_in_vain(&vault);
        }
        questions_in_vain(&vault) >= since + 3
    });
    drop(lock);
    manager.wait_for("WATCHDOG=1");
    assert_eq!(vault.get("/").status, 200);
}

#[test]
fn a_restart_in_place_is_a_reload_of_the_same_process() {
    let manager = Manager::at_a_path();
    let mut vault = manager.server().env("WATCHDOG_USEC", 60_000_000).start();
    manager.wait_for("READY=1");
    // Connections that tiny_http answers and then never closes, more than the door puts up with.
    for _ in 0..80 {
        let mut lost = vault.connect();
        lost.send(b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n").unwrap();
    }
    let message = manager.wait_for("RELOADING=1");
    assert!(message.contains("WATCHDOG=1"), "the new one has a whole period to come back: {message}");
    manager.wait_for("READY=1");
    assert!(has_watchdog(&vault));
    assert_eq!(vault.terminate().status.code(), Some(0));
    manager.wait_for("STOPPING=1");
}

#[test]
fn a_watchdog_for_another_process_gets_no_beat_and_ready_is_the_last_word() {
    let manager = Manager::at_a_path();
    let vault = manager.server().env("WATCHDOG_USEC", 300_000).env("WATCHDOG_PID", 1).start();
    manager.wait_for("READY=1");
    until("the thread has ended", || !has_watchdog(&vault));
    assert_eq!(manager.heard(), None);
}

#[test]
fn without_a_manager_there_is_no_watchdog() {
    let vault = Vault::builder().env("WATCHDOG_USEC", 300_000).start();
    assert_eq!(vault.get("/").status, 200);
    assert!(!has_watchdog(&vault), "{:?}", threads(&vault));
}

#[test]
fn a_manager_that_is_not_there_costs_one_line_and_no_more() {
    let folder = Folder::new();
    let nowhere = folder.join("nobody");
    let mut vault = Vault::builder().env("NOTIFY_SOCKET", OsStr::new(&nowhere).to_str().unwrap()).start();
    assert_eq!(vault.get("/").status, 200);
    let said = || vault.log().matches("the service manager hears nothing").count();
    until("it is said", || said() == 1);
    until("the word has been given", || !has_watchdog(&vault));
    assert_eq!(said(), 1);
    assert_eq!(vault.terminate().status.code(), Some(0));
}
