//! Reaching the sockets that tiny_http keeps to itself: by inode through `/proc/self/fd`, as owned
//! duplicates through `pidfd_getfd`. Owns how a connection is found and shut down; decides none.

use super::line::Peer;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use socket2::SockRef;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::TcpStream;
use std::os::fd::{OwnedFd, RawFd};

pub(super) struct Hand {
    own: OwnedFd,
}

/// Our sockets: descriptor by inode (tiny_http holds two descriptors of each; either will do).
pub(super) type Sockets = HashMap<u64, RawFd>;

impl Hand {
    /// Fails where the kernel is older than 5.6 or a sandbox forbids it (Docker's default profile
    /// does): then nothing can be shut down.
    pub fn new() -> io::Result<Hand> {
        let hand = Hand { own: pidfd_open(getpid(), PidfdFlags::empty())? };
        pidfd_getfd(&hand.own, 0, PidfdGetfdFlags::empty()).map(drop).or_else(|error| match error {
            // Without a standard input there is nothing to duplicate, but the question was allowed.
            rustix::io::Errno::BADF => Ok(()),
            error => Err(error),
        })?;
        Ok(hand)
    }

    /// A duplicate of the connection, if it still is the one to that peer: the number may have been
    /// given away since the list was read.
    pub fn grasp(&self, descriptor: RawFd, peer: Peer) -> Option<TcpStream> {
        let stream = self.duplicate(descriptor)?;
        (Peer::from(stream.peer_addr().ok()?) == peer).then_some(stream)
    }

    /// Whether the descriptor is a connection of the listener at `port` that is over, though not closed.
    pub fn is_over(&self, descriptor: RawFd, port: u16) -> bool {
        let Some(stream) = self.duplicate(descriptor) else { return false };
        let listens = SockRef::from(&stream).is_listener().unwrap_or(true);
        let ours = !listens && stream.local_addr().is_ok_and(|local| local.port() == port);
        let over = |error: io::Error| error.kind() == io::ErrorKind::NotConnected;
        ours && stream.peer_addr().is_err_and(over)
    }

    fn duplicate(&self, descriptor: RawFd) -> Option<TcpStream> {
        pidfd_getfd(&self.own, descriptor, PidfdGetfdFlags::empty()).ok().map(TcpStream::from)
    }
}

/// Every socket of this process, TCP or not.
pub(super) fn sockets() -> io::Result<Sockets> {
    let mut sockets = Sockets::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let Ok(entry) = entry else { continue };
        let target = fs::read_link(entry.path()).ok();
        let target = target.as_ref().and_then(|target| target.to_str());
        let inode = target.and_then(|t| t.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
        let descriptor = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let (Some(inode), Some(descriptor)) = (inode, descriptor) {
            sockets.insert(inode, descriptor);
        }
    }
    Ok(sockets)
}

/// Descriptors open now: one system call on Linux 6.2 and later, before that a listing.
pub(super) fn open_descriptors() -> u64 {
    match fs::metadata("/proc/self/fd").map_or(0, |folder| folder.len()) {
        0 => fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64),
        count => count,
    }
}
