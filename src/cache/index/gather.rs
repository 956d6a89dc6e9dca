//! How long notes wait for each other. A commit costs the card some hundred kilobytes however little
//! it stores (journal, index pages, folders), so covers that come one after the other share one.
//! Owns the limits of that wait; what is done with the notes is `thread`'s.

use super::notes::Note;
use std::time::Duration;

/// The first cover waits so long for others that are on their way. A power cut costs what was fetched
/// in that time, which is fetched again; viewers have had their pictures before.
pub(super) const LINGER: Duration = Duration::from_secs(5);
/// Covers that share a commit. Measured for a thousand on ext4 (benches/pi/wear): 64 write 1.5
/// times what they store, one at a time 3.5 times; more save little and keep a stop waiting.
const COVERS_MAX: usize = 64;
const BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Temporary files stand beside what the budget counts: no more than this part of it.
const BUDGET_PART: u64 = 20;
/// Notes of all kinds, so that a commit stays short.
const NOTES_MAX: usize = 256;

/// What waits for the next commit, in order.
pub(super) struct Gathered {
    notes: Vec<Note>,
    covers: usize,
    bytes: u64,
    bytes_max: u64,
    urgency: Urgency,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Urgency {
    /// Nothing that costs a commit.
    Idle,
    /// Covers and failures: better together.
    Patient,
    /// Somebody waits for the answer, or nothing else is on its way.
    Urgent,
}

impl Gathered {
    pub fn new(budget: u64) -> Gathered {
        let bytes_max = BYTES_MAX.min(budget / BUDGET_PART);
        Gathered { notes: Vec::new(), covers: 0, bytes: 0, bytes_max, urgency: Urgency::Idle }
    }

    pub fn push(&mut self, note: Note) {
        let patient = match &note {
            Note::Admit(admissions, _) => {
                self.covers += 1;
                self.bytes += admissions.iter().map(|one| one.bytes).sum::<u64>();
                true
            }
            Note::Failure(..) => true,
            Note::Touch(_) | Note::Nudge => return self.notes.push(note),
            _ => false,
        };
        if self.urgency != Urgency::Urgent {
            self.urgency = if patient { Urgency::Patient } else { Urgency::Urgent };
        }
        self.notes.push(note);
    }

    pub fn is_full(&self) -> bool {
        self.notes.len() >= NOTES_MAX || self.covers >= COVERS_MAX || self.bytes >= self.bytes_max
    }

    /// Whether what is here would gain by company.
    pub fn may_wait(&self) -> bool {
        self.urgency == Urgency::Patient && !self.is_full()
    }

    pub fn into_notes(self) -> Vec<Note> {
        self.notes
    }
}
