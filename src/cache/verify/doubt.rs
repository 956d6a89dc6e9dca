//! The second look. Beside a server a row is there before its file, and a file goes before its row:
//! what looks wrong may be half-way. A suspect is looked at again with its row read again, and one
//! whose file is missing until an eviction would have ended.

use super::look::{Company, Eyes, Suspect};
use super::{Class, Finding};
use crate::cache::CacheError;
use crate::cache::disk::Keeper;
use std::thread;
use std::time::{Duration, Instant};

/// Looked at again together: some 500 kB, and few waits in a cache that is all wrong.
const SUSPECTS_MAX: usize = 2048;
/// The longest batch between files and rows, on a card that takes 30 ms for an fsync: 512 renditions of
/// a clear in 256 folders.
const BATCH_MAX: Duration = Duration::from_secs(10);
/// The first wait between two looks; doubled each time.
const WAIT: Duration = Duration::from_millis(50);

#[derive(Default)]
pub(super) struct Doubts {
    suspects: Vec<(Suspect, Finding)>,
    newest: Option<Instant>,
}

impl Doubts {
    /// Says whether it is time to settle.
    pub fn add(&mut self, suspect: Suspect, finding: Finding) -> bool {
        self.suspects.push((suspect, finding));
        self.newest = Some(Instant::now());
        self.suspects.len() >= SUSPECTS_MAX
    }

    /// Takes all suspects; what is left of them is sure. Waits only beside somebody else.
    pub fn settle(&mut self, eyes: &Eyes) -> Result<Vec<Finding>, CacheError> {
        let mut suspects = std::mem::take(&mut self.suspects);
        let until = self.newest.map(|newest| newest + BATCH_MAX);
        let mut sure = Vec::new();
        let mut wait = WAIT;
        while !suspects.is_empty() && eyes.company != Company::Excluded {
            let mut missing = Vec::new();
            for (suspect, _) in suspects {
                match eyes.judge(&suspect)? {
                    Some(finding) if finding.class == Class::Missing => missing.push((suspect, finding)),
                    Some(finding) => sure.push(finding),
                    None => {}
                }
            }
            suspects = missing;
            let is_over = until.is_none_or(|until| Instant::now() >= until);
            if is_over || Keeper::of(&eyes.root) == Keeper::Nobody {
                break;
            }
            if !suspects.is_empty() {
                thread::sleep(wait);
                wait *= 2;
            }
        }
        sure.extend(suspects.into_iter().map(|(_, finding)| finding));
        Ok(sure)
    }
}
