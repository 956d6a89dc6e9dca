//! Room: for the budget and for the free minimum, made before anything new is put into place.
//! File before row, the mirror image of an admission: a kill in between leaves a row to forget.

use super::counters::{Counter, Removal};
use super::ledger::Trouble;
use super::rows::{self, Victim};
use super::thread::Keeper;
use super::touches::Which;
use super::{Admission, Entry};
use std::collections::HashSet;

/// Renditions removed in one commit: bounds how long other notes wait.
const BATCH: usize = 64;
/// When something must go, a twentieth of the budget goes, for the next admissions to cost nothing.
const SLACK_DIVISOR: u64 = 20;

/// A full file system gives up no less: the eviction's own commit and the folding of the log take some
/// pages, and what they take nobody else gets.
const FOLDING_BYTES: u64 = 64 * 1024;

/// How much is to be freed, bytes.
#[derive(Clone, Copy, Debug)]
struct Goal {
    must: u64,
    /// As far as whole renditions fit under this; no less than `must`.
    may: u64,
    why: Removal,
}

impl Keeper {
    /// Evicts so that `coming` fits under the budget and the free minimum is kept. An exact fit evicts
    /// nothing; otherwise down to 95 %, but no rendition more than that takes.
    ///
    /// # Errors
    /// [`Trouble::NoSpace`] if others have filled the file system.
    pub fn make_room(&mut self, coming: &[Admission]) -> Result<(), Trouble> {
        let spared: Vec<Entry> = coming.iter().map(|one| (one.key, one.variant)).collect();
        let mut after = self.ledger.held.bytes();
        for admission in coming {
            let old = rows::row(&self.ledger.db, (admission.key, admission.variant))?;
            after = (after + admission.bytes).saturating_sub(old.map_or(0, |row| row.bytes));
        }
        // The temporary files are written already, so what is free has paid for them.
        let missing = self.limits.free_bytes_min.saturating_sub(self.disk.free_bytes()?);
        let over = after.saturating_sub(self.limits.bytes_max);
        if over == 0 && missing == 0 {
            return Ok(());
        }
        let low_water = self.limits.bytes_max - self.limits.bytes_max / SLACK_DIVISOR;
        let for_budget = if over > 0 { after.saturating_sub(low_water) } else { 0 };
        let for_free =
            if missing > 0 { missing.saturating_add(self.limits.free_bytes_min / SLACK_DIVISOR) } else { 0 };
        let why = if missing > 0 { Removal::MinFree } else { Removal::Lru };
        self.evict(Goal { must: over.max(missing), may: for_budget.max(for_free), why }, &spared)?;
        let free_bytes = self.disk.free_bytes()?;
        if missing > 0 && free_bytes < self.limits.free_bytes_min && !coming.is_empty() {
            return Err(Trouble::NoSpace { free_bytes });
        }
        Ok(())
    }

    /// The file system is full: a twentieth of what is held goes, and the database's log with it.
    pub fn evict_share(&mut self, spared: &[Entry]) -> Result<(), Trouble> {
        let share = self.ledger.held.bytes().div_ceil(SLACK_DIVISOR).max(FOLDING_BYTES);
        let evicted = self.evict(Goal { must: share, may: share, why: Removal::MinFree }, spared);
        // The log may hold more than the renditions gave back. It can fail like any write; then it stays.
        let folded = self.ledger.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = folded {
            log::debug!("cannot fold the log into index.db: {error}");
        }
        evicted
    }

    fn evict(&mut self, goal: Goal, spared: &[Entry]) -> Result<(), Trouble> {
        let spared: HashSet<Entry> = spared.iter().copied().collect();
        let (mut freed, mut renditions) = (0, 0);
        let mut flush = self.may_flush() && self.touches.any(Which::All);
        loop {
            let batch = match self.evict_batch(goal, freed, &spared, flush) {
                // No space even for access times: the order is as good as the table's.
                Err(trouble) if flush && trouble.is_full() => {
                    self.evict_batch(goal, freed, &spared, false)?
                }
                batch => batch?,
            };
            flush = false;
            freed += batch.iter().map(|victim| victim.bytes).sum::<u64>();
            renditions += batch.len();
            if batch.len() < BATCH || freed >= goal.may {
                break;
            }
        }
        if renditions > 0 {
            log::info!("evicted renditions={renditions} bytes={freed}");
        }
        Ok(())
    }

    /// One commit's worth, oldest first. Fewer than [`BATCH`] say that there is no more to do.
    fn evict_batch(
        &mut self,
        goal: Goal,
        freed: u64,
        spared: &HashSet<Entry>,
        flush: bool,
    ) -> Result<Vec<Victim>, Trouble> {
        let (disk, touches) = (&self.disk, &self.touches);
        let victims = self.ledger.commit(|db, held| {
            if flush {
                touches.write(db, Which::All)?;
            }
            let oldest = rows::oldest(db, BATCH + spared.len())?;
            let victims = choose(oldest.into_iter().filter(|one| !spared.contains(&one.entry)), goal, freed);
            for Victim { entry: (key, variant), .. } in &victims {
                disk.remove(*key, *variant)?;
            }
            // Gone for good before the rows are, or a power cut brings back files without rows.
            disk.sync_folders(victims.iter().map(|victim| victim.entry))?;
            for victim in &victims {
                rows::delete(db, victim.entry, held)?;
            }
            Ok(victims)
        })?;
        if flush {
            self.touches.stored(Which::All);
        }
        for victim in &victims {
            self.touches.drop_entry(&victim.entry);
        }
        self.shared.counters.add(Counter::Removed(goal.why), victims.len() as u64);
        self.shared.counters.add(Counter::EvictedBytes, victims.iter().map(|victim| victim.bytes).sum());
        self.ledger.publish();
        Ok(victims)
    }
}

/// Takes what must go, then whatever still fits under what may.
fn choose(oldest: impl Iterator<Item = Victim>, goal: Goal, freed: u64) -> Vec<Victim> {
    let mut freed = freed;
    oldest
        .take(BATCH)
        .take_while(|victim| {
            let is_needed = freed < goal.must;
            freed += victim.bytes;
            is_needed || freed <= goal.may
        })
        .collect()
}
