//! What a field of an album may be called and what it may hold: aliases, cleaning, limits. One
//! [`Draft`] per line; knows neither CSV nor JSON.

use super::dates::{self, Zone};
use super::discogs;
use crate::collection::{Record, cover};

/// Characters of an artist or a title; compilations name their artists one by one.
const NAME_MAX: usize = 1_000;
/// Characters of an entry of a list (a label, a genre); Discogs' CSV joins several labels to one.
const ENTRY_MAX: usize = 1_000;
/// Entries of a list.
const ENTRIES_MAX: usize = 50;
/// Characters of a folder or a condition.
const WORD_MAX: usize = 200;
/// Characters of notes.
const NOTES_MAX: usize = 10_000;
/// Characters of a cover's address; Discogs' have 250.
const URL_MAX: usize = 4_096;
/// From the first recordings to a pre-order.
const YEARS: std::ops::RangeInclusive<i32> = 1857..=2100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Artist,
    Title,
    Year,
    Label,
    CatalogueNumber,
    Format,
    Genre,
    Style,
    Rating,
    Cover,
    /// A small picture of the same cover: taken when there is no other.
    Thumb,
    ReleaseId,
    InstanceId,
    MusicBrainzId,
    Folder,
    DateAdded,
    MediaCondition,
    SleeveCondition,
    Notes,
}

/// Whose habits a value follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `Artist (3)`, times in Pacific time, lists joined with a comma that names may contain.
    Discogs,
    /// Lists split at `;` or `|`, genres, styles also at commas.
    Plain,
}

impl Field {
    /// By a header or a key in any spelling of case, blanks and punctuation.
    pub(super) fn named(name: &str) -> Option<Field> {
        Some(match plain_name(name).as_str() {
            "artist" | "artists" | "artistname" | "albumartist" | "band" => Field::Artist,
            "title" | "album" | "albumtitle" | "releasetitle" => Field::Title,
            "year" | "released" | "releaseyear" | "releasedate" => Field::Year,
            "label" | "labels" | "recordlabel" => Field::Label,
            "catalog" | "catno" | "catnos" | "catalogno" | "catalogueno" | "catalognumber"
            | "catalognumbers" | "cataloguenumber" | "cataloguenumbers" => Field::CatalogueNumber,
            "format" | "formats" | "medium" => Field::Format,
            "genre" | "genres" => Field::Genre,
            "style" | "styles" | "subgenre" | "subgenres" => Field::Style,
            "rating" | "myrating" | "stars" => Field::Rating,
            "cover" | "coverurl" | "coverimage" | "coverart" | "coverarturl" | "image" | "imageurl"
            | "artwork" | "artworkurl" => Field::Cover,
            "thumb" | "thumburl" | "thumbnail" | "thumbnailurl" => Field::Thumb,
            "releaseid" | "discogsid" | "discogsreleaseid" => Field::ReleaseId,
            "instanceid" => Field::InstanceId,
            "mbid" | "musicbrainzid" | "musicbrainzreleaseid" | "musicbrainzalbumid" => Field::MusicBrainzId,
            "folder" | "collectionfolder" | "shelf" => Field::Folder,
            "dateadded" | "added" | "addedat" | "addedon" => Field::DateAdded,
            "mediacondition" | "collectionmediacondition" | "condition" => Field::MediaCondition,
            "sleevecondition" | "collectionsleevecondition" => Field::SleeveCondition,
            "notes" | "note" | "collectionnotes" | "comment" | "comments" => Field::Notes,
            _ => return None,
        })
    }
}

/// Lower-case letters and digits of a header: what is left the same by a spreadsheet.
pub(super) fn plain_name(name: &str) -> String {
    name.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// An album being read.
pub(super) struct Draft {
    album: Record,
    dialect: Dialect,
    thumb: Option<String>,
    musicbrainz: Option<String>,
    warnings: Vec<String>,
}

impl Draft {
    pub(super) fn new(dialect: Dialect) -> Draft {
        let album = Record::default();
        Draft { album, dialect, thumb: None, musicbrainz: None, warnings: Vec::new() }
    }

    /// One value as text. Of two columns for one field the first that says something counts. An
    /// error is a reason to skip the line.
    pub(super) fn set(&mut self, field: Field, raw: &str) -> Result<(), String> {
        if raw.trim().is_empty() {
            return Ok(());
        }
        match field {
            Field::Artist if self.album.artist.is_empty() => self.album.artist = self.name("artist", raw)?,
            Field::Title if self.album.title.is_empty() => self.album.title = clean("title", raw, NAME_MAX)?,
            Field::Artist | Field::Title => {}
            Field::Label | Field::CatalogueNumber | Field::Format | Field::Genre | Field::Style => {
                let entries = self.split(field, raw);
                self.extend(field, entries)?;
            }
            Field::Cover if self.album.cover_url.is_none() => self.album.cover_url = self.cover(raw)?,
            Field::Thumb if self.thumb.is_none() => self.thumb = self.cover(raw)?,
            Field::Cover | Field::Thumb => {}
            Field::Year => self.album.year = self.album.year.or(self.year(raw)),
            Field::Rating => self.album.rating = self.album.rating.or(self.rating(raw)),
            Field::ReleaseId => self.album.release_id = self.album.release_id.or(self.id("release id", raw)),
            Field::InstanceId => {
                self.album.instance_id = self.album.instance_id.or(self.id("instance id", raw))
            }
            Field::MusicBrainzId => self.musicbrainz = Some(clean("MusicBrainz id", raw, WORD_MAX)?),
            Field::Folder => self.album.folder = Some(clean("folder", raw, WORD_MAX)?),
            Field::MediaCondition => {
                self.album.media_condition = Some(clean("media condition", raw, WORD_MAX)?)
            }
            Field::SleeveCondition => {
                self.album.sleeve_condition = Some(clean("sleeve condition", raw, WORD_MAX)?)
            }
            Field::DateAdded => self.album.date_added = self.date(raw),
            Field::Notes => self.note(None, raw)?,
        }
        Ok(())
    }

    /// Entries that come as a list.
    pub(super) fn extend(&mut self, field: Field, entries: Vec<String>) -> Result<(), String> {
        let (name, list) = match field {
            Field::Label => ("label", &mut self.album.labels),
            Field::CatalogueNumber => ("catalogue number", &mut self.album.catalogue_numbers),
            Field::Format => ("format", &mut self.album.formats),
            Field::Genre => ("genre", &mut self.album.genres),
            Field::Style => ("style", &mut self.album.styles),
            _ => return self.set(field, &entries.join(", ")),
        };
        for entry in entries {
            let mut entry = clean(name, &entry, ENTRY_MAX)?;
            if field == Field::Label && self.dialect == Dialect::Discogs {
                entry = discogs::without_numbers(&entry);
            }
            let says_none = field == Field::CatalogueNumber && entry.eq_ignore_ascii_case("none");
            if !entry.is_empty() && !says_none && !list.contains(&entry) {
                list.push(entry);
            }
        }
        match list.len() {
            0..=ENTRIES_MAX => Ok(()),
            many => Err(format!("{name}: {many} entries, at most {ENTRIES_MAX} are taken")),
        }
    }

    /// A note; under its `heading` where it has one (a custom field of a Discogs collection).
    pub(super) fn note(&mut self, heading: Option<&str>, raw: &str) -> Result<(), String> {
        let note = clean_lines("notes", raw, NOTES_MAX)?;
        if note.is_empty() {
            return Ok(());
        }
        let note = match heading {
            Some(heading) => format!("{}: {note}", clean("heading", heading, WORD_MAX)?),
            None => note,
        };
        let notes = match self.album.notes.take() {
            Some(notes) => format!("{notes}\n{note}"),
            None => note,
        };
        self.album.notes = Some(within("notes", notes, NOTES_MAX)?);
        Ok(())
    }

    pub(super) fn finish(self) -> Result<(Record, Vec<String>), String> {
        let mut album = self.album;
        match (album.artist.is_empty(), album.title.is_empty()) {
            (true, true) => return Err("neither artist nor title".to_owned()),
            (true, false) => return Err(format!("no artist for `{}`", album.title)),
            (false, true) => return Err(format!("no title by `{}`", album.artist)),
            (false, false) => {}
        }
        let archived = || self.musicbrainz.as_deref().and_then(cover_art_archive);
        album.cover_url = album.cover_url.or(self.thumb).or_else(archived);
        Ok((album, self.warnings))
    }

    fn name(&self, what: &str, raw: &str) -> Result<String, String> {
        let name = clean(what, raw, NAME_MAX)?;
        Ok(match self.dialect {
            Dialect::Discogs => discogs::without_numbers(&name),
            Dialect::Plain => name,
        })
    }

    fn split(&self, field: Field, raw: &str) -> Vec<String> {
        let owned = |parts: Vec<&str>| parts.into_iter().map(str::to_owned).collect();
        match (field, self.dialect) {
            (Field::Format, _) => owned(raw.split(" + ").collect()),
            (_, Dialect::Discogs) => vec![raw.to_owned()],
            (_, Dialect::Plain) if raw.contains([';', '|']) => owned(raw.split([';', '|']).collect()),
            (Field::Genre | Field::Style, Dialect::Plain) => discogs::split_genres(raw),
            (_, Dialect::Plain) => vec![raw.to_owned()],
        }
    }

    fn cover(&mut self, raw: &str) -> Result<Option<String>, String> {
        // Not cleaned: the address is fetched as it came, or not at all.
        let url = within("cover address", raw.trim().to_owned(), URL_MAX)?;
        Ok(cover::usable(url).unwrap_or_else(|error| {
            self.warnings.push(format!("cover address: {error}"));
            None
        }))
    }

    /// `1987`, `1987-07-00`, `Jul 1987`; 0 is Discogs' unknown.
    fn year(&mut self, raw: &str) -> Option<i32> {
        let mut numbers = raw.split(|character: char| !character.is_ascii_digit());
        let year = numbers.find(|digits| digits.len() == 4).and_then(|digits| digits.parse().ok());
        let known = year.filter(|year| YEARS.contains(year));
        if known.is_none() && !raw.trim().trim_matches('0').is_empty() {
            self.warn("year", raw);
        }
        known
    }

    /// 1 to 5, also `4.5`, which is rounded; 0 is no rating.
    fn rating(&mut self, raw: &str) -> Option<u8> {
        match raw.trim().replace(',', ".").parse::<f64>() {
            Ok(rating) if (0.0..=5.0).contains(&rating) => {
                Some(rating.round() as u8).filter(|stars| *stars > 0)
            }
            _ => {
                self.warn("rating (0 to 5)", raw);
                None
            }
        }
    }

    fn id(&mut self, what: &str, raw: &str) -> Option<i64> {
        // `r1234` and `[r1234]` are how Discogs' site writes a release.
        let digits = raw.trim().trim_matches(['[', ']', 'r']);
        match digits.parse() {
            Ok(id) if id > 0 => Some(id),
            Ok(0) => None,
            _ => {
                self.warn(what, raw);
                None
            }
        }
    }

    fn date(&mut self, raw: &str) -> Option<String> {
        let zone = match self.dialect {
            Dialect::Discogs => Zone::Pacific,
            Dialect::Plain => Zone::Utc,
        };
        let date = dates::normalise(raw.trim(), zone);
        if date.is_none() {
            self.warn("date added", raw);
        }
        date
    }

    fn warn(&mut self, what: &str, raw: &str) {
        let shown: String = raw.trim().chars().filter(|character| !is_harmful(*character)).take(40).collect();
        self.warnings.push(format!("{what} `{shown}`"));
    }
}

/// The cover that the Cover Art Archive has for a MusicBrainz release, at most 500 pixels a side.
fn cover_art_archive(id: &str) -> Option<String> {
    let groups: Vec<&str> = id.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let hex = groups.iter().all(|group| group.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let valid = hex && lengths == [8, 4, 4, 4, 12];
    valid.then(|| format!("https://coverartarchive.org/release/{}/front-500", id.to_ascii_lowercase()))
}

/// On one line, without what only harms: control characters, and marks that turn the direction
/// of the text around them.
fn clean(what: &str, raw: &str, max: usize) -> Result<String, String> {
    let blank = |character: char| if character.is_whitespace() { ' ' } else { character };
    let kept = raw.chars().map(blank).filter(|character| !is_harmful(*character));
    within(what, kept.collect::<String>().trim().to_owned(), max)
}

/// As [`clean`], with line breaks kept.
fn clean_lines(what: &str, raw: &str, max: usize) -> Result<String, String> {
    let lines = raw.lines().map(|line| clean(what, line, max)).collect::<Result<Vec<_>, _>>()?;
    within(what, lines.join("\n").trim().to_owned(), max)
}

fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn within(what: &str, text: String, max: usize) -> Result<String, String> {
    match text.chars().count() {
        length if length > max => Err(format!("{what}: {length} characters, at most {max} are taken")),
        _ => Ok(text),
    }
}
