//! Tars made by hand: taken apart, changed and put together again, with a manifest that fits or lies.

use std::io::Read;
use tar::{Archive, Builder, EntryType, Header};

/// A backup in parts.
#[derive(Clone)]
pub struct Forge {
    /// Without the manifest.
    pub members: Vec<(String, Vec<u8>)>,
    pub manifest: serde_json::Value,
}

/// Names and contents of a tar.
pub fn members(tar: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = Archive::new(tar);
    let read = |entry: std::io::Result<tar::Entry<&[u8]>>| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), content)
    };
    archive.entries().unwrap().map(read).collect()
}

/// A plain file's header.
pub fn header(name: &str, bytes: usize) -> Header {
    let mut header = Header::new_ustar();
    let field = &mut header.as_old_mut().name;
    field[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(bytes as u64);
    header.set_cksum();
    header
}

/// Members as they are, one after the other.
pub fn tar(members: &[(Header, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (header, content) in members {
        builder.append(header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

impl Forge {
    pub fn of(tar: &[u8]) -> Forge {
        let mut members = members(tar);
        let (name, manifest) = members.pop().unwrap();
        assert_eq!(name, "manifest.json");
        Forge { members, manifest: serde_json::from_slice(&manifest).unwrap() }
    }

    /// Puts another content into a member.
    pub fn change(&mut self, name: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        let member = self.members.iter_mut().find(|(own, _)| own == name).unwrap();
        member.1 = change(std::mem::take(&mut member.1));
    }

    /// With a manifest that tells the truth about the members, and says of the rest what it said.
    pub fn sealed(mut self) -> Vec<u8> {
        let total: usize = self.members.iter().map(|(_, content)| content.len()).sum();
        let list = self.members.iter().map(|(name, content)| {
            let sum = ring::digest::digest(&ring::digest::SHA256, content);
            let hex: String = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            serde_json::json!({ "path": name, "bytes": content.len(), "sha256": hex })
        });
        self.manifest["members"] = list.collect();
        self.manifest["bytes"] = total.into();
        self.assembled()
    }

    /// With the manifest as it stands.
    pub fn assembled(&self) -> Vec<u8> {
        let manifest = ordered(&self.manifest);
        let mut all: Vec<(Header, &[u8])> =
            self.members.iter().map(|(name, content)| (header(name, content.len()), &content[..])).collect();
        all.push((header("manifest.json", manifest.len()), manifest.as_bytes()));
        tar(&all)
    }
}

/// The list of members last, as it is written.
fn ordered(manifest: &serde_json::Value) -> String {
    let fields = manifest.as_object().unwrap();
    let field = |name: &String| format!("{}:{}", serde_json::json!(name), fields[name]);
    let head = fields.keys().filter(|name| *name != "members").map(field);
    let all: Vec<String> = head.chain(fields.keys().filter(|name| *name == "members").map(field)).collect();
    format!("{{{}}}", all.join(","))
}
