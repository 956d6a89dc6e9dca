//! Who has the cache folder open: what a command must know before it asks the server or reads the
//! store itself. The server notes its address in the lock file; the note counts only while the
//! lock is held.

use super::{Disk, DiskError, start};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// An IPv6 address with its port has at most 47 characters.
const NOTE_BYTES_MAX: u64 = 64;

/// Who holds the lock of a cache folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    Nobody,
    /// A server, listening there.
    Server(SocketAddr),
    /// A server that does not listen yet, or a command that repairs or restores.
    Other,
    /// There is no such folder, or we may not look into it.
    Unknown,
}

/// The lock of a cache folder in the hand of a command that replaces it: until dropped, no server
/// starts there. Makes, empties and tags nothing, as [`Disk::open`] does.
#[derive(Debug)]
pub struct Hold {
    _lock: File,
}

impl Hold {
    /// Locks `root` (`DATA_DIR/cache`), a folder that is there.
    ///
    /// # Errors
    /// [`DiskError::Locked`] while a server or another command has it.
    pub fn take(root: &Path) -> Result<Hold, DiskError> {
        Ok(Hold { _lock: start::lock(&root.join("lock"))? })
    }
}

impl Keeper {
    /// Looks at `root` (`DATA_DIR/cache`) and changes nothing.
    pub fn of(root: &Path) -> Keeper {
        let opened = OpenOptions::new().read(true).custom_flags(start::PLAIN).open(root.join("lock"));
        let Ok(file) = opened else { return Keeper::Unknown };
        match file.try_lock_shared() {
            Ok(()) => Keeper::Nobody,
            Err(TryLockError::Error(_)) => Keeper::Unknown,
            Err(TryLockError::WouldBlock) => {
                let mut note = String::new();
                let read = file.take(NOTE_BYTES_MAX).read_to_string(&mut note);
                match (read, note.trim_end().parse()) {
                    (Ok(_), Ok(address)) => Keeper::Server(address),
                    _ => Keeper::Other,
                }
            }
        }
    }
}

impl Disk {
    /// Notes where this process listens, for [`Keeper::of`].
    pub fn note_address(&self, address: SocketAddr) -> Result<(), DiskError> {
        let failed = |cause| DiskError::io("write the address into", &self.root.join("lock"), cause);
        (&self.lock).write_all(format!("{address}\n").as_bytes()).map_err(failed)
    }
}
