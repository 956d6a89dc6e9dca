//! What a page asks of the collection: search, filters, order and page number, and the SQL that
//! answers them. Writes nothing.

use super::Album;
use super::fold::fold;
use super::record::{COLUMNS, Record};
use crate::key::CacheKey;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

/// Albums on a page: ten rows of six, a few screens of scrolling.
pub const PAGE_SIZE: u32 = 60;
/// Each word of a search is one comparison per album; nobody types more.
const WORDS_MAX: usize = 8;
/// Characters of a search or a filter; what is longer is cut, since no name is.
const TEXT_MAX: usize = 200;
/// Albums named beside one cover: more tell nothing new.
const HOLDERS_MAX: u32 = 20;
/// Entries of a drop-down list: more cannot be used by hand.
const FACET_MAX: u32 = 200;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Words that must all occur in artist, title, labels or catalogue numbers.
    pub text: Option<String>,
    pub sort: Sort,
    /// `None`: the order that one expects of the sort (see [`Sort::natural_order`]).
    pub order: Option<Order>,
    pub genre: Option<String>,
    pub style: Option<String>,
    pub format: Option<String>,
    /// Its first year, e.g. 1970.
    pub decade: Option<i32>,
    /// From 1.
    pub page: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Artist,
    Title,
    Year,
    DateAdded,
    Rating,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
}

#[derive(Clone, Debug, Default)]
pub struct Page {
    pub albums: Vec<Album>,
    /// Of all pages.
    pub total: u64,
    /// From 1, at most `pages`.
    pub page: u32,
    /// At least 1.
    pub pages: u32,
}

/// What the collection can be narrowed by, the most frequent first.
#[derive(Clone, Debug, Default)]
pub struct Facets {
    pub genres: Vec<Facet>,
    pub styles: Vec<Facet>,
    pub formats: Vec<Facet>,
    /// The newest first.
    pub decades: Vec<Decade>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facet {
    pub name: String,
    pub albums: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decade {
    pub from: i32,
    pub albums: u64,
}

/// The numbers of `tag.kind`; stored, so never renumbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Genre = 0,
    Style = 1,
    Format = 2,
}

impl Query {
    /// From the decoded pairs of an address: `q sort order genre style format decade page`.
    /// What is empty, unknown or senseless is as if it were not there: an address is typed by hand.
    ///
    /// ```
    /// use vinylvault::collection::{Query, Sort};
    /// let query = Query::from_pairs([("q", " miles "), ("sort", "year"), ("page", "-1")]);
    /// assert_eq!((query.text.as_deref(), query.sort, query.page), (Some("miles"), Sort::Year, 1));
    /// ```
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Query {
        let mut query = Query { page: 1, ..Query::default() };
        for (name, value) in pairs {
            let text = trimmed(value.as_ref());
            match name.as_ref() {
                "q" => query.text = text,
                "sort" => query.sort = text.as_deref().and_then(Sort::parse).unwrap_or_default(),
                "order" => query.order = text.as_deref().and_then(Order::parse),
                "genre" => query.genre = text,
                "style" => query.style = text,
                "format" => query.format = text,
                "decade" => {
                    query.decade = text.and_then(|text| text.parse().ok()).filter(|year| year % 10 == 0)
                }
                "page" => query.page = text.and_then(|text| text.parse().ok()).unwrap_or(1).max(1),
                _ => {}
            }
        }
        query
    }

    /// Whether fewer albums than all may answer.
    pub fn is_narrowed(&self) -> bool {
        let Query { text, genre, style, format, decade, .. } = self;
        text.is_some() || genre.is_some() || style.is_some() || format.is_some() || decade.is_some()
    }
}

impl Sort {
    pub const ALL: [Sort; 5] = [Sort::Artist, Sort::Title, Sort::Year, Sort::DateAdded, Sort::Rating];

    /// The name in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Sort::Artist => "artist",
            Sort::Title => "title",
            Sort::Year => "year",
            Sort::DateAdded => "date_added",
            Sort::Rating => "rating",
        }
    }

    pub fn parse(name: &str) -> Option<Sort> {
        Sort::ALL.into_iter().find(|sort| sort.name() == name)
    }

    /// Names from A, years from the oldest, but the newest arrivals and the best first.
    pub fn natural_order(self) -> Order {
        match self {
            Sort::Artist | Sort::Title | Sort::Year => Order::Ascending,
            Sort::DateAdded | Sort::Rating => Order::Descending,
        }
    }

    /// Every order ends in the id, so that an album is on exactly one page. What is unknown comes
    /// last either way (to SQLite, NULL is the smallest).
    fn sql(self, order: Order) -> &'static str {
        use Order::{Ascending, Descending};
        match (self, order) {
            (Sort::Artist, Ascending) => "artist_sort, year, title_sort, id",
            (Sort::Artist, Descending) => "artist_sort DESC, year DESC, title_sort DESC, id DESC",
            (Sort::Title, Ascending) => "title_sort, artist_sort, id",
            (Sort::Title, Descending) => "title_sort DESC, artist_sort DESC, id DESC",
            (Sort::Year, Ascending) => "year NULLS LAST, artist_sort, title_sort, id",
            (Sort::Year, Descending) => "year DESC, artist_sort, title_sort, id",
            (Sort::DateAdded, Ascending) => "date_added NULLS LAST, id",
            (Sort::DateAdded, Descending) => "date_added DESC, id DESC",
            (Sort::Rating, Ascending) => "rating NULLS LAST, artist_sort, year, title_sort, id",
            (Sort::Rating, Descending) => "rating DESC, artist_sort, year, title_sort, id",
        }
    }
}

impl Order {
    /// The name in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Order::Ascending => "asc",
            Order::Descending => "desc",
        }
    }

    pub fn parse(name: &str) -> Option<Order> {
        [Order::Ascending, Order::Descending].into_iter().find(|order| order.name() == name)
    }
}

pub(super) fn page(connection: &Connection, query: &Query) -> rusqlite::Result<Page> {
    // One snapshot, so that the count and the rows agree while an import commits.
    let snapshot = connection.unchecked_transaction()?;
    let (condition, mut values) = condition(query);
    let total: i64 = if condition.is_empty() {
        count(&snapshot)? as i64
    } else {
        let select = format!("SELECT count(*) FROM album {condition}");
        snapshot.prepare_cached(&select)?.query_row(params_from_iter(&values), |row| row.get(0))?
    };
    let pages = (total.max(1) - 1) / i64::from(PAGE_SIZE) + 1;
    let page = i64::from(query.page).clamp(1, pages);

    let order = query.sort.sql(query.order.unwrap_or(query.sort.natural_order()));
    let select = format!("SELECT id FROM album {condition} ORDER BY {order} LIMIT ? OFFSET ?");
    values.push(Value::from(PAGE_SIZE));
    values.push(Value::from((page - 1) * i64::from(PAGE_SIZE)));
    // The ids first: they are sorted within an index, where whole albums would be sorted, notes
    // and all, to be thrown away but for a page.
    let mut statement = snapshot.prepare_cached(&select)?;
    let ids = statement.query_map(params_from_iter(&values), |row| row.get(0))?;
    let ids: Vec<i64> = ids.collect::<rusqlite::Result<_>>()?;
    let mut albums = Vec::with_capacity(ids.len());
    for id in ids {
        albums.extend(album(&snapshot, id)?);
    }
    // Albums are numbered in 64 bits and pages in 32: both are far beyond what an import takes in.
    Ok(Page { albums, total: total as u64, page: page as u32, pages: pages as u32 })
}

pub(super) fn album(connection: &Connection, id: i64) -> rusqlite::Result<Option<Album>> {
    let select = format!("SELECT id, cover_key, {COLUMNS} FROM album WHERE id = ?1");
    connection.prepare_cached(&select)?.query_row([id], read).optional()
}

pub(super) fn albums_with_cover(connection: &Connection, key: CacheKey) -> rusqlite::Result<Vec<Album>> {
    let select =
        format!("SELECT id, cover_key, {COLUMNS} FROM album WHERE cover_key = ?1 ORDER BY id DESC LIMIT ?2");
    let mut statement = connection.prepare_cached(&select)?;
    let rows = statement.query_map((key.as_bytes(), HOLDERS_MAX), read)?;
    rows.collect()
}

pub(super) fn count(connection: &Connection) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM album")?;
    statement.query_row([], |row| row.get::<_, i64>(0)).map(|count| count as u64)
}

pub(super) fn cover_count(connection: &Connection) -> rusqlite::Result<u64> {
    let select = "SELECT count(DISTINCT cover_key) FROM album WHERE cover_key IS NOT NULL";
    connection.prepare_cached(select)?.query_row([], |row| row.get::<_, i64>(0)).map(|count| count as u64)
}

/// An album's number and its cover's URL. SQLite takes the URL from the row that has the maximum.
pub(super) fn covers_before(
    connection: &Connection,
    before: i64,
    limit: usize,
) -> rusqlite::Result<Vec<(i64, String)>> {
    let select = "SELECT max(id), cover_url FROM album WHERE cover_key IS NOT NULL
                  GROUP BY cover_key HAVING max(id) < ?1 ORDER BY max(id) DESC LIMIT ?2";
    let mut statement = connection.prepare_cached(select)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    statement.query_map((before, limit), |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

pub(super) fn facets(connection: &Connection) -> rusqlite::Result<Facets> {
    let select =
        "SELECT year / 10 * 10, count(*) FROM album WHERE year IS NOT NULL GROUP BY 1 ORDER BY 1 DESC";
    let mut statement = connection.prepare_cached(select)?;
    let decades = statement
        .query_map([], |row| Ok(Decade { from: row.get(0)?, albums: row.get::<_, i64>(1)? as u64 }))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Facets {
        genres: names(connection, Tag::Genre)?,
        styles: names(connection, Tag::Style)?,
        formats: names(connection, Tag::Format)?,
        decades,
    })
}

/// The most frequent names of one kind; of two spellings, the one that sorts first.
fn names(connection: &Connection, kind: Tag) -> rusqlite::Result<Vec<Facet>> {
    let select = "SELECT min(name), count(*) FROM tag WHERE kind = ?1
                  GROUP BY folded ORDER BY count(*) DESC, folded LIMIT ?2";
    let mut statement = connection.prepare_cached(select)?;
    let rows = statement.query_map((kind as i64, FACET_MAX), |row| {
        Ok(Facet { name: row.get(0)?, albums: row.get::<_, i64>(1)? as u64 })
    })?;
    rows.collect()
}

/// The `WHERE` of a query with its values; empty when nothing narrows it.
fn condition(query: &Query) -> (String, Vec<Value>) {
    let mut parts = Vec::new();
    let mut values = Vec::new();
    let words = fold(query.text.as_deref().unwrap_or_default());
    let words: Vec<&str> = words.split(' ').filter(|word| !word.is_empty()).take(WORDS_MAX).collect();
    if !words.is_empty() {
        // instr and not LIKE: both sides are folded already, and nothing in it needs escaping.
        let every = vec!["instr(folded, ?) > 0"; words.len()].join(" AND ");
        parts.push(format!("id IN (SELECT album FROM album_text WHERE {every})"));
        values.extend(words.into_iter().map(|word| Value::from(word.to_owned())));
    }
    for (kind, name) in [(Tag::Genre, &query.genre), (Tag::Style, &query.style), (Tag::Format, &query.format)]
    {
        if let Some(name) = name {
            parts.push("id IN (SELECT album FROM tag WHERE kind = ? AND folded = ?)".to_owned());
            values.extend([Value::from(kind as i64), Value::from(fold(name))]);
        }
    }
    if let Some(decade) = query.decade {
        parts.push("year BETWEEN ? AND ?".to_owned());
        values.extend([Value::from(decade), Value::from(decade.saturating_add(9))]);
    }
    let condition = if parts.is_empty() { String::new() } else { format!("WHERE {}", parts.join(" AND ")) };
    (condition, values)
}

/// A row of `id`, `cover_key` and [`COLUMNS`].
fn read(row: &Row<'_>) -> rusqlite::Result<Album> {
    let key: Option<[u8; 20]> = row.get(1)?;
    Ok(Album { id: row.get(0)?, key: key.map(CacheKey::from_bytes), record: Record::read(row, 2)? })
}

fn trimmed(value: &str) -> Option<String> {
    let value: String = value.trim().chars().take(TEXT_MAX).collect();
    (!value.is_empty()).then_some(value)
}
