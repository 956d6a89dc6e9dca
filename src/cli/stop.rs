//! Ctrl-C and SIGTERM for a command that has something to put down first: a wait that ends with
//! them. The server's own stopping is `serve`'s.

use super::Failure;
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::convert::Infallible;
use std::thread;
use std::time::Duration;

/// What a shell reports of a command that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Whether somebody wants the command to end.
pub(super) struct Stop {
    /// Closed by the first signal; nothing is ever sent.
    asked: Receiver<Infallible>,
}

impl Stop {
    /// From now on the first signal is only noted; a second one ends the process at once.
    pub fn listen() -> Result<Stop, Failure> {
        let failed = |cause| Failure::Failed(format!("cannot listen for signals: {cause}"));
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
        let (open, asked) = bounded(0);
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let mut signals = signals.forever();
                signals.next();
                drop(open);
                if signals.next().is_some() {
                    std::process::exit(INTERRUPTED);
                }
            })
            .map_err(failed)?;
        Ok(Stop { asked })
    }

    /// Sleeps so long, or until asked; whether it was asked, now or earlier.
    pub fn wait(&self, time: Duration) -> bool {
        self.asked.recv_timeout(time) != Err(RecvTimeoutError::Timeout)
    }

    pub fn is_asked(&self) -> bool {
        self.wait(Duration::ZERO)
    }
}
