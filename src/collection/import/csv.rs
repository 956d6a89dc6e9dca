//! Rows of a CSV: separator, header, and getting on after a quotation mark that nobody closed.

use super::fields::{Dialect, Draft, Field, plain_name};
use super::{ImportError, Place, Reading};
use ::csv::{ReaderBuilder, StringRecord};

/// The columns of a Discogs wantlist, in [`plain_name`]s.
const WANTLIST: [&str; 9] =
    ["catalog", "artist", "title", "label", "format", "rating", "released", "releaseid", "notes"];
/// Columns of a header; an export has 13 and one per custom field.
const COLUMNS_MAX: usize = 200;
/// How often all of a file may be read again because of open quotation marks.
const REREADS_MAX: u64 = 8;

enum Column {
    Known(Field),
    /// A custom field of a Discogs collection: goes into the notes under its name.
    Custom(String),
    Unknown,
}

struct Header {
    columns: Vec<Column>,
    dialect: Dialect,
}

pub(super) fn read(text: &str) -> Result<Reading, ImportError> {
    let (text, separator, skipped_lines) = separator(text);
    let mut rows = Rows::new(text, separator, 1 + skipped_lines);
    let first = match rows.next() {
        Some(Ok(row)) => row.fields,
        _ => return Err(ImportError::Empty),
    };
    let header = header(&first)?;
    let mut reading = Reading::default();
    for row in rows {
        match row {
            Ok(row) if row.fields.iter().all(|field| field.trim().is_empty()) => {}
            Ok(row) => reading.take(Place::Line(row.line), draft(&header, &row.fields))?,
            Err(bad) => reading.skip(Place::Line(bad.line), bad.reason.to_owned())?,
        }
    }
    Ok(reading)
}

/// The text without Excel's `sep=;` line, what separates its fields, and how many lines that took.
fn separator(text: &str) -> (&str, u8, u64) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    if let Some(separator) = first.trim_end().strip_prefix("sep=")
        && let &[separator] = separator.as_bytes()
    {
        return (rest, separator, 1);
    }
    let outside: String = first.split('"').step_by(2).collect();
    let count = |separator: &u8| outside.bytes().filter(|byte| byte == separator).count();
    // Of equally many the last wins, so the comma stands last.
    let separator = [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',');
    (text, separator, 0)
}

fn header(names: &StringRecord) -> Result<Header, ImportError> {
    let plain: Vec<String> = names.iter().map(plain_name).collect();
    let has = |name: &str| plain.iter().any(|column| column == name);
    if has("listingid") && has("price") {
        return Err(ImportError::Inventory);
    }
    if plain.len() == WANTLIST.len() && WANTLIST.into_iter().all(has) {
        return Err(ImportError::Wantlist);
    }
    let dialect = if has("catalog") && has("releaseid") { Dialect::Discogs } else { Dialect::Plain };
    let columns: Vec<Column> = names.iter().map(|name| column(name, dialect)).collect();
    let knows =
        |field| columns.iter().any(|column| matches!(column, Column::Known(known) if *known == field));
    if columns.len() > COLUMNS_MAX || !knows(Field::Artist) || !knows(Field::Title) {
        let found: Vec<String> = names.iter().take(10).map(|name| name.chars().take(40).collect()).collect();
        return Err(ImportError::NoColumns { found: format!("`{}`", found.join("`, `")) });
    }
    Ok(Header { columns, dialect })
}

fn column(name: &str, dialect: Dialect) -> Column {
    if let Some(field) = Field::named(name) {
        return Column::Known(field);
    }
    match name.trim().split_at_checked("Collection ".len()) {
        Some((prefix, custom))
            if dialect == Dialect::Discogs && prefix.eq_ignore_ascii_case("collection ") =>
        {
            Column::Custom(custom.to_owned())
        }
        _ => Column::Unknown,
    }
}

/// A row that ends early has empty fields; one that goes on too long has a separator somewhere
/// that nobody quoted, so that its fields mean something else.
fn draft(header: &Header, fields: &StringRecord) -> Result<Draft, String> {
    let columns = header.columns.len();
    let surplus = fields.iter().skip(columns);
    if fields.len() > columns + 1 && surplus.clone().any(|field| !field.trim().is_empty()) {
        return Err(format!("{} fields under {columns} headings", fields.len()));
    }
    let mut draft = Draft::new(header.dialect);
    for (column, value) in header.columns.iter().zip(fields) {
        match column {
            Column::Known(field) => draft.set(*field, value)?,
            Column::Custom(name) => draft.note(Some(name), value)?,
            Column::Unknown => {}
        }
    }
    Ok(draft)
}

struct Numbered {
    line: u64,
    fields: StringRecord,
}

struct Bad {
    line: u64,
    reason: &'static str,
}

/// The records of a text with the line each begins on. A quotation mark that is never closed
/// swallows the lines up to the next one, or to the end of the file: what then spans several
/// lines is not well quoted, so its first line is bad and reading goes on with the second.
struct Rows<'a> {
    text: &'a str,
    separator: u8,
    reader: ::csv::Reader<&'a [u8]>,
    /// Where `reader` began.
    base: usize,
    /// Up to where lines are counted, and the number of the line there.
    counted: usize,
    line: u64,
    reread: u64,
}

impl<'a> Rows<'a> {
    fn new(text: &'a str, separator: u8, line: u64) -> Rows<'a> {
        let reader = reader(text, separator);
        Rows { text, separator, reader, base: 0, counted: 0, line, reread: 0 }
    }

    fn line_at(&mut self, byte: usize) -> u64 {
        self.line += newlines(&self.text[self.counted..byte]);
        self.counted = byte;
        self.line
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Numbered, Bad>;

    fn next(&mut self) -> Option<Self::Item> {
        let position = |rows: &Rows| rows.base + rows.reader.position().byte() as usize;
        let mut fields = StringRecord::new();
        let from = position(self);
        // Reading from memory, and the text is UTF-8: there is nothing left that could fail.
        if !self.reader.read_record(&mut fields).unwrap_or(false) {
            return None;
        }
        let end = position(self);
        let start = from + leading_breaks(&self.text[from..end]);
        let line = self.line_at(start);
        let record = self.text[start..end].trim_end_matches(['\r', '\n']);
        if !record.contains('\n') || is_well_quoted(record, self.separator) {
            return Some(Ok(Numbered { line, fields }));
        }
        self.reread += record.len() as u64;
        if self.reread > REREADS_MAX * self.text.len() as u64 {
            self.base = self.text.len();
            self.reader = reader("", self.separator);
            return Some(Err(Bad {
                line,
                reason: "too many open quotation marks: nothing after this was read",
            }));
        }
        self.base = start + record.find('\n').map_or(record.len(), |at| at + 1);
        self.reader = reader(&self.text[self.base..], self.separator);
        Some(Err(Bad { line, reason: "a quotation mark is opened and never closed" }))
    }
}

fn reader(text: &str, separator: u8) -> ::csv::Reader<&[u8]> {
    ReaderBuilder::new().delimiter(separator).has_headers(false).flexible(true).from_reader(text.as_bytes())
}

/// Whether each quotation mark that opens a field is closed at the field's end.
fn is_well_quoted(record: &str, separator: u8) -> bool {
    let mut bytes = record.bytes().peekable();
    let (mut quoted, mut begins) = (false, true);
    while let Some(byte) = bytes.next() {
        if quoted && byte == b'"' {
            match bytes.peek() {
                Some(b'"') => drop(bytes.next()),
                None | Some(b'\r' | b'\n') => quoted = false,
                Some(next) if *next == separator => quoted = false,
                Some(_) => return false,
            }
        } else if !quoted {
            quoted = begins && byte == b'"';
            begins = byte == separator;
        }
    }
    !quoted
}

fn leading_breaks(text: &str) -> usize {
    text.len() - text.trim_start_matches(['\r', '\n']).len()
}

fn newlines(text: &str) -> u64 {
    text.bytes().filter(|byte| *byte == b'\n').count() as u64
}
