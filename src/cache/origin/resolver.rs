//! Names to addresses, with the guard in between: ureq connects to the very addresses that come
//! out here, so that nothing can change between the check and the connection. Owns the bounded
//! number of threads that wait for the system's name service.

use crate::guard::Guard;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// `getaddrinfo` cannot be cancelled and may outlive the download that asked by half a minute.
/// With three workers and a deadline of 15 s this many is never reached by honest names.
const LOOKUPS_MAX: usize = 16;
/// An answer with more addresses than this is no web server's.
const ADDRESSES_MAX: usize = 256;
/// ureq keeps 16; the first few are tried in time or none is.
const ADDRESSES_TRIED_MAX: usize = 8;

/// The system's own name service, or a test's.
type LookUp = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// Why a name has no address to connect to.
#[derive(Debug)]
pub enum ResolveError {
    Forbidden,
    Unresolved(String),
    TooSlow,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResolveError::Forbidden => f.write_str("the name leads to an address that is not allowed"),
            ResolveError::Unresolved(reason) => write!(f, "cannot resolve the name: {reason}"),
            ResolveError::TooSlow => f.write_str("the name service took too long"),
        }
    }
}

impl std::error::Error for ResolveError {}

/// Whether every address of a name may be connected to. One that may not refuses the whole name:
/// an honest origin does not mix, and which address is tried first is not ours to rely on.
pub fn vet(guard: &Guard, host: &str, addresses: &[SocketAddr]) -> bool {
    addresses.iter().all(|address| guard.permits_address(host, *address))
}

#[derive(Debug)]
pub struct GuardedResolver {
    guard: Arc<Guard>,
    look_up: LookUp,
    pending: Arc<AtomicUsize>,
}

impl GuardedResolver {
    pub fn new(guard: Arc<Guard>) -> GuardedResolver {
        GuardedResolver { guard, look_up: ask_the_system, pending: Arc::default() }
    }

    fn addresses(&self, host: &str, port: u16, limit: Duration) -> Result<Vec<SocketAddr>, ResolveError> {
        let addresses = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => self.ask(host, port, limit)?,
        };
        if addresses.is_empty() {
            return Err(ResolveError::Unresolved("no address".to_owned()));
        }
        if !vet(&self.guard, host, &addresses) {
            return Err(ResolveError::Forbidden);
        }
        Ok(addresses)
    }

    /// Asks in a thread of its own, which is left behind when it takes too long.
    fn ask(&self, host: &str, port: u16, limit: Duration) -> Result<Vec<SocketAddr>, ResolveError> {
        let permit = Permit::take(&self.pending)
            .ok_or_else(|| ResolveError::Unresolved("the name service is stuck".to_owned()))?;
        let (answer, heard) = crossbeam_channel::bounded(1);
        let (host, look_up) = (host.to_owned(), self.look_up);
        thread::Builder::new()
            .name("resolve".to_owned())
            .spawn(move || {
                let found = look_up(&host, port);
                drop(permit);
                let _ = answer.send(found); // nobody listens any more if it took too long
            })
            .map_err(|error| ResolveError::Unresolved(error.to_string()))?;
        let found = heard.recv_timeout(limit).map_err(|_| ResolveError::TooSlow)?;
        found.map_err(|error| ResolveError::Unresolved(error.to_string()))
    }
}

impl Resolver for GuardedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
        let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let addresses = self
            .addresses(host, uri.port_u16().unwrap_or(default), *timeout.after)
            .map_err(|error| ureq::Error::Other(Box::new(error)))?;
        let mut tried = self.empty();
        addresses.into_iter().take(ADDRESSES_TRIED_MAX).for_each(|address| tried.push(address));
        Ok(tried)
    }
}

/// One of [`LOOKUPS_MAX`] threads; free again when dropped.
struct Permit(Arc<AtomicUsize>);

impl Permit {
    fn take(pending: &Arc<AtomicUsize>) -> Option<Permit> {
        let another = |count| (count < LOOKUPS_MAX).then_some(count + 1);
        pending.fetch_update(Ordering::SeqCst, Ordering::SeqCst, another).ok()?;
        Some(Permit(Arc::clone(pending)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn ask_the_system(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.take(ADDRESSES_MAX + 1).collect();
    // Cut off, the rest would not be checked.
    if addresses.len() > ADDRESSES_MAX {
        return Err(io::Error::other("too many addresses"));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::time::Instant;

    fn resolver(look_up: LookUp) -> GuardedResolver {
        GuardedResolver { look_up, ..GuardedResolver::new(Arc::default()) }
    }

    fn answer(addresses: &[&str]) -> io::Result<Vec<SocketAddr>> {
        Ok(addresses.iter().map(|text| text.parse().unwrap()).collect())
    }

    #[test]
    fn one_private_address_refuses_the_whole_name() {
        let resolve =
            |look_up: LookUp| resolver(look_up).addresses("mixed.example", 80, Duration::from_secs(5));
        assert!(resolve(|_, _| answer(&["1.1.1.1:80", "[2606:4700::1111]:80"])).is_ok());
        let mixed = resolve(|_, _| answer(&["1.1.1.1:80", "127.0.0.1:80"]));
        assert!(matches!(mixed, Err(ResolveError::Forbidden)), "{mixed:?}");
        let mixed = resolve(|_, _| answer(&["[::1]:80", "1.1.1.1:80"]));
        assert!(matches!(mixed, Err(ResolveError::Forbidden)), "{mixed:?}");
        let none = resolve(|_, _| answer(&[]));
        assert!(matches!(none, Err(ResolveError::Unresolved(_))), "{none:?}");
    }

    #[test]
    fn the_hundredth_address_is_checked_as_well() {
        let found = resolver(|_, _| {
            let mut addresses = vec!["1.1.1.1:80".parse().unwrap(); 99];
            addresses.push("10.0.0.1:80".parse().unwrap());
            Ok(addresses)
        })
        .addresses("many.example", 80, Duration::from_secs(5));
        assert!(matches!(found, Err(ResolveError::Forbidden)), "{found:?}");
    }

    #[test]
    fn a_name_that_changes_its_mind_is_checked_at_each_question() {
        static ASKED: AtomicBool = AtomicBool::new(false);
        let resolver = resolver(|_, _| {
            answer(&[if ASKED.swap(true, Ordering::SeqCst) { "127.0.0.1:80" } else { "1.1.1.1:80" }])
        });
        let resolve = || resolver.addresses("rebinding.example", 80, Duration::from_secs(5));
        assert!(resolve().is_ok());
        assert!(matches!(resolve(), Err(ResolveError::Forbidden)));
    }

    #[test]
    fn a_silent_name_service_costs_no_more_than_the_limit_and_a_bounded_number_of_threads() {
        static SILENT: AtomicBool = AtomicBool::new(true);
        let resolver = resolver(|_, _| {
            while SILENT.load(Ordering::SeqCst) {
                thread::park_timeout(Duration::from_millis(5));
            }
            answer(&["1.1.1.1:80"])
        });
        let resolve = |limit| resolver.addresses("silent.example", 80, limit);
        let begun = Instant::now();
        for _ in 0..LOOKUPS_MAX {
            assert!(matches!(resolve(Duration::from_millis(10)), Err(ResolveError::TooSlow)));
        }
        let refused = resolve(Duration::from_secs(60));
        assert!(matches!(refused, Err(ResolveError::Unresolved(_))), "{refused:?}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());

        SILENT.store(false, Ordering::SeqCst);
        let healed = Instant::now() + Duration::from_secs(10);
        while resolve(Duration::from_secs(5)).is_err() {
            assert!(Instant::now() < healed, "the permits never came back");
        }
    }
}
