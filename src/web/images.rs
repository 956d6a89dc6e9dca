//! Covers and placeholders: from memory on the accept loop, from disk on the pool, else parked
//! until the download has landed or patience ends. Owns every header of an image.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::warn;

use super::refusal::Refusal;
use super::reply::names_tag;
use super::route::{Cover, Route, parameter, split_target};
use super::{Timing, Web};
use crate::cache::Tier;
use crate::cache::failure::Class;
use crate::cache::flight::{Outcome, Waiter};
use crate::cache::measure::Took;
use crate::cache::memory::Format;
use crate::door::{Body, Exchange, Reply};
use crate::key::{CacheKey, Rendition, Timestamp, Variant};
use crate::source::Source;

/// How long a viewer waits for a cover that is not here yet, from acceptance. Four seconds is
/// what a person gives a page; the placeholder then holds the place.
pub const PATIENCE: Duration = Duration::from_secs(4);

/// When a page should ask again for a cover that is on its way, seconds.
const RETRY_PENDING: &str = "2";

/// A rendition never runs, never loads anything, is never read by another site.
const IMAGE_POLICY: &str = "default-src 'none'; sandbox";

/// An address with `?v=` changes when the picture may (see `ImageCache::version`).
const CACHE_FOR_EVER: &str = "public, max-age=31536000, immutable";
const CACHE_A_DAY: &str = "public, max-age=86400, stale-while-revalidate=604800";

/// How the cover came to be in this answer (RFC 9211).
#[derive(Clone, Copy)]
enum Path {
    Hit(Tier),
    Fetched,
}

/// Why a placeholder stands in for a cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StandIn {
    Pending,
    Absent,
    Failed,
}

impl Web {
    /// The answer to a cover that is in memory: no I/O, no waiting, so the accept loop gives it.
    pub(super) fn quick_cover(&self, exchange: &Exchange, cover: Cover) -> Option<Reply> {
        let rendition = self.cache.glance(cover.key, cover.variant, cover.format)?;
        let reply = self.rendition_reply(exchange, cover.format, &rendition, Path::Hit(Tier::Memory));
        self.traffic.answered_from_memory(reply.status);
        Some(reply)
    }

    /// From disk, or parked with the download. Answers the exchange sooner or later.
    pub(super) fn cover(self: &Arc<Self>, exchange: Exchange, cover: Cover) {
        let begun = (self.timing == Timing::Shown).then(Instant::now);
        if let Some((rendition, tier)) = self.cache.lookup(cover.key, cover.variant, cover.format) {
            let mut reply = self.rendition_reply(&exchange, cover.format, &rendition, Path::Hit(tier));
            if tier == Tier::Memory {
                // It has come while the request was on its way here.
                self.traffic.answered_from_memory(reply.status);
                return exchange.answer(reply);
            }
            if let Some(begun) = begun {
                reply.headers.push(("Server-Timing", format!("disk;{}", dur(begun.elapsed())).into()));
            }
            self.answer(exchange, Route::COVER, reply);
            return self.improve(cover);
        }
        let Some(url) = self.url_of(cover.key) else {
            let refusal = Refusal::fixed(404, "not_found", "There is no such cover here.");
            return self.answer(exchange, Route::COVER, refusal.reply());
        };
        let Ok(source) = self.source(&url) else {
            self.cache.count_placeholder(cover.variant);
            return self.answer(exchange, Route::COVER, self.stand_in(cover, StandIn::Failed));
        };
        if let Some(failure) = self.cache.failure(&source, Timestamp::now()) {
            self.cache.count_placeholder(cover.variant);
            return self.answer(exchange, Route::COVER, self.stand_in(cover, StandIn::from(failure.class)));
        }
        self.park(exchange, cover, source);
    }

    /// After an answer from disk: an import may have brought the address of a larger original.
    fn improve(&self, cover: Cover) {
        if cover.variant == Variant::Detail
            && self.cache.is_small(cover.key)
            && let Some(Ok(source)) = self.url_of(cover.key).map(|url| self.source(&url))
        {
            self.cache.improve(source);
        }
    }

    /// The request moves into the waiter: no thread of the pool waits with it.
    fn park(self: &Arc<Self>, exchange: Exchange, cover: Cover, source: Source) {
        let web = Arc::clone(self);
        let (ticket, deadline) = (exchange.ticket(), exchange.accepted_at() + PATIENCE);
        let answer = Box::new(move |outcome| {
            let reply = web.outcome_reply(&exchange, cover, outcome);
            web.answer(exchange, Route::COVER, reply);
        });
        self.cache.fetch(source, Waiter { ticket, variant: cover.variant, deadline, answer });
    }

    fn outcome_reply(&self, exchange: &Exchange, cover: Cover, outcome: Outcome) -> Reply {
        match outcome {
            Outcome::Ready(webp, took) => {
                let rendition = match cover.format {
                    Format::WebP => Some(webp),
                    Format::Jpeg => self.cache.jpeg_twin(cover.key, cover.variant, &webp),
                };
                match rendition {
                    Some(rendition) => {
                        let mut reply =
                            self.rendition_reply(exchange, cover.format, &rendition, Path::Fetched);
                        if let (Some(took), Timing::Shown) = (took, self.timing) {
                            reply.headers.push(("Server-Timing", server_timing(took).into()));
                        }
                        reply
                    }
                    None => self.stand_in(cover, StandIn::Failed),
                }
            }
            Outcome::Failed(failure) => self.stand_in(cover, StandIn::from(failure.class)),
            Outcome::Pending => self.stand_in(cover, StandIn::Pending),
        }
    }

    /// Of a source that is known: an album has it, or somebody asked for it.
    pub(super) fn url_of(&self, key: CacheKey) -> Option<String> {
        match self.collection.cover_url(key) {
            Ok(Some(url)) => Some(url),
            Ok(None) => self.cache.registered(key),
            Err(error) => {
                warn!("cannot ask the collection for a cover key={key} cause={error}");
                self.cache.registered(key)
            }
        }
    }

    fn rendition_reply(
        &self,
        exchange: &Exchange,
        format: Format,
        rendition: &Rendition,
        path: Path,
    ) -> Reply {
        let tag = format!("\"{}\"", rendition.digest());
        let (_, query) = split_target(exchange.target());
        let keep = match parameter(query, "v").is_some_and(|version| version == *self.version()) {
            true => CACHE_FOR_EVER,
            false => CACHE_A_DAY,
        };
        let is_known = exchange.header("if-none-match").is_some_and(|tags| names_tag(tags, &tag));
        let mut headers = Vec::with_capacity(8);
        headers.push(("ETag", Cow::Owned(tag)));
        headers.push(("Cache-Control", keep.into()));
        headers.push(("Cache-Status", path.cache_status().into()));
        if is_known {
            return Reply { status: 304, headers, body: Body::Empty };
        }
        push_image_headers(&mut headers, format);
        Reply { status: 200, headers, body: Body::Rendition(rendition.clone()) }
    }

    /// A placeholder in a cover's place: nothing in it may make a browser keep it.
    fn stand_in(&self, cover: Cover, why: StandIn) -> Reply {
        let mut headers = vec![
            ("Cache-Control", "no-store".into()),
            ("Cache-Status", "VinylVault; fwd=miss; detail=placeholder".into()),
            ("X-VinylVault-Placeholder", why.name().into()),
        ];
        if why == StandIn::Pending {
            headers.push(("Retry-After", RETRY_PENDING.into()));
        }
        push_image_headers(&mut headers, cover.format);
        Reply {
            status: 200,
            headers,
            body: Body::Rendition(self.cache.placeholder(cover.variant, cover.format)),
        }
    }

    /// The placeholder under its own address, where it is a picture like any other.
    pub(super) fn placeholder(&self, exchange: &Exchange, variant: Variant, format: Format) -> Reply {
        let rendition = self.cache.placeholder(variant, format);
        self.rendition_reply(exchange, format, &rendition, Path::Hit(Tier::Memory))
    }
}

impl Path {
    fn cache_status(self) -> &'static str {
        match self {
            Path::Hit(Tier::Memory) => "VinylVault; hit; detail=memory",
            Path::Hit(Tier::Disk) => "VinylVault; hit; detail=disk",
            Path::Fetched => "VinylVault; fwd=miss; stored",
        }
    }
}

impl StandIn {
    fn name(self) -> &'static str {
        match self {
            StandIn::Pending => "pending",
            StandIn::Absent => "absent",
            StandIn::Failed => "failed",
        }
    }
}

impl From<Class> for StandIn {
    fn from(class: Class) -> StandIn {
        match class {
            Class::Absent => StandIn::Absent,
            _ => StandIn::Failed,
        }
    }
}

/// `wait;dur=3.1, fetch;dur=120.5, render;dur=48.0`, milliseconds (W3C Server Timing).
fn server_timing(took: Took) -> String {
    let Took { wait, fetch, render } = took;
    format!("wait;{}, fetch;{}, render;{}", dur(wait), dur(fetch), dur(render))
}

fn dur(duration: Duration) -> String {
    format!("dur={:.1}", duration.as_secs_f64() * 1000.0)
}

fn push_image_headers(headers: &mut Vec<(&'static str, Cow<'static, str>)>, format: Format) {
    let content_type = match format {
        Format::WebP => "image/webp",
        Format::Jpeg => "image/jpeg",
    };
    headers.push(("Content-Type", content_type.into()));
    headers.push(("X-Content-Type-Options", "nosniff".into()));
    headers.push(("Content-Security-Policy", IMAGE_POLICY.into()));
    headers.push(("Cross-Origin-Resource-Policy", "same-origin".into()));
}
