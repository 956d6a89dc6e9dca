//! A record as a file or an account tells it and as the table keeps it: the fields, and their
//! columns in the table `album`. Knows neither which row it is nor which copy.

use rusqlite::Row;
use rusqlite::types::{FromSqlError, Type};

/// What is known of one record of the owner's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    pub release_id: Option<i64>,
    /// Discogs' number of the owned copy; the CSV export does not carry it.
    pub instance_id: Option<i64>,
    /// As it stands on the sleeve: without the number that tells apart two artists of one name.
    pub artist: String,
    pub title: String,
    pub year: Option<i32>,
    pub labels: Vec<String>,
    pub catalogue_numbers: Vec<String>,
    /// One entry per medium, e.g. `2xLP, Album, Gat`.
    pub formats: Vec<String>,
    pub genres: Vec<String>,
    pub styles: Vec<String>,
    pub folder: Option<String>,
    /// 1-5.
    pub rating: Option<u8>,
    /// `YYYY-MM-DD`, or RFC 3339 in UTC to the second: as text in the order of time.
    pub date_added: Option<String>,
    pub media_condition: Option<String>,
    pub sleeve_condition: Option<String>,
    pub notes: Option<String>,
    pub cover_url: Option<String>,
}

/// What [`Record::read`] reads, in its order.
pub(super) const COLUMNS: &str = "release_id, instance_id, artist, title, year, labels, catalogue_numbers, \
    formats, genres, styles, folder, rating, date_added, media_condition, sleeve_condition, notes, cover_url";

impl Record {
    /// From a row that has [`COLUMNS`] from column `first` on.
    pub(super) fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Record> {
        Ok(Record {
            release_id: row.get(first)?,
            instance_id: row.get(first + 1)?,
            artist: row.get(first + 2)?,
            title: row.get(first + 3)?,
            year: row.get(first + 4)?,
            labels: read_list(row, first + 5)?,
            catalogue_numbers: read_list(row, first + 6)?,
            formats: read_list(row, first + 7)?,
            genres: read_list(row, first + 8)?,
            styles: read_list(row, first + 9)?,
            folder: row.get(first + 10)?,
            rating: row.get(first + 11)?,
            date_added: row.get(first + 12)?,
            media_condition: row.get(first + 13)?,
            sleeve_condition: row.get(first + 14)?,
            notes: row.get(first + 15)?,
            cover_url: row.get(first + 16)?,
        })
    }
}

/// Lists are stored as JSON arrays of strings.
fn read_list(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<String>> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, FromSqlError::other(error).into())
    })
}

pub(super) fn written_list(list: &[String]) -> String {
    serde_json::Value::from(list).to_string()
}
