//! Discogs' ways of writing names, and the items of its API. Pure; asks nobody.

use super::fields::{Dialect, Draft, Field};
use serde_json::Value;

/// The one genre whose name contains commas.
const FOLK: &str = "Folk, World, & Country";
/// The default fields of a collection item's notes.
const MEDIA_CONDITION: i64 = 1;
const SLEEVE_CONDITION: i64 = 2;

/// A name as it stands on the sleeve: without the ` (3)` that tells apart artists of one name and
/// the `*` that marks a variation, also within several joined names.
pub(super) fn without_numbers(names: &str) -> String {
    let mut plain = String::with_capacity(names.len());
    let mut rest = names;
    while let Some(at) = rest.find(" (") {
        let digits = rest[at + 2..].bytes().take_while(u8::is_ascii_digit).count();
        let after = &rest[at + 2 + digits..];
        let ends = |tail: &str| tail.is_empty() || tail.starts_with([',', ' ', ';', '*']);
        match after.strip_prefix(')') {
            Some(tail) if digits > 0 && digits <= 4 && ends(tail) && !(plain.is_empty() && at == 0) => {
                plain.push_str(&rest[..at]);
                rest = tail;
            }
            _ => {
                plain.push_str(&rest[..at + 2]);
                rest = &rest[at + 2..];
            }
        }
    }
    plain.push_str(rest);
    let plain = plain.replace("*,", ",").replace("* ", " ");
    match plain.strip_suffix('*') {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => plain,
    }
}

/// Genres or styles joined with commas.
pub(super) fn split_genres(joined: &str) -> Vec<String> {
    let (folk, others) = match joined.split_once(FOLK) {
        Some((before, after)) => (true, format!("{before},{after}")),
        None => (false, joined.to_owned()),
    };
    let names = others.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    folk.then(|| FOLK.to_owned()).into_iter().chain(names).collect()
}

/// An item of `/users/{u}/collection/folders/{f}/releases`.
pub(super) fn collection_item(item: &Value) -> Result<Draft, String> {
    let mut draft = Draft::new(Dialect::Discogs);
    let basic = &item["basic_information"];
    draft.set(Field::Artist, &artists(&basic["artists"]))?;
    draft.set(Field::Title, &text(&basic["title"]))?;
    let id = if item["id"].is_null() { &basic["id"] } else { &item["id"] };
    draft.set(Field::ReleaseId, &text(id))?;
    draft.set(Field::InstanceId, &text(&item["instance_id"]))?;
    draft.set(Field::Year, &text(&basic["year"]))?;
    draft.set(Field::Rating, &text(&item["rating"]))?;
    draft.set(Field::DateAdded, &text(&item["date_added"]))?;
    draft.set(Field::Folder, &text(&item["folder"]))?;
    draft.set(Field::Cover, &text(&basic["cover_image"]))?;
    draft.set(Field::Thumb, &text(&basic["thumb"]))?;
    draft.extend(Field::Label, texts(&basic["labels"], "name"))?;
    draft.extend(Field::CatalogueNumber, texts(&basic["labels"], "catno"))?;
    draft.extend(Field::Format, list(&basic["formats"]).iter().map(format).collect())?;
    draft.extend(Field::Genre, list(&basic["genres"]).iter().map(text).collect())?;
    draft.extend(Field::Style, list(&basic["styles"]).iter().map(text).collect())?;
    for note in list(&item["notes"]) {
        let value = text(&note["value"]);
        match note["field_id"].as_i64() {
            Some(MEDIA_CONDITION) => draft.set(Field::MediaCondition, &value)?,
            Some(SLEEVE_CONDITION) => draft.set(Field::SleeveCondition, &value)?,
            _ => draft.note(None, &value)?,
        }
    }
    Ok(draft)
}

/// As the sleeve says it: the name variation where there is one, then what joins it to the next.
pub(super) fn artists(artists: &Value) -> String {
    let mut display = String::new();
    for (place, artist) in list(artists).iter().enumerate() {
        let variation = text(&artist["anv"]);
        let name = if variation.is_empty() { without_numbers(&text(&artist["name"])) } else { variation };
        display.push_str(&name);
        if place + 1 < list(artists).len() {
            match text(&artist["join"]).trim() {
                "" | "," => display.push_str(", "),
                join => display.push_str(&format!(" {join} ")),
            }
        }
    }
    display
}

/// `2xVinyl, LP, Album, Red`: as the CSV export has it, with the medium's name in front.
pub(super) fn format(format: &Value) -> String {
    let name = text(&format["name"]);
    let count = text(&format["qty"]);
    let medium = if matches!(count.as_str(), "" | "0" | "1") { name } else { format!("{count}x{name}") };
    let descriptions = list(&format["descriptions"]).iter().map(text);
    let parts: Vec<String> =
        [medium].into_iter().chain(descriptions).chain([text(&format["text"])]).collect();
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// The one text in each object of a list.
pub(super) fn texts(objects: &Value, key: &str) -> Vec<String> {
    list(objects).iter().map(|object| text(&object[key])).collect()
}

/// A string or a number as text, anything else as nothing.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
