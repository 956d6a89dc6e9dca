//! What the rooms cost without the network: a hit in memory, a hit on disk, a page of 60 albums,
//! 1,000 touches, a start with 100,000 rows. `cargo bench --bench house` prints medians. Renders
//! have a bench of their own (`render`), whole hits over sockets a script (`benches/peers/`).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use vinylvault::cache::disk::Disk;
use vinylvault::cache::index::{Admission, Index, Limits};
use vinylvault::cache::memory::{Format, Memory};
use vinylvault::collection::import::read_bytes;
use vinylvault::collection::{Collection, ImportMode, Query};
use vinylvault::key::{CacheKey, Rendition, Variant};
use vinylvault::web::pages::{Frame, Pages};

/// Odd, so that the median is a measurement.
const ROUNDS: usize = 31;

/// Rows of the large index: two variants of 50,000 covers, beyond any 2 GB budget.
const ROWS: u64 = 100_000;

fn main() {
    let folder = Folder::new();
    memory_hit();
    disk_hit_and_touches(&folder.path.join("small"));
    start_with_rows(&folder.path.join("large"));
    page_of_sixty(&folder.path.join("albums.db"));
}

fn memory_hit() {
    let memory = Memory::new(1 << 20);
    let key = CacheKey::of("cover");
    memory.put(key, Variant::Thumbnail, Format::WebP, Rendition::new(picture(6_144)));
    let now = Instant::now();
    per_call("memory hit", 10_000, || {
        assert!(memory.hit(key, Variant::Thumbnail, Format::WebP, now).is_some());
    });
}

fn disk_hit_and_touches(root: &Path) {
    let (disk, index) = open(root);
    let keys: Vec<CacheKey> = (0..1_000).map(|number| CacheKey::of(&number.to_string())).collect();
    admit(&index, &keys);
    per_call("disk hit (row, read, digest), 6 KB", 100, || {
        let row = index.row(keys[7], Variant::Thumbnail).expect("it was admitted");
        let read = disk.read(keys[7], Variant::Thumbnail, row.bytes, row.digest);
        assert!(read.is_ok_and(|read| read.is_some()));
    });
    let before = index.totals().expect("the thread lives").commits;
    per_call("1,000 touches", 1, || {
        keys.iter().for_each(|key| index.touch(*key, Variant::Thumbnail));
        index.settle().expect("the thread lives");
    });
    let commits = index.totals().expect("the thread lives").commits - before;
    println!("{:<44}{commits:>12}", "transactions for all of them");
}

fn start_with_rows(root: &Path) {
    let (_, index) = open(root);
    index.stop();
    drop(index);
    let mut rows = rusqlite::Connection::open(root.join("index.db")).expect("the index exists");
    let transaction = rows.transaction().expect("nobody else has it");
    {
        let sql =
            "INSERT INTO rendition(key, variant, bytes, digest, accessed_at) VALUES (?1, ?2, ?3, ?4, ?5)";
        let mut insert = transaction.prepare(sql).expect("the schema is ours");
        for number in 0..ROWS {
            let key = CacheKey::of(&(number / 2).to_string());
            let row = (key.as_bytes(), (number % 2) as i64, 6_144i64, key.as_bytes(), number as i64 + 1);
            insert.execute(row).expect("the row is new");
        }
    }
    transaction.commit().expect("the disk has room");
    drop(rows);
    median("start with 100,000 rows", 9, || drop(open(root)));
}

fn page_of_sixty(database: &Path) {
    let genres = ["Jazz", "Rock", "Electronic"];
    let albums: Vec<serde_json::Value> = (0..5_000)
        .map(|number| {
            serde_json::json!({
                "artist": format!("Artist {}", number % 900),
                "title": format!("Album number {number}"),
                "year": 1960 + number % 60,
                "genre": genres[number % genres.len()],
                "format": "LP",
                "cover_url": format!("https://example.org/covers/{number}.jpg"),
            })
        })
        .collect();
    let reading =
        read_bytes(serde_json::json!(albums).to_string().as_bytes(), "albums.json").expect("it is JSON");
    let collection = Collection::open(database).expect("the folder is ours");
    collection.import(&reading.albums, ImportMode::Write).expect("the disk has room");
    let pages = Pages::new();
    let frame = Frame {
        version: "0123abcd",
        placeholder_bytes: [2_500, 23_000],
        total_albums: 5_000,
        thumbnail_side: 150,
        detail_side: 600,
    };
    let query = Query { page: 3, ..Query::default() };
    per_call("page of 60 albums of 5,000 (query and HTML)", 5, || {
        let page = collection.page(&query).expect("the collection answers");
        let facets = collection.facets().expect("the collection answers");
        assert!(pages.grid(&frame, &query, &page, &facets).is_ok());
    });
}

fn open(root: &Path) -> (Arc<Disk>, Index) {
    let disk = Arc::new(Disk::open(root).expect("the folder is ours"));
    let limits = Limits {
        bytes_max: 2_000_000_000,
        free_bytes_min: 0,
        fingerprint: "bench".to_owned(),
        originals: None,
    };
    let index = Index::open(Arc::clone(&disk), limits).expect("the index opens");
    (disk, index)
}

fn admit(index: &Index, keys: &[CacheKey]) {
    for keys in keys.chunks(100) {
        let batch = keys.iter().map(|key| {
            let rendition = Rendition::new(picture(6_144));
            let temp = index.write_temp(rendition.bytes()).expect("the disk has room");
            let (bytes, digest) = (rendition.len(), rendition.digest());
            Admission { key: *key, variant: Variant::Thumbnail, bytes, digest, asked: None, temp }
        });
        index.admit(batch.collect(), Box::new(|_| ()));
    }
    index.settle().expect("the thread lives");
}

/// Bytes with a WebP's first twelve.
fn picture(bytes: u32) -> Vec<u8> {
    let mut picture = vec![7; bytes as usize];
    picture[..4].copy_from_slice(b"RIFF");
    picture[4..8].copy_from_slice(&(bytes - 8).to_le_bytes());
    picture[8..12].copy_from_slice(b"WEBP");
    picture
}

fn per_call(name: &str, calls: u32, mut call: impl FnMut()) {
    let once = middle(ROUNDS, || (0..calls).for_each(|_| call())) / calls;
    println!("{name:<44}{once:>12.2?}");
}

fn median(name: &str, rounds: usize, call: impl FnMut()) {
    println!("{name:<44}{:>12.2?}", middle(rounds, call));
}

fn middle(rounds: usize, mut call: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let begun = Instant::now();
            call();
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

/// A folder that ends with the bench.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new() -> Folder {
        let path = std::env::temp_dir().join(format!("vinylvault-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("there is a temporary folder");
        Folder { path }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nobody is hurt by a folder that stays.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
