//! The memory that pictures may hold at once: a count of bytes that renders take from and give
//! back to. Owns the queue in front of it; allocates nothing and knows no pictures.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes shared by every render, handed out strictly in the order of asking: a big picture waits
/// until the ones before it have given back enough, and no small one overtakes it for ever.
///
/// The wait has no clock of its own: ahead of a render stand at most the other workers' renders,
/// each of them bounded in pixels and in scans.
pub(super) struct Budget {
    limit: u64,
    state: Mutex<State>,
    changed: Condvar,
}

/// Bytes taken from the budget; dropping it gives them back.
pub(super) struct Permit<'a> {
    budget: &'a Budget,
    bytes: u64,
}

struct State {
    free: u64,
    next_ticket: u64,
    now_serving: u64,
}

impl Budget {
    pub(super) fn new(limit: u64) -> Budget {
        let state = State { free: limit, next_ticket: 0, now_serving: 0 };
        Budget { limit, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits for `bytes`. `None`: more than the whole budget, which no wait can give.
    pub(super) fn take(&self, bytes: u64) -> Option<Permit<'_>> {
        if bytes > self.limit {
            return None;
        }
        let mut state = self.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        while state.now_serving != ticket || state.free < bytes {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.now_serving += 1;
        state.free -= bytes;
        drop(state);
        self.changed.notify_all();
        Some(Permit { budget: self, bytes })
    }

    /// Bytes not taken at this moment.
    pub(super) fn free(&self) -> u64 {
        self.lock().free
    }

    fn give_back(&self, bytes: u64) {
        self.lock().free += bytes;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// Gives back all but `bytes`: what was held only for the pixels of the original.
    pub(super) fn keep(&mut self, bytes: u64) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.bytes -= surplus;
        self.budget.give_back(surplus);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    #[test]
    fn the_whole_budget_can_be_taken_and_one_byte_more_cannot() {
        let budget = Budget::new(100);
        assert!(budget.take(101).is_none());
        let permit = budget.take(100).unwrap();
        assert_eq!(budget.free(), 0);
        drop(permit);
        assert_eq!(budget.free(), 100);
    }

    #[test]
    fn what_is_not_kept_is_free_at_once() {
        let budget = Budget::new(100);
        let mut permit = budget.take(90).unwrap();
        permit.keep(10);
        assert_eq!(budget.free(), 90);
        permit.keep(50);
        assert_eq!(budget.free(), 90, "keeping more than is held takes nothing");
        drop(permit);
        assert_eq!(budget.free(), 100);
    }

    #[test]
    fn a_small_one_does_not_overtake_a_big_one() {
        let budget = Budget::new(100);
        let (order, seen) = mpsc::channel();
        thread::scope(|scope| {
            let first = budget.take(60).unwrap();
            let waits = |bytes: u64, waiting: u64| {
                let order = order.clone();
                let budget = &budget;
                scope.spawn(move || {
                    let permit = budget.take(bytes).unwrap();
                    order.send(bytes).unwrap();
                    drop(permit);
                });
                // The next ticket tells that the thread stands in the queue.
                while budget.lock().next_ticket < waiting {
                    thread::yield_now();
                }
            };
            waits(90, 2);
            // Too large to be served beside the 90, so that its turn cannot come before theirs ended.
            waits(20, 3);
            assert!(seen.try_recv().is_err(), "20 bytes are free, but 90 were asked for before");
            drop(first);
        });
        assert_eq!([seen.recv().unwrap(), seen.recv().unwrap()], [90, 20]);
        assert_eq!(budget.free(), 100);
    }
}
