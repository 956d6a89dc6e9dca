//! What a member of the stream may be called and how its header looks: the whole grammar. There are
//! no folders, links or extensions in a backup, so nothing needs to be told apart from a trick.

use super::BackupError;
use crate::key::{CacheKey, Timestamp, Variant};
use std::fmt;
use tar::{EntryType, Header};

/// A member's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    Collection,
    Index,
    Cover(CacheKey, Variant),
    Manifest,
}

impl Member {
    /// The one spelling of each name, and no other.
    pub fn parse(path: &[u8]) -> Option<Member> {
        match path {
            b"vinylvault.db" => Some(Member::Collection),
            b"cache/index.db" => Some(Member::Index),
            b"manifest.json" => Some(Member::Manifest),
            other => {
                let text = std::str::from_utf8(other).ok()?;
                let (variant, rest) = text.strip_prefix("cache/covers/")?.split_once('/')?;
                let (_, file) = rest.split_once('/')?;
                let key = CacheKey::parse(file.strip_suffix(".webp")?)?;
                let cover = Member::Cover(key, Variant::parse(variant)?);
                (cover.to_string() == text).then_some(cover)
            }
        }
    }

    /// A plain file of the owner's, which any tar unpacks.
    pub fn header(self, bytes: u64, written_at: Timestamp) -> Header {
        let mut header = Header::new_ustar();
        header.set_path(self.to_string()).expect("each name of ours is shorter than 100 bytes");
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o600);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(u64::try_from(written_at.0).unwrap_or(0));
        header.set_size(bytes);
        header.set_cksum();
        header
    }

    /// The member that a header announces, and its size in bytes.
    ///
    /// # Errors
    /// For everything but a plain file with one of our names, spelled into the header itself.
    pub fn of(header: &Header) -> Result<(Member, u64), BackupError> {
        let shown = || String::from_utf8_lossy(&header.path_bytes()).into_owned();
        let Some(ustar) = header.as_ustar() else {
            return Err(BackupError::refused(format!("{:?} has no header of ours", shown())));
        };
        if header.entry_type() != EntryType::Regular || ustar.linkname[0] != 0 || ustar.prefix[0] != 0 {
            return Err(BackupError::refused(format!("{:?} is no plain file of a backup", shown())));
        }
        let end = ustar.name.iter().position(|byte| *byte == 0).unwrap_or(ustar.name.len());
        let (name, padding) = ustar.name.split_at(end);
        let member = Member::parse(name).filter(|_| padding.iter().all(|byte| *byte == 0));
        let member =
            member.ok_or_else(|| BackupError::refused(format!("{:?} is no name of a backup", shown())))?;
        let bytes =
            header.entry_size().map_err(|cause| BackupError::refused(format!("{member}: {cause}")))?;
        Ok((member, bytes))
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Member::Collection => f.write_str("vinylvault.db"),
            Member::Index => f.write_str("cache/index.db"),
            Member::Manifest => f.write_str("manifest.json"),
            Member::Cover(key, variant) => {
                write!(f, "cache/covers/{}/{:02x}/{key}.webp", variant.name(), key.as_bytes()[0])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "2b371ce05dcb8ec7ca5d2e8dd3a4f0c7e5a1c350";

    #[test]
    fn each_name_has_one_spelling() {
        let key = CacheKey::parse(KEY).unwrap();
        let covers = Variant::ALL.map(|variant| Member::Cover(key, variant));
        for member in [Member::Collection, Member::Index, Member::Manifest].into_iter().chain(covers) {
            let header = member.header(7, Timestamp(1_790_000_000));
            assert_eq!(Member::of(&header).unwrap(), (member, 7));
        }
        for wrong in [
            "",
            "/vinylvault.db",
            "./vinylvault.db",
            "../vinylvault.db",
            "vinylvault.db/",
            "vinylvault.db-wal",
            "cache//index.db",
            "cache/covers/thumbnails/2b",
            "cache/covers/../2b/2b371ce05dcb8ec7ca5d2e8dd3a4f0c7e5a1c350.webp",
            "cache/covers/detail/2c/2b371ce05dcb8ec7ca5d2e8dd3a4f0c7e5a1c350.webp",
            "cache/covers/detail/2b/2B371CE05DCB8EC7CA5D2E8DD3A4F0C7E5A1C350.webp",
            "cache/covers/detail/2b/x/2b371ce05dcb8ec7ca5d2e8dd3a4f0c7e5a1c350.webp",
            "cache/covers/placeholders/placeholder_detail.webp",
        ] {
            assert_eq!(Member::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn what_follows_the_end_of_a_name_is_no_hiding_place() {
        let mut header = Member::Collection.header(1, Timestamp(0));
        header.as_ustar_mut().unwrap().name[50] = b'x';
        header.set_cksum();
        assert!(Member::of(&header).is_err());
    }
}
