//! A scripted origin on loopback: a real HTTP server whose every path does what a test told it,
//! good or hostile, and which remembers who asked what. Owns sockets, scripts and counts; knows
//! nothing of the program under test. Test pictures are in [`pictures`].
//!
//! ```ignore
//! let origin = Origin::start();
//! origin.on("/a.jpg", Script::picture(pictures::jpeg(600, 600, [200, 30, 30])));
//! origin.on("/b.jpg", [Script::status(503), Script::picture(bytes)]);   // fails once, then works
//! origin.hold("/a.jpg");                                                // counted, not answered
//! origin.release("/a.jpg");
//! assert_eq!(origin.hits("/a.jpg"), 1);
//! ```
pub mod pictures;
mod script;

pub use script::Script;

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead, BufReader, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Longer than any test's patience; a forgotten hold must not keep a test run alive.
const HOLD_MAX: Duration = Duration::from_secs(60);
/// A client that stops reading for so long is given up.
const WRITE_MAX: Duration = Duration::from_secs(30);
const HEAD_BYTES_MAX: u64 = 64 * 1024;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case, in order of arrival.
    pub headers: Vec<(String, String)>,
    pub at: Instant,
}

impl Request {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Serves until it is dropped; then every connection is closed and every thread has ended.
pub struct Origin {
    stage: Arc<Stage>,
    address: SocketAddr,
    acceptor: Option<JoinHandle<()>>,
}

impl Origin {
    /// On 127.0.0.1 and a free port.
    pub fn start() -> Origin {
        Origin::start_on("127.0.0.1:0")
    }

    /// On an address of one's own choice, e.g. `[::1]:0`, or the port of one that was dropped.
    pub fn start_on(address: &str) -> Origin {
        let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("bind {address}: {error}"));
        let address = listener.local_addr().unwrap();
        let stage = Arc::new(Stage::default());
        let accepting = Arc::clone(&stage);
        let acceptor = thread::Builder::new()
            .name("origin".into())
            .spawn(move || accept(&listener, &accepting))
            .unwrap();
        Origin { stage, address, acceptor: Some(acceptor) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT` + path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What `VINYL_VAULT_PRIVATE_SOURCES` needs so that this origin may be fetched.
    pub fn private_source(&self) -> String {
        self.address.to_string()
    }

    /// What a path does from now on: one [`Script`] for ever, or several, one a request, of which
    /// the last stays. The path is matched with its query first, then without.
    pub fn on(&self, path: &str, scripts: impl Into<Vec<Script>>) {
        let mut scripts = scripts.into();
        assert!(!scripts.is_empty(), "a path without a script");
        scripts.reverse();
        self.stage.lock().scripts.insert(path.to_owned(), scripts);
    }

    /// `fail` for the first `times` requests, then `finally`.
    pub fn fail_then(&self, path: &str, times: usize, fail: Script, finally: Script) {
        let mut scripts = vec![fail; times];
        scripts.push(finally);
        self.on(path, scripts);
    }

    /// Every path below `prefix` that has no script of its own; `make` is given path and query.
    pub fn on_prefix(&self, prefix: &str, make: impl Fn(&str) -> Script + Send + Sync + 'static) {
        self.stage.lock().prefixes.push((prefix.to_owned(), Arc::new(make)));
    }

    /// Requests for this target are counted and then wait, until [`Origin::release`].
    pub fn hold(&self, target: &str) {
        self.stage.lock().held.insert(target.to_owned());
    }

    /// Lets those that wait go on, and those that come.
    pub fn release(&self, target: &str) {
        self.stage.lock().held.remove(target);
        self.stage.changed.notify_all();
    }

    /// How many requests for this target wait right now.
    pub fn holding(&self, target: &str) -> usize {
        self.stage.lock().holding.get(target).copied().unwrap_or(0)
    }

    /// Requests so far for exactly this target (path and query).
    pub fn hits(&self, target: &str) -> usize {
        self.stage.lock().requests.iter().filter(|request| request.target == target).count()
    }

    /// Requests so far, whatever they asked for.
    pub fn hits_in_all(&self) -> usize {
        self.stage.lock().requests.len()
    }

    /// What was asked for this target, in order of arrival.
    pub fn requests(&self, target: &str) -> Vec<Request> {
        let state = self.stage.lock();
        state.requests.iter().filter(|request| request.target == target).cloned().collect()
    }

    /// Everything asked, in order of arrival.
    pub fn requests_in_all(&self) -> Vec<Request> {
        self.stage.lock().requests.clone()
    }

    /// TCP connections accepted so far: a canary asserts 0.
    pub fn connections(&self) -> usize {
        self.stage.lock().connections
    }

    /// The most requests that were ever being answered (or held) at the same time.
    pub fn concurrency_max(&self) -> usize {
        self.stage.lock().concurrency_max
    }

    /// Counts and remembered requests back to nothing; scripts and holds stay.
    pub fn forget(&self) {
        let mut state = self.stage.lock();
        state.requests.clear();
        state.connections = 0;
        state.concurrency_max = state.in_progress;
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        {
            let mut state = self.stage.lock();
            state.stopped = true;
            for stream in state.open.values() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        self.stage.changed.notify_all();
        let _ = TcpStream::connect(self.address); // wakes the acceptor
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

type Maker = Arc<dyn Fn(&str) -> Script + Send + Sync>;

/// What the connections share with the test.
#[derive(Default)]
struct Stage {
    state: Mutex<State>,
    /// Something was released, or the origin ends.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stopped: bool,
    /// Per path, the next one last.
    scripts: HashMap<String, Vec<Script>>,
    prefixes: Vec<(String, Maker)>,
    held: HashSet<String>,
    holding: HashMap<String, usize>,
    requests: Vec<Request>,
    connections: usize,
    in_progress: usize,
    concurrency_max: usize,
    /// By number of connection, so that the end can shut them.
    open: HashMap<usize, TcpStream>,
}

impl Stage {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps, but not past the end of the origin: `false` then.
    fn pause(&self, time: Duration) -> bool {
        let (state, _) = self
            .changed
            .wait_timeout_while(self.lock(), time, |state| !state.stopped)
            .unwrap_or_else(PoisonError::into_inner);
        !state.stopped
    }

    /// Counts the request, waits while its target is held, and says what to do.
    fn take(&self, request: &Request) -> Option<Script> {
        let mut state = self.lock();
        state.requests.push(request.clone());
        *state.holding.entry(request.target.clone()).or_default() += 1;
        let (mut state, _) = self
            .changed
            .wait_timeout_while(state, HOLD_MAX, |state| {
                !state.stopped && state.held.contains(&request.target)
            })
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(holding) = state.holding.get_mut(&request.target) {
            *holding -= 1;
        }
        (!state.stopped).then(|| state.script_for(&request.target))
    }
}

/// A request between its arrival and the last bytes of its answer. It ends before these are sent:
/// whoever has the whole answer must find the request no longer counted.
struct Progress<'a> {
    stage: &'a Stage,
    ended: Cell<bool>,
}

impl Progress<'_> {
    fn begin(stage: &Stage) -> Progress<'_> {
        let mut state = stage.lock();
        state.in_progress += 1;
        state.concurrency_max = state.concurrency_max.max(state.in_progress);
        Progress { stage, ended: Cell::new(false) }
    }

    fn end(&self) {
        if !self.ended.replace(true) {
            self.stage.lock().in_progress -= 1;
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

impl State {
    fn script_for(&mut self, target: &str) -> Script {
        let path = target.split('?').next().unwrap_or(target);
        for name in [target, path] {
            if let Some(scripts) = self.scripts.get_mut(name) {
                let next = if scripts.len() > 1 { scripts.pop() } else { scripts.last().cloned() };
                return next.expect("never left empty");
            }
        }
        let made = self.prefixes.iter().find(|(prefix, _)| target.starts_with(prefix.as_str()));
        made.map_or_else(|| Script::status(404), |(_, make)| make(target))
    }
}

fn accept(listener: &TcpListener, stage: &Arc<Stage>) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    for (number, stream) in listener.incoming().enumerate() {
        threads.retain(|thread| !thread.is_finished());
        let Ok(stream) = stream else { continue };
        {
            let mut state = stage.lock();
            if state.stopped {
                break;
            }
            state.connections += 1;
            if let Ok(twin) = stream.try_clone() {
                state.open.insert(number, twin);
            }
        }
        let stage = Arc::clone(stage);
        threads.push(thread::spawn(move || {
            // A client that left is no failure of the origin; a reset comes of dropping the socket.
            if converse(&stream, &stage).is_ok() {
                let _ = stream.shutdown(Shutdown::Write);
            }
            stage.lock().open.remove(&number);
        }));
    }
    for thread in threads {
        let _ = thread.join();
    }
}

/// Requests of one connection, until one of them ends it.
fn converse(stream: &TcpStream, stage: &Arc<Stage>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(WRITE_MAX))?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader)? {
        let progress = Progress::begin(stage);
        let played = stage.take(&request).map(|script| {
            let head_only = request.method == "HEAD";
            script.play(stream, head_only, &|time| stage.pause(time), &|| progress.end())
        });
        drop(progress);
        match played {
            Some(Ok(script::Then::KeepOpen)) => {}
            Some(Ok(script::Then::Close)) | None => break,
            Some(Err(error)) => return Err(error),
        }
    }
    Ok(())
}

fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut reader = reader.take(HEAD_BYTES_MAX);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let mut headers = Vec::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Some(Request { method, target, headers, at: Instant::now() }))
}
