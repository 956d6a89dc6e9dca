//! The pages for people: which query a page's address asks, which template answers it, and the
//! headers every page carries. A page view writes nothing and looks nothing up in the cache.

use log::error;

use super::Web;
use super::pages::{Emptying, Frame, PageError, asset};
use super::refusal::Refusal;
use super::reply::{names_tag, page_headers, redirect};
use super::route::{Route, parameter, parameters, split_target};
use crate::cache::memory::Format;
use crate::collection::{CollectionError, Query};
use crate::door::{Body, Exchange, Reply};
use crate::key::Variant;

/// Static files carry their content's version in their address.
const KEEP_STATIC: &str = "public, max-age=31536000, immutable";
const KEEP_UNVERSIONED: &str = "public, max-age=3600";
/// The page is of another release than this one: what we have may not stand under that address.
const KEEP_NOT: &str = "no-cache";

impl Web {
    pub(super) fn page(&self, exchange: &Exchange, route: Route) -> Result<Reply, Refusal> {
        let (_, query) = split_target(exchange.target());
        match route {
            Route::Grid => self.grid(query),
            Route::Album(id) => self.album(id),
            Route::Random => self.random(),
            Route::CachePage => self.cache_page(),
            Route::ImportPage => self.import_page(),
            Route::Static(name) => static_file(exchange, name),
            _ => Err(Refusal::NOT_FOUND),
        }
    }

    fn grid(&self, query: &str) -> Result<Reply, Refusal> {
        let asked = Query::from_pairs(parameters(query));
        let page = self.collection.page(&asked).map_err(unreadable)?;
        let facets = self.collection.facets().map_err(unreadable)?;
        let version = self.newest_version();
        let html = self.pages.grid(&self.frame(&version)?, &asked, &page, &facets).map_err(unrendered)?;
        Ok(html_reply(html))
    }

    fn album(&self, id: i64) -> Result<Reply, Refusal> {
        let album = self.collection.album(id).map_err(unreadable)?;
        let album = album.ok_or(Refusal::fixed(404, "not_found", "There is no such album on the shelf."))?;
        let version = self.newest_version();
        let html = self.pages.album(&self.frame(&version)?, &album).map_err(unrendered)?;
        Ok(html_reply(html))
    }

    fn random(&self) -> Result<Reply, Refusal> {
        let location = match self.collection.random_id().map_err(unreadable)? {
            Some(id) => format!("/album/{id}"),
            None => "/".to_owned(),
        };
        Ok(redirect(location))
    }

    fn cache_page(&self) -> Result<Reply, Refusal> {
        let stats = self.stats_value()?;
        let emptying = match self.admin_token {
            Some(_) => Emptying::ByCommand,
            None => Emptying::ByButton,
        };
        let version = self.newest_version();
        let html = self.pages.status(&self.frame(&version)?, &stats, emptying).map_err(unrendered)?;
        Ok(html_reply(html))
    }

    fn import_page(&self) -> Result<Reply, Refusal> {
        let version = self.newest_version();
        let html = self.pages.import(&self.frame(&version)?).map_err(unrendered)?;
        Ok(html_reply(html))
    }

    fn frame<'a>(&self, version: &'a str) -> Result<Frame<'a>, Refusal> {
        let recipe = self.cache.recipe();
        let placeholder_bytes =
            Variant::ALL.map(|variant| self.cache.placeholder(variant, Format::WebP).len());
        Ok(Frame {
            version,
            placeholder_bytes,
            total_albums: self.collection.count().map_err(unreadable)?,
            thumbnail_side: recipe.thumbnail_side,
            detail_side: recipe.detail_side,
        })
    }
}

fn static_file(exchange: &Exchange, name: &str) -> Result<Reply, Refusal> {
    let asset = asset(name).ok_or(Refusal::NOT_FOUND)?;
    let (_, query) = split_target(exchange.target());
    let keep = match parameter(query, "v") {
        Some(version) if version == asset.version => KEEP_STATIC,
        Some(_) => KEEP_NOT,
        None => KEEP_UNVERSIONED,
    };
    let mut headers = page_headers(asset.content_type);
    headers.push(("Cache-Control", keep.into()));
    let is_known = exchange.header("if-none-match").is_some_and(|tags| names_tag(tags, asset.etag));
    headers.push(("ETag", asset.etag.into()));
    match is_known {
        true => Ok(Reply { status: 304, headers, body: Body::Empty }),
        false => Ok(Reply { status: 200, headers, body: Body::Static(asset.bytes) }),
    }
}

fn html_reply(html: String) -> Reply {
    let mut headers = page_headers("text/html; charset=utf-8");
    headers.push(("Cache-Control", "no-cache".into()));
    Reply { status: 200, headers, body: Body::Owned(html.into_bytes()) }
}

pub(super) fn unreadable(cause: CollectionError) -> Refusal {
    error!("cannot read the collection cause={cause}");
    Refusal::fixed(503, "unavailable", "The collection did not answer. Try again in a moment.")
}

fn unrendered(cause: PageError) -> Refusal {
    error!("cannot render a page cause={cause}");
    Refusal::fixed(500, "unrendered", "This page could not be made. The log says why.")
}
