//! `vinylvault import FILE`: brings a file and the collection together and says what became of it.
//! How a file is read and what is the same album is the collection's business.

use super::parse::Call;
use super::{Failure, journal, print};
use crate::collection::import::read;
use crate::collection::{Collection, Copies, ImportMode, make_folder};
use crate::key::Timestamp;
use std::fmt::Display;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

pub(super) fn run(call: &Call) -> Result<(), Failure> {
    let config = call.config()?;
    let file = call.operand().map(Path::new).expect("the grammar asks for a FILE");
    let failed = |cause: &dyn Display| Failure::Failed(format!("cannot import {}: {cause}", file.display()));
    let opened = File::open(file).map_err(|cause| failed(&cause))?;
    let reading = read(opened, &file.to_string_lossy()).map_err(|cause| failed(&cause))?;

    let (shelf, mode) = match call.has("dry-run") {
        true => (Shelf::to_look_at(&config.data_dir), ImportMode::DryRun),
        false => (Shelf::to_fill(&config.data_dir), ImportMode::Write),
    };
    let shelf = shelf.map_err(|cause| failed(&format_args!("no data folder: {cause}")))?;
    let collection = Collection::open(&shelf.database()).map_err(|cause| failed(&cause))?;
    if mode == ImportMode::Write
        && let Err(cause) = Copies::beside(&shelf.database()).keep(Timestamp::now())
    {
        // An import deletes nothing: not worth refusing what was asked for.
        log::warn!("the collection is not copied before the import: {cause}");
    }
    let mut report = collection.import(&reading.albums, mode).map_err(|cause| failed(&cause))?;
    let found_nothing = reading.albums.is_empty() && !reading.skipped.is_empty();
    report.skipped = reading.skipped;
    report.warnings = reading.warnings;

    if call.has("json") {
        print(&format!("{}\n", report.to_json()))?;
    } else {
        // Titles come from strangers; a line of the report stays a line.
        let lines = report.to_string();
        print(&lines.lines().map(|line| format!("{}\n", journal::one_line(line))).collect::<String>())?;
    }
    match found_nothing {
        true => Err(failed(&"no line of it is an album")),
        false => Ok(()),
    }
}

/// The folder whose collection is asked; the one that a dry run made for itself goes with it.
struct Shelf {
    folder: PathBuf,
    is_own: bool,
}

impl Shelf {
    fn to_fill(data_dir: &Path) -> io::Result<Shelf> {
        make_folder(data_dir)?;
        Ok(Shelf { folder: data_dir.to_owned(), is_own: false })
    }

    /// Where there is no collection yet, an empty one elsewhere: a dry run changes nothing.
    fn to_look_at(data_dir: &Path) -> io::Result<Shelf> {
        let existing = Shelf { folder: data_dir.to_owned(), is_own: false };
        if existing.database().exists() {
            return Ok(existing);
        }
        let folder = std::env::temp_dir().join(format!("vinylvault-dry-run-{}", std::process::id()));
        // Fails where something waits under that name, be it a link that somebody planted.
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Shelf { folder, is_own: true })
    }

    fn database(&self) -> PathBuf {
        self.folder.join("vinylvault.db")
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        if self.is_own {
            // What cannot be removed is an empty database in a folder for temporary files.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
