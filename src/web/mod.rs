//! HTTP: from a checked [`Exchange`] to a [`Reply`]. Owns the order of the questions (whose host,
//! which route, which method, who asks, how often) and how a refusal looks. Owns nothing durable;
//! sockets are `door`'s, covers are `cache`'s, albums are `collection`'s.

mod admission;
pub mod api;
mod explain;
pub mod gate;
pub mod html;
pub mod images;
pub mod limit;
mod metrics;
pub mod pages;
mod preload;
mod ready;
pub mod refusal;
mod reply;
pub mod route;
mod traffic;

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use crate::cache::ImageCache;
use crate::collection::Collection;
use crate::config::Secret;
use crate::door::{Exchange, Gauges, Reply};
use crate::guard::Range;
use gate::Hosts;
use limit::Limits;
use pages::Pages;
use refusal::Refusal;
use route::{Route, split_target};
use traffic::{RouteName, Traffic};

/// What the web is made of; plain values, checked by `config`.
pub struct Settings {
    pub hosts: Hosts,
    /// When set, whatever changes state needs it as `Authorization: Bearer`.
    pub admin_token: Option<Secret>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Range>,
    pub timing: Timing,
    /// The door's counters.
    pub gauges: Gauges,
}

/// Whether images say how long they took (`Server-Timing`): for whoever looks for what is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    Shown,
    Hidden,
}

/// Everything that answers requests.
pub struct Web {
    cache: Arc<ImageCache>,
    collection: Arc<Collection>,
    pages: Pages,
    hosts: Hosts,
    limits: Limits,
    admin_token: Option<Secret>,
    trusted_proxies: Vec<Range>,
    timing: Timing,
    gauges: Gauges,
    traffic: Traffic,
    /// `ImageCache::version`, kept because every image compares it.
    version: RwLock<Arc<str>>,
}

impl Web {
    pub fn new(cache: Arc<ImageCache>, collection: Arc<Collection>, settings: Settings) -> Web {
        let version = RwLock::new(cache.version().into());
        Web {
            cache,
            collection,
            pages: Pages::new(),
            hosts: settings.hosts,
            limits: Limits::new(),
            admin_token: settings.admin_token,
            trusted_proxies: settings.trusted_proxies,
            timing: settings.timing,
            gauges: settings.gauges,
            traffic: Traffic::default(),
            version,
        }
    }

    /// Answers that need no I/O, on the accept loop itself: a cover in memory. A hand-over to the
    /// pool costs more than such an answer (README, "Numbers").
    pub fn quick(&self, exchange: &Exchange) -> Option<Reply> {
        let (path, _) = split_target(exchange.target());
        let Some(Route::Cover(cover)) = Route::parse(path) else { return None };
        let is_read = matches!(exchange.method(), "GET" | "HEAD");
        if !is_read || !self.admits_host(exchange) {
            return None;
        }
        self.quick_cover(exchange, cover)
    }

    /// Everything else, on a thread of the pool.
    pub fn slow(self: &Arc<Self>, exchange: Exchange) {
        if !self.admits_host(&exchange) {
            let reply = Refusal::WRONG_HOST.reply_for(exchange.target(), None);
            return self.answer(exchange, Route::NONE, reply);
        }
        let target = exchange.target().to_owned();
        let (path, _) = split_target(&target);
        let Some(route) = Route::parse(path) else {
            return self.answer(exchange, Route::NONE, self.refusal_reply(path, Refusal::NOT_FOUND));
        };
        if !route.methods().contains(&exchange.method()) {
            let refusal = Refusal::wrong_method(route.methods());
            return self.answer(exchange, route.name(), self.refusal_reply(path, refusal));
        }
        match route {
            Route::Cover(cover) => self.cover(exchange, cover),
            Route::Placeholder(variant, format) => {
                let reply = self.placeholder(&exchange, variant, format);
                self.answer(exchange, route.name(), reply);
            }
            route if route.is_api() => self.api(exchange, route),
            route => {
                let answered = self.page(&exchange, route);
                let reply = answered.unwrap_or_else(|refusal| self.refusal_reply(path, refusal));
                self.answer(exchange, route.name(), reply);
            }
        }
    }

    /// Counts the answer and gives it.
    fn answer(&self, exchange: Exchange, route: RouteName, reply: Reply) {
        self.traffic.answered(route, reply.status);
        exchange.answer(reply);
    }

    fn admits_host(&self, exchange: &Exchange) -> bool {
        exchange.header("host").is_some_and(|host| self.hosts.admits(host))
    }

    fn client(&self, exchange: &Exchange) -> IpAddr {
        gate::client(exchange, &self.trusted_proxies)
    }

    fn refusal_reply(&self, path: &str, refusal: Refusal) -> Reply {
        refusal.reply_for(path, Some(&self.pages))
    }

    fn version(&self) -> Arc<str> {
        Arc::clone(&self.version.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// [`Web::version`] for a page that is about to be made.
    fn newest_version(&self) -> Arc<str> {
        self.refresh_version();
        self.version()
    }

    /// After the cache was cleared, or covers made way for larger ones: addresses of before are no
    /// longer for ever.
    fn refresh_version(&self) {
        let version = self.cache.version().into();
        *self.version.write().unwrap_or_else(PoisonError::into_inner) = version;
    }
}
