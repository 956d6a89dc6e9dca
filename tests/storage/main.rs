//! The cache's storage with real files and a real SQLite: what fits, what goes, what survives a
//! kill, a full disk, a damaged file or a damaged index. No network and no pictures.

mod at_rest;
mod budget;
mod crash;
mod damage;
mod notes;
mod values;
mod wear;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use vinylvault::cache::disk::Disk;
use vinylvault::cache::index::{Admission, Index, Limits, Totals};
use vinylvault::key::{CacheKey, Digest, Rendition, Timestamp, Variant};

/// A temporary folder, removed at the end of its test.
pub struct Folder(PathBuf);

impl Folder {
    #[allow(clippy::new_without_default, reason = "a test's folder is made on purpose, never by default")]
    pub fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("vinylvault-storage-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    pub fn cache(&self) -> PathBuf {
        self.0.join("cache")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.cache().join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A disk and its index, as the program opens them.
pub struct Store {
    pub disk: Arc<Disk>,
    pub index: Index,
}

impl Store {
    pub fn open(root: &Path, bytes_max: u64) -> Store {
        Store::with(root, Limits { bytes_max, free_bytes_min: 0, fingerprint: "v1".into(), originals: None })
    }

    pub fn with(root: &Path, limits: Limits) -> Store {
        let disk = Arc::new(Disk::open(root).unwrap());
        let index = Index::open(disk.clone(), limits).unwrap();
        Store { disk, index }
    }

    pub fn admission(&self, name: &str, variant: Variant, content: &[u8]) -> Admission {
        Admission {
            key: key(name),
            variant,
            bytes: content.len() as u64,
            digest: Digest::of(content),
            asked: None,
            temp: self.index.write_temp(content).unwrap(),
        }
    }

    /// Admits and waits until it has landed.
    pub fn admit_all(&self, batch: Vec<Admission>) {
        let (landed, wait) = mpsc::channel();
        self.index.admit(batch, Box::new(move |_| landed.send(()).unwrap()));
        wait.recv().unwrap();
    }

    /// A thumbnail of `bytes` bytes.
    pub fn admit(&self, name: &str, bytes: usize) {
        self.admit_all(vec![self.admission(name, Variant::Thumbnail, &webp(name, bytes))]);
    }

    /// What a viewer would get: the file behind the row, if both are there and agree.
    pub fn read(&self, name: &str) -> Option<Rendition> {
        let row = self.index.row(key(name), Variant::Thumbnail)?;
        self.disk.read(key(name), Variant::Thumbnail, row.bytes, row.digest).unwrap()
    }

    /// Those of `names` that are there, e.g. `"bc"` of `"abc"`.
    pub fn present(&self, names: &str) -> String {
        names.chars().filter(|name| self.read(&name.to_string()).is_some()).collect()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.disk.path(key(name), Variant::Thumbnail)
    }

    pub fn totals(&self) -> Totals {
        self.index.totals().unwrap()
    }
}

/// Waits for the next hour where this one is about to end, for the history may be written then.
pub fn clear_of_the_hours_end() {
    let left = || 3600 - Timestamp::now().0.rem_euclid(3600);
    let deadline = Instant::now() + Duration::from_secs(30);
    while left() < 20 {
        assert!(Instant::now() < deadline, "no hour ended");
        std::thread::sleep(Duration::from_millis(100));
    }
}

pub fn key(name: &str) -> CacheKey {
    CacheKey::of(name)
}

/// What passes for a WebP by its first 12 bytes; different for each name.
pub fn webp(name: &str, bytes: usize) -> Vec<u8> {
    let mut content = b"RIFF....WEBP".to_vec();
    content[4..8].copy_from_slice(&u32::try_from(bytes - 8).unwrap().to_le_bytes());
    content.extend(name.bytes().chain(b"-".iter().copied()).cycle().take(bytes - 12));
    assert_eq!(content.len(), bytes);
    content
}

/// A file under `covers/` that should have a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cover {
    pub path: PathBuf,
    pub key: CacheKey,
    pub variant: Variant,
    pub bytes: u64,
    /// Inode and its change time: says that it is still the same file.
    pub identity: (u64, i64, i64),
}

/// All files below the variants' folders; those that vanish meanwhile are left out.
pub fn covers(root: &Path) -> Vec<Cover> {
    let mut covers = Vec::new();
    for variant in Variant::ALL {
        for folder in list(&root.join("covers").join(variant.name())) {
            for path in list(&folder) {
                let name = path.file_stem().unwrap().to_str().unwrap();
                let Ok(facts) = fs::symlink_metadata(&path) else { continue };
                let key = CacheKey::parse(name).unwrap();
                let identity = (facts.ino(), facts.ctime(), facts.ctime_nsec());
                covers.push(Cover { key, variant, bytes: facts.len(), identity, path });
            }
        }
    }
    covers
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}
