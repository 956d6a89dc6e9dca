//! The thread that counts who comes in, because a flood of connections starts a thread each in less time
//! than the warden needs for one look. Owns the quick count and nothing else: it holds the crowd back
//! and calls the warden. It sleeps until somebody connects.

use super::hand::open_descriptors;
use super::shared::Shared;
use super::valve::{Held, Valve};
use rustix::event::{PollFd, PollFlags, poll};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Between two counts, and for how long without an arrival. A count is one system call.
const NAP: Duration = Duration::from_micros(150);
const QUIET_NAPS: u32 = 4;
/// So many since the warden's last look are a crowd even where there is room.
const CROWD: usize = 8;
/// A look in time for this many is normal: 24 at once must pass, four browsers of six connections each.
const SPARE: usize = 2;

/// What the warden saw last, for the doorman to count from.
#[derive(Default)]
pub(super) struct Known {
    connections: AtomicUsize,
    descriptors: AtomicU64,
    crowd: AtomicBool,
}

impl Known {
    pub fn set(&self, connections: usize, descriptors: u64) {
        self.connections.store(connections, Ordering::Relaxed);
        self.descriptors.store(descriptors, Ordering::Relaxed);
        self.crowd.store(false, Ordering::Release);
    }

    /// Whether everybody is held back until the next look.
    pub fn crowd(&self) -> bool {
        self.crowd.load(Ordering::Acquire)
    }
}

/// Until the door is shut.
pub(super) fn count_arrivals(shared: &Shared, valve: &Arc<Valve>, known: &Known) {
    while !shared.shut.load(Ordering::Acquire) {
        let mut both =
            [PollFd::new(valve.listener(), PollFlags::IN), PollFd::new(shared.errands.end(), PollFlags::IN)];
        // Interrupted: counts in vain.
        let _ = poll(&mut both, None);
        shared.errands.ring();
        let (mut before, mut quiet) = (0, 0);
        while quiet < QUIET_NAPS && !shared.shut.load(Ordering::Acquire) {
            thread::sleep(NAP);
            let open = open_descriptors();
            quiet = if open > before { 0 } else { quiet + 1 };
            before = open;
            let arrived = open.saturating_sub(known.descriptors.load(Ordering::Relaxed)) / 2;
            let room = shared.limits.connections_per_address.saturating_sub(SPARE);
            let room = room.saturating_sub(known.connections.load(Ordering::Relaxed));
            if arrived >= CROWD.max(room) as u64 {
                valve.hold(Held::Everybody);
                known.crowd.store(true, Ordering::Release);
                shared.errands.ring();
            }
        }
    }
}
