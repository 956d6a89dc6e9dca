//! Albums in JSON: a list of objects, an object that has such a list, pages of Discogs' API, or
//! one object after the other. Items are turned into albums as they come by, so that a page of
//! 2 kB per record is never in memory as a whole tree.

use super::discogs::{self, text, texts};
use super::fields::{Dialect, Draft, Field};
use super::{ImportError, Place, Reading};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// What an object may call its list of albums.
const LISTS: [&str; 2] = ["albums", "releases"];

pub(super) fn read(json: &str) -> Result<Reading, ImportError> {
    let mut reading = Reading::default();
    let mut items = Items { reading: &mut reading, count: 0, failed: None };
    let mut input = serde_json::Deserializer::from_str(json);
    let outcome = loop {
        if let Err(error) = items.deserialize(&mut input) {
            break Err(error);
        }
        if input.end().is_ok() {
            break Ok(());
        }
    };
    let Items { count, failed, .. } = items;
    match (outcome, failed) {
        (_, Some(error)) => Err(error),
        (Ok(()), None) => Ok(reading),
        (Err(error), None) if reading.albums.is_empty() => Err(ImportError::Json(error.to_string())),
        // Cut short, as by a download that ended early: what came before is whole.
        (Err(error), None) => {
            let reason = format!("the JSON breaks off here ({error}): nothing after this was read");
            reading.skip(Place::Item(count + 1), reason).map(|()| reading)
        }
    }
}

/// Walks over a document and takes each album in it.
struct Items<'a> {
    reading: &'a mut Reading,
    count: u64,
    /// The limit that was reached: serde's errors cannot carry it.
    failed: Option<ImportError>,
}

impl Items<'_> {
    fn take<E: Error>(&mut self, item: &Value) -> Result<(), E> {
        self.count += 1;
        self.reading.take(Place::Item(self.count), draft(item)).map_err(|error| self.fail(error))
    }

    fn fail<E: Error>(&mut self, error: ImportError) -> E {
        self.failed = Some(error);
        E::custom("a limit is reached")
    }
}

impl<'de> DeserializeSeed<'de> for &mut Items<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of albums")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(item) = list.next_element::<Value>()? {
            self.take(&item)?;
        }
        Ok(())
    }

    /// An object with a list of albums; without one it is an album itself.
    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let mut album = Map::new();
        let mut has_list = false;
        while let Some(key) = object.next_key::<String>()? {
            if LISTS.contains(&key.as_str()) {
                has_list = true;
                object.next_value_seed(&mut *self)?;
            } else if key == "wants" {
                return Err(self.fail(ImportError::Wantlist));
            } else if has_list {
                object.next_value::<IgnoredAny>()?;
            } else {
                album.insert(key, object.next_value()?);
            }
        }
        if has_list { Ok(()) } else { self.take(&Value::Object(album)) }
    }
}

fn draft(item: &Value) -> Result<Draft, String> {
    let Value::Object(fields) = item else {
        return Err("not an object with the fields of an album".to_owned());
    };
    if item["basic_information"].is_object() {
        return discogs::collection_item(item);
    }
    let mut draft = Draft::new(Dialect::Plain);
    for (name, value) in fields {
        let Some(field) = Field::named(name) else { continue };
        match value {
            Value::Array(list) if list.iter().any(Value::is_object) => objects(&mut draft, field, value)?,
            Value::Array(list) => draft.extend(field, list.iter().map(text).collect())?,
            value => draft.set(field, &text(value))?,
        }
    }
    Ok(draft)
}

/// Artists, labels and formats as a release of Discogs has them.
fn objects(draft: &mut Draft, field: Field, list: &Value) -> Result<(), String> {
    match field {
        Field::Artist => draft.set(field, &discogs::artists(list)),
        Field::Label => {
            draft.extend(field, texts(list, "name"))?;
            draft.extend(Field::CatalogueNumber, texts(list, "catno"))
        }
        Field::Format => {
            draft.extend(field, list.as_array().into_iter().flatten().map(discogs::format).collect())
        }
        field => draft.extend(field, texts(list, "name")),
    }
}
