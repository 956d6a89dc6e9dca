//! One line about each answer, for whoever runs with the debug log: who waits for what how long. Owns
//! what of a request may be told; without that log an answer costs one comparison here.

use super::reply::{Portion, Reply};
use std::time::Instant;

/// Of a path or a method, characters: ours are shorter, what is longer is an attack.
const TOLD_MAX: usize = 200;

/// Whether anybody reads such lines.
pub(super) fn is_kept() -> bool {
    log::log_enabled!(log::Level::Debug)
}

/// The answer as it is handed in. Without the query, in which people search and programs put tokens;
/// and without an address in absolute form, which may carry a password.
pub(super) fn note(method: &str, target: &str, reply: &Reply, portion: Portion, accepted_at: Instant) {
    let path = target.split(['?', '#']).next().filter(|path| path.starts_with('/')).unwrap_or("-");
    let told = |text: &str| text.chars().take(TOLD_MAX).collect::<String>();
    let bytes = match portion {
        Portion::Whole => reply.body.bytes().len(),
        Portion::HeadOnly => 0,
    };
    let milliseconds = accepted_at.elapsed().as_secs_f64() * 1000.0;
    let (method, path, status) = (told(method), told(path), reply.status);
    log::debug!("answered method={method} path={path} status={status} bytes={bytes} ms={milliseconds:.1}");
}
