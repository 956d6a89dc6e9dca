//! The cache of covers: the only door to everything below it. A viewer looks up, else fetches; a
//! program preloads; the owner purges and reads the statistics. Knows no HTTP.
//!
//! In reading order: what is remembered ([`failure`], [`memory`], [`disk`], [`index`]), who waits
//! ([`flight`], [`jobs`]), how an original gets here ([`pace`], [`origin`], [`fetch`]) and a larger one
//! after it (`improve`).

mod attendant;
mod condition;
pub mod disk;
pub mod explain;
pub mod failure;
pub mod fetch;
pub mod flight;
mod improve;
pub mod index;
pub mod jobs;
pub mod measure;
pub mod memory;
pub mod origin;
pub mod pace;
pub mod stats;
mod stop;
pub mod sweep;
mod trouble;
pub mod verify;

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Instant;

use log::warn;

use crate::guard::Guard;
use crate::key::{CacheKey, Digest, Rendition, Timestamp, Variant};
use crate::picture::{PictureError, Recipe, Renderer};
use crate::source::Source;
use attendant::Attendant;
pub use condition::Condition;
use disk::{Disk, DiskError};
use failure::Failure;
use fetch::Fetcher;
use flight::{Flights, Outcome, Passenger, Waiter};
use index::{Admission, Hour, Index, IndexError, Limits, Met, Purged, Scope};
use jobs::{Finished, JobId, Jobs, Progress, TooMany};
use measure::Measures;
use memory::{Format, Memory, Touch};
use origin::Origin;
use pace::Pace;
use stats::Bounds;
use trouble::{Act, Troubles};

/// What the cache is opened with; plain values, checked by `config`.
#[derive(Clone, Debug)]
pub struct Settings {
    pub recipe: Recipe,
    /// Memory that all decodes together may hold, bytes.
    pub render_bytes_max: u64,
    /// Memory of the newest renditions, bytes.
    pub memory_bytes_max: u64,
    /// Disk budget of renditions, bytes.
    pub disk_bytes_max: u64,
    /// Space left free on the file system whatever the budget says, bytes.
    pub free_bytes_min: u64,
    /// Download workers.
    pub downloads: usize,
    /// Largest original, bytes after decompression.
    pub image_bytes_max: u64,
    pub guard: Guard,
}

impl Settings {
    /// What an original may be: compared with what was so at the last start.
    fn originals(&self) -> String {
        let Settings { image_bytes_max, render_bytes_max, recipe, .. } = self;
        format!("{image_bytes_max} bytes, {} megapixels, {render_bytes_max} rendered", recipe.megapixels_max)
    }
}

/// Where a rendition was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    Memory,
    Disk,
}

/// What every part of the cache works on.
pub struct Store {
    memory: Memory,
    disk: Arc<Disk>,
    index: Index,
    renderer: Renderer,
    origin: Origin,
    pace: Pace,
    flights: Arc<Flights>,
    jobs: Arc<Jobs>,
    measures: Measures,
    troubles: Troubles,
    bounds: Bounds,
    opened_at: Instant,
}

pub struct ImageCache {
    store: Arc<Store>,
    fetcher: Arc<Fetcher>,
    placeholders: [[Rendition; 2]; 2],
    stopping: Arc<AtomicBool>,
    /// When that was said.
    hung_up_at: OnceLock<Instant>,
}

impl ImageCache {
    /// Opens `root` (`DATA_DIR/cache`), locks it, and starts the index thread, the workers and the
    /// attendant. A second server on the folder gets [`DiskError::Locked`].
    pub fn open(root: &Path, settings: Settings) -> Result<ImageCache, CacheError> {
        let disk = Arc::new(Disk::open(root)?);
        let limits = Limits {
            bytes_max: settings.disk_bytes_max,
            free_bytes_min: settings.free_bytes_min,
            fingerprint: settings.recipe.fingerprint(),
            originals: Some(settings.originals()),
        };
        let index = Index::open(Arc::clone(&disk), limits)?;
        let renderer = Renderer::new(settings.recipe, settings.render_bytes_max);
        let placeholders = make_placeholders(&renderer, &disk)?;
        let store = Arc::new(Store {
            memory: Memory::new(settings.memory_bytes_max),
            disk,
            index,
            renderer,
            origin: Origin::new(settings.guard, settings.image_bytes_max),
            pace: Pace::new(),
            flights: Arc::new(Flights::default()),
            jobs: Arc::new(Jobs::default()),
            measures: Measures::default(),
            troubles: Troubles::default(),
            bounds: Bounds {
                disk_bytes_max: settings.disk_bytes_max,
                free_bytes_min: settings.free_bytes_min,
                memory_bytes_max: settings.memory_bytes_max,
            },
            opened_at: Instant::now(),
        });
        let (bell, rung) = crossbeam_channel::bounded(1);
        let fetcher = Arc::new(Fetcher::new(bell));
        let stopping = Arc::new(AtomicBool::new(false));
        fetcher.start(&store, settings.downloads).map_err(CacheError::Thread)?;
        let attendant = Attendant {
            store: Arc::clone(&store),
            fetcher: Arc::clone(&fetcher),
            stopping: Arc::clone(&stopping),
        };
        thread::Builder::new()
            .name("attendant".to_owned())
            .spawn(move || attendant.attend(&rung))
            .map_err(CacheError::Thread)?;
        Ok(ImageCache { store, fetcher, placeholders, stopping, hung_up_at: OnceLock::new() })
    }

    /// Notes where the server listens, so that commands find it by the folder.
    pub fn note_address(&self, address: SocketAddr) -> Result<(), CacheError> {
        Ok(self.store.disk.note_address(address)?)
    }

    /// From memory only: no I/O and no waiting, so the accept loop itself may ask.
    pub fn glance(&self, key: CacheKey, variant: Variant, format: Format) -> Option<Rendition> {
        let (rendition, touch) = self.store.memory.hit(key, variant, format, Instant::now())?;
        self.store.index.met(variant, Met::Memory);
        if touch == Touch::Due {
            self.store.index.touch(key, variant);
        }
        Some(rendition)
    }

    /// From memory, else from disk, verified and then kept in memory.
    pub fn lookup(&self, key: CacheKey, variant: Variant, format: Format) -> Option<(Rendition, Tier)> {
        if let Some(rendition) = self.glance(key, variant, format) {
            return Some((rendition, Tier::Memory));
        }
        let (found, tier) = match format {
            Format::WebP => (self.store.read(key, variant)?, Tier::Disk),
            Format::Jpeg => {
                let (webp, tier) = match self.store.memory.get(key, variant, Format::WebP) {
                    Some(webp) => (webp, Tier::Memory),
                    None => (self.store.read(key, variant)?, Tier::Disk),
                };
                (self.jpeg_twin(key, variant, &webp)?, tier)
            }
        };
        self.store.index.met(variant, if tier == Tier::Disk { Met::Disk } else { Met::Memory });
        self.store.index.touch(key, variant);
        Some((found, tier))
    }

    /// The JPEG of a rendition, made on first asking and kept in memory only.
    pub fn jpeg_twin(&self, key: CacheKey, variant: Variant, webp: &Rendition) -> Option<Rendition> {
        match self.store.renderer.jpeg_twin(webp.bytes()) {
            Ok(bytes) => {
                let twin = Rendition::new(bytes);
                self.store.memory.put(key, variant, Format::Jpeg, twin.clone());
                Some(twin)
            }
            Err(error) => {
                warn!("cannot make the jpeg twin key={key} variant={} cause={error}", variant.name());
                None
            }
        }
    }

    /// Fetches a cover that is not here; `waiter` is answered when it is, when it cannot be, or
    /// when patience ends. One download however many ask.
    pub fn fetch(&self, source: Source, waiter: Waiter) {
        let (index, variant) = (&self.store.index, waiter.variant);
        if self.stopping.load(Ordering::Acquire) {
            index.met(variant, Met::Miss);
            return (waiter.answer)(Outcome::Pending);
        }
        match self.store.flights.board(source.key(), Passenger::Viewer(waiter)) {
            Some(flight) => {
                index.met(variant, Met::Miss);
                // Turned back or not, who is aboard is answered by the flight.
                let _ = self.fetcher.submit(flight, source, index.expect());
            }
            None => index.met(variant, Met::Coalesced),
        }
        // The waiter's patience needs an attendant that is awake.
        let _ = self.fetcher.bell.try_send(());
    }

    /// Counts a request that was answered with a placeholder without asking the origin.
    pub fn count_placeholder(&self, variant: Variant) {
        self.store.index.met(variant, Met::Placeholder);
    }

    /// What is remembered of the last download of `source`, while asking again would be too early.
    pub fn failure(&self, source: &Source, now: Timestamp) -> Option<Failure> {
        self.store.failure(source, now)
    }

    pub fn guard(&self) -> &Guard {
        self.store.origin.guard()
    }

    /// Makes sources known, so that their keys may be asked for; returns when that is on disk.
    pub fn register(&self, sources: Vec<Source>) -> Result<(), CacheError> {
        Ok(self.store.index.register(sources)?)
    }

    /// The URL that was registered for `key`.
    pub fn registered(&self, key: CacheKey) -> Option<String> {
        self.store.index.registered(key)
    }

    /// Fetches `sources` with nobody watching; their progress is asked for by the number returned.
    pub fn preload(&self, sources: Vec<Source>, finished: Option<Finished>) -> Result<JobId, TooMany> {
        let id = self.store.jobs.start(jobs::distinct(sources), finished)?;
        let _ = self.fetcher.bell.try_send(());
        Ok(id)
    }

    pub fn progress(&self, id: JobId) -> Option<Progress> {
        self.store.jobs.progress(id, Instant::now())
    }

    pub fn cancel(&self, id: JobId) -> Option<Progress> {
        self.store.jobs.cancel(id, Instant::now())
    }

    /// Removes renditions from disk and memory.
    pub fn purge(&self, scope: Scope) -> Result<Purged, CacheError> {
        let purged = self.store.index.purge(scope)?;
        self.store.memory.clear();
        Ok(purged)
    }

    pub fn placeholder(&self, variant: Variant, format: Format) -> Rendition {
        self.placeholders[variant as usize][format as usize].clone()
    }

    pub fn recipe(&self) -> Recipe {
        self.store.renderer.recipe()
    }

    /// What pages put behind `?v=`: changes when the recipe does and when the cache was cleared,
    /// so that a browser may keep an address that carries it for ever.
    pub fn version(&self) -> String {
        // Without a thread nothing is stored any more, and nothing changes.
        let generation = self.store.index.totals().map_or(0, |totals| totals.generation);
        let digest = Digest::of(format!("{} {generation}", self.recipe().fingerprint()).as_bytes());
        digest.to_string()[..8].to_owned()
    }

    /// The hours of the last 30 days in which something happened, oldest first.
    pub fn history(&self, now: Timestamp) -> Vec<Hour> {
        self.store.index.history(now)
    }
}

impl Store {
    /// [`ImageCache::failure`].
    fn failure(&self, source: &Source, now: Timestamp) -> Option<Failure> {
        let failure = self.index.failure(source.key())?;
        (failure.concerns(source) && !failure.is_due(now)).then_some(failure)
    }

    /// A verified read from disk, kept in memory. A row whose file is not what it promises is
    /// reported to the index, which looks for itself.
    fn read(&self, key: CacheKey, variant: Variant) -> Option<Rendition> {
        let row = self.index.row(key, variant)?;
        match self.disk.read(key, variant, row.bytes, row.digest) {
            Ok(Some(rendition)) => {
                self.troubles.done(Act::Reading);
                self.memory.put(key, variant, Format::WebP, rendition.clone());
                Some(rendition)
            }
            Ok(None) => {
                self.index.forget(key, variant);
                None
            }
            Err(error) => {
                self.troubles.refused(Act::Reading, &error);
                None
            }
        }
    }

    /// Temporary files of the renditions that the card would take.
    fn write_temps(&self, source: &Source, renditions: Vec<(Variant, Rendition)>) -> Vec<Admission> {
        let mut batch = Vec::with_capacity(renditions.len());
        for (variant, rendition) in renditions {
            match self.index.write_temp(rendition.bytes()) {
                Ok(temp) => {
                    self.troubles.done(Act::Writing);
                    let (key, bytes, digest) = (source.key(), rendition.len(), rendition.digest());
                    let asked = self.short_of(variant, source);
                    batch.push(Admission { key, variant, bytes, digest, asked, temp });
                }
                Err(error) => self.troubles.refused(Act::Writing, &error),
            }
        }
        batch
    }
}

fn make_placeholders(renderer: &Renderer, disk: &Disk) -> Result<[[Rendition; 2]; 2], CacheError> {
    let make = |variant| -> Result<[Rendition; 2], CacheError> {
        let (webp, jpeg) = renderer.placeholder(variant).map_err(CacheError::Placeholder)?;
        disk.save_placeholder(variant, &webp)?;
        Ok([Rendition::new(webp), Rendition::new(jpeg)])
    };
    Ok([make(Variant::Thumbnail)?, make(Variant::Detail)?])
}

/// Why the cache cannot be opened or did not do what it was asked.
#[derive(Debug)]
pub enum CacheError {
    Disk(DiskError),
    Index(IndexError),
    Placeholder(PictureError),
    Thread(std::io::Error),
}

impl fmt::Display for CacheError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CacheError::Disk(error) => error.fmt(f),
            CacheError::Index(error) => error.fmt(f),
            CacheError::Placeholder(error) => write!(f, "cannot draw the placeholder: {error}"),
            CacheError::Thread(error) => write!(f, "cannot start a thread of the cache: {error}"),
        }
    }
}

impl std::error::Error for CacheError {}

impl From<DiskError> for CacheError {
    fn from(error: DiskError) -> CacheError {
        CacheError::Disk(error)
    }
}

impl From<IndexError> for CacheError {
    fn from(error: IndexError) -> CacheError {
        CacheError::Index(error)
    }
}
