//! A cache folder full of covers that pass for WebPs, what stands in it, and how its things are
//! replaced by others.

use crate::support::folder::Folder;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vinylvault::cache::disk::Disk;
use vinylvault::cache::index::{Index, Limits};
use vinylvault::cache::verify::{Event, Finding, Outcome, Summary, audit, repair};
use vinylvault::key::{CacheKey, Variant};

pub const RECIPE: &str = "v1";

/// A cover: its place below the cache folder, and its bytes.
pub type Cover = (CacheKey, Variant);

/// A cache at rest.
pub struct Store {
    pub folder: Folder,
    pub covers: BTreeMap<Cover, Vec<u8>>,
}

/// An open one.
pub struct Open {
    pub disk: Arc<Disk>,
    pub index: Index,
}

impl Store {
    /// `names` covers, each in both variants. The files are written and adopted, which is quicker than
    /// an fsync each.
    pub fn with(names: usize) -> Store {
        let store = Store { folder: Folder::new(), covers: BTreeMap::new() };
        drop(store.open());
        let mut covers = BTreeMap::new();
        for name in 0..names {
            for variant in Variant::ALL {
                let key = CacheKey::of(&name.to_string());
                let content = webp(&format!("{name} {}", variant.name()), 200 + name * 7 % 900);
                let path = store.path((key, variant));
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, &content).unwrap();
                covers.insert((key, variant), content);
            }
        }
        fs::remove_file(store.root().join("index.db")).unwrap();
        let store = Store { covers, ..store };
        drop(store.open());
        assert_eq!(store.served().len(), store.covers.len());
        store
    }

    pub fn root(&self) -> PathBuf {
        self.folder.join("data/cache")
    }

    pub fn open(&self) -> Open {
        let disk = Arc::new(Disk::open(&self.root()).unwrap());
        let index = Index::open(Arc::clone(&disk), limits()).unwrap();
        Open { disk, index }
    }

    pub fn path(&self, cover: Cover) -> PathBuf {
        self.root().join(object(cover))
    }

    pub fn audit(&self) -> (Vec<Finding>, Summary) {
        let mut findings = Vec::new();
        let summary = audit(&self.root(), &mut |event| gather(&mut findings, event)).unwrap();
        assert_eq!(summary.found, findings.len() as u64);
        (findings, summary)
    }

    /// Repairs and asserts that nothing is left; what was repaired.
    #[track_caller]
    pub fn repair(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let summary = repair(&self.root(), &mut |event| gather(&mut findings, event)).unwrap();
        let left: Vec<_> = findings.iter().filter(|finding| finding.outcome == Outcome::Found).collect();
        assert!(left.is_empty(), "left after the repair: {left:?}");
        assert_eq!((summary.found, summary.repaired), (0, findings.len() as u64));
        let (findings_now, _) = self.audit();
        assert!(findings_now.is_empty(), "after the repair: {findings_now:?}");
        findings
    }

    /// Covers that a fresh start serves; a wrong byte fails the test.
    #[track_caller]
    pub fn served(&self) -> Vec<Cover> {
        self.open().served(&self.covers)
    }
}

impl Open {
    #[track_caller]
    pub fn served(&self, covers: &BTreeMap<Cover, Vec<u8>>) -> Vec<Cover> {
        let is_served = |(cover, content): (&Cover, &Vec<u8>)| {
            let row = self.index.row(cover.0, cover.1)?;
            let rendition = self.disk.read(cover.0, cover.1, row.bytes, row.digest).unwrap()?;
            assert_eq!(rendition.bytes(), content, "wrong bytes of {}", object(*cover).display());
            Some(*cover)
        };
        covers.iter().filter_map(is_served).collect()
    }
}

pub fn limits() -> Limits {
    Limits { bytes_max: 1 << 30, free_bytes_min: 0, fingerprint: RECIPE.into(), originals: None }
}

/// A cover's place, from the cache folder.
pub fn object((key, variant): Cover) -> PathBuf {
    let name = key.to_string();
    Path::new("covers").join(variant.name()).join(&name[..2]).join(format!("{name}.webp"))
}

/// What passes for a WebP by its first 12 bytes; different for each name.
pub fn webp(name: &str, bytes: usize) -> Vec<u8> {
    let mut content = b"RIFF....WEBP".to_vec();
    content[4..8].copy_from_slice(&u32::try_from(bytes - 8).unwrap().to_le_bytes());
    content.extend(name.bytes().chain(b"-".iter().copied()).cycle().take(bytes - 12));
    content
}

fn gather(findings: &mut Vec<Finding>, event: Event) {
    match event {
        Event::Found(finding) => findings.push(finding),
        // Beside a server there may be more than there were.
        Event::Progress { looked, .. } => assert!(looked > 0),
    }
}

pub fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

pub fn socket(path: &Path) {
    mknodat(CWD, path, FileType::Socket, Mode::from_raw_mode(0o600), 0).unwrap();
}

/// Puts something else under a name.
pub fn replace(path: &Path, with: impl FnOnce(&Path)) {
    match fs::symlink_metadata(path) {
        Ok(facts) if facts.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
    with(path);
}

pub fn link_to(target: &Path) -> impl Fn(&Path) {
    let target = target.to_owned();
    move |path| symlink(&target, path).unwrap()
}

/// Name, kind, length, time and inode of every file below a folder: two are the same when nothing was
/// written. A folder has no time: a log that comes and goes leaves no other trace.
pub fn picture_of(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut picture = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let facts = fs::symlink_metadata(&path).unwrap();
            if facts.is_dir() {
                folders.push(path.clone());
            }
            let time = if facts.is_dir() { (0, 0) } else { (facts.mtime(), facts.mtime_nsec()) };
            picture.insert(path, format!("{:o} {} {time:?} {}", facts.mode(), facts.len(), facts.ino()));
        }
    }
    picture
}
