//! What shares a commit: admissions, forgotten rows, sources and failures. Row before rename, so
//! that a kill in between leaves a row to forget and never a file we lost count of.

use super::clock::Stamp;
use super::counters::{Counter, Removal};
use super::failures::Number;
use super::ledger::Trouble;
use super::notes::{Landed, Reply};
use super::rows::{self, Held};
use super::schema::GENERATION;
use super::thread::Keeper;
use super::touches::Which;
use super::{Admission, Entry, IndexError, Row, failed};
use crate::cache::failure::Failure;
use crate::key::CacheKey;
use rusqlite::Connection;
use std::collections::HashSet;

/// Known sources: some 40 MB of index.db at worst; those without a rendition go first.
pub(super) const SOURCES_MAX: u64 = 200_000;
/// Remembered failures: more than any collection has covers that fail.
pub(super) const FAILURES_MAX: u64 = 50_000;

/// Notes gathered for one commit.
#[derive(Default)]
pub(super) struct Batch {
    admissions: Vec<Admission>,
    landed: Vec<(Vec<Entry>, Landed)>,
    notes: SmallNotes,
    replies: Vec<Reply<()>>,
}

/// What is written without any file.
#[derive(Default)]
struct SmallNotes {
    forgets: Vec<Entry>,
    sources: Vec<(CacheKey, String)>,
    failures: Vec<(CacheKey, Option<Failure>, Number)>,
}

impl Batch {
    pub fn admit(&mut self, admissions: Vec<Admission>, landed: Landed) {
        self.landed.push((admissions.iter().map(|one| (one.key, one.variant)).collect(), landed));
        self.admissions.extend(admissions);
    }

    pub fn forget(&mut self, entry: Entry) {
        self.notes.forgets.push(entry);
    }

    pub fn register(&mut self, sources: Vec<(CacheKey, String)>, reply: Reply<()>) {
        self.notes.sources.extend(sources);
        self.replies.push(reply);
    }

    pub fn failure(&mut self, key: CacheKey, failure: Option<Failure>, number: Number) {
        self.notes.failures.push((key, failure, number));
    }
}

impl SmallNotes {
    /// Sources and failures; rows to be forgotten depend on their files.
    fn write(&self, db: &Connection, added_at: Stamp, held: &mut Held) -> rusqlite::Result<()> {
        for (key, url) in &self.sources {
            rows::put_source(db, *key, url, added_at)?;
        }
        for (key, failure, _) in &self.failures {
            match failure {
                Some(failure) => failed::put(db, *key, failure, held)?,
                None => failed::delete(db, *key, held)?,
            }
        }
        Ok(())
    }
}

impl Keeper {
    /// Writes a batch, in several commits only if the admissions do not fit the budget together.
    pub fn write(&mut self, batch: Batch) {
        let Batch { admissions, landed, notes, replies } = batch;
        let mut parts = self.parts(admissions).into_iter();
        let first = parts.next().unwrap_or_default();
        let mut kept = HashSet::new();
        let written = self.write_part(first, &notes, &mut kept);
        for part in parts {
            // What went wrong is noted where it did.
            let _ = self.write_part(part, &SmallNotes::default(), &mut kept);
        }
        for reply in replies {
            reply.give(written.clone());
        }
        // The files are in place or given up.
        for (entries, landed) in landed {
            landed.tell(!entries.is_empty() && entries.iter().all(|entry| kept.contains(entry)));
        }
    }

    /// Admissions in runs that fit the budget. One larger than the whole budget is refused: emptying
    /// the cache for it would not help. Of several of the same rendition the last counts.
    fn parts(&mut self, admissions: Vec<Admission>) -> Vec<Vec<Admission>> {
        let mut seen = HashSet::new();
        let mut newest: Vec<Admission> =
            admissions.into_iter().rev().filter(|one| seen.insert((one.key, one.variant))).collect();
        newest.reverse();
        let mut parts: Vec<Vec<Admission>> = Vec::new();
        let mut bytes = u64::MAX;
        for admission in newest {
            if admission.bytes > self.limits.bytes_max {
                self.shared.counters.add(Counter::TooLarge, 1);
                self.ledger.publish();
                continue;
            }
            bytes = bytes.saturating_add(admission.bytes);
            match parts.last_mut() {
                Some(part) if bytes <= self.limits.bytes_max => part.push(admission),
                _ => {
                    bytes = admission.bytes;
                    parts.push(vec![admission]);
                }
            }
        }
        parts
    }

    /// Adds to `kept` what has reached its place; a later part may make room by removing it again.
    fn write_part(
        &mut self,
        part: Vec<Admission>,
        notes: &SmallNotes,
        kept: &mut HashSet<Entry>,
    ) -> Result<(), IndexError> {
        let all = part.len();
        let mut part = self.on_the_card(part);
        let mut is_sound = part.len() == all;
        if !part.is_empty()
            && let Err(trouble) = self.make_room(&part)
        {
            self.trouble(&trouble);
            is_sound = false;
            part.clear();
        }
        let entries: Vec<Entry> = part.iter().map(|one| (one.key, one.variant)).collect();
        let mut done = self.commit_part(&part, notes);
        if matches!(&done, Err(trouble) if trouble.is_full()) {
            done = self.evict_share(&entries).and_then(|()| self.commit_part(&part, notes));
        }
        done.map_err(|trouble| self.refusal(&trouble))?;
        for (key, _, number) in &notes.failures {
            self.shared.failures.committed(*key, *number);
        }
        if !part.is_empty() && self.place(part, &entries) && is_sound {
            self.ledger.note_success();
        }
        let is_there = |entry: &Entry| rows::row(&self.ledger.db, *entry).is_ok_and(|row| row.is_some());
        kept.extend(entries.into_iter().filter(is_there));
        Ok(())
    }

    /// Those whose temporary files have reached the card; the others are given up.
    fn on_the_card(&mut self, mut part: Vec<Admission>) -> Vec<Admission> {
        self.disk.begin_sync(part.iter().map(|one| &one.temp));
        part.retain(|one| match self.disk.sync_temp(&one.temp) {
            Ok(()) => true,
            Err(error) => {
                self.trouble(&Trouble::from(error));
                false
            }
        });
        part
    }

    fn commit_part(&mut self, part: &[Admission], notes: &SmallNotes) -> Result<(), Trouble> {
        let replaced = self.replaced(part)?;
        let forgotten = self.forgotten(part, notes)?;
        // Out with the old file first: its row is about to say how long the new one is.
        for (key, variant) in replaced.iter().chain(&forgotten) {
            self.disk.remove(*key, *variant)?;
        }
        self.disk.sync_folders(replaced.iter().copied().chain(forgotten.iter().copied()))?;
        let has_notes = !(notes.sources.is_empty() && notes.failures.is_empty());
        if part.is_empty() && forgotten.is_empty() && !has_notes {
            return Ok(());
        }
        let stamps: Vec<_> = part.iter().map(|_| self.stamp()).collect();
        let added_at = self.stamp();
        let may_flush = self.may_flush();
        let generation = self.generation_after(&replaced)?;
        let (touches, sources, failures) = (&self.touches, &mut self.sources, &mut self.failures);
        self.ledger.commit(|db, held| {
            for entry in &forgotten {
                rows::delete(db, *entry, held)?;
            }
            // Before the new rows: a time noted for the old row must not outlast it.
            if may_flush {
                touches.write(db, Which::Due)?;
            }
            insert(db, part.iter().zip(stamps), held)?;
            if let Some(generation) = generation {
                rows::put_fact(db, GENERATION, &generation.to_string())?;
            }
            notes.write(db, added_at, held)?;
            sources.keep(
                notes.sources.len(),
                || rows::count_sources(db),
                |n| rows::drop_idle_sources(db, n),
            )?;
            failures.keep(
                notes.failures.len(),
                || failed::count(db),
                |n| failed::drop_oldest(db, n, held),
            )?;
            Ok(())
        })?;
        if let Some(generation) = generation {
            self.ledger.told.generation = generation;
            self.ledger.publish();
        }
        if may_flush {
            self.touches.stored(Which::Due);
        }
        self.shared.counters.add(Counter::Removed(Removal::Damage), forgotten.len() as u64);
        for entry in part.iter().map(|one| (one.key, one.variant)).chain(forgotten) {
            self.touches.drop_entry(&entry);
        }
        Ok(())
    }

    /// Renditions of the part that have another content now.
    fn replaced(&self, part: &[Admission]) -> Result<Vec<Entry>, Trouble> {
        let mut replaced = Vec::new();
        for Admission { key, variant, bytes, digest, .. } in part {
            let new = Row { bytes: *bytes, digest: *digest };
            if rows::row(&self.ledger.db, (*key, *variant))?.is_some_and(|old| old != new) {
                replaced.push((*key, *variant));
            }
        }
        Ok(replaced)
    }

    /// The next generation where a small cover makes way for a larger one, which a browser that keeps
    /// the small one for ever would never see.
    fn generation_after(&self, replaced: &[Entry]) -> Result<Option<u64>, Trouble> {
        for entry in replaced {
            if rows::asked(&self.ledger.db, *entry)?.is_some() {
                return Ok(Some(self.ledger.told.generation.saturating_add(1)));
            }
        }
        Ok(None)
    }

    /// Rows whose files, looked at again, are not what the rows promise. A file that is about to be
    /// renamed into place is not missing.
    fn forgotten(&self, part: &[Admission], notes: &SmallNotes) -> Result<Vec<Entry>, Trouble> {
        let mut forgotten = Vec::new();
        for entry in &notes.forgets {
            let is_coming = part.iter().any(|one| (one.key, one.variant) == *entry);
            if is_coming || forgotten.contains(entry) {
                continue;
            }
            let Some(row) = rows::row(&self.ledger.db, *entry)? else { continue };
            match self.disk.read(entry.0, entry.1, row.bytes, row.digest) {
                Ok(Some(_)) => {}
                Ok(None) => forgotten.push(*entry),
                // Says nothing about the file; a row is not dropped on suspicion.
                Err(error) => log::debug!("cannot look again: {error}"),
            }
        }
        Ok(forgotten)
    }

    /// Renames what was committed into place; rows of files that cannot be are taken back. Says
    /// whether all went well.
    fn place(&mut self, part: Vec<Admission>, entries: &[Entry]) -> bool {
        let mut lost = Vec::new();
        for Admission { key, variant, mut temp, .. } in part {
            let mut placed = self.disk.place(&mut temp, key, variant).map_err(Trouble::from);
            if matches!(&placed, Err(trouble) if trouble.is_full()) {
                placed = self
                    .evict_share(entries)
                    .and_then(|()| self.disk.place(&mut temp, key, variant).map_err(Trouble::from));
            }
            if let Err(trouble) = placed {
                self.trouble(&trouble);
                lost.push((key, variant));
            }
        }
        let synced = self.disk.sync_folders(entries.iter().copied()).map_err(Trouble::from);
        let mut is_sound = lost.is_empty();
        if let Err(trouble) = synced {
            // The names are there; should a power cut lose them, their rows are forgotten at a look.
            self.trouble(&trouble);
            is_sound = false;
        }
        if !lost.is_empty() {
            let taken_back = self
                .ledger
                .commit(|db, held| Ok(lost.iter().try_for_each(|entry| rows::delete(db, *entry, held))?));
            if let Err(trouble) = taken_back {
                self.trouble(&trouble);
            }
        }
        is_sound
    }
}

fn insert<'a>(
    db: &Connection,
    admissions: impl Iterator<Item = (&'a Admission, i64)>,
    held: &mut Held,
) -> rusqlite::Result<()> {
    for (Admission { key, variant, bytes, digest, asked, .. }, stamp) in admissions {
        let row = Row { bytes: *bytes, digest: *digest };
        rows::insert(db, (*key, *variant), row, *asked, stamp, held)?;
    }
    Ok(())
}

/// Keeps a table under a number of rows without counting them at each commit.
pub(super) struct Bound {
    max: u64,
    /// No fewer than there are, as far as additions go.
    estimate: u64,
}

impl Bound {
    pub fn new(max: u64, rows: u64) -> Bound {
        Bound { max, estimate: rows }
    }

    /// After up to `added` rows were added: counts when there may be too many, and drops the excess and
    /// a hundredth more, so that the next hundredth costs nothing.
    fn keep(
        &mut self,
        added: usize,
        count: impl FnOnce() -> rusqlite::Result<u64>,
        drop: impl FnOnce(u64) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        self.estimate = self.estimate.saturating_add(added as u64);
        if self.estimate <= self.max {
            return Ok(());
        }
        let slack = self.max / 100;
        let rows = count()?;
        self.estimate = rows;
        if rows > self.max {
            drop(rows - self.max + slack)?;
            // Where nothing could be dropped, the next attempt still waits for a hundredth more.
            self.estimate = self.max - slack;
        }
        Ok(())
    }
}
