//! The JSON routes: statistics, clear, a preload's job, cleanup, an image by its URL, the size of the
//! collection, health.
//! Every answer is JSON; every refusal is a sentence for a person and a word for a program.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use log::error;
use serde_json::{Value, json};

use super::Web;
use super::html::unreadable;
use super::refusal::Refusal;
use super::reply::{json_reply, redirect};
use super::route::{Route, parameter, split_target};
use crate::cache::index::{Hour, Scope};
use crate::cache::jobs::{JobId, Progress};
use crate::door::{BodyError, Exchange, Reply};
use crate::key::{Timestamp, Variant};
use crate::source::Source;

/// Largest body of a request: a thousand URLs of 256 bytes.
pub const BODY_BYTES_MAX: u64 = 256 * 1024;

/// What `cleanup` takes when it is not told an age, days.
const CLEANUP_DAYS: i64 = 30;

/// A century: beyond it an age is a mistake.
const CLEANUP_DAYS_MAX: i64 = 36_500;

impl Web {
    /// Checks what every route of the API wants, then answers it.
    pub(super) fn api(self: &Arc<Self>, mut exchange: Exchange, route: Route<'_>) {
        let client = self.client(&exchange);
        if let Err(refusal) = self.admit(&exchange, route, client) {
            return self.answer(exchange, route.name(), refusal.reply());
        }
        let answered = match route {
            Route::Health => {
                Ok(json_reply(200, &json!({ "status": "healthy", "version": env!("CARGO_PKG_VERSION") })))
            }
            Route::Ready => Ok(self.ready()),
            Route::Metrics => Ok(self.metrics()),
            Route::Stats => self.stats_value().map(|stats| json_reply(200, &stats)),
            Route::History => Ok(self.history()),
            Route::Collection => self.size_of_collection(),
            Route::Clear => self.clear(&mut exchange),
            Route::Cleanup => self.cleanup(&mut exchange),
            Route::ImageByUrl => self.image_by_url(&exchange, client),
            Route::Explain => self.explain(&exchange),
            Route::Job(id) => self.job(&exchange, id),
            Route::Preload => return self.preload(exchange),
            _ => Err(Refusal::NOT_FOUND),
        };
        self.answer(exchange, route.name(), answered.unwrap_or_else(Refusal::reply));
    }

    /// The numbers of CONTRACT 4, for the API and the page.
    pub(super) fn stats_value(&self) -> Result<Value, Refusal> {
        let stats = self.cache.stats().map_err(|cause| failed("cannot read the statistics", &cause))?;
        Ok(stats.to_json())
    }

    fn history(&self) -> Reply {
        let hours: Vec<Value> = self.cache.history(Timestamp::now()).iter().map(Hour::to_json).collect();
        json_reply(200, &json!({ "hours": hours }))
    }

    /// For a command that cannot read the collection itself.
    fn size_of_collection(&self) -> Result<Reply, Refusal> {
        let albums = self.collection.count().map_err(unreadable)?;
        let covers = self.collection.cover_count().map_err(unreadable)?;
        Ok(json_reply(200, &json!({ "albums": albums, "covers": covers })))
    }

    fn clear(&self, exchange: &mut Exchange) -> Result<Reply, Refusal> {
        object_body(exchange, Emptiness::Allowed)?;
        let purged =
            self.cache.purge(Scope::All).map_err(|cause| failed("cannot clear the cache", &cause))?;
        self.refresh_version();
        Ok(json_reply(
            200,
            &json!({
                "success": true,
                "message": "Cache cleared successfully",
                "removed": purged.renditions,
                "freed_bytes": purged.bytes,
            }),
        ))
    }

    fn cleanup(&self, exchange: &mut Exchange) -> Result<Reply, Refusal> {
        let body = object_body(exchange, Emptiness::Allowed)?;
        let days = match body.get("max_age_days") {
            None => CLEANUP_DAYS,
            Some(value) => value
                .as_i64()
                .filter(|days| (0..=CLEANUP_DAYS_MAX).contains(days))
                .ok_or(Refusal::bad("max_age_days must be a whole number from 0 to 36500."))?,
        };
        let scope = Scope::unused_for_days(days, Timestamp::now());
        let purged = self.cache.purge(scope).map_err(|cause| failed("cannot clean the cache up", &cause))?;
        let (removed, freed) = (purged.renditions, purged.bytes);
        Ok(json_reply(200, &json!({ "success": true, "removed": removed, "freed_bytes": freed })))
    }

    /// Where a token is set, only the owner makes a source known; one that is known is everybody's.
    fn image_by_url(&self, exchange: &Exchange, client: IpAddr) -> Result<Reply, Refusal> {
        let (_, query) = split_target(exchange.target());
        let url = parameter(query, "url").ok_or(Refusal::bad("url is missing."))?;
        let variant = match parameter(query, "size") {
            None => Variant::Detail,
            Some(name) => Variant::parse(&name).ok_or(Refusal::bad("size must be thumbnails or detail."))?,
        };
        let source = self.source(&url).map_err(|reason| Refusal::owned(400, "bad_url", reason))?;
        let location = format!("/cache/{}/{}.webp", variant.name(), source.key());
        match self.admit_owner(exchange, client) {
            Ok(()) => {
                let sources = vec![source.clone()];
                self.cache.register(sources).map_err(|cause| failed("cannot remember the source", &cause))?;
                self.cache.improve(source);
            }
            Err(refusal) if self.url_of(source.key()).is_none() => return Err(refusal),
            Err(_) => {}
        }
        Ok(redirect(location))
    }

    fn job(&self, exchange: &Exchange, id: JobId) -> Result<Reply, Refusal> {
        let progress = match exchange.method() {
            "DELETE" => self.cache.cancel(id),
            _ => self.cache.progress(id),
        };
        let progress = progress.ok_or(Refusal::fixed(404, "not_found", "There is no such job."))?;
        Ok(json_reply(200, &progress_value(&progress)))
    }

    /// A source that may be fetched, or why not, in a sentence.
    pub(super) fn source(&self, url: &str) -> Result<Source, String> {
        let source = Source::parse(url).map_err(|error| error.to_string())?;
        self.cache.guard().permits(&source).map_err(|refusal| refusal.to_string())?;
        Ok(source)
    }
}

fn progress_value(progress: &Progress) -> Value {
    let errors: Vec<Value> =
        progress.errors.iter().map(|(url, reason)| json!({ "url": url, "reason": reason })).collect();
    json!({
        "job": progress.id.to_string(),
        "state": progress.state.name(),
        "total": progress.total,
        "done": progress.done,
        "failed": progress.failed,
        "skipped": progress.skipped,
        "eta_seconds": progress.eta.map(|eta: Duration| eta.as_secs()),
        "errors": errors,
    })
}

/// Whether a body may be missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Emptiness {
    Allowed,
    Refused,
}

/// The JSON object of a request; an allowed missing one is `{}`.
pub(super) fn object_body(exchange: &mut Exchange, emptiness: Emptiness) -> Result<Value, Refusal> {
    let bytes = match exchange.read_body(BODY_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(BodyError::Missing) if emptiness == Emptiness::Allowed => Vec::new(),
        Err(BodyError::Missing) => return Err(Refusal::LENGTH_MISSING),
        Err(BodyError::TooLarge) => return Err(Refusal::BODY_TOO_LARGE),
        Err(BodyError::Busy) => return Err(Refusal::BUSY),
        Err(BodyError::Cut) => return Err(Refusal::bad("The body of the request was cut short.")),
    };
    if bytes.is_empty() && emptiness == Emptiness::Allowed {
        return Ok(json!({}));
    }
    serde_json::from_slice::<Value>(&bytes)
        .ok()
        .filter(Value::is_object)
        .ok_or(Refusal::bad("The body must be a JSON object."))
}

/// An error of ours: the log sees the chain, the stranger a sentence.
pub(super) fn failed(act: &str, cause: &dyn std::error::Error) -> Refusal {
    error!("{act} cause={cause}");
    Refusal::fixed(503, "unavailable", "The cache did not answer. Try again in a moment.")
}
