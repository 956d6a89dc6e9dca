//! `manifest.json`: what a backup holds, written after everything else and compared with what was
//! read. Owns its fields; neither side ever has the text in memory as a whole.

use super::tally::{Record, Tally};
use crate::key::Timestamp;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};

/// Told apart from every other JSON.
const FORMAT: &str = "vinylvault-backup";
/// Raised when an older program would misread a backup.
const VERSION: u64 = 1;
/// The fields before the members: a dozen short lines.
const HEAD_BYTES_MAX: u64 = 4 * 1024;
/// One member: its name, its size and 64 digits are 180 bytes.
const ENTRY_BYTES_MAX: u64 = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Collection, index and covers.
    Full,
    CollectionOnly,
}

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub kind: Kind,
    /// Version of the program that wrote it.
    pub program: String,
    pub created_at: Timestamp,
    pub collection_schema: i64,
    pub index_schema: Option<i64>,
    /// What the covers were made like.
    pub recipe: Option<String>,
    pub albums: u64,
    pub covers: u64,
    /// Covers that the index lists and that were gone or damaged when their turn came: rows that a
    /// restore drops.
    pub left_out: u64,
    /// Of all members before the manifest, bytes.
    pub bytes: u64,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Full => "full",
            Kind::CollectionOnly => "collection-only",
        }
    }
}

/// Bytes that a manifest of so many members may have.
pub(super) fn bytes_max(members: usize) -> u64 {
    HEAD_BYTES_MAX + ENTRY_BYTES_MAX * members as u64
}

/// Writes the manifest, a line a member.
pub(super) fn write(out: &mut dyn Write, facts: &Facts, tally: &Tally) -> io::Result<()> {
    out.write_all(b"{\n")?;
    for (name, value) in FIELDS.iter().zip(values(facts)) {
        writeln!(out, "{}: {value},", json!(name))?;
    }
    out.write_all(b"\"members\": [")?;
    for (i, Record { member, bytes, sha256 }) in tally.records().iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        write!(out, "{comma}\n{{\"path\":\"{member}\",\"bytes\":{bytes},\"sha256\":\"{sha256}\"}}")?;
    }
    out.write_all(b"\n]\n}\n")
}

/// Reads a manifest and compares it with what the stream held: `facts` without what only a manifest
/// knows (when and by what it was written), which are returned. Text after the manifest is wrong too.
///
/// # Errors
/// A sentence on the first thing that differs.
pub(super) fn compare(manifest: impl Read, facts: &Facts, tally: &Tally) -> Result<Facts, String> {
    let mut json = serde_json::Deserializer::from_reader(manifest);
    let told = Manifest { tally }.deserialize(&mut json).and_then(|told| json.end().map(|()| told));
    let told = told.map_err(|error| error.to_string())?;
    let program = told.claims.get("program").and_then(Value::as_str).unwrap_or_default().to_owned();
    let created_at = Timestamp(told.claims.get("created_at_seconds").and_then(Value::as_i64).unwrap_or(0));
    let facts = Facts { program, created_at, ..facts.clone() };
    for (name, value) in FIELDS.iter().zip(values(&facts)) {
        let claimed = told.claims.get(name);
        if claimed != Some(&value) {
            let claimed = claimed.map_or("nothing".to_owned(), Value::to_string);
            return Err(format!("it says {claimed} of {name}, which is {value}"));
        }
    }
    Ok(facts)
}

/// Everything but the members, in the order in which it is written.
const FIELDS: [&str; 13] = [
    "format",
    "format_version",
    "kind",
    "program",
    "created_at",
    "created_at_seconds",
    "collection_schema",
    "index_schema",
    "recipe",
    "albums",
    "covers",
    "left_out",
    "bytes",
];

fn values(facts: &Facts) -> [Value; FIELDS.len()] {
    [
        FORMAT.into(),
        VERSION.into(),
        facts.kind.name().into(),
        facts.program.clone().into(),
        facts.created_at.to_string().into(),
        facts.created_at.0.into(),
        facts.collection_schema.into(),
        facts.index_schema.into(),
        facts.recipe.clone().into(),
        facts.albums.into(),
        facts.covers.into(),
        facts.left_out.into(),
        facts.bytes.into(),
    ]
}

/// What a manifest claims, its members apart: they were compared as they came.
struct Told {
    claims: BTreeMap<&'static str, Value>,
}

/// The top of the manifest.
struct Manifest<'a> {
    tally: &'a Tally,
}

/// The value of a field: no list and no object, of which a few bytes of text make many of memory.
struct Scalar;

/// Its list of members.
struct Members<'a> {
    tally: &'a Tally,
}

/// One member of the list.
struct Entry;

struct Claim {
    path: String,
    bytes: u64,
    sha256: String,
}

impl<'de> DeserializeSeed<'de> for Manifest<'_> {
    type Value = Told;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Told, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Manifest<'_> {
    type Value = Told;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a manifest")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Told, A::Error> {
        let (mut claims, mut members) = (BTreeMap::new(), None);
        while let Some(name) = map.next_key::<String>()? {
            if name == "members" && members.is_none() {
                refuse_newer(&claims)?;
                members = Some(map.next_value_seed(Members { tally: self.tally })?);
            } else if let Some(known) = FIELDS.into_iter().find(|known| *known == name) {
                if claims.insert(known, map.next_value_seed(Scalar)?).is_some() {
                    return Err(A::Error::custom(format_args!("it says {name} twice")));
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if members.is_none() {
            return Err(A::Error::custom("it lists no members"));
        }
        Ok(Told { claims })
    }
}

/// The version stands before the members, which a newer program may list otherwise.
fn refuse_newer<E: serde::de::Error>(claims: &BTreeMap<&str, Value>) -> Result<(), E> {
    match claims.get("format_version").and_then(Value::as_u64) {
        Some(version) if version > VERSION => Err(E::custom(format_args!(
            "a newer VinylVault wrote it (format {version}, this one knows {VERSION}): use that version"
        ))),
        _ => Ok(()),
    }
}

impl<'de> DeserializeSeed<'de> for Scalar {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl Visitor<'_> for Scalar {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text or null")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of members")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        for Record { member, bytes, sha256 } in self.tally.records() {
            let Some(claim) = list.next_element_seed(Entry)? else {
                return Err(A::Error::custom(format_args!("it does not list {member}")));
            };
            if claim.path != member.to_string() {
                return Err(A::Error::custom(format_args!(
                    "it lists {:?} where the stream has {member}",
                    claim.path
                )));
            }
            if claim.bytes != *bytes || claim.sha256 != sha256.to_string() {
                return Err(A::Error::custom(format_args!(
                    "{member} is not what was written: its size or SHA-256 differs"
                )));
            }
        }
        match list.next_element_seed(Entry)? {
            Some(more) => Err(A::Error::custom(format_args!("{:?} is missing", more.path))),
            None => Ok(()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Entry {
    type Value = Claim;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Claim, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Entry {
    type Value = Claim;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claim, A::Error> {
        let mut claim = Claim { path: String::new(), bytes: 0, sha256: String::new() };
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "path" => claim.path = map.next_value()?,
                "bytes" => claim.bytes = map.next_value()?,
                "sha256" => claim.sha256 = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(claim)
    }
}
