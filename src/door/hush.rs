//! Panics that are no news. Owns the process's panic hook as far as tiny_http's threads go.
//!
//! tiny_http 0.12 panics on a connection's thread when the client reset it before it was accepted, as
//! often as anybody likes, and each would print a trace to the log, and so to the SD card. Its threads
//! have no name, ours all have; when its accept thread dies the warden notices by itself.

use std::panic;
use std::sync::Once;
use std::thread;

/// From now on a panic on a thread without a name goes to the debug log only. Once a process.
pub(super) fn hush_nameless_threads() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| match thread::current().name() {
            None => log::debug!("a thread of tiny_http: {panic}"),
            Some(_) => before(panic),
        }));
    });
}
