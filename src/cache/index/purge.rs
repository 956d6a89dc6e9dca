//! Removing much at somebody's wish: by age, or everything. Done in steps between other notes, so
//! that emptying a full cache does not hold up the covers that arrive meanwhile.

use super::clock::{SECOND, Stamp};
use super::counters::{Counter, Removal};
use super::failures::Number;
use super::ledger::Trouble;
use super::notes::Reply;
use super::rows::{self, Victim};
use super::schema::{FINGERPRINT, GENERATION, LAST_CLEANUP, ORIGINALS};
use super::thread::Keeper;
use super::touches::Which;
use super::{Entry, Purged, Scope, failed};
use crate::cache::failure::Class;
use crate::key::Timestamp;
use std::time::Instant;

/// Renditions removed in one step; by key, so the files are in few folders.
const STEP: usize = 512;

/// A purge that is going on.
pub(super) struct Purge {
    scope: Scope,
    why: Removal,
    /// Renditions accessed later stay: what is admitted after the wish has a later stamp.
    until: Stamp,
    /// How far the steps have come.
    from: Option<Entry>,
    done: Purged,
    /// `None`: nobody waits.
    reply: Option<Reply<Purged>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    More,
    Last,
}

impl Keeper {
    /// Whether access times may be stored: not while everything goes, since a rendition that was
    /// touched meanwhile would look as if it had come later.
    pub fn may_flush(&self) -> bool {
        !self.purges.iter().any(|purge| purge.scope == Scope::All)
    }

    pub fn begin_purge(&mut self, scope: Scope, failures: Number, reply: Reply<Purged>) {
        match self.accept_purge(scope, failures) {
            Ok(purge) => self.purges.push_back(Purge { reply: Some(reply), ..purge }),
            Err(trouble) => reply.give(Err(self.refusal(&trouble))),
        }
    }

    /// Takes the next step of the oldest purge, and answers when it was the last.
    pub fn purge_step(&mut self) {
        let Some(mut purge) = self.purges.pop_front() else { return };
        let answer = match self.step(&mut purge) {
            Ok(Step::More) => return self.purges.push_front(purge),
            Ok(Step::Last) => {
                let Purged { renditions, bytes } = purge.done;
                log::info!("purged renditions={renditions} bytes={bytes}");
                Ok(purge.done)
            }
            Err(trouble) => Err(self.refusal(&trouble)),
        };
        if let Some(reply) = purge.reply {
            reply.give(answer);
        }
    }

    /// At the start: what another recipe made is not served any more.
    pub fn purge_for_another_recipe(&mut self) -> Result<(), Trouble> {
        let mut purge = Purge { why: Removal::Recipe, ..self.accept_purge(Scope::All, Number::MAX)? };
        while self.step(&mut purge)? == Step::More {}
        let fingerprint = &self.limits.fingerprint;
        self.ledger.commit(|db, _| Ok(rows::put_fact(db, FINGERPRINT, fingerprint)?))?;
        log::info!("renditions of another recipe are gone renditions={}", purge.done.renditions);
        Ok(())
    }

    /// At the start: what was too large under other limits may not be so any more.
    pub fn forget_for_other_originals(&mut self) -> Result<(), Trouble> {
        let originals = self.limits.originals.as_deref().unwrap_or_default();
        self.ledger.commit(|db, held| {
            failed::delete_of(db, Class::Unreadable, held)?;
            Ok(rows::put_fact(db, ORIGINALS, originals)?)
        })
    }

    fn accept_purge(&mut self, scope: Scope, failures: Number) -> Result<Purge, Trouble> {
        let (until, why) = match scope {
            Scope::All => {
                let generation = self.ledger.told.generation.saturating_add(1);
                self.ledger.commit(|db, held| {
                    failed::delete_all(db, held)?;
                    Ok(rows::put_fact(db, GENERATION, &generation.to_string())?)
                })?;
                self.shared.failures.clear_until(failures);
                self.ledger.told.generation = generation;
                self.ledger.publish();
                (self.clock.newest(), Removal::Manual)
            }
            Scope::NotAccessedSince(since) => {
                (since.0.saturating_mul(SECOND).saturating_sub(1), Removal::Age)
            }
        };
        Ok(Purge { scope, why, until, from: None, done: Purged::default(), reply: None })
    }

    fn step(&mut self, purge: &mut Purge) -> Result<Step, Trouble> {
        if purge.from.is_none() && purge.scope != Scope::All && self.touches.any(Which::All) {
            self.flush(Which::All)?;
        }
        let victims = rows::unused(&self.ledger.db, purge.until, purge.from, STEP)?;
        let step = if victims.len() < STEP { Step::Last } else { Step::More };
        for Victim { entry: (key, variant), .. } in &victims {
            self.disk.remove(*key, *variant)?;
        }
        self.disk.sync_folders(victims.iter().map(|victim| victim.entry))?;
        let ended_at = Timestamp(self.clock.now(Timestamp::now(), Instant::now()) / SECOND);
        self.ledger.commit(|db, held| {
            for victim in &victims {
                rows::delete(db, victim.entry, held)?;
            }
            if step == Step::Last {
                rows::put_fact(db, LAST_CLEANUP, &ended_at.0.to_string())?;
            }
            Ok(())
        })?;
        self.shared.counters.add(Counter::Removed(purge.why), victims.len() as u64);
        for victim in &victims {
            self.touches.drop_entry(&victim.entry);
            purge.done.renditions += 1;
            purge.done.bytes += victim.bytes;
        }
        purge.from = victims.last().map(|victim| victim.entry).or(purge.from);
        if step == Step::Last {
            self.ledger.told.last_cleanup = Some(ended_at);
            self.ledger.publish();
        }
        Ok(step)
    }
}
