//! The times of the index: microseconds that never repeat and never go backwards, whatever the
//! machine's clock does (a Pi has no battery behind it).

use crate::key::Timestamp;
use std::time::Instant;

/// Microseconds since 1970, as `accessed_at` has them: finer than anything that is stamped, so that a
/// stamp of its own for each access never runs ahead of the clock.
pub(super) type Stamp = i64;

pub(super) const SECOND: Stamp = 1_000_000;

/// The second of a stamp.
pub(super) fn timestamp(stamp: Stamp) -> Timestamp {
    Timestamp(stamp / SECOND)
}

/// Follows the wall clock while it moves forward, the monotonic clock while it does not.
pub(super) struct Clock {
    newest: Stamp,
    seen_at: Instant,
}

impl Clock {
    /// `newest` is the newest stamp ever given, 0 for none.
    pub fn starting_after(newest: Stamp, now: Instant) -> Clock {
        Clock { newest, seen_at: now }
    }

    /// The time for reading, no earlier than any stamp given. A clock that was years ahead once and
    /// has been put right leaves stamps in the future: time then goes on from there at its own pace,
    /// so that order holds and hours still pass.
    pub fn now(&mut self, wall: Timestamp, now: Instant) -> Stamp {
        let elapsed = now.saturating_duration_since(self.seen_at);
        let elapsed = Stamp::try_from(elapsed.as_micros()).unwrap_or(0);
        let wall = wall.0.saturating_mul(SECOND);
        self.newest = wall.max(self.newest.saturating_add(elapsed));
        self.seen_at = now;
        self.newest
    }

    /// A stamp newer than every other: renditions of the same second keep their order.
    pub fn stamp(&mut self, wall: Timestamp, now: Instant) -> Stamp {
        self.now(wall, now);
        self.newest = self.newest.saturating_add(1);
        self.newest
    }

    /// The newest stamp given.
    pub fn newest(&self) -> Stamp {
        self.newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const WALL: Timestamp = Timestamp(1_790_000_000);

    #[test]
    fn stamps_of_one_moment_differ_and_rise() {
        let now = Instant::now();
        let mut clock = Clock::starting_after(0, now);
        let first = clock.stamp(WALL, now);
        assert_eq!(clock.stamp(WALL, now), first + 1);
        assert_eq!(clock.now(Timestamp(WALL.0 + 5), now), (WALL.0 + 5) * SECOND);
    }

    #[test]
    fn a_clock_put_back_forty_years_still_moves_forward_at_its_own_pace() {
        let now = Instant::now();
        let mut clock = Clock::starting_after(WALL.0 * SECOND, now);
        let before = clock.stamp(Timestamp(WALL.0 - 40 * 365 * 86_400), now);
        let later = clock.stamp(Timestamp(0), now + Duration::from_secs(7200));
        assert_eq!(later - before, 7200 * SECOND + 1);
        assert_eq!(clock.newest(), later);
    }

    #[test]
    fn no_wall_time_overflows() {
        let now = Instant::now();
        let mut clock = Clock::starting_after(0, now);
        assert!(clock.stamp(Timestamp(i64::MIN), now) > 0);
        assert_eq!(clock.stamp(Timestamp(i64::MAX), now), i64::MAX);
        assert_eq!(clock.stamp(Timestamp(0), now), i64::MAX);
    }
}
