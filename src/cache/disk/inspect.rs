//! What really is below the cache folder, looked at without the lock: changes nothing, follows no
//! link, waits for no FIFO, and holds one name and one block of a file at a time. Knows no rows.

use super::shard::{self, Shard};
use super::{DiskError, is_whole};
use crate::key::{CacheKey, Digest, Variant};
use rustix::fs::{AtFlags, FileType, Stat};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What stands under some name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    File {
        bytes: u64,
    },
    Folder,
    Link,
    Fifo,
    Socket,
    Device,
    /// We may not look, or the card cannot be read: why.
    Unknown(String),
}

/// Whose place a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Rendition(CacheKey, Variant),
    Placeholder,
    /// `tmp/`: whoever has the lock may have things there.
    Temporary,
    /// A folder of ours has this name, and this is none.
    Folder,
    /// Nobody's.
    Nowhere,
}

#[derive(Clone, Debug)]
pub struct Thing {
    /// From the cache folder: `covers/detail/2b/2b37….webp`.
    pub path: PathBuf,
    pub place: Place,
    pub kind: Kind,
}

/// What is in a rendition's place, compared with what its row promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Whole,
    Missing,
    /// A file of another length.
    Length(u64),
    /// The right length, and not what was written, or no WebP.
    Altered,
    NotAFile(Kind),
    Unreadable(String),
}

/// Looks into `DATA_DIR/cache`.
pub struct Inspector {
    root: PathBuf,
    covers: PathBuf,
}

impl Inspector {
    pub fn new(root: &Path) -> Inspector {
        Inspector { root: root.to_owned(), covers: root.join("covers") }
    }

    /// Reads the file of a rendition and compares it with `promise`: its length in bytes and its
    /// digest. Without one it is measured by its own header.
    ///
    /// # Errors
    /// What says nothing about this file: no descriptors or no memory left.
    pub fn examine(
        &self,
        key: CacheKey,
        variant: Variant,
        promise: Option<(u64, Digest)>,
    ) -> Result<Condition, DiskError> {
        let shard = Shard { covers: &self.covers, key, variant };
        judge(&shard, promise).or_else(|errno| match errno {
            Errno::NOENT => Ok(Condition::Missing),
            Errno::MFILE | Errno::NFILE | Errno::NOMEM => {
                let path = shard.path().join(shard::file_name(key));
                Err(DiskError::io("look at", &path, errno.into()))
            }
            errno => Ok(Condition::Unreadable(io::Error::from(errno).to_string())),
        })
    }

    /// A rendition's place, as in [`Thing`].
    pub fn path(&self, key: CacheKey, variant: Variant) -> PathBuf {
        let shard = Shard { covers: Path::new("covers"), key, variant };
        shard.path().join(shard::file_name(key))
    }

    /// What stands under a name now, `path` as in [`Thing`]; `None`: nothing.
    pub fn kind(&self, path: &Path) -> Option<Kind> {
        kind_of(&self.root.join(path))
    }

    /// Whether the file at `path` is a WebP by its header.
    pub fn is_webp(&self, path: &Path) -> bool {
        let look = || -> rustix::io::Result<bool> {
            let folder = open_folder(self.root.join(path).parent().unwrap_or(&self.root))?;
            let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            let mut file = shard::open_to_read(&folder, &name)?;
            let bytes = file.metadata().map_err(errno)?.len();
            Ok(Sum::of(&mut file, bytes).map_err(errno)?.is_whole(bytes))
        };
        look().unwrap_or(false)
    }

    /// Hands on everything that is not a folder of ours in its own place: files of renditions,
    /// placeholders, and whatever else lies there. Folders of others are named, not entered.
    pub fn things<E>(&self, see: &mut dyn FnMut(Thing) -> Result<(), E>) -> Result<(), E> {
        for name in ["tmp", "covers"] {
            self.step(Path::new(name), Place::Folder, see)?;
        }
        Ok(())
    }

    /// What the next opener of the folder mends without looking further: things in `tmp/`, and links in
    /// the place of folders.
    pub fn frame<E>(&self, see: &mut dyn FnMut(Thing) -> Result<(), E>) -> Result<(), E> {
        self.step(Path::new("tmp"), Place::Folder, see)?;
        let covers = Path::new("covers");
        let below = Variant::ALL.map(Variant::name).into_iter().chain(["placeholders"]);
        for path in std::iter::once(covers.to_owned()).chain(below.map(|name| covers.join(name))) {
            match self.kind(&path) {
                None | Some(Kind::Folder) => {}
                Some(kind) => {
                    see(Thing { path, place: Place::Folder, kind })?;
                }
            }
        }
        Ok(())
    }

    /// Enters a folder of ours; names what is there instead.
    fn step<E>(
        &self,
        path: &Path,
        place: Place,
        see: &mut dyn FnMut(Thing) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(kind) = self.kind(path) else { return Ok(()) };
        if (place, &kind) != (Place::Folder, &Kind::Folder) {
            return see(Thing { path: path.to_owned(), place, kind });
        }
        let unread =
            |cause: io::Error| Thing { path: path.to_owned(), place, kind: Kind::Unknown(cause.to_string()) };
        let entries = match fs::read_dir(self.root.join(path)) {
            Ok(entries) => entries,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(cause) => return see(unread(cause)),
        };
        for entry in entries {
            match entry {
                Ok(entry) => {
                    let path = path.join(entry.file_name());
                    self.step(&path, place_of(&path), see)?;
                }
                Err(cause) => return see(unread(cause)),
            }
        }
        Ok(())
    }
}

/// `path` from the cache folder.
fn place_of(path: &Path) -> Place {
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    match parts.as_deref() {
        Some(["tmp", _]) => Place::Temporary,
        Some(["covers", "placeholders"]) => Place::Folder,
        Some(["covers", "placeholders", file]) if is_placeholder(file) => Place::Placeholder,
        Some(["covers", variant]) if Variant::parse(variant).is_some() => Place::Folder,
        Some(["covers", variant, shard]) if Variant::parse(variant).is_some() && is_shard(shard) => {
            Place::Folder
        }
        Some(["covers", variant, folder, file]) => {
            let key = file.strip_suffix(".webp").and_then(CacheKey::parse);
            match (Variant::parse(variant), key) {
                (Some(variant), Some(key)) if shard::folder_name(key) == *folder => {
                    Place::Rendition(key, variant)
                }
                _ => Place::Nowhere,
            }
        }
        _ => Place::Nowhere,
    }
}

fn is_placeholder(file: &str) -> bool {
    Variant::ALL.into_iter().any(|variant| file == shard::placeholder_name(variant))
}

fn is_shard(name: &str) -> bool {
    name.len() == 2 && name.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn kind_of(path: &Path) -> Option<Kind> {
    match rustix::fs::lstat(path) {
        Ok(facts) => Some(Kind::of(&facts)),
        Err(Errno::NOENT | Errno::NOTDIR) => None,
        Err(errno) => Some(Kind::Unknown(io::Error::from(errno).to_string())),
    }
}

impl Kind {
    fn of(facts: &Stat) -> Kind {
        match FileType::from_raw_mode(facts.st_mode) {
            FileType::RegularFile => Kind::File { bytes: u64::try_from(facts.st_size).unwrap_or(0) },
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Link,
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            _ => Kind::Device,
        }
    }
}

fn judge(shard: &Shard<'_>, promise: Option<(u64, Digest)>) -> rustix::io::Result<Condition> {
    let Some(folder) = shard.open().map_err(errno)? else { return Ok(Condition::Missing) };
    let name = shard::file_name(shard.key);
    // Asked before it is opened: opening is something that a device may act on.
    let bytes = match Kind::of(&rustix::fs::statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW)?) {
        Kind::File { bytes } => bytes,
        other => return Ok(Condition::NotAFile(other)),
    };
    if promise.is_some_and(|(promised, _)| promised != bytes) || bytes == 0 {
        return Ok(Condition::Length(bytes));
    }
    let sum = Sum::of(&mut shard::open_to_read(&folder, &name)?, bytes).map_err(errno)?;
    let is_it = promise.is_none_or(|(_, digest)| sum.digest == digest);
    Ok(if is_it && sum.is_whole(bytes) { Condition::Whole } else { Condition::Altered })
}

/// What reading a file to its end tells.
struct Sum {
    begin: Vec<u8>,
    digest: Digest,
    bytes: u64,
}

impl Sum {
    fn of(file: &mut File, bytes: u64) -> io::Result<Sum> {
        let mut begin = Vec::with_capacity(12);
        Read::by_ref(file).take(12).read_to_end(&mut begin)?;
        // One byte more than there should be: a file that grows meanwhile is not what it was.
        let whole = begin.chain(file).take(bytes.saturating_add(1));
        let (digest, bytes) = Digest::of_stream(whole)?;
        Ok(Sum { begin, digest, bytes })
    }

    fn is_whole(&self, bytes: u64) -> bool {
        self.bytes == bytes && is_whole(&self.begin, bytes)
    }
}

fn open_folder(path: &Path) -> rustix::io::Result<std::os::fd::OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}
