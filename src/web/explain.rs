//! `GET /api/cache/explain?source=URL|KEY`: why a cover looks as it does. Reads only: a URL that is
//! asked about is not made known by that.

use super::Web;
use super::api::failed;
use super::refusal::Refusal;
use super::reply::json_reply;
use super::route::{parameter, split_target};
use crate::cache::explain::{Holder, Question};
use crate::door::{Exchange, Reply};

impl Web {
    pub(super) fn explain(&self, exchange: &Exchange) -> Result<Reply, Refusal> {
        let (_, query) = split_target(exchange.target());
        let asked = parameter(query, "source").ok_or(Refusal::bad("source is missing."))?;
        let question = Question::parse(&asked)
            .map_err(|error| Refusal::owned(400, "bad_source", format!("source is no key, and {error}")))?;
        let albums = self.collection.albums_with_cover(question.key());
        let albums = albums.map_err(|cause| failed("cannot ask the collection for a cover", &cause))?;
        let holders: Vec<Holder> = albums
            .into_iter()
            .map(|album| Holder {
                album: album.id,
                artist: album.record.artist,
                title: album.record.title,
                cover_url: album.record.cover_url,
            })
            .collect();
        Ok(json_reply(200, &self.cache.explain(&question, &holders)))
    }
}
