//! The stream out: copies of both databases, every cover that is still what its row promises, the
//! manifest. Never seeks, holds one cover at a time, and writes what it was given and nowhere else.

use super::manifest::{self, Facts, Kind};
use super::member::Member;
use super::tally::{Digesting, Record, Sha256, Tally};
use super::{BackupError, COVER_BYTES_MAX, DATABASE_BYTES_MAX, MEMBERS_MAX, Phase, Progress, Watch};
use crate::cache::disk::Covers;
use crate::cache::index::{Extent, IndexCopy};
use crate::collection;
use crate::key::Timestamp;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use tar::Builder;

/// A tar is made of whole blocks.
const BLOCK_BYTES: u64 = 512;
/// The two empty blocks that end a tar.
const END_BYTES: u64 = 2 * BLOCK_BYTES;
/// A header, and what rounds a member up to whole blocks, at worst.
const AROUND_BYTES: u64 = 2 * BLOCK_BYTES;

/// What is to be written.
pub(super) struct Order<'a> {
    pub data_dir: &'a Path,
    pub kind: Kind,
    /// An empty folder of this process's own for the databases' copies, which stay there only until
    /// they are opened.
    pub scratch: &'a Path,
    pub now: Timestamp,
}

/// What was copied before the first byte is written.
struct Copies {
    collection: Copied,
    schema: i64,
    albums: u64,
    index: Option<(Copied, IndexCopy)>,
}

/// A database's copy: a file without a name, gone with this value whatever happens.
struct Copied {
    file: File,
    bytes: u64,
}

/// Writes the whole stream. `has_room` is asked once, when its size is known.
pub(super) fn write(
    order: &Order,
    out: impl Write,
    has_room: impl FnOnce(u64) -> Result<(), BackupError>,
    watch: Watch,
) -> Result<Facts, BackupError> {
    let copies = Copies::make(order)?;
    let extent = match &copies.index {
        Some((_, index)) => index.extent().map_err(BackupError::doubt("the index"))?,
        None => Extent { renditions: 0, bytes: 0 },
    };
    if extent.renditions > (MEMBERS_MAX - 3) as u64 {
        return Err(BackupError::InTheWay(format!(
            "the cache has {} covers, and a backup at most {MEMBERS_MAX} members; use --collection-only",
            extent.renditions
        )));
    }
    has_room(copies.bytes_of(extent))?;

    let progress = Progress::starting(Phase::Writing, Some(extent.renditions));
    let mut stream =
        Stream { tar: Builder::new(out), tally: Tally::default(), now: order.now, progress, watch };
    stream.copied(Member::Collection, copies.collection)?;
    let mut facts = Facts {
        kind: order.kind,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        created_at: order.now,
        collection_schema: copies.schema,
        index_schema: None,
        recipe: None,
        albums: copies.albums,
        covers: 0,
        left_out: 0,
        bytes: 0,
    };
    if let Some((copied, index)) = copies.index {
        facts.index_schema = Some(index.version());
        facts.recipe = Some(index.fingerprint().map_err(BackupError::doubt("the index"))?);
        stream.copied(Member::Index, copied)?;
        facts.left_out = stream.covers(&Covers::of(&order.data_dir.join("cache")), &index)?;
        facts.covers = stream.tally.records().len() as u64 - 2;
    }
    facts.bytes = stream.tally.bytes();
    stream.end(&facts)?;
    Ok(facts)
}

impl Copies {
    fn make(order: &Order) -> Result<Copies, BackupError> {
        let from = order.data_dir.join("vinylvault.db");
        if !from.exists() {
            return Err(BackupError::InTheWay(format!(
                "there is no collection in {}",
                order.data_dir.display()
            )));
        }
        let to = order.scratch.join("vinylvault.db");
        collection::copy(&from, &to)?;
        // What would not be restored is no backup: better said now than on the day it is needed.
        let inspected = collection::inspect(&to).map_err(BackupError::doubt(from.display()))?;
        let collection = Copied::take(&to)?;
        let index = match order.kind {
            Kind::Full => Copies::index(order)?,
            Kind::CollectionOnly => None,
        };
        Ok(Copies { collection, schema: inspected.schema, albums: inspected.albums, index })
    }

    /// `None`: there is no cache yet.
    fn index(order: &Order) -> Result<Option<(Copied, IndexCopy)>, BackupError> {
        let from = order.data_dir.join("cache/index.db");
        if !from.exists() {
            return Ok(None);
        }
        let advice = "start the server once to have it built anew, or use --collection-only";
        let to = order.scratch.join("index.db");
        IndexCopy::make(&from, &to).map_err(|error| BackupError::InTheWay(format!("{error}; {advice}")))?;
        let index = IndexCopy::inspect(&to)
            .map_err(|doubt| BackupError::InTheWay(format!("{} {doubt}; {advice}", from.display())))?;
        Ok(Some((Copied::take(&to)?, index)))
    }

    /// The stream's length if every cover comes along.
    fn bytes_of(&self, covers: Extent) -> u64 {
        let members = covers.renditions + 3;
        let index = self.index.as_ref().map_or(0, |(copied, _)| copied.bytes);
        let content = self.collection.bytes + index + covers.bytes + manifest::bytes_max(members as usize);
        content + members * AROUND_BYTES + END_BYTES
    }
}

impl Copied {
    /// Opens a copy and takes its name away. A connection that is open to it goes on reading it.
    fn take(path: &Path) -> Result<Copied, BackupError> {
        let file = File::open(path).map_err(BackupError::file("open", path))?;
        let bytes = file.metadata().map_err(BackupError::file("measure", path))?.len();
        fs::remove_file(path).map_err(BackupError::file("remove", path))?;
        if bytes > DATABASE_BYTES_MAX {
            let sentence = format!("{} has more than {DATABASE_BYTES_MAX} bytes", path.display());
            return Err(BackupError::InTheWay(sentence));
        }
        Ok(Copied { file, bytes })
    }
}

/// The tar as far as it is written.
struct Stream<'a, W: Write> {
    tar: Builder<W>,
    tally: Tally,
    now: Timestamp,
    progress: Progress,
    watch: Watch<'a>,
}

impl<W: Write> Stream<'_, W> {
    fn copied(&mut self, member: Member, copied: Copied) -> Result<(), BackupError> {
        let mut content = Digesting::new(copied.file.take(copied.bytes));
        self.append(member, copied.bytes, &mut content)?;
        let record = content.record(member);
        if record.bytes != copied.bytes {
            return Err(BackupError::InTheWay(format!(
                "the copy of {member} became shorter while it was read"
            )));
        }
        self.added(record)
    }

    /// Appends what is still there of what the index lists, and says how many were left out.
    fn covers(&mut self, covers: &Covers, index: &IndexCopy) -> Result<u64, BackupError> {
        let mut left_out = 0;
        for listed in index.rows() {
            let listed = listed.map_err(BackupError::doubt("the index"))?;
            self.progress.covers += 1;
            let row = listed.row;
            let read = match row.bytes {
                0..=COVER_BYTES_MAX => covers.read(listed.key, listed.variant, row.bytes, row.digest),
                _ => Ok(None),
            };
            match read {
                Ok(Some(rendition)) => {
                    let member = Member::Cover(listed.key, listed.variant);
                    let bytes = rendition.bytes();
                    self.append(member, rendition.len(), bytes)?;
                    self.added(Record { member, bytes: rendition.len(), sha256: Sha256::of(bytes) })?;
                }
                // Evicted since the index was copied, or damaged: the server finds out by itself.
                Ok(None) => left_out += 1,
                // A dying card is the reason for this backup, perhaps: the rest of it counts.
                Err(error) => {
                    log::warn!("left out of the backup: {error}");
                    left_out += 1;
                }
            }
        }
        Ok(left_out)
    }

    fn end(mut self, facts: &Facts) -> Result<(), BackupError> {
        let mut length = Length(0);
        let written = manifest::write(&mut length, facts, &self.tally);
        written.expect("counting does not fail");
        let header = Member::Manifest.header(length.0, self.now);
        // Written past the tar library, which takes a reader: the text is never there as a whole.
        let out = self.tar.get_mut();
        let padding = vec![0; (length.0.next_multiple_of(BLOCK_BYTES) - length.0) as usize];
        out.write_all(header.as_bytes())
            .and_then(|()| manifest::write(out, facts, &self.tally))
            .and_then(|()| out.write_all(&padding))
            .map_err(failed)?;
        self.tar.into_inner().and_then(|mut out| out.flush()).map_err(failed)
    }

    fn append(&mut self, member: Member, bytes: u64, content: impl Read) -> Result<(), BackupError> {
        self.tar.append(&member.header(bytes, self.now), content).map_err(failed)
    }

    fn added(&mut self, record: Record) -> Result<(), BackupError> {
        self.tally.add(record)?;
        self.progress.bytes = self.tally.bytes();
        match (self.watch)(self.progress).is_break() {
            true => Err(BackupError::Stopped),
            false => Ok(()),
        }
    }
}

fn failed(cause: io::Error) -> BackupError {
    BackupError::Io { act: "write", object: "the backup".to_owned(), cause }
}

/// Counts what is written and keeps none of it.
struct Length(u64);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
