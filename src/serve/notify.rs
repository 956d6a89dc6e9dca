//! What the service manager is told, and what it asked for: systemd's notification protocol
//! (sd_notify(3), sd_watchdog_enabled(3)), which is one datagram of text a message. Owns the
//! datagrams and their environment; when to say what is the business of `serve` and `watchdog`.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use log::{debug, warn};

/// A manager that does not read must not hold up a stop, which has five seconds in all.
const SEND_MAX: Duration = Duration::from_millis(200);
/// Beats to one period of the manager's patience: two may fail before the third is due.
const BEATS: u32 = 3;

/// A service manager that wants to hear from this process.
#[derive(Debug)]
pub(super) struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
    /// How often it wants to hear [`Word::Alive`], if it does.
    period: Option<Duration>,
    is_leaving: AtomicBool,
    is_unheard: AtomicBool,
}

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// Not there yet, and not stuck: another start-up may take so long.
    Opening {
        extend: Duration,
    },
    /// Ready for requests, with a line for `systemctl status`.
    Ready(&'a str),
    Alive,
    /// The process stays and comes back with [`Word::Ready`].
    Restarting,
    Stopping,
}

impl Manager {
    /// `None` when nobody asked to be told: started from a shell, or by a manager of another kind.
    pub fn from_environment() -> Option<Manager> {
        let period = period(|name| std::env::var_os(name));
        let name = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty())?;
        match Manager::at(&name, period) {
            Ok(manager) => Some(manager),
            Err(cause) => {
                warn!("the service manager will hear nothing: NOTIFY_SOCKET is {name:?}: {cause}");
                None
            }
        }
    }

    fn at(name: &OsStr, period: Option<Duration>) -> io::Result<Manager> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            _ => return Err(io::Error::other("it is neither a path nor an abstract name")),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(SEND_MAX))?;
        let (is_leaving, is_unheard) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Manager { socket, address, period, is_leaving, is_unheard })
    }

    /// How often [`Word::Alive`] is due; `None` where nobody waits for it.
    pub fn period(&self) -> Option<Duration> {
        self.period
    }

    /// Whether the last word was a farewell: nothing after it is true.
    pub fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Acquire)
    }

    /// Sends one datagram and waits at most [`SEND_MAX`]. A manager that is not there (it is being
    /// updated, perhaps) is worth one line of log and no more.
    pub fn tell(&self, word: Word<'_>) {
        if matches!(word, Word::Stopping | Word::Restarting) {
            self.is_leaving.store(true, Ordering::Release);
        } else if self.is_leaving() {
            return;
        }
        match self.socket.send_to_addr(word.to_string().as_bytes(), &self.address) {
            Ok(_) => self.is_unheard.store(false, Ordering::Relaxed),
            Err(cause) if self.is_unheard.swap(true, Ordering::Relaxed) => {
                debug!("the service manager hears nothing: {cause}");
            }
            Err(cause) => warn!("the service manager hears nothing: {cause}"),
        }
    }
}

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Word::Opening { extend } => {
                write!(f, "EXTEND_TIMEOUT_USEC={}\nSTATUS=Opening the store", extend.as_micros())
            }
            Word::Ready(status) => write!(f, "READY=1\nSTATUS={status}"),
            Word::Alive => f.write_str("WATCHDOG=1"),
            // With a beat: the fresh process has a whole period to come back.
            Word::Restarting => f.write_str("RELOADING=1\nWATCHDOG=1\nSTATUS=Restarting in place"),
            Word::Stopping => f.write_str("STOPPING=1\nSTATUS=Stopping"),
        }
    }
}

/// A watchdog is for this process when `WATCHDOG_PID` names it or nobody.
fn period(lookup: impl Fn(&str) -> Option<OsString>) -> Option<Duration> {
    let number = |name| lookup(name)?.to_str()?.parse::<u64>().ok();
    let is_ours = match lookup("WATCHDOG_PID") {
        Some(_) => number("WATCHDOG_PID") == Some(u64::from(std::process::id())),
        None => true,
    };
    let patience = number("WATCHDOG_USEC").filter(|microseconds| *microseconds > 0 && is_ours)?;
    Some(Duration::from_micros(patience) / BEATS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pid: Option<String>, microseconds: &str) -> Option<Duration> {
        period(|name| match name {
            "WATCHDOG_PID" => pid.clone().map(Into::into),
            "WATCHDOG_USEC" => Some(microseconds.into()),
            _ => None,
        })
    }

    #[test]
    fn a_watchdog_of_another_process_or_of_no_time_is_none() {
        let ours = std::process::id();
        let third = Some(Duration::from_secs(20));
        assert_eq!(asked(None, "60000000"), third);
        assert_eq!(asked(Some(ours.to_string()), "60000000"), third);
        assert_eq!(asked(Some((ours + 1).to_string()), "60000000"), None);
        assert_eq!(asked(Some("ours".to_owned()), "60000000"), None);
        for wrong in ["0", "", "-1", "1m"] {
            assert_eq!(asked(None, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn after_a_farewell_nothing_is_sent() {
        let name = format!("vinylvault-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixDatagram::bind_addr(&address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let manager = Manager::at(OsStr::new(&format!("@{name}")), None).unwrap();
        for word in [Word::Ready("here"), Word::Stopping, Word::Alive, Word::Ready("again")] {
            manager.tell(word);
        }
        let mut heard = Vec::new();
        let mut buffer = [0; 256];
        while let Ok(length) = listener.recv(&mut buffer) {
            heard.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        assert_eq!(heard, ["READY=1\nSTATUS=here", "STOPPING=1\nSTATUS=Stopping"]);
    }

    #[test]
    fn a_name_of_another_kind_is_refused() {
        for name in ["vsock:2:1234", "relative/path"] {
            assert!(Manager::at(OsStr::new(name), None).is_err(), "{name}");
        }
    }
}
