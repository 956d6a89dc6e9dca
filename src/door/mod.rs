//! tiny_http, and everything that it leaves undone: the one place where HTTP meets sockets. Owns
//! connections, their limits and the order of answers; knows no route and no cache.
//!
//! tiny_http 0.12 as published has no limits and no timeouts, and loses connections, listeners and
//! whole processes to a few bytes. What stands around it, in reading order:
//! - `listener`: what accepted sockets inherit; `valve`: holding new ones back;
//! - `head`: what is let in; `exchange`, `reply`: what handlers see and say; `diary`: a line about each;
//! - `line`: the answers of one connection in order; `shared`: their way to the socket; `lane`: clients
//!   that do not read; `graveyard`: requests that must not be dropped;
//! - `warden`: the thread that looks after connections, with `census` for eyes, `hand` for hands,
//!   `rules` for judgement, `closing` for goodbyes, `errands` for its letter box; `doorman` counts;
//! - `hush`: panics that are no news; `restart`: what is left when tiny_http cannot be healed.

mod census;
mod closing;
mod diary;
mod doorman;
mod errands;
mod exchange;
mod graveyard;
mod hand;
mod head;
mod hush;
mod lane;
mod line;
mod listener;
mod reply;
mod restart;
mod rules;
mod shared;
mod valve;
mod warden;

pub use exchange::{BodyError, Exchange};
pub use reply::{Body, Complain, Reply};
pub use restart::restart_in_place;

use census::Census;
use doorman::Known;
use head::{Declared, Refusal};
use line::{Acquaintance, Arrival, Due, Remains};
use reply::{Parting, Portion};
use shared::Shared;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};
use threadpool::ThreadPool;
use tiny_http::{Request, Server};
use valve::Valve;
use warden::Warden;

/// Requests that wait for a pool thread: one of each connection that there may be, so that a house full
/// of viewers is served. At a few milliseconds each they are all answered within the second that
/// `Retry-After` names.
const QUEUED_MAX: usize = 128;
/// How long answers in hand may take once we are told to stop: the promise is five seconds.
const STOP_PATIENCE: Duration = Duration::from_secs(4);
/// Requests already read that are still served after the word to stop.
const LAST_REQUESTS_MAX: usize = 256;
/// Templates and SQLite are shallow; a thread's untouched stack costs address space only.
const POOL_STACK_BYTES: usize = 1024 * 1024;
const THREAD_STACK_BYTES: usize = 256 * 1024;

#[derive(Clone, Debug)]
pub struct Settings {
    pub listen: SocketAddr,
    /// Threads of the fixed pool.
    pub threads: usize,
    pub limits: Limits,
    /// How the door's own refusals look; who asked may want them in another form than text.
    pub complain: Complain,
}

impl Settings {
    pub fn new(listen: SocketAddr, threads: usize) -> Settings {
        let complain = |_: &str, status, sentence| Reply::sentence(status, sentence);
        Settings { listen, threads, limits: Limits::default(), complain }
    }
}

/// What a connection may do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest body that any handler reads, in bytes; a declared length over it is a 413.
    pub body_bytes: u64,
    /// From the first byte of a head to its last.
    pub head: Duration,
    /// For a whole body.
    pub body: Duration,
    /// After an answer, without a next request.
    pub idle: Duration,
    /// In all; past it the longest idle go.
    pub connections: usize,
    pub connections_per_address: usize,
    /// Connections that tiny_http cannot give back, before the program should start anew.
    pub lost: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            body_bytes: 256 * 1024,
            head: Duration::from_secs(15),
            body: Duration::from_secs(15),
            idle: Duration::from_secs(75),
            connections: 128,
            connections_per_address: 32,
            lost: 64,
        }
    }
}

/// Counters since the start; `connections` and `lost` are as last seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub connections: u64,
    pub requests: u64,
    /// By the door itself, for what the head said.
    pub refused: u64,
    /// 503s because the pool was full.
    pub overloads: u64,
    /// Connections shut down by the door.
    pub cut: u64,
    /// Connections that tiny_http will never give back.
    pub lost: u64,
    /// Connections to ourselves that made tiny_http serve somebody it had forgotten.
    pub kicks: u64,
}

/// A handle on the counters.
#[derive(Clone)]
pub struct Gauges(Arc<Shared>);

impl Gauges {
    pub fn counts(&self) -> Counts {
        self.0.tally.counts()
    }
}

pub struct Door {
    server: Arc<Server>,
    listener: TcpListener,
    threads: usize,
    shared: Arc<Shared>,
    census: Census,
}

/// Ends [`Door::run`] within five seconds, from any thread; before `run` it ends at once.
#[derive(Clone)]
pub struct Stopper {
    shared: Arc<Shared>,
}

impl Stopper {
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.unblock();
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    Stopped,
    /// The listener cannot be healed from inside: flush, then exec the own binary.
    Restart {
        reason: String,
    },
}

impl Door {
    /// Binds and listens; requests wait until [`Door::run`]. Fails when the address is taken or not ours, and
    /// where neither netlink nor `/proc` shows connections, for then nobody could look after them.
    /// Raises the soft limit of descriptors, and quietens panics of threads without a name.
    pub fn bind(settings: &Settings) -> Result<Door, DoorError> {
        let Settings { listen, threads, limits, complain } = settings.clone();
        let failed = |error: &dyn fmt::Display| DoorError(format!("cannot listen on {listen}: {error}"));
        hush::hush_nameless_threads();
        // Two descriptors a connection, and as many again for everything else.
        listener::raise_descriptor_limit(4 * limits.connections as u64 + 64);
        let listener = listener::listen(listen).map_err(|error| failed(&error))?;
        let address = listener.local_addr().map_err(|error| failed(&error))?;
        let ours = listener.try_clone().map_err(|error| failed(&error))?;
        // Found out now, it is a sentence; found out by the warden, a restart in place that heals nothing.
        let unseen =
            |error| failed(&format!("it shows us none of its connections ({error}): is /proc there?"));
        let mut census = Census::new(address);
        census.take().map_err(unseen)?;
        let server = Server::from_listener(listener, None).map_err(|error| failed(&error))?;
        let server = Arc::new(server);
        let shared = Shared::new(limits, complain, Arc::downgrade(&server));
        let shared = shared.map_err(|error| failed(&error))?;
        Ok(Door { server, listener: ours, threads, shared: Arc::new(shared), census })
    }

    /// The address bound, with the port that the kernel chose for port 0.
    pub fn address(&self) -> SocketAddr {
        self.census.at()
    }

    /// Where the server is reached from its own machine.
    pub fn home(&self) -> SocketAddr {
        listener::home(self.address())
    }

    pub fn stopper(&self) -> Stopper {
        Stopper { shared: self.shared.clone() }
    }

    pub fn gauges(&self) -> Gauges {
        Gauges(self.shared.clone())
    }

    /// Serves until stopped. `quick` runs on the accept loop and must neither block nor do I/O: what it
    /// can answer from memory it returns; for `None` the exchange goes to the pool, which runs `slow`.
    pub fn run(
        self,
        quick: impl Fn(&Exchange) -> Option<Reply>,
        slow: impl Fn(Exchange) + Send + Sync + 'static,
    ) -> Ended {
        let Door { server, listener, threads, shared, census } = self;
        let pool = threadpool::Builder::new()
            .num_threads(threads.max(1))
            .thread_name("door-pool".into())
            .thread_stack_size(POOL_STACK_BYTES)
            .build();
        let started = start_staff(&shared, census, listener);
        let mut desk = Desk { shared: &shared, quick, slow: Arc::new(slow), pool, ticket: 0 };
        let ended = match started {
            Ok(()) => desk.serve(&server),
            Err(error) => Ended::Restart { reason: format!("cannot start a thread: {error}") },
        };
        for _ in 0..LAST_REQUESTS_MAX {
            let Ok(Some(request)) = server.try_recv() else { break };
            desk.admit(request);
        }
        let owed = shared.wait_settled(STOP_PATIENCE);
        if owed > 0 {
            log::warn!("{owed} requests are left without an answer");
        }
        shared.shut.store(true, Ordering::Release);
        shared.errands.ring_the_end();
        shared.lane.close();
        // Its destructor connects to the listener, which may hang when the listener is what failed.
        let _ = spawn("door-close", move || drop(server));
        ended
    }
}

/// The three threads behind the accept loop and the pool; they end when the door is shut.
fn start_staff(shared: &Arc<Shared>, census: Census, listener: TcpListener) -> io::Result<()> {
    let (valve, known) = (Arc::new(Valve::new(listener)), Arc::new(Known::default()));
    let warden = Warden::new(shared.clone(), census, valve.clone(), known.clone());
    let (lane, doorman) = (shared.clone(), shared.clone());
    spawn("door-lane", move || lane::push_on(&lane))?;
    spawn("door-warden", move || warden.watch())?;
    spawn("door-doorman", move || doorman::count_arrivals(&doorman, &valve, &known))?;
    Ok(())
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name(name.into()).stack_size(THREAD_STACK_BYTES).spawn(work)
}

/// The accept loop: looks at each request, gives it its ticket and sends it the short or the long way.
struct Desk<'a, Q, S> {
    shared: &'a Arc<Shared>,
    quick: Q,
    slow: Arc<S>,
    pool: ThreadPool,
    ticket: u64,
}

impl<Q, S> Desk<'_, Q, S>
where
    Q: Fn(&Exchange) -> Option<Reply>,
    S: Fn(Exchange) + Send + Sync + 'static,
{
    fn serve(&mut self, server: &Server) -> Ended {
        while !self.shared.stopping.load(Ordering::Acquire) {
            match server.recv() {
                Ok(request) => self.admit(request),
                Err(_) if self.shared.stopping.load(Ordering::Acquire) => {}
                Err(error) => {
                    let reason = self.shared.restart_demanded();
                    let reason = reason.unwrap_or_else(|| format!("tiny_http stopped accepting: {error}"));
                    return Ended::Restart { reason };
                }
            }
        }
        Ended::Stopped
    }

    fn admit(&mut self, request: Request) {
        let now = Instant::now();
        let Some(peer) = request.remote_addr().copied() else { return };
        self.ticket += 1;
        self.shared.tally.requests.fetch_add(1, Ordering::Relaxed);
        let (line, acquaintance) = self.shared.register.line(peer.into());
        if acquaintance == Acquaintance::New {
            self.shared.errands.ring();
        }
        let checked = head::check(&request, self.shared.limits.body_bytes);
        match line.arrive(self.ticket, now) {
            Arrival::Welcome => self.shared.owe(),
            arrival => {
                if arrival == Arrival::TooMany {
                    self.shared.cut(&line);
                }
                let remains = match length(checked.map_or_else(|refusal| refusal.body, |head| head.body)) {
                    0 => Remains::Nothing,
                    length => Remains::Held(length),
                };
                return self.shared.discard(line.peer, request, remains);
            }
        }
        match checked {
            Ok(head) => {
                let shared = self.shared.clone();
                let (ticket, request) = (self.ticket, Some(request));
                self.dispatch(Exchange { shared, line, request, head, ticket, accepted_at: now });
            }
            Err(Refusal { status, sentence, body }) => {
                self.shared.tally.refused.fetch_add(1, Ordering::Relaxed);
                line.close_to_new();
                let (parting, portion) = (Parting::HangUp, Portion::Whole);
                let reply = (self.shared.complain)(request.url(), status, sentence);
                if diary::is_kept() {
                    diary::note(request.method().as_str(), request.url(), &reply, Portion::Whole, now);
                }
                // Held whatever its length: once the request is let go, tiny_http reads what follows
                // and may answer it too. So the connection is closed to answers first.
                let remains = Remains::Held(length(body));
                let due = Due { request, reply, parting, portion, remains };
                self.shared.deliver(line, self.ticket, due);
            }
        }
    }

    fn dispatch(&self, exchange: Exchange) {
        // A panic here would end the loop, and with it everything.
        match catch_unwind(AssertUnwindSafe(|| (self.quick)(&exchange))) {
            Ok(Some(reply)) => exchange.answer(reply),
            Ok(None) if self.pool.queued_count() >= QUEUED_MAX => {
                self.shared.tally.overloads.fetch_add(1, Ordering::Relaxed);
                exchange.complain(503, "Too much at once; try again in a second.\n");
            }
            Ok(None) => {
                let slow = self.slow.clone();
                self.pool.execute(move || slow(exchange));
            }
            Err(_) => drop(exchange),
        }
    }
}

fn length(body: Declared) -> u64 {
    match body {
        Declared::OnTheWire(length) => length,
        Declared::InMemory(_) | Declared::Nothing => 0,
    }
}

/// What went wrong at bind, in words for the operator.
#[derive(Debug)]
pub struct DoorError(pub String);

impl fmt::Display for DoorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DoorError {}
