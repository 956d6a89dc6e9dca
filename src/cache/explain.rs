//! Why a cover looks as it does: what is known of one key, brought together for a person. Owns how a
//! cover may be named, which state it is in and the JSON that says so. Reads no table itself: the
//! running cache and the store at rest hand in what they know.

use super::ImageCache;
use super::failure::{Class, Failure};
use super::index::{AtRest, IndexError};
use super::memory::Format;
use super::pace::HostState;
use super::stats::origin_value;
use crate::guard::Guard;
use crate::key::{CacheKey, Digest, Timestamp, Variant};
use crate::source::{Source, SourceError};
use serde_json::{Value, json};
use std::time::Instant;

/// A cover as somebody named it.
#[derive(Clone, Debug)]
pub struct Question {
    key: CacheKey,
    /// `None`: only the key was given.
    source: Option<Source>,
}

/// An album that shows the cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub album: i64,
    pub artist: String,
    pub title: String,
    pub cover_url: Option<String>,
}

/// What the tables say of a key.
#[derive(Clone, Debug, Default)]
pub struct Noted {
    /// The URL that it was preloaded or asked for by.
    pub registered: Option<String>,
    pub failure: Option<Failure>,
    /// By [`Variant`]; `None` is not in the cache.
    pub kept: [Option<Kept>; Variant::ALL.len()],
}

/// One rendition in the cache.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    pub bytes: u64,
    pub digest: Digest,
    /// To the hour, as the index has it; `None` where it cannot be read.
    pub accessed_at: Option<Timestamp>,
}

/// What only the running program knows.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Requests that wait for this cover; `None` when it is not being fetched.
    pub waiting: Option<u64>,
    /// A preload has it on its list.
    pub is_listed: bool,
    /// Misses of all covers that wait for a worker.
    pub queued: u64,
    /// By [`Variant`].
    pub in_memory: [bool; Variant::ALL.len()],
    pub origins: Vec<HostState>,
}

/// What is to be seen in the cover's place, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Cached,
    PartlyCached,
    Pending,
    Absent,
    Failed,
    Refused,
    NeverAsked,
    Unknown,
}

impl Question {
    /// A key, the URL of a cover at its origin, or the address of a cover at this server
    /// (`http://pi:5000/cache/detail/KEY.webp`), as a browser copies it.
    ///
    /// ```
    /// use vinylvault::cache::explain::Question;
    /// use vinylvault::key::CacheKey;
    /// let key = CacheKey::of("http://example.org/a.jpg");
    /// for text in [key.to_string(), format!("/cache/detail/{key}.webp?v=1"), "http://EXAMPLE.org/a.jpg".into()] {
    ///     assert_eq!(Question::parse(&text).unwrap().key(), key);
    /// }
    /// ```
    pub fn parse(text: &str) -> Result<Question, SourceError> {
        let text = text.trim();
        if let Some(key) = CacheKey::parse(text).or_else(|| own_address(text)) {
            return Ok(Question { key, source: None });
        }
        Source::parse(text).map(|source| Question { key: source.key(), source: Some(source) })
    }

    pub fn key(&self) -> CacheKey {
        self.key
    }

    /// Everything as JSON. `moment`: `None` when no server runs.
    pub fn answer(
        &self,
        noted: &Noted,
        holders: &[Holder],
        moment: Option<&Moment>,
        guard: &Guard,
        now: Timestamp,
    ) -> Value {
        let source = self.source_to_fetch(noted, holders);
        let refusal = source.as_ref().and_then(|source| guard.permits(source).err());
        let is_known = noted.registered.is_some() || !holders.is_empty();
        let concerns = |failure: &&Failure| source.as_ref().is_none_or(|source| failure.concerns(source));
        let failure = noted.failure.as_ref().filter(concerns);
        let state = State::of(noted, failure, moment, is_known, refusal.is_some());
        let origin = source.as_ref().and_then(|source| {
            moment.and_then(|moment| moment.origins.iter().find(|origin| origin.host == source.host()))
        });
        json!({
            "timestamp": now.to_string(),
            "key": self.key.to_string(),
            "canonical": source.as_ref().map(Source::public_canonical),
            "state": state.name(),
            "meaning": state.meaning(),
            "url": source.as_ref().map(Source::public_url),
            "registered": noted.registered.is_some(),
            "albums": holders.iter().map(Holder::to_json).collect::<Vec<_>>(),
            "variants": variants(noted, moment, now),
            "failure": failure.map(|failure| failure_value(failure, now)),
            "permitted": source.as_ref().map(|_| refusal.is_none()),
            "refusal": refusal.map(|refusal| refusal.to_string()),
            "fetching": moment.map(|moment| moment.waiting.is_some()),
            "waiting": moment.map(|moment| moment.waiting.unwrap_or(0)),
            "in_preload": moment.map(|moment| moment.is_listed),
            "queued": moment.map(|moment| moment.queued),
            "origin": origin.map(origin_value),
        })
    }

    /// [`Question::answer`] without a server: from the store, if there is one.
    pub fn answer_at_rest(
        &self,
        store: Option<&AtRest>,
        holders: &[Holder],
        guard: &Guard,
    ) -> Result<Value, IndexError> {
        let mut noted = Noted::default();
        if let Some(store) = store {
            noted.registered = store.registered(self.key)?;
            noted.failure = store.failure(self.key)?;
            for (kept, variant) in noted.kept.iter_mut().zip(Variant::ALL) {
                let Some(row) = store.row(self.key, variant)? else { continue };
                let accessed_at = store.accessed_at(self.key, variant)?;
                *kept = Some(Kept { bytes: row.bytes, digest: row.digest, accessed_at });
            }
        }
        Ok(self.answer(&noted, holders, None, guard, Timestamp::now()))
    }

    /// What a viewer's request would fetch: an album's URL before one that was registered.
    fn source_to_fetch(&self, noted: &Noted, holders: &[Holder]) -> Option<Source> {
        let url = holders.iter().find_map(|holder| holder.cover_url.as_ref()).or(noted.registered.as_ref());
        match url {
            Some(url) => Source::parse(url).ok(),
            None => self.source.clone(),
        }
    }
}

impl ImageCache {
    /// [`Question::answer`] with what the running cache knows. Reads only.
    pub fn explain(&self, question: &Question, holders: &[Holder]) -> Value {
        let (store, key) = (&self.store, question.key);
        let noted = Noted {
            registered: store.index.registered(key),
            failure: store.index.failure(key),
            kept: Variant::ALL.map(|variant| {
                let row = store.index.row(key, variant)?;
                let accessed_at = store.index.accessed_at(key, variant);
                Some(Kept { bytes: row.bytes, digest: row.digest, accessed_at })
            }),
        };
        let moment = Moment {
            waiting: store.flights.waiting_for(key),
            is_listed: store.jobs.lists(key),
            queued: self.fetcher.queued(),
            in_memory: Variant::ALL.map(|variant| store.memory.has(key, variant, Format::WebP)),
            origins: store.pace.hosts(Instant::now()),
        };
        question.answer(&noted, holders, Some(&moment), self.guard(), Timestamp::now())
    }
}

impl State {
    /// What is cached is served whatever else is so; a fetch that goes on may end any failure.
    fn of(
        noted: &Noted,
        failure: Option<&Failure>,
        moment: Option<&Moment>,
        is_known: bool,
        is_refused: bool,
    ) -> State {
        let kept = noted.kept.iter().flatten().count();
        let is_coming = moment.is_some_and(|moment| moment.waiting.is_some() || moment.is_listed);
        match failure.map(|failure| failure.class) {
            _ if kept == Variant::ALL.len() => State::Cached,
            _ if is_coming => State::Pending,
            _ if kept > 0 => State::PartlyCached,
            _ if !is_known => State::Unknown,
            _ if is_refused => State::Refused,
            Some(Class::Absent) => State::Absent,
            Some(_) => State::Failed,
            None => State::NeverAsked,
        }
    }

    fn name(self) -> &'static str {
        match self {
            State::Cached => "cached",
            State::PartlyCached => "partly_cached",
            State::Pending => "pending",
            State::Absent => "absent",
            State::Failed => "failed",
            State::Refused => "refused",
            State::NeverAsked => "never_asked",
            State::Unknown => "unknown",
        }
    }

    /// A sentence for a person, without its full stop.
    fn meaning(self) -> &'static str {
        match self {
            State::Cached => "it is here in every size",
            State::PartlyCached => "not every size is here; the others come when somebody looks",
            State::Pending => "it is on its way; a placeholder stands in until it is here",
            State::Absent => "its origin says that there is no such picture; a placeholder stands in",
            State::Failed => "it could not be fetched; a placeholder stands in",
            State::Refused => "the settings do not let it be fetched; a placeholder stands in",
            State::NeverAsked => "nobody has looked at it yet; it is fetched when somebody does",
            State::Unknown => "no album has it and nobody preloaded it or asked for it by its URL",
        }
    }
}

impl Holder {
    fn to_json(&self) -> Value {
        json!({ "id": self.album, "artist": self.artist, "title": self.title })
    }
}

fn variants(noted: &Noted, moment: Option<&Moment>, now: Timestamp) -> Value {
    let mut variants = serde_json::Map::new();
    for (place, variant) in Variant::ALL.into_iter().enumerate() {
        let kept = noted.kept[place];
        let accessed = kept.and_then(|kept| kept.accessed_at);
        let facts = json!({
            "cached": kept.is_some(),
            "bytes": kept.map(|kept| kept.bytes),
            "version": kept.map(|kept| kept.digest.to_string()),
            "accessed_at": accessed.map(|at| at.to_string()),
            "accessed_seconds_ago": accessed.map(|at| now.0.saturating_sub(at.0).max(0)),
            "in_memory": moment.map(|moment| moment.in_memory[place]),
        });
        variants.insert(variant.name().to_owned(), facts);
    }
    Value::Object(variants)
}

fn failure_value(failure: &Failure, now: Timestamp) -> Value {
    json!({
        "class": failure.class.name(),
        "reason": failure.reason,
        "tries": failure.tries,
        "failed_at": failure.failed_at.to_string(),
        "next_try_at": failure.next_try_at.to_string(),
        "next_try_in_seconds": failure.next_try_at.0.saturating_sub(now.0).max(0),
    })
}

/// The key in `.../cache/VARIANT/KEY.webp` or `.jpg`, whatever host and query stand around it.
fn own_address(text: &str) -> Option<CacheKey> {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let (before, file) = path.rsplit_once('/')?;
    let (before, variant) = before.rsplit_once('/')?;
    let key = file.strip_suffix(".webp").or_else(|| file.strip_suffix(".jpg"))?;
    let is_ours = Variant::parse(variant).is_some() && (before == "cache" || before.ends_with("/cache"));
    CacheKey::parse(key).filter(|_| is_ours)
}
