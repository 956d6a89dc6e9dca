//! The statements on the table of failures, and nothing else; `rows` has those on the others.

use super::rows::{Held, signed, unsigned};
use crate::cache::failure::{Class, Failure};
use crate::key::{CacheKey, Digest, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

pub(super) fn read(db: &Connection, key: CacheKey) -> rusqlite::Result<Option<Failure>> {
    read_with(db, key, "url")
}

/// From a table that is older than its column `url`.
pub(super) fn read_without_url(db: &Connection, key: CacheKey) -> rusqlite::Result<Option<Failure>> {
    read_with(db, key, "NULL")
}

fn read_with(db: &Connection, key: CacheKey, url: &str) -> rusqlite::Result<Option<Failure>> {
    let query =
        format!("SELECT class, reason, tries, failed_at, next_try_at, {url} FROM failure WHERE key = ?1");
    db.prepare_cached(&query)?
        .query_row([key.as_bytes()], |row| {
            Ok(Failure {
                class: class(row.get(0)?),
                reason: row.get(1)?,
                tries: u32::try_from(row.get::<_, i64>(2)?).unwrap_or(u32::MAX),
                failed_at: Timestamp(row.get(3)?),
                next_try_at: Timestamp(row.get(4)?),
                url: row.get::<_, Option<[u8; 20]>>(5)?.map(Digest::from_bytes),
            })
        })
        .optional()
}

pub(super) fn put(
    db: &Connection,
    key: CacheKey,
    failure: &Failure,
    held: &mut Held,
) -> rusqlite::Result<()> {
    delete(db, key, held)?;
    db.prepare_cached(
        "INSERT INTO failure(key, class, reason, tries, failed_at, next_try_at, url)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        key.as_bytes(),
        failure.class.number(),
        failure.reason,
        failure.tries,
        failure.failed_at.0,
        failure.next_try_at.0,
        failure.url.as_ref().map(Digest::as_bytes)
    ])?;
    held.failures[failure.class as usize] += 1;
    Ok(())
}

pub(super) fn delete(db: &Connection, key: CacheKey, held: &mut Held) -> rusqlite::Result<()> {
    let number: Option<i64> = db
        .prepare_cached("DELETE FROM failure WHERE key = ?1 RETURNING class")?
        .query_row([key.as_bytes()], |row| row.get(0))
        .optional()?;
    if let Some(number) = number {
        subtract(held, class(number));
    }
    Ok(())
}

pub(super) fn delete_all(db: &Connection, held: &mut Held) -> rusqlite::Result<()> {
    db.execute("DELETE FROM failure", [])?;
    held.failures = Default::default();
    Ok(())
}

pub(super) fn delete_of(db: &Connection, class: Class, held: &mut Held) -> rusqlite::Result<()> {
    db.execute("DELETE FROM failure WHERE class = ?1", [class.number()])?;
    held.failures[class as usize] = 0;
    Ok(())
}

pub(super) fn count(db: &Connection) -> rusqlite::Result<u64> {
    db.query_row("SELECT count(*) FROM failure", [], |row| Ok(unsigned(row.get(0)?)))
}

pub(super) fn by_class(db: &Connection) -> rusqlite::Result<[u64; Class::ALL.len()]> {
    let mut counts = [0; Class::ALL.len()];
    let mut query = db.prepare("SELECT class, count(*) FROM failure GROUP BY class")?;
    let mut found = query.query([])?;
    while let Some(row) = found.next()? {
        counts[class(row.get(0)?) as usize] += unsigned(row.get(1)?);
    }
    Ok(counts)
}

pub(super) fn drop_oldest(db: &Connection, count: u64, held: &mut Held) -> rusqlite::Result<()> {
    let mut delete = db.prepare_cached(
        "DELETE FROM failure WHERE key IN (SELECT key FROM failure ORDER BY failed_at LIMIT ?1)
         RETURNING class",
    )?;
    for number in delete.query_map([signed(count)], |row| row.get(0))? {
        subtract(held, class(number?));
    }
    Ok(())
}

fn subtract(held: &mut Held, class: Class) {
    let count = &mut held.failures[class as usize];
    *count = count.saturating_sub(1);
}

/// A class that this program does not know is a failure all the same.
fn class(number: i64) -> Class {
    Class::from_number(number).unwrap_or(Class::Failed)
}
