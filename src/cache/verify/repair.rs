//! The repair: under the lock, each thing that is wrong goes the way of an eviction (file, folder
//! made to last, row), and then the whole is looked at again. Removes; mends nothing but the index.

use super::look::{Company, Court, Eyes, Look, Suspect, damaged_index};
use super::{Class, Event, Finding, Outcome, Summary};
use crate::cache::CacheError;
use crate::cache::disk::{Disk, Inspector, Lock, Thing};
use crate::cache::index::Audit;
use crate::key::{CacheKey, Variant};
use log::warn;
use std::path::Path;

/// Removed with one fsync a folder and one commit, as an eviction does it.
const BATCH_MAX: usize = 64;

pub(super) fn repair(root: &Path, tell: &mut dyn FnMut(Event)) -> Result<Summary, CacheError> {
    let lock = Lock::take(root)?;
    let mut repaired = mended_by_opening(root, tell)?;
    let disk = lock.open()?;
    let (rows, damage) = Audit::open_to_repair(&disk)?;
    if let Some(cause) = damage {
        repaired += 1;
        tell(Event::Found(damaged_index(cause, Outcome::Repaired)));
    }
    let court = Court::Repair(Repairs { disk: &disk, batch: Vec::new() });
    let mut first = Look::with(root, rows, Company::Excluded, court, tell)?;
    first.rows()?;
    first.things()?;
    repaired += first.summary.repaired;
    let (summary, accused) = (first.summary, first.accused);
    // Closes the index; what was deleted is then in it and not in its log.
    drop(first);
    if accused == 0 && repaired == 0 {
        return Ok(summary);
    }
    let mut second = Look::new(root, Company::Excluded, tell)?;
    second.rows()?;
    second.things()?;
    Ok(Summary { repaired, ..second.summary })
}

/// Tells what is gone once the folder is open, and says how much.
fn mended_by_opening(root: &Path, tell: &mut dyn FnMut(Event)) -> Result<u64, CacheError> {
    let mut repaired = 0;
    let eyes = Eyes {
        root: root.to_owned(),
        inspector: Inspector::new(root),
        rows: None,
        company: Company::Excluded,
    };
    eyes.inspector.frame(&mut |thing: Thing| {
        if let Some(finding) = eyes.thing(&thing)? {
            repaired += 1;
            tell(Event::Found(Finding { outcome: Outcome::Repaired, ..finding }));
        }
        Ok::<(), CacheError>(())
    })?;
    Ok(repaired)
}

/// What is to be removed together.
pub(super) struct Repairs<'a> {
    disk: &'a Disk,
    batch: Vec<(Suspect, Finding)>,
}

impl Repairs<'_> {
    /// Says whether it is time to settle.
    pub fn add(&mut self, suspect: Suspect, finding: Finding) -> bool {
        self.batch.push((suspect, finding));
        self.batch.len() >= BATCH_MAX
    }

    /// Removes what was added; hands back what is gone. What would not go is in the log, and is found
    /// again by the second look.
    ///
    /// # Errors
    /// When the index cannot be written: files may be gone whose rows are still there.
    pub fn settle(&mut self, eyes: &Eyes) -> Result<Vec<Finding>, CacheError> {
        let (mut entries, mut gone) = (Vec::new(), Vec::new());
        for (suspect, finding) in self.batch.drain(..) {
            if matches!(suspect, Suspect::Name(..)) && finding.class == Class::Unreadable {
                // A folder whose names cannot be read cannot be emptied, and is better left where it is.
                warn!("not repaired: {}: {}", finding.object.display(), finding.detail);
                continue;
            }
            let removed = match &suspect {
                Suspect::Row(key, variant) => self.disk.remove(*key, *variant),
                Suspect::Name(path, _) => self.disk.discard(path),
            };
            match removed {
                Ok(()) => gone.push(finding),
                Err(error) => {
                    warn!("not repaired: {error}");
                    continue;
                }
            }
            if let Suspect::Row(key, variant) = suspect {
                entries.push((key, variant));
            }
        }
        self.delete(eyes, &entries)?;
        Ok(gone.into_iter().map(|finding| Finding { outcome: Outcome::Repaired, ..finding }).collect())
    }

    fn delete(&self, eyes: &Eyes, entries: &[(CacheKey, Variant)]) -> Result<(), CacheError> {
        // Gone for good before the rows are, or a power cut brings back files without rows.
        self.disk.sync_folders(entries.iter().copied())?;
        match &eyes.rows {
            Some(rows) if !entries.is_empty() => Ok(rows.delete(entries)?),
            _ => Ok(()),
        }
    }
}
