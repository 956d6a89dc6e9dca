//! Puts albums onto the shelf: which of them are there already, what changes, what is new. Owns
//! identity; reads no file and renders no page.
//!
//! Two rows are copies of one *work* when they share a Discogs release or, without one, artist
//! and title. Among the copies of a work each new album claims at most one row and each row is
//! claimed at most once, the surest match first ([`PASSES`]). So importing a file twice changes
//! nothing, identical lines are as many copies, and a collection that came as CSV (which knows no
//! instance ids) and comes again from the API is recognised.
//!
//! Nothing is ever deleted, and an empty field never erases a known one.

use super::cover;
use super::fold::{fold, sort_key};
use super::query::Tag;
use super::record::{COLUMNS, Record, written_list};
use super::report::ImportReport;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};
use std::collections::{HashMap, HashSet};

/// Copies of one work: keeps matching them (quadratic) quick whatever a file says.
pub const COPIES_MAX: usize = 1_000;
/// Genres, styles and formats of one album that it can be found by.
const TAGS_MAX: usize = 64;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImportMode {
    #[default]
    Write,
    /// Tells what would happen; writes nothing.
    DryRun,
}

/// A row that is there already.
struct Shelved {
    id: i64,
    number: i64,
    record: Record,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    /// The index of a [`Shelved`].
    Row(usize),
    New,
    /// The same instance came before in this import.
    Repeated,
}

pub(super) fn shelve(
    connection: &mut Connection,
    albums: &[Record],
    mode: ImportMode,
) -> rusqlite::Result<ImportReport> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut report = ImportReport { mode, ..ImportReport::default() };
    for (work, albums) in works(albums) {
        shelve_work(&transaction, &work, &albums, &mut report)?;
    }
    match mode {
        ImportMode::Write => transaction.commit()?,
        ImportMode::DryRun => transaction.rollback()?,
    }
    Ok(report)
}

/// The albums by work, works in the order of their first album.
fn works(albums: &[Record]) -> Vec<(String, Vec<&Record>)> {
    let mut works: Vec<(String, Vec<&Record>)> = Vec::new();
    let mut places = HashMap::new();
    for album in albums {
        let work = work(album);
        let place = *places.entry(work.clone()).or_insert_with(|| {
            works.push((work, Vec::new()));
            works.len() - 1
        });
        works[place].1.push(album);
    }
    works
}

/// What all copies share. Stored: see [`super::schema`] before changing it.
fn work(album: &Record) -> String {
    match album.release_id {
        Some(release) => format!("release:{release}"),
        None => format!("name:{}\n{}", fold(&album.artist), fold(&album.title)),
    }
}

fn shelve_work(
    transaction: &Transaction<'_>,
    work: &str,
    albums: &[&Record],
    report: &mut ImportReport,
) -> rusqlite::Result<()> {
    let rows = copies(transaction, work)?;
    let mut number = rows.iter().map(|row| row.number).max().unwrap_or(0);
    let taken = &albums[..albums.len().min(COPIES_MAX)];
    report.too_many_copies += (albums.len() - taken.len()) as u64;
    for (album, claim) in taken.iter().zip(claims(taken, &rows)) {
        match claim {
            Claim::Repeated => report.repeated += 1,
            Claim::New if number >= COPIES_MAX as i64 => report.too_many_copies += 1,
            Claim::New => {
                number += 1;
                insert(transaction, work, number, album)?;
                report.added += 1;
            }
            Claim::Row(place) => {
                let merged = merge(&rows[place].record, album);
                if merged == rows[place].record {
                    report.unchanged += 1;
                } else {
                    update(transaction, rows[place].id, &merged)?;
                    report.updated += 1;
                }
            }
        }
    }
    Ok(())
}

/// From the surest sign that an album is this row to the faintest. Two copies that differ in
/// nothing are matched in the order of the file.
const PASSES: [fn(&Record, &Record) -> bool; 4] = [
    |album, row| album.instance_id.is_some() && album.instance_id == row.instance_id,
    |album, row| album.date_added == row.date_added && same_number(album, row),
    same_number,
    |_, _| true,
];

fn claims(albums: &[&Record], rows: &[Shelved]) -> Vec<Claim> {
    let mut claims = vec![Claim::New; albums.len()];
    let mut instances = HashSet::new();
    for (claim, album) in claims.iter_mut().zip(albums) {
        if album.instance_id.is_some_and(|instance| !instances.insert(instance)) {
            *claim = Claim::Repeated;
        }
    }
    let mut free: Vec<usize> = (0..rows.len()).collect();
    for pass in PASSES {
        for (claim, album) in claims.iter_mut().zip(albums).filter(|(claim, _)| **claim == Claim::New) {
            let fits = |row: &Record| pass(album, row) && may_be_one(album, row);
            if let Some(place) = free.iter().position(|row| fits(&rows[*row].record)) {
                *claim = Claim::Row(free.remove(place));
            }
        }
    }
    claims
}

/// Two instances are two copies; and of what only a name identifies, another catalogue number is
/// another pressing, which must not overwrite this one.
fn may_be_one(album: &Record, row: &Record) -> bool {
    let instances =
        album.instance_id.is_none() || row.instance_id.is_none() || album.instance_id == row.instance_id;
    let numbered = !album.catalogue_numbers.is_empty() && !row.catalogue_numbers.is_empty();
    instances && (album.release_id.is_some() || !numbered || same_number(album, row))
}

fn same_number(album: &Record, row: &Record) -> bool {
    album.catalogue_numbers == row.catalogue_numbers
}

/// What is known now: the new album's fields where it has any, else the row's.
fn merge(row: &Record, album: &Record) -> Record {
    fn one<T: Clone>(old: &Option<T>, new: &Option<T>) -> Option<T> {
        new.clone().or_else(|| old.clone())
    }
    fn list(old: &[String], new: &[String]) -> Vec<String> {
        if new.is_empty() { old.to_vec() } else { new.to_vec() }
    }
    Record {
        release_id: one(&row.release_id, &album.release_id),
        instance_id: one(&row.instance_id, &album.instance_id),
        artist: album.artist.clone(),
        title: album.title.clone(),
        year: one(&row.year, &album.year),
        labels: list(&row.labels, &album.labels),
        catalogue_numbers: list(&row.catalogue_numbers, &album.catalogue_numbers),
        formats: list(&row.formats, &album.formats),
        genres: list(&row.genres, &album.genres),
        styles: list(&row.styles, &album.styles),
        folder: one(&row.folder, &album.folder),
        rating: one(&row.rating, &album.rating),
        date_added: one(&row.date_added, &album.date_added),
        media_condition: one(&row.media_condition, &album.media_condition),
        sleeve_condition: one(&row.sleeve_condition, &album.sleeve_condition),
        notes: one(&row.notes, &album.notes),
        cover_url: one(&row.cover_url, &album.cover_url),
    }
}

fn copies(transaction: &Transaction<'_>, work: &str) -> rusqlite::Result<Vec<Shelved>> {
    let select = format!("SELECT id, copy, {COLUMNS} FROM album WHERE work = ?1 ORDER BY copy");
    let read =
        |row: &Row<'_>| Ok(Shelved { id: row.get(0)?, number: row.get(1)?, record: Record::read(row, 2)? });
    transaction.prepare_cached(&select)?.query_map([work], read)?.collect()
}

fn insert(transaction: &Transaction<'_>, work: &str, number: i64, album: &Record) -> rusqlite::Result<()> {
    let insert = "INSERT INTO album (work, copy, artist, title, labels, catalogue_numbers, formats, genres, \
                  styles, artist_sort, title_sort) VALUES (?1, ?2, '', '', '', '', '', '', '', '', '')";
    transaction.prepare_cached(insert)?.execute((work, number))?;
    update(transaction, transaction.last_insert_rowid(), album)
}

fn update(transaction: &Transaction<'_>, id: i64, album: &Record) -> rusqlite::Result<()> {
    let update = "UPDATE album SET release_id = ?2, instance_id = ?3, artist = ?4, title = ?5, year = ?6, \
                  labels = ?7, catalogue_numbers = ?8, formats = ?9, genres = ?10, styles = ?11, folder = ?12, \
                  rating = ?13, date_added = ?14, media_condition = ?15, sleeve_condition = ?16, notes = ?17, \
                  cover_url = ?18, cover_key = ?19, artist_sort = ?20, title_sort = ?21 WHERE id = ?1";
    let key = album.cover_url.as_deref().and_then(cover::key_of);
    transaction.prepare_cached(update)?.execute(params![
        id,
        album.release_id,
        album.instance_id,
        album.artist,
        album.title,
        album.year,
        written_list(&album.labels),
        written_list(&album.catalogue_numbers),
        written_list(&album.formats),
        written_list(&album.genres),
        written_list(&album.styles),
        album.folder,
        album.rating,
        album.date_added,
        album.media_condition,
        album.sleeve_condition,
        album.notes,
        album.cover_url,
        key.map(|key| *key.as_bytes()),
        sort_key(&album.artist),
        sort_key(&album.title),
    ])?;
    let text = "INSERT INTO album_text (album, folded) VALUES (?1, ?2)
                ON CONFLICT (album) DO UPDATE SET folded = excluded.folded";
    transaction.prepare_cached(text)?.execute((id, searchable(album)))?;
    write_tags(transaction, id, album)
}

fn write_tags(transaction: &Transaction<'_>, id: i64, album: &Record) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM tag WHERE album = ?1")?.execute([id])?;
    let mut insert = transaction
        .prepare_cached("INSERT OR IGNORE INTO tag (kind, folded, album, name) VALUES (?1, ?2, ?3, ?4)")?;
    let genres = album.genres.iter().map(|name| (Tag::Genre, name.as_str()));
    let styles = album.styles.iter().map(|name| (Tag::Style, name.as_str()));
    let formats =
        album.formats.iter().flat_map(|medium| medium.split(", ")).map(|name| (Tag::Format, one_of(name)));
    for (kind, name) in genres.chain(styles).chain(formats).take(TAGS_MAX) {
        insert.execute((kind as i64, fold(name), id, name))?;
    }
    Ok(())
}

/// `2xLP` is found as `LP`.
fn one_of(format: &str) -> &str {
    match format.split_once(['x', '×']) {
        Some((count, name)) if !count.is_empty() && count.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => format,
    }
}

/// What a search looks into; fields apart, so that no word spans two of them.
fn searchable(album: &Record) -> String {
    let names = [&album.artist, &album.title].into_iter();
    let fields: Vec<String> =
        names.chain(&album.labels).chain(&album.catalogue_numbers).map(|field| fold(field)).collect();
    fields.join("\n")
}
