//! The facts that status, health and monitor share: asked of the running server, else read from its
//! store. Owns which of the two it was and the names of `status --json`. Judges and prints nothing.

use super::Failure;
use super::server::{Found, Server};
use crate::cache::disk::Disk;
use crate::cache::index::{AtRest, IndexError};
use crate::cache::stats::{Bounds, Stats};
use crate::config::Config;
use crate::key::Timestamp;
use serde_json::{Value, json};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// One reading.
pub(super) struct Facts {
    pub at: Timestamp,
    pub whence: Whence,
    /// As `GET /api/cache/stats` has it; of a store, what only a running server knows is null or 0.
    pub stats: Value,
}

/// Who was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whence {
    Server(SocketAddr),
    /// `DATA_DIR/cache`, while no server runs.
    Store(PathBuf),
    /// Nor is there a cache yet.
    Nothing(PathBuf),
}

/// One origin host, as the server sees it.
pub(super) struct Origin {
    pub host: String,
    pub in_flight: u64,
    pub requests: u64,
    pub failures: u64,
    /// Failures since the last good answer.
    pub failing: u64,
    pub paused_seconds: Option<u64>,
}

impl Facts {
    /// # Errors
    /// When a server has the folder and does not answer, or the store cannot be read.
    pub fn read(config: &Config) -> Result<Facts, Failure> {
        match Server::find(config)? {
            Found::Server(server) => Facts::ask(&server),
            Found::AtRest => Facts::look(config),
        }
    }

    pub fn ask(server: &Server) -> Result<Facts, Failure> {
        let stats = server.get("/api/cache/stats")?.success("read the statistics")?;
        Ok(Facts { at: Timestamp::now(), whence: Whence::Server(server.address()), stats })
    }

    /// From the store. Limits are those of a server that would start with these settings.
    pub fn look(config: &Config) -> Result<Facts, Failure> {
        let root = config.data_dir.join("cache");
        let failed = |cause: IndexError| Failure::Failed(cause.to_string());
        let bounds = Bounds {
            disk_bytes_max: config.cache_bytes,
            free_bytes_min: config.free_bytes_min,
            memory_bytes_max: config.memory_bytes,
        };
        let (whence, stats) = match AtRest::open(&root).map_err(failed)? {
            Some(store) => (Whence::Store(root), store.stats(bounds).map_err(failed)?),
            None => {
                // Of the file system on which it will be made.
                let there = root.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
                let free_bytes = Disk::free_bytes_of(there).ok();
                (Whence::Nothing(root), Stats { free_bytes, ..Stats::of_nothing(bounds) })
            }
        };
        Ok(Facts { at: Timestamp::now(), whence, stats: stats.to_json() })
    }

    /// A number of the statistics; 0 where there is none.
    pub fn count(&self, name: &str) -> u64 {
        self.number(name).unwrap_or(0)
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.stats[name].as_u64()
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.stats[name].as_str()
    }

    /// Percent of the requests answered with the cover at once; `None` before the first.
    pub fn hit_rate(&self) -> Option<f64> {
        self.stats["hit_rate"].as_f64()
    }

    /// Requests for covers, answered at once or not.
    pub fn requests(&self) -> u64 {
        self.count("hits") + self.count("misses")
    }

    /// Failures of covers by why, the most frequent first.
    pub fn failures_by_class(&self) -> Vec<(&str, u64)> {
        let classes = self.stats["failures_by_class"].as_object().into_iter().flatten();
        let mut classes: Vec<(&str, u64)> =
            classes.map(|(name, count)| (name.as_str(), count.as_u64().unwrap_or(0))).collect();
        classes.retain(|(_, count)| *count > 0);
        classes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        classes
    }

    /// By name.
    pub fn origins(&self) -> Vec<Origin> {
        let list = self.stats["origins"].as_array().into_iter().flatten();
        list.map(|origin| Origin {
            host: origin["host"].as_str().unwrap_or("?").to_owned(),
            in_flight: origin["in_flight"].as_u64().unwrap_or(0),
            requests: origin["requests"].as_u64().unwrap_or(0),
            failures: origin["failures"].as_u64().unwrap_or(0),
            failing: origin["failures_in_a_row"].as_u64().unwrap_or(0),
            paused_seconds: origin["paused_seconds"].as_u64(),
        })
        .collect()
    }

    /// What the cache could not do when it last tried, each with where.
    pub fn last_errors(&self) -> Vec<(&'static str, &str)> {
        let errors = [("disk", "last_disk_error"), ("index", "last_index_error")];
        errors.into_iter().filter_map(|(place, name)| Some((place, self.text(name)?))).collect()
    }

    /// `status --json`.
    pub fn status(&self) -> Value {
        let (used, limit) = (self.count("memory_cache_bytes"), self.count("memory_cache_limit_bytes"));
        let held = self.count("total_size_bytes");
        json!({
            "timestamp": self.at.to_string(),
            "source": self.whence.name(),
            "uptime_seconds": self.stats["uptime_seconds"],
            "cache_stats": self.stats,
            "performance": {
                "hit_rate": self.stats["hit_rate"],
                "total_requests": self.requests(),
                "hits": self.count("hits"),
                "misses": self.count("misses"),
                "evictions": self.count("evictions"),
            },
            "memory": {
                "usage_bytes": used,
                "usage_mb": megabytes(used),
                "limit_bytes": limit,
                "limit_mb": megabytes(limit),
                "usage_percent": rounded(share(used, limit)),
                "rss_bytes": self.stats["rss_bytes"],
            },
            "disk": {
                "total_size_bytes": held,
                "total_size_mb": megabytes(held),
                "file_count": self.count("total_entries"),
                "free_bytes": self.stats["free_bytes"],
            },
        })
    }
}

impl Whence {
    /// As the JSON of every command has it.
    pub fn name(&self) -> &'static str {
        match self {
            Whence::Server(_) => "server",
            Whence::Store(_) | Whence::Nothing(_) => "store",
        }
    }
}

impl fmt::Display for Whence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whence::Server(address) => write!(f, "the server at http://{address}"),
            Whence::Store(root) => write!(f, "the store in {}; no server runs", root.display()),
            Whence::Nothing(root) => write!(f, "nothing yet: there is no cache in {}", root.display()),
        }
    }
}

impl Origin {
    /// Good answers have stopped coming, or it asked to be left alone. One failure is weather.
    pub fn is_in_trouble(&self) -> bool {
        self.paused_seconds.is_some() || self.failing >= FAILING_FROM
    }
}

/// Failures in a row from which an origin counts as failing: the tries of one cover.
const FAILING_FROM: u64 = 3;

/// Millions of bytes, to two places: as disks and settings have them.
pub(super) fn megabytes(bytes: u64) -> f64 {
    rounded(bytes as f64 / 1e6)
}

/// Percent; 0 of nothing.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}
