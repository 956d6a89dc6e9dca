//! The stream in: every member named, measured, digested and compared with what stands elsewhere in
//! the stream, in the one order that there is. Writes into the folder that it was given and nowhere
//! else; puts nothing into place.

use super::manifest::{self, Facts, Kind};
use super::member::Member;
use super::tally::{Digesting, Record, Sha256, Tally};
use super::{BackupError, COVER_BYTES_MAX, DATABASE_BYTES_MAX, Progress, Watch};
use crate::cache::disk::Disk;
use crate::cache::index::{IndexCopy, Listed, Rows};
use crate::collection;
use crate::key::{CacheKey, Digest, Timestamp, Variant};
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::iter::Peekable;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tar::{Archive, Entry};

const BUFFER_BYTES: usize = 256 * 1024;
/// Zeros after the end: tape drives and `dd` round up to whole records.
const PADDING_BYTES_MAX: u64 = 1024 * 1024;
/// What compressed streams begin with, and what undoes it.
const COMPRESSED: [(&[u8], &str); 4] =
    [(&[0x1f, 0x8b], "gzip"), (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"), (b"\xfd7zXZ", "xz"), (b"BZh", "bzip2")];

/// What becomes of the covers; the databases are written in any case, for they are opened.
#[derive(Clone, Copy)]
pub(super) enum Covers<'a> {
    Checked,
    Kept(&'a Disk),
}

/// Reads a whole backup, from `progress` at its beginning, into `folder`: `vinylvault.db`, `index.db`, and the covers as told.
pub(super) fn read(
    input: impl Read,
    folder: &Path,
    covers: Covers,
    progress: Progress,
    watch: Watch,
) -> Result<Facts, BackupError> {
    let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
    refuse_other_files(&mut input)?;
    let mut archive = Archive::new(input);
    let facts = members(&mut archive, folder, covers, progress, watch)?;
    refuse_more(&mut archive.into_inner())?;
    Ok(facts)
}

fn members(
    archive: &mut Archive<impl Read>,
    folder: &Path,
    covers: Covers,
    progress: Progress,
    watch: Watch,
) -> Result<Facts, BackupError> {
    // Raw: a long name, a sparse map or an extension is then a member of a kind that is refused.
    let mut entries = archive.entries().map_err(unreadable)?.raw(true);
    let mut next = || entries.next().transpose().map_err(unreadable);
    let mut reading = Reading { tally: Tally::default(), progress, watch };

    let first = Named::of(next()?)?;
    let collection = reading.collection(first, folder)?;
    let second = Named::of(next()?)?;
    let mut found = Facts {
        kind: Kind::CollectionOnly,
        program: String::new(),
        created_at: Timestamp(0),
        collection_schema: collection.schema,
        index_schema: None,
        recipe: None,
        albums: collection.albums,
        covers: 0,
        left_out: 0,
        bytes: 0,
    };
    let last = if second.member == Member::Index {
        let index = reading.index(second, folder)?;
        found.kind = Kind::Full;
        found.index_schema = Some(index.version());
        found.recipe = Some(index.fingerprint().map_err(BackupError::doubt(Member::Index))?);
        let mut rows = Promised { rows: index.rows().peekable(), left_out: 0 };
        let last = loop {
            let named = Named::of(next()?)?;
            match named.member {
                Member::Cover(key, variant) => reading.cover(named, &mut rows, (key, variant), covers)?,
                _ => break named,
            }
        };
        found.covers = reading.progress.covers;
        found.left_out = rows.rest()?;
        last
    } else {
        second
    };
    found.bytes = reading.tally.bytes();
    let facts = reading.manifest(last, &found)?;
    match next()? {
        Some(entry) => Err(BackupError::refused(format!(
            "{:?} comes after the manifest",
            String::from_utf8_lossy(&entry.path_bytes())
        ))),
        None => Ok(facts),
    }
}

/// A member whose header has been looked at.
struct Named<'a, R: Read> {
    member: Member,
    bytes: u64,
    entry: Entry<'a, R>,
}

impl<'a, R: Read> Named<'a, R> {
    /// # Errors
    /// At the end of the stream too: it has no manifest then.
    fn of(entry: Option<Entry<'a, R>>) -> Result<Named<'a, R>, BackupError> {
        let Some(entry) = entry else {
            return Err(BackupError::refused("it ends before its manifest: it is not the whole backup"));
        };
        let (member, bytes) = Member::of(entry.header())?;
        Ok(Named { member, bytes, entry })
    }

    fn expect(&self, expected: Member, bytes_max: u64) -> Result<(), BackupError> {
        let Named { member, bytes, .. } = self;
        if *member != expected {
            return Err(BackupError::refused(format!("{member} stands where {expected} belongs")));
        }
        match *bytes > bytes_max {
            true => Err(BackupError::refused(format!("{member} has {bytes} bytes, more than {bytes_max}"))),
            false => Ok(()),
        }
    }
}

/// What was read so far.
struct Reading<'a> {
    tally: Tally,
    progress: Progress,
    watch: Watch<'a>,
}

impl Reading<'_> {
    fn collection(
        &mut self,
        named: Named<impl Read>,
        folder: &Path,
    ) -> Result<collection::Inspected, BackupError> {
        let path = folder.join("vinylvault.db");
        self.database(named, Member::Collection, &path)?;
        collection::inspect(&path).map_err(BackupError::doubt(Member::Collection))
    }

    fn index(&mut self, named: Named<impl Read>, folder: &Path) -> Result<IndexCopy, BackupError> {
        let path = folder.join("index.db");
        self.database(named, Member::Index, &path)?;
        IndexCopy::inspect(&path).map_err(BackupError::doubt(Member::Index))
    }

    fn database(&mut self, named: Named<impl Read>, member: Member, path: &Path) -> Result<(), BackupError> {
        named.expect(member, DATABASE_BYTES_MAX)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(BackupError::file("create", path))?;
        let mut content = Digesting::new(named.entry);
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let read = content.read(&mut buffer).map_err(unreadable)?;
            if read == 0 {
                break;
            }
            file.write_all(&buffer[..read]).map_err(BackupError::file("write", path))?;
        }
        self.add(content.record(member), named.bytes)
    }

    fn cover(
        &mut self,
        mut named: Named<impl Read>,
        rows: &mut Promised,
        (key, variant): (CacheKey, Variant),
        covers: Covers,
    ) -> Result<(), BackupError> {
        let Named { member, bytes, .. } = named;
        named.expect(member, COVER_BYTES_MAX)?;
        let Some(Listed { row, .. }) = rows.find((key, variant))? else {
            return Err(BackupError::refused(format!(
                "{member} is not in the index, or stands at the wrong place"
            )));
        };
        if row.bytes != bytes {
            let sentence = format!("{member} has {bytes} bytes, and {} in the index", row.bytes);
            return Err(BackupError::refused(sentence));
        }
        let mut content = Vec::new();
        named.entry.read_to_end(&mut content).map_err(unreadable)?;
        let record = Record { member, bytes: content.len() as u64, sha256: Sha256::of(&content) };
        self.add(record, bytes)?;
        if Digest::of(&content) != row.digest || !Disk::is_rendition(&content) {
            return Err(BackupError::refused(format!("{member} is damaged")));
        }
        if let Covers::Kept(disk) = covers {
            disk.fill(key, variant, &content)?;
        }
        self.progress.covers += 1;
        self.watch()
    }

    fn manifest(&mut self, named: Named<impl Read>, found: &Facts) -> Result<Facts, BackupError> {
        let members = self.tally.records().len();
        named.expect(Member::Manifest, manifest::bytes_max(members))?;
        let content = BufReader::new(named.entry);
        manifest::compare(content, found, &self.tally)
            .map_err(|sentence| BackupError::refused(format!("manifest.json: {sentence}")))
    }

    /// A member that ends early is the end of a stream that was cut.
    fn add(&mut self, record: Record, bytes: u64) -> Result<(), BackupError> {
        if record.bytes != bytes {
            return Err(BackupError::refused(format!(
                "it ends within {}: it is not the whole backup",
                record.member
            )));
        }
        self.tally.add(record)?;
        self.progress.bytes = self.tally.bytes();
        Ok(())
    }

    fn watch(&mut self) -> Result<(), BackupError> {
        match (self.watch)(self.progress).is_break() {
            true => Err(BackupError::Stopped),
            false => Ok(()),
        }
    }
}

/// What the index promises, in its order: covers are found by going on in it, so that each is in the
/// stream once at most, and at its place.
struct Promised<'a> {
    rows: Peekable<Rows<'a>>,
    left_out: u64,
}

impl Promised<'_> {
    fn find(&mut self, entry: (CacheKey, Variant)) -> Result<Option<Listed>, BackupError> {
        loop {
            let is_past = |row: &Listed| (row.key, row.variant) > entry;
            if self.rows.peek().is_some_and(|row| row.as_ref().is_ok_and(is_past)) {
                return Ok(None);
            }
            let Some(row) = self.rows.next() else { return Ok(None) };
            let row = row.map_err(BackupError::doubt(Member::Index))?;
            if (row.key, row.variant) == entry {
                return Ok(Some(row));
            }
            self.left_out += 1;
        }
    }

    /// How many rows have no cover in the stream, now that it has ended.
    fn rest(mut self) -> Result<u64, BackupError> {
        for row in self.rows.by_ref() {
            row.map_err(BackupError::doubt(Member::Index))?;
            self.left_out += 1;
        }
        Ok(self.left_out)
    }
}

fn refuse_other_files(input: &mut impl BufRead) -> Result<(), BackupError> {
    let begin = input.fill_buf().map_err(unreadable)?;
    if begin.is_empty() {
        return Err(BackupError::refused("it is empty"));
    }
    match COMPRESSED.iter().find(|(magic, _)| begin.starts_with(magic)) {
        Some((_, tool)) => {
            Err(BackupError::refused(format!("it is compressed: {tool} -dc FILE | vinylvault restore -")))
        }
        None => Ok(()),
    }
}

/// Nothing but padding follows the end.
fn refuse_more(input: &mut impl Read) -> Result<(), BackupError> {
    let mut padding = input.take(PADDING_BYTES_MAX + 1);
    let mut buffer = [0; 4096];
    let mut bytes = 0;
    loop {
        let read = padding.read(&mut buffer).map_err(unreadable)?;
        bytes += read as u64;
        if buffer[..read].iter().any(|byte| *byte != 0) || bytes > PADDING_BYTES_MAX {
            return Err(BackupError::refused("something follows its end"));
        }
        if read == 0 {
            return Ok(());
        }
    }
}

/// The tar library says what is wrong with a header in an error of the reader's kind.
fn unreadable(cause: io::Error) -> BackupError {
    match cause.kind() {
        io::ErrorKind::UnexpectedEof => {
            BackupError::refused("it ends within a member: it is not the whole backup")
        }
        io::ErrorKind::Other | io::ErrorKind::InvalidData => {
            BackupError::refused(format!("it is no backup, or damaged: {cause}"))
        }
        _ => BackupError::Io { act: "read", object: "the backup".to_owned(), cause },
    }
}
