//! The server put together: opens the collection and the cache, binds the door, answers until
//! asked to stop, and puts everything down in order. Owns the order; decides nothing else. The
//! service manager hears of each step: `notify` has the words, `watchdog` the thread.

mod notify;
mod watchdog;

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::thread;

use log::{info, warn};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cache::{CacheError, ImageCache, Settings as CacheSettings};
use crate::collection::{self, Collection, CollectionError, Copyist};
use crate::config::Config;
use crate::door::{self, Door, DoorError, Ended, Settings as DoorSettings, Stopper};
use crate::key::Timestamp;
use crate::picture::Recipe;
use crate::web::gate::Hosts;
use crate::web::{Settings as WebSettings, Timing, Web, refusal};
use notify::{Manager, Word};
use watchdog::Watchdog;

/// Serves until SIGTERM or Ctrl-C.
///
/// # Errors
/// When the folder, a database or the address cannot be had: nothing was served then.
pub fn run(config: Config) -> Result<(), ServeError> {
    let server = Server::open(config)?;
    // Not for every server: the demo's shelf needs no copies.
    let _copies = Copyist::start(&server.collection).map_err(ServeError::Copyist)?;
    server.announce();
    server.serve()
}

/// An open store and a bound door.
pub struct Server {
    door: Door,
    cache: Arc<ImageCache>,
    web: Arc<Web>,
    collection: Arc<Collection>,
    manager: Option<Arc<Manager>>,
    watchdog: Option<Watchdog>,
}

impl Server {
    pub fn open(config: Config) -> Result<Server, ServeError> {
        let manager = Manager::from_environment().map(Arc::new);
        let watchdog = manager.clone().map(Watchdog::start).transpose().map_err(ServeError::Watchdog)?;
        let data_dir = &config.data_dir;
        let folder = |cause| ServeError::Folder { path: data_dir.clone(), cause };
        collection::make_folder(data_dir).map_err(folder)?;
        // The door first: an address in use is found out before anything is written.
        let mut door = DoorSettings::new(config.listen, config.threads);
        door.complain = refusal::at_the_door;
        let door = Door::bind(&door)?;
        let cache = Arc::new(ImageCache::open(&data_dir.join("cache"), cache_settings(&config))?);
        cache.note_address(door.address())?;
        // The cache's lock keeps every other server out, so a damaged collection may be replaced.
        let collection =
            Arc::new(Collection::open_or_restore(&data_dir.join("vinylvault.db"), Timestamp::now())?);
        let settings = WebSettings {
            hosts: Hosts::new(config.allowed_hosts.unwrap_or_default(), machine_name()),
            admin_token: config.admin_token,
            trusted_proxies: config.trusted_proxies,
            timing: if config.debug { Timing::Shown } else { Timing::Hidden },
            gauges: door.gauges(),
        };
        let web = Arc::new(Web::new(Arc::clone(&cache), Arc::clone(&collection), settings));
        // Before anybody is told the address, for who has it may ask for a stop.
        stop_on_signals(door.stopper(), Arc::clone(&cache), manager.clone())?;
        Ok(Server { door, cache, web, collection, manager, watchdog })
    }

    /// The one line on standard output: where to look.
    pub fn announce(&self) {
        let address = self.door.address();
        let shown = match address.ip().is_unspecified() {
            true => format!("http://localhost:{}/", address.port()),
            false => format!("http://{address}/"),
        };
        let line = format!("VinylVault is at {shown}\n");
        // Nobody may be reading; the log has the address too.
        let _ = io::stdout().write_all(line.as_bytes()).and_then(|()| io::stdout().flush());
        info!("listening on {address}");
    }

    pub fn serve(self) -> Result<(), ServeError> {
        if let Some(watchdog) = &self.watchdog {
            watchdog.store_is_open(self.door.home());
        }
        let (quick, slow) = (Arc::clone(&self.web), Arc::clone(&self.web));
        let ended = self.door.run(move |exchange| quick.quick(exchange), move |exchange| slow.slow(exchange));
        if let (Ended::Restart { .. }, Some(manager)) = (&ended, &self.manager) {
            manager.tell(Word::Restarting);
        }
        self.cache.stop();
        match ended {
            Ended::Stopped => {
                info!("stopped");
                Ok(())
            }
            Ended::Restart { reason } => {
                warn!("restarting in place cause={reason}");
                Err(ServeError::Restart(door::restart_in_place()))
            }
        }
    }
}

fn cache_settings(config: &Config) -> CacheSettings {
    CacheSettings {
        recipe: Recipe {
            thumbnail_side: config.thumbnail_side,
            detail_side: config.detail_side,
            quality: config.quality,
            effort: config.effort,
            megapixels_max: config.megapixels_max,
        },
        render_bytes_max: config.render_bytes_max,
        memory_bytes_max: config.memory_bytes,
        disk_bytes_max: config.cache_bytes,
        free_bytes_min: config.free_bytes_min,
        downloads: config.downloads,
        image_bytes_max: config.image_bytes_max,
        guard: config.guard.clone(),
    }
}

fn machine_name() -> Option<String> {
    let name = rustix::system::uname();
    name.nodename().to_str().ok().map(str::to_owned)
}

/// SIGTERM and Ctrl-C stop the door; a second one ends the process at once, as people expect.
fn stop_on_signals(
    stopper: Stopper,
    cache: Arc<ImageCache>,
    manager: Option<Arc<Manager>>,
) -> Result<(), ServeError> {
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(ServeError::Signals)?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let mut asked = signals.forever();
            if let Some(signal) = asked.next() {
                info!("stopping signal={signal}");
                if let Some(manager) = manager {
                    manager.tell(Word::Stopping);
                }
                stopper.stop();
                cache.hang_up();
            }
            if asked.next().is_some() {
                std::process::exit(1);
            }
        })
        .map_err(ServeError::Signals)?;
    Ok(())
}

/// Why the server could not start, or could not go on.
#[derive(Debug)]
pub enum ServeError {
    Folder {
        path: std::path::PathBuf,
        cause: io::Error,
    },
    Door(DoorError),
    Cache(CacheError),
    Collection(CollectionError),
    Signals(io::Error),
    Copyist(io::Error),
    /// No thread to answer for the server to the service manager.
    Watchdog(io::Error),
    /// The own binary could not be started again.
    Restart(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServeError::Folder { path, cause } => {
                write!(f, "cannot make the data folder {}: {cause}", path.display())
            }
            ServeError::Door(error) => error.fmt(f),
            ServeError::Cache(error) => error.fmt(f),
            ServeError::Collection(error) => error.fmt(f),
            ServeError::Signals(cause) => write!(f, "cannot listen for signals: {cause}"),
            ServeError::Copyist(cause) => write!(f, "cannot start the thread of the copies: {cause}"),
            ServeError::Watchdog(cause) => write!(f, "cannot start the watchdog's thread: {cause}"),
            ServeError::Restart(cause) => write!(f, "cannot restart in place: {cause}"),
        }
    }
}

impl std::error::Error for ServeError {}

impl From<DoorError> for ServeError {
    fn from(error: DoorError) -> ServeError {
        ServeError::Door(error)
    }
}

impl From<CacheError> for ServeError {
    fn from(error: CacheError) -> ServeError {
        ServeError::Cache(error)
    }
}

impl From<CollectionError> for ServeError {
    fn from(error: CollectionError) -> ServeError {
        ServeError::Collection(error)
    }
}
