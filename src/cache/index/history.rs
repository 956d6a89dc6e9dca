//! What was counted hour by hour over the last 30 days, for charts. Owns the hours and which clock is
//! believed; what is counted is `counters`'.
//!
//! A Pi has no clock of its own, so an hour is what the clock said when it was recorded:
//! - A clock before 2020 has not been set. What is counted meanwhile goes to the first hour after it is.
//! - A clock that was put back comes to an hour that has been recorded: the counts are added to it.
//! - The hours recorded first are dropped first, whatever they are called: a clock that was years ahead for
//!   an hour costs one hour of history, and nobody is shown an hour that has not come yet.
//!
//! An hour is written when it is over, with the first commit after its end or in one of its own, and at
//! a stop. A kill loses the running hour at most; while the card cannot be written, it goes on.

use super::counters::{Counter, Counts};
use super::rows::{self, Held};
use crate::cache::failure::Class;
use crate::key::Timestamp;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// 30 days.
pub const HOURS_MAX: i64 = 720;
const HOUR: Duration = Duration::from_secs(3600);
const SECONDS: i64 = 3600;
/// 2020-01-01: a clock that says less stands where it was made.
const SET_SINCE: Timestamp = Timestamp(1_577_836_800);

/// What happened in an hour in which something did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hour {
    pub begins: Timestamp,
    pub counts: Counts,
    /// Held at the hour's end.
    pub thumbnail_bytes: u64,
    pub detail_bytes: u64,
}

impl Hour {
    /// One element of `GET /api/cache/history`; classes of failures that did not occur are left out.
    pub fn to_json(&self) -> Value {
        let count = |counter| self.counts.get(counter);
        let failures = Class::ALL.into_iter().map(|class| (class.name(), count(Counter::Failed(class))));
        let failures: serde_json::Map<String, Value> =
            failures.filter(|(_, count)| *count > 0).map(|(name, n)| (name.to_owned(), n.into())).collect();
        json!({
            "hour": self.begins.to_string(),
            "memory_hits": count(Counter::MemoryHits),
            "disk_hits": count(Counter::DiskHits),
            "misses": count(Counter::Misses),
            "placeholders": count(Counter::Placeholders),
            "coalesced": count(Counter::Coalesced),
            "downloads": count(Counter::Downloads),
            "downloaded_bytes": count(Counter::DownloadedBytes),
            "download_ms": count(Counter::DownloadMs),
            "failures": failures,
            "evictions": self.counts.evictions(),
            "evicted_bytes": count(Counter::EvictedBytes),
            "thumbnail_bytes": self.thumbnail_bytes,
            "detail_bytes": self.detail_bytes,
        })
    }
}

/// A row of the table `hour`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recorded {
    /// Rises with each hour that is begun; `None` before it has a row.
    pub id: Option<i64>,
    /// Hours since 1970.
    pub number: i64,
    pub counts: Counts,
    pub thumbnail_bytes: u64,
    pub detail_bytes: u64,
}

/// What both clocks say: the one on the wall names hours, the other one cannot be put back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub wall: Timestamp,
    pub now: Instant,
}

impl Moment {
    pub fn now() -> Moment {
        Moment { wall: Timestamp::now(), now: Instant::now() }
    }
}

/// Whether a commit takes an hour along that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    No,
    /// The program stops.
    Soon,
}

/// The hour that is going on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    /// `None` while the clock has not been set.
    number: Option<i64>,
    begun_at: Instant,
    /// The counters when it began, or when its row was written.
    base: Counts,
    /// Its row, from before a restart or a clock put back.
    row: Option<Recorded>,
}

impl Running {
    /// The hour of this moment, with the counters as they are.
    pub fn begin(db: &Connection, moment: Moment, counts: Counts) -> rusqlite::Result<Running> {
        let number = number_of(moment.wall);
        let row = number.map_or(Ok(None), |number| rows::hour(db, number))?;
        Ok(Running { number, begun_at: moment.now, base: counts, row })
    }

    /// Whether another hour has begun.
    pub fn is_over(&self, moment: Moment) -> bool {
        match (self.number, number_of(moment.wall)) {
            (None, None) => moment.now.saturating_duration_since(self.begun_at) >= HOUR,
            (ours, number) => number != ours,
        }
    }

    /// Whether something was counted that its row should have and has not.
    pub fn waits(&self, counts: &Counts) -> bool {
        self.number.is_some() && *counts != self.base
    }

    /// In a transaction that stores `counts`: writes the row if it is time to, and says which hour it is.
    pub fn advance(
        &self,
        db: &Connection,
        moment: Moment,
        counts: &Counts,
        held: &Held,
        ending: Ending,
    ) -> rusqlite::Result<Running> {
        let is_over = self.is_over(moment);
        let mut running = *self;
        if (is_over || ending == Ending::Soon)
            && self.waits(counts)
            && let Some(mut row) = self.recorded(counts, held.thumbnail_bytes, held.detail_bytes)
        {
            row.id = Some(rows::put_hour(db, &row)?);
            rows::drop_oldest_hours(db, HOURS_MAX)?;
            running = Running { base: *counts, row: Some(row), ..running };
        }
        if is_over { running.next(db, moment, counts) } else { Ok(running) }
    }

    /// The hour after this one, whose counts are stored; what was counted without a clock comes along.
    pub fn next(&self, db: &Connection, moment: Moment, counts: &Counts) -> rusqlite::Result<Running> {
        let base = if self.number.is_none() { self.base } else { *counts };
        Running::begin(db, moment, base)
    }

    /// As a row, with what was counted up to now.
    pub fn recorded(&self, counts: &Counts, thumbnail_bytes: u64, detail_bytes: u64) -> Option<Recorded> {
        let before = self.row.map_or(Counts::default(), |row| row.counts);
        Some(Recorded {
            id: self.row.and_then(|row| row.id),
            number: self.number?,
            counts: before.plus(&counts.since(&self.base)),
            thumbnail_bytes,
            detail_bytes,
        })
    }
}

/// How long the hour of `wall` goes on.
pub(super) fn rest_of(wall: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(SECONDS - wall.0.rem_euclid(SECONDS)).unwrap_or(0))
}

/// The recorded hours of the 30 days before `now`, oldest first; all where the clock has not been set.
pub(super) fn read(db: &Connection, now: Timestamp) -> rusqlite::Result<Vec<Recorded>> {
    let (after, last) = number_of(now).map_or((i64::MIN, i64::MAX), |last| (last - HOURS_MAX, last));
    rows::hours(db, after, last)
}

/// The hours as they are shown, with the one that goes on in the place of its row.
pub(super) fn shown(mut recorded: Vec<Recorded>, running: Option<Recorded>) -> Vec<Hour> {
    if let Some(running) = running.filter(|running| !running.counts.is_zero()) {
        recorded.retain(|row| row.number != running.number);
        recorded.push(running);
        recorded.sort_by_key(|row| row.number);
    }
    recorded
        .into_iter()
        .map(|row| Hour {
            begins: Timestamp(row.number.saturating_mul(SECONDS)),
            counts: row.counts,
            thumbnail_bytes: row.thumbnail_bytes,
            detail_bytes: row.detail_bytes,
        })
        .collect()
}

fn number_of(wall: Timestamp) -> Option<i64> {
    (wall >= SET_SINCE).then(|| wall.0.div_euclid(SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::index::schema;

    /// 2026-11-23T16:00:00Z.
    const FOUR: i64 = 1_795_449_600;
    const HELD: Held =
        Held { thumbnails: 1, details: 1, thumbnail_bytes: 70, detail_bytes: 700, failures: [0; 8] };

    /// The thread's part, with a clock of the test's.
    struct Book {
        db: Connection,
        counts: Counts,
        running: Running,
        now: Instant,
    }

    impl Book {
        fn open(wall: i64) -> Book {
            let db = Connection::open_in_memory().unwrap();
            db.execute_batch(schema::HOURS).unwrap();
            let now = Instant::now();
            let moment = Moment { wall: Timestamp(wall), now };
            let running = Running::begin(&db, moment, Counts::default()).unwrap();
            Book { db, counts: Counts::default(), running, now }
        }

        fn count(&mut self, misses: u64) {
            self.counts = self.counts.plus(&Counts::of(Counter::Misses, misses));
        }

        fn commit(&mut self, wall: i64, ending: Ending) {
            let moment = Moment { wall: Timestamp(wall), now: self.now };
            self.running = self.running.advance(&self.db, moment, &self.counts, &HELD, ending).unwrap();
        }

        /// A stop and a start.
        fn restart(&mut self, stopped: i64, started: i64) {
            self.commit(stopped, Ending::Soon);
            let moment = Moment { wall: Timestamp(started), now: self.now };
            self.running = Running::begin(&self.db, moment, self.counts).unwrap();
        }

        /// Hours from [`FOUR`] and their misses.
        fn shown(&self, wall: i64) -> Vec<(i64, u64)> {
            let running = self.running.recorded(&self.counts, 0, 0);
            shown(read(&self.db, Timestamp(wall)).unwrap(), running)
                .iter()
                .map(|hour| ((hour.begins.0 - FOUR) / SECONDS, hour.counts.get(Counter::Misses)))
                .collect()
        }

        fn rows(&self) -> i64 {
            self.db.query_row("SELECT count(*) FROM hour", [], |row| row.get(0)).unwrap()
        }
    }

    #[test]
    fn an_hour_is_shown_while_it_goes_on_and_written_once_when_it_is_over() {
        let mut book = Book::open(FOUR);
        book.count(3);
        book.commit(FOUR + 10, Ending::No);
        assert_eq!((book.shown(FOUR + 10), book.rows()), (vec![(0, 3)], 0));
        book.count(1);
        book.commit(FOUR + 3600, Ending::No);
        assert_eq!((book.shown(FOUR + 3600), book.rows()), (vec![(0, 4)], 1));
        book.count(5);
        assert_eq!(book.shown(FOUR + 3601), [(0, 4), (1, 5)]);
        // Nothing happens for two hours, and neither has a row.
        book.commit(FOUR + 2 * 3600, Ending::No);
        book.commit(FOUR + 4 * 3600, Ending::No);
        book.count(7);
        book.commit(FOUR + 5 * 3600, Ending::No);
        assert_eq!((book.shown(FOUR + 5 * 3600), book.rows()), (vec![(0, 4), (1, 5), (4, 7)], 3));
        let last = read(&book.db, Timestamp(FOUR + 5 * 3600)).unwrap()[2];
        assert_eq!((last.thumbnail_bytes, last.detail_bytes), (70, 700));
    }

    #[test]
    fn a_stop_writes_the_running_hour_and_the_next_start_goes_on_with_it() {
        let mut book = Book::open(FOUR);
        book.count(3);
        book.restart(FOUR + 60, FOUR + 120);
        assert_eq!((book.shown(FOUR + 120), book.rows()), (vec![(0, 3)], 1));
        book.count(4);
        book.restart(FOUR + 180, FOUR + 3700);
        book.restart(FOUR + 3700, FOUR + 3800);
        assert_eq!((book.shown(FOUR + 3800), book.rows()), (vec![(0, 7)], 1));
    }

    #[test]
    fn what_is_counted_before_the_clock_is_set_goes_to_the_first_hour_after() {
        let mut book = Book::open(0);
        book.count(2);
        book.commit(60, Ending::No);
        // Not set for hours; the counters are stored all the while.
        book.now += HOUR;
        assert!(book.running.is_over(Moment { wall: Timestamp(3700), now: book.now }));
        book.commit(3700, Ending::No);
        assert_eq!((book.shown(3700), book.rows()), (vec![], 0));
        book.count(1);
        book.commit(FOUR + 600, Ending::No);
        assert_eq!(book.shown(FOUR + 600), [(0, 3)]);
        book.commit(FOUR + 3600, Ending::No);
        assert_eq!((book.shown(FOUR + 3600), book.rows()), (vec![(0, 3)], 1));
    }

    #[test]
    fn a_clock_put_back_adds_to_the_hours_that_it_comes_to_again() {
        let mut book = Book::open(FOUR);
        book.count(1);
        book.commit(FOUR + 3600, Ending::No);
        book.count(2);
        book.commit(FOUR + 30, Ending::No);
        assert_eq!(book.shown(FOUR + 3600), [(0, 1), (1, 2)]);
        book.count(4);
        assert_eq!(book.shown(FOUR + 30), [(0, 5)], "the hour that has not come yet is not shown");
        book.commit(FOUR + 3600, Ending::No);
        book.count(8);
        book.commit(FOUR + 7200, Ending::No);
        assert_eq!((book.shown(FOUR + 7200), book.rows()), (vec![(0, 5), (1, 10)], 2));
    }

    #[test]
    fn a_clock_that_was_years_ahead_costs_no_hour_but_its_own() {
        let (mut book, ahead) = (Book::open(FOUR), FOUR + 20 * 8766 * 3600);
        book.count(1);
        book.commit(ahead, Ending::No);
        for hour in 1..HOURS_MAX {
            book.count(1);
            book.commit(ahead + hour * 3600, Ending::No);
        }
        book.count(1);
        book.commit(FOUR + 3600, Ending::No);
        assert_eq!((book.shown(FOUR + 3600), book.rows()), (vec![], HOURS_MAX), "the first was the oldest");
        for hour in 2..=10 {
            book.count(1);
            book.commit(FOUR + hour * 3600, Ending::No);
        }
        assert_eq!((book.shown(FOUR + 10 * 3600).len(), book.rows()), (9, HOURS_MAX));
    }

    #[test]
    fn thirty_days_are_kept_and_the_oldest_goes_first() {
        let mut book = Book::open(FOUR);
        for hour in 1..=HOURS_MAX + 10 {
            book.count(1);
            book.commit(FOUR + hour * 3600, Ending::No);
        }
        let shown = book.shown(FOUR + (HOURS_MAX + 10) * 3600);
        assert_eq!(book.rows(), HOURS_MAX);
        assert_eq!(
            (shown[0].0, shown.len() as i64),
            (11, HOURS_MAX - 1),
            "the hour that begins is the 720th"
        );
        assert_eq!(book.shown(0).len() as i64, HOURS_MAX, "without a clock all are shown");
    }

    #[test]
    fn no_wall_time_overflows() {
        for wall in [i64::MIN, -1, 0, i64::MAX] {
            let mut book = Book::open(wall);
            book.count(1);
            book.commit(FOUR, Ending::Soon);
            book.commit(wall, Ending::Soon);
            assert!(rest_of(Timestamp(wall)) <= HOUR && book.shown(wall).len() <= 1);
        }
    }
}
