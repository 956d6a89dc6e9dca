//! The statements on each table but the failures', which [`failed`] has, and nothing else: every line of
//! SQL that a server runs after its start.
//! Each function runs within the transaction of its caller, if there is one.

use super::clock::Stamp;
use super::counters::{Counts, NAMES};
use super::history::Recorded;
use super::{Entry, Row, failed};
use crate::cache::failure::Class;
use crate::key::{CacheKey, Digest, Variant};
use rusqlite::{Connection, OptionalExtension, params};

/// What the rows add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub thumbnails: u64,
    pub details: u64,
    pub thumbnail_bytes: u64,
    pub detail_bytes: u64,
    /// Remembered failures, in the order of [`Class::ALL`].
    pub failures: [u64; Class::ALL.len()],
}

impl Held {
    /// Bytes of all renditions.
    pub fn bytes(&self) -> u64 {
        self.thumbnail_bytes.saturating_add(self.detail_bytes)
    }

    fn add(&mut self, variant: Variant, bytes: u64) {
        let (count, sum) = self.of(variant);
        *count += 1;
        *sum = sum.saturating_add(bytes);
    }

    fn subtract(&mut self, variant: Variant, bytes: u64) {
        let (count, sum) = self.of(variant);
        *count = count.saturating_sub(1);
        *sum = sum.saturating_sub(bytes);
    }

    fn of(&mut self, variant: Variant) -> (&mut u64, &mut u64) {
        match variant {
            Variant::Thumbnail => (&mut self.thumbnails, &mut self.thumbnail_bytes),
            Variant::Detail => (&mut self.details, &mut self.detail_bytes),
        }
    }
}

/// A rendition that is to go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Victim {
    pub entry: Entry,
    pub bytes: u64,
}

/// Counts all renditions in one pass over the index by access alone, and the failures.
pub(super) fn held(db: &Connection) -> rusqlite::Result<Held> {
    let sums = "SELECT count(*) FILTER (WHERE variant = ?1), count(*) FILTER (WHERE variant = ?2),
                       coalesce(sum(bytes) FILTER (WHERE variant = ?1), 0),
                       coalesce(sum(bytes) FILTER (WHERE variant = ?2), 0)
                FROM rendition INDEXED BY rendition_by_access";
    let failures = failed::by_class(db)?;
    db.query_row(sums, [Variant::Thumbnail.number(), Variant::Detail.number()], |row| {
        Ok(Held {
            thumbnails: unsigned(row.get(0)?),
            details: unsigned(row.get(1)?),
            thumbnail_bytes: unsigned(row.get(2)?),
            detail_bytes: unsigned(row.get(3)?),
            failures,
        })
    })
}

/// Whether any row claims more bytes than a rendition can have, or less than none.
pub(super) fn any_beyond(db: &Connection, bytes_max: u64) -> rusqlite::Result<bool> {
    let beyond = "SELECT EXISTS(SELECT 1 FROM rendition INDEXED BY rendition_by_access
                                WHERE bytes NOT BETWEEN 0 AND ?1)";
    db.query_row(beyond, [signed(bytes_max)], |row| row.get(0))
}

pub(super) fn newest_access(db: &Connection) -> rusqlite::Result<Stamp> {
    db.query_row("SELECT coalesce(max(accessed_at), 0) FROM rendition", [], |row| row.get(0))
}

pub(super) fn row(db: &Connection, (key, variant): Entry) -> rusqlite::Result<Option<Row>> {
    db.prepare_cached("SELECT bytes, digest FROM rendition WHERE key = ?1 AND variant = ?2")?
        .query_row(params![key.as_bytes(), variant.number()], |row| {
            Ok(Row { bytes: unsigned(row.get(0)?), digest: Digest::from_bytes(row.get(1)?) })
        })
        .optional()
}

pub(super) fn asked(db: &Connection, (key, variant): Entry) -> rusqlite::Result<Option<u32>> {
    let asked = db
        .prepare_cached("SELECT asked FROM rendition WHERE key = ?1 AND variant = ?2")?
        .query_row(params![key.as_bytes(), variant.number()], |row| row.get(0))
        .optional()?;
    Ok(asked.flatten())
}

pub(super) fn accessed_at(db: &Connection, (key, variant): Entry) -> rusqlite::Result<Option<Stamp>> {
    db.prepare_cached("SELECT accessed_at FROM rendition WHERE key = ?1 AND variant = ?2")?
        .query_row(params![key.as_bytes(), variant.number()], |row| row.get(0))
        .optional()
}

pub(super) fn insert(
    db: &Connection,
    (key, variant): Entry,
    new: Row,
    asked: Option<u32>,
    accessed_at: Stamp,
    held: &mut Held,
) -> rusqlite::Result<()> {
    delete(db, (key, variant), held)?;
    db.prepare_cached(
        "INSERT INTO rendition(key, variant, bytes, digest, accessed_at, asked)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        key.as_bytes(),
        variant.number(),
        signed(new.bytes),
        new.digest.as_bytes(),
        accessed_at,
        asked
    ])?;
    held.add(variant, new.bytes);
    Ok(())
}

pub(super) fn delete(db: &Connection, (key, variant): Entry, held: &mut Held) -> rusqlite::Result<()> {
    let bytes: Option<i64> = db
        .prepare_cached("DELETE FROM rendition WHERE key = ?1 AND variant = ?2 RETURNING bytes")?
        .query_row(params![key.as_bytes(), variant.number()], |row| row.get(0))
        .optional()?;
    if let Some(bytes) = bytes {
        held.subtract(variant, unsigned(bytes));
    }
    Ok(())
}

/// Never moves a time backwards: the row may have been replaced since the access.
pub(super) fn touch(db: &Connection, (key, variant): Entry, at: Stamp) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE rendition SET accessed_at = ?3 WHERE key = ?1 AND variant = ?2 AND accessed_at < ?3",
    )?
    .execute(params![key.as_bytes(), variant.number(), at])?;
    Ok(())
}

/// The `count` renditions that were accessed longest ago, oldest first.
pub(super) fn oldest(db: &Connection, count: usize) -> rusqlite::Result<Vec<Victim>> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    db.prepare_cached("SELECT key, variant, bytes FROM rendition ORDER BY accessed_at, bytes LIMIT ?1")?
        .query_map([count], victim)?
        .collect()
}

/// Up to `count` renditions last accessed no later than `until`, by key from after `from`: files of
/// one folder come together, so a batch has few folders to fsync.
pub(super) fn unused(
    db: &Connection,
    until: Stamp,
    from: Option<Entry>,
    count: usize,
) -> rusqlite::Result<Vec<Victim>> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let (key, variant) = match &from {
        Some((key, variant)) => (key.as_bytes().as_slice(), variant.number()),
        None => (&[][..], -1),
    };
    // The plus keeps SQLite from walking the index by access and sorting.
    db.prepare_cached(
        "SELECT key, variant, bytes FROM rendition WHERE +accessed_at <= ?1 AND (key, variant) > (?2, ?3)
         ORDER BY key, variant LIMIT ?4",
    )?
    .query_map(params![until, key, variant, count], victim)?
    .collect()
}

pub(super) fn source(db: &Connection, key: CacheKey) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT url FROM source WHERE key = ?1")?
        .query_row([key.as_bytes()], |row| row.get(0))
        .optional()
}

pub(super) fn put_source(db: &Connection, key: CacheKey, url: &str, at: Stamp) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO source(key, url, added_at) VALUES (?1, ?2, ?3)
         ON CONFLICT(key) DO UPDATE SET url = excluded.url, added_at = excluded.added_at WHERE url <> excluded.url",
    )?
    .execute(params![key.as_bytes(), url, at])?;
    Ok(())
}

pub(super) fn count_sources(db: &Connection) -> rusqlite::Result<u64> {
    db.query_row("SELECT count(*) FROM source", [], |row| Ok(unsigned(row.get(0)?)))
}

/// Drops up to `count` of the sources that have no rendition, oldest first.
pub(super) fn drop_idle_sources(db: &Connection, count: u64) -> rusqlite::Result<()> {
    db.prepare_cached(
        "DELETE FROM source WHERE key IN (
           SELECT key FROM source s WHERE NOT EXISTS (SELECT 1 FROM rendition r WHERE r.key = s.key)
           ORDER BY added_at LIMIT ?1)",
    )?
    .execute([signed(count)])?;
    Ok(())
}

/// The row of an hour, if it has one.
pub(super) fn hour(db: &Connection, number: i64) -> rusqlite::Result<Option<Recorded>> {
    let found = hours(db, number.saturating_sub(1), number)?;
    Ok(found.into_iter().next_back())
}

/// The hours after `after` up to `last`, oldest first. Walks the whole table, which is small.
pub(super) fn hours(db: &Connection, after: i64, last: i64) -> rusqlite::Result<Vec<Recorded>> {
    let columns = NAMES.join(", ");
    let query = format!(
        "SELECT id, hour, thumbnail_bytes, detail_bytes, {columns} FROM hour
         WHERE hour > ?1 AND hour <= ?2 ORDER BY hour, id"
    );
    db.prepare(&query)?.query_map([after, last], recorded)?.collect()
}

/// Adds or replaces the row of an hour; its id.
pub(super) fn put_hour(db: &Connection, hour: &Recorded) -> rusqlite::Result<i64> {
    let columns = NAMES.join(", ");
    let places = ", ?".repeat(NAMES.len());
    let insert = format!(
        "INSERT OR REPLACE INTO hour(id, hour, thumbnail_bytes, detail_bytes, {columns})
         VALUES (?, ?, ?, ?{places})"
    );
    let own = [Some(hour.number), Some(signed(hour.thumbnail_bytes)), Some(signed(hour.detail_bytes))];
    let counts = hour.counts.values().iter().map(|value| Some(signed(*value)));
    let values = std::iter::once(hour.id).chain(own).chain(counts);
    db.prepare(&insert)?.execute(rusqlite::params_from_iter(values))?;
    Ok(db.last_insert_rowid())
}

/// Keeps the `kept` hours that were recorded last.
pub(super) fn drop_oldest_hours(db: &Connection, kept: i64) -> rusqlite::Result<()> {
    db.execute(
        "DELETE FROM hour WHERE id <= (SELECT id FROM hour ORDER BY id DESC LIMIT 1 OFFSET ?1)",
        [kept],
    )?;
    Ok(())
}

pub(super) fn counter(db: &Connection, name: &str) -> rusqlite::Result<u64> {
    let value =
        db.query_row("SELECT value FROM counter WHERE name = ?1", [name], |row| row.get(0)).optional()?;
    Ok(value.map_or(0, unsigned))
}

pub(super) fn put_counter(db: &Connection, name: &str, value: u64) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO counter(name, value) VALUES (?1, ?2)")?
        .execute(params![name, signed(value)])?;
    Ok(())
}

pub(super) fn fact(db: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    db.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional()
}

pub(super) fn put_fact(db: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO meta(name, value) VALUES (?1, ?2)")?
        .execute(params![name, value])?;
    Ok(())
}

fn victim(row: &rusqlite::Row<'_>) -> rusqlite::Result<Victim> {
    let key = CacheKey::from_bytes(row.get(0)?);
    Ok(Victim { entry: (key, variant(row.get(1)?)?), bytes: unsigned(row.get(2)?) })
}

fn recorded(row: &rusqlite::Row<'_>) -> rusqlite::Result<Recorded> {
    let mut counts = [0; NAMES.len()];
    for (column, count) in counts.iter_mut().enumerate() {
        *count = unsigned(row.get(column + 4)?);
    }
    Ok(Recorded {
        id: row.get(0)?,
        number: row.get(1)?,
        thumbnail_bytes: unsigned(row.get(2)?),
        detail_bytes: unsigned(row.get(3)?),
        counts: Counts::from_values(counts),
    })
}

/// A variant that this program does not know can only be damage: the version said so.
pub(super) fn variant(number: i64) -> rusqlite::Result<Variant> {
    Variant::from_number(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(1, number))
}

/// SQLite's integers are signed. Sizes of files never reach the difference.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
