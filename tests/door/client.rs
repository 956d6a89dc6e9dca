//! A server in a process of its own, and clients that speak HTTP as badly as the tests want.

use socket2::{Domain, Socket, Type};
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take that is expected to happen at once, on a machine that builds meanwhile.
pub const SOON: Duration = Duration::from_secs(15);
/// Of an honest client: long enough to send a SYN that was held back twice more, a second and three seconds
/// after the first.
pub const PATIENCE: Duration = Duration::from_secs(4);

pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    pub fn start(settings: &[(&str, &str)]) -> Server {
        Server::start_under("", settings)
    }

    /// Under a shell's `ulimit`, such as `ulimit -n 64;`.
    pub fn start_under(limit: &str, settings: &[(&str, &str)]) -> Server {
        let program = std::env::current_exe().unwrap();
        // The port must outlive a restart in place, so it is not the kernel's to choose.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(format!("{limit} exec \"$0\" --exact the_server_itself --nocapture --test-threads=1"))
            .arg(program)
            .env("DOOR_SERVER", "1")
            .env("DOOR_PORT", free.port().to_string())
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while !lines.next().expect("the server speaks").unwrap().contains("door ") {}
        // Whatever else it prints must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Server { child, address: free }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect_timeout(&self.address, SOON).expect("it accepts");
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// One request on a connection of its own: the whole answer as text.
    pub fn get(&self, target: &str) -> String {
        self.say(request(target).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes())
    }

    /// Whatever comes back until the server closes.
    pub fn say(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        read_all(&mut stream)
    }

    /// Whether somebody new is answered, on a connection of its own.
    pub fn serves(&self) -> bool {
        self.serves_from("127.0.0.1")
    }

    /// The same for a client at an address of 127.0.0.0/8.
    pub fn serves_from(&self, address: &str) -> bool {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(address.parse().unwrap(), 0).into()).unwrap();
        if socket.connect_timeout(&self.address.into(), PATIENCE).is_err() {
            return false;
        }
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let asked = stream.write_all(request("/hit").as_bytes());
        asked.is_ok() && read_answer(&mut stream).is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    pub fn threads(&self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.id())).map_or(0, Iterator::count)
    }

    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.id())).map_or(0, Iterator::count)
    }

    pub fn resident_kb(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        // None in the moment in which it starts anew.
        line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse().unwrap())
    }

    /// Times that any of its threads went to sleep so far.
    pub fn naps(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        let naps = tasks.filter_map(|task| {
            let status = fs::read_to_string(task.ok()?.path().join("status")).ok()?;
            let line = status.lines().find(|line| line.starts_with("voluntary_ctxt"))?;
            line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()
        });
        naps.sum()
    }

    /// Whether it was started anew in place: that leaves its time in the environment.
    pub fn was_restarted(&self) -> bool {
        let environment = fs::read(format!("/proc/{}/environ", self.id())).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains("VINYLVAULT_LAST_RESTART=")
    }

    /// A counter of `/counts`.
    pub fn count(&self, name: &str) -> u64 {
        let counts = self.get("/counts");
        let (_, rest) = counts.split_once(&format!("{name}: ")).expect("it is counted");
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    }

    pub fn wait(&mut self) -> Option<std::process::ExitStatus> {
        let mut status = None;
        until("the server ends", Duration::from_secs(6), || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn request(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: door\r\n\r\n")
}

/// Until the server closes or says nothing more for five seconds.
pub fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 64 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Head and body of one answer with a `Content-Length`.
pub fn read_answer(stream: &mut impl Read) -> Option<String> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).ok()?;
    let length = header(&head, "Content-Length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(head + &String::from_utf8_lossy(&body))
}

pub fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next()?;
    let line = head.lines().find(|line| line.starts_with(&format!("{name}: ")))?;
    Some(&line[name.len() + 2..])
}

/// Whether the server has closed the connection, within `patience`.
pub fn is_closed(stream: &mut TcpStream, patience: Duration) -> bool {
    stream.set_read_timeout(Some(patience)).unwrap();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

pub fn until(what: &str, patience: Duration, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !done() {
        assert!(Instant::now() < deadline, "still not so after {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
