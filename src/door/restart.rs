//! Starting anew in place, when tiny_http's listener cannot be healed from inside. Owns the exec and
//! its pace; what must be saved before is the caller's.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, io, thread};

/// Carries the time of the last restart (milliseconds since 1970) over the exec.
const LAST_RESTART: &str = "VINYLVAULT_LAST_RESTART";
/// At most one restart in this time, so that an attack makes a slow server and not a busy loop.
const PACE: Duration = Duration::from_secs(3);

/// Replaces this process by a fresh one of the same program with the same arguments; returns only
/// when that fails. Open files and sockets are closed by the kernel, memory is gone: flush first.
/// Waits, at most three seconds, when the last restart was a moment ago.
pub fn restart_in_place() -> io::Error {
    let since = |text: String| Some(now().saturating_sub(Duration::from_millis(text.parse().ok()?)));
    if let Some(since) = env::var(LAST_RESTART).ok().and_then(since) {
        thread::sleep(PACE.saturating_sub(since));
    }
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_else(|| "vinylvault".into());
    let at = now().as_millis().to_string();
    // The path of a binary that was replaced meanwhile leads to the new one; a deleted one still runs.
    let path = env::current_exe().ok().filter(|path| path.exists());
    let path = path.unwrap_or_else(|| "/proc/self/exe".into());
    Command::new(path).arg0(name).args(arguments).env(LAST_RESTART, at).exec()
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
