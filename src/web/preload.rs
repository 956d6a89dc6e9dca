//! `POST /api/cache/preload`: which covers are meant, listed or the collection's own, and how the answer
//! looks, at once or at the end. How they are fetched is the cache's business.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Web;
use super::api::{Emptiness, failed, object_body};
use super::html::unreadable;
use super::refusal::Refusal;
use super::reply::json_reply;
use super::route::{Route, parameter, split_target};
use crate::cache::jobs::{Fetched, SOURCES_MAX};
use crate::door::{Exchange, Reply};
use crate::key::CacheKey;
use crate::source::Source;

impl Web {
    pub(super) fn preload(self: &Arc<Self>, mut exchange: Exchange) {
        let asked = match self.preload_list(&mut exchange) {
            Ok(asked) => asked,
            Err(refusal) => return self.answer(exchange, Route::Preload.name(), refusal.reply()),
        };
        let (_, query) = split_target(exchange.target());
        match parameter(query, "wait").as_deref() {
            Some("1") => self.preload_and_wait(exchange, asked),
            _ => {
                let reply = self.preload_job(asked).unwrap_or_else(Refusal::reply);
                self.answer(exchange, Route::Preload.name(), reply);
            }
        }
    }

    fn preload_list(&self, exchange: &mut Exchange) -> Result<Asked, Refusal> {
        let body = object_body(exchange, Emptiness::Refused)?;
        let (urls, next) = match (body.get("all"), body.get("urls")) {
            (None | Some(Value::Bool(false)), urls) => (listed(urls)?, None),
            (Some(Value::Bool(true)), None) => self.of_collection(body.get("before"))?,
            _ => return Err(Refusal::bad("all must be true, and then there are no urls.")),
        };
        let mut asked = Asked { next, ..Asked::default() };
        for url in urls {
            match self.source(&url) {
                Ok(source) => asked.accepted.push(source),
                Err(reason) => asked.rejected.push((url, reason)),
            }
        }
        let sources = asked.accepted.clone();
        self.cache.register(sources).map_err(|cause| failed("cannot remember the sources", &cause))?;
        Ok(asked)
    }

    /// Covers of the collection, the newest albums' first: as many as one preload takes of those older
    /// than the album `before`, and the album before which the next ones are, if there are any.
    fn of_collection(&self, before: Option<&Value>) -> Result<(Vec<String>, Option<i64>), Refusal> {
        let before = match before {
            None => i64::MAX,
            Some(id) => id.as_i64().ok_or(Refusal::bad("before must be the number of an album."))?,
        };
        let covers = self.collection.covers_before(before, SOURCES_MAX).map_err(unreadable)?;
        let next = covers.last().map(|(album, _)| *album).filter(|_| covers.len() == SOURCES_MAX);
        Ok((covers.into_iter().map(|(_, url)| url).collect(), next))
    }

    fn preload_job(&self, asked: Asked) -> Result<Reply, Refusal> {
        let (accepted, total) = (asked.accepted.len(), asked.accepted.len() + asked.rejected.len());
        let id = self.cache.preload(asked.accepted, None).map_err(|_| Refusal::BUSY)?;
        let rejected: Vec<Value> =
            asked.rejected.iter().map(|(url, reason)| json!({ "url": url, "reason": reason })).collect();
        let mut said = json!({
            "success": true,
            "job": id.to_string(),
            "accepted": accepted,
            "total": total,
            "rejected": rejected,
        });
        asked.next.inspect(|album| said["next"] = (*album).into());
        Ok(json_reply(202, &said))
    }

    /// The exchange moves into the job, like a viewer's into its flight.
    fn preload_and_wait(self: &Arc<Self>, exchange: Exchange, asked: Asked) {
        let slot = Arc::new(std::sync::Mutex::new(Some(exchange)));
        let (web, answered) = (Arc::clone(self), Arc::clone(&slot));
        let sources = asked.accepted.clone();
        let begun = self.cache.preload(
            sources,
            Some(Box::new(move |results| {
                let reply = json_reply(200, &asked.results(results));
                web.answer_once(&answered, reply);
            })),
        );
        if begun.is_err() {
            self.answer_once(&slot, Refusal::BUSY.reply());
        }
    }

    fn answer_once(&self, slot: &std::sync::Mutex<Option<Exchange>>, reply: Reply) {
        let exchange = slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(exchange) = exchange {
            self.answer(exchange, Route::Preload.name(), reply);
        }
    }
}

/// The texts of `urls`.
fn listed(urls: Option<&Value>) -> Result<Vec<String>, Refusal> {
    let urls = urls.and_then(Value::as_array).filter(|urls| !urls.is_empty());
    let urls = urls.ok_or(Refusal::bad("No URLs provided"))?;
    if urls.len() > SOURCES_MAX {
        return Err(Refusal::fixed(413, "too_many_urls", "A preload takes at most 1,000 URLs."));
    }
    let texts = urls.iter().map(|url| url.as_str().map(str::to_owned));
    texts.collect::<Option<_>>().ok_or(Refusal::bad("urls must be a list of texts."))
}

/// What a preload was asked for.
#[derive(Default)]
struct Asked {
    accepted: Vec<Source>,
    rejected: Vec<(String, String)>,
    /// The album before which the collection goes on.
    next: Option<i64>,
}

impl Asked {
    fn results(&self, ended: &[(CacheKey, Fetched)]) -> Value {
        let ended: HashMap<CacheKey, Fetched> = ended.iter().copied().collect();
        let is_cached = |source: &Source| ended.get(&source.key()) == Some(&Fetched::Cached);
        let mut results = serde_json::Map::new();
        for source in &self.accepted {
            results.insert(source.url().to_owned(), Value::Bool(is_cached(source)));
        }
        for (url, _) in &self.rejected {
            results.insert(url.clone(), Value::Bool(false));
        }
        let preloaded = results.values().filter(|value| **value == Value::Bool(true)).count();
        let total = results.len();
        let mut said = json!({ "success": true, "preloaded": preloaded, "total": total, "results": results });
        self.next.inspect(|album| said["next"] = (*album).into());
        said
    }
}
