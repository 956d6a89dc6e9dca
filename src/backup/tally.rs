//! SHA-256 of what flows by, and the tally of members that is held until the manifest.

use super::member::Member;
use super::{BackupError, MEMBERS_MAX};
use ring::digest::{Context, SHA256};
use std::fmt;
use std::io::{self, Read};

/// Of a member's bytes: proves it whole. Whoever can change a member can change this too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sha256([u8; 32]);

/// What the manifest says of one member, or must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub member: Member,
    pub bytes: u64,
    pub sha256: Sha256,
}

/// The members so far, in their order.
#[derive(Debug, Default)]
pub(super) struct Tally {
    records: Vec<Record>,
    bytes: u64,
}

/// A reader that counts and digests what is read through it.
pub(super) struct Digesting<R> {
    inner: R,
    context: Context,
    bytes: u64,
}

impl Sha256 {
    pub fn of(content: &[u8]) -> Sha256 {
        let mut context = Context::new(&SHA256);
        context.update(content);
        Sha256::end(context)
    }

    fn end(context: Context) -> Sha256 {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Sha256(bytes)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Tally {
    pub fn add(&mut self, record: Record) -> Result<(), BackupError> {
        if self.records.len() >= MEMBERS_MAX {
            return Err(BackupError::refused(format!("it has more than {MEMBERS_MAX} members")));
        }
        self.bytes = self.bytes.saturating_add(record.bytes);
        self.records.push(record);
        Ok(())
    }

    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Bytes of all members.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl<R: Read> Digesting<R> {
    pub fn new(inner: R) -> Digesting<R> {
        Digesting { inner, context: Context::new(&SHA256), bytes: 0 }
    }

    /// What was read, as a member's record.
    pub fn record(self, member: Member) -> Record {
        Record { member, bytes: self.bytes, sha256: Sha256::end(self.context) }
    }
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.context.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}
