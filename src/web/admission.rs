//! What a request to the API must show before it is answered. Owns the order: where it comes from, whose
//! token it has, what it carries, and only then how often. A page of another site is turned away before
//! it is counted, or it could use up what the owner's own address may ask for.

use super::Web;
use super::gate::{Origin, Token};
use super::limit::Class;
use super::refusal::Refusal;
use super::route::Route;
use crate::door::Exchange;
use std::net::IpAddr;

impl Web {
    pub(super) fn admit(&self, exchange: &Exchange, route: Route, client: IpAddr) -> Result<(), Refusal> {
        let class = match route {
            Route::Health | Route::Ready => return Ok(()),
            Route::Stats => Class::Stats,
            Route::Clear => Class::Clear,
            Route::Preload => Class::Preload,
            _ => Class::Other,
        };
        let is_foreign = || Origin::of(exchange) == Origin::Foreign;
        if !matches!(exchange.method(), "GET" | "HEAD") {
            self.admit_change(exchange, client, is_foreign())?;
        } else if route == Route::ImageByUrl && is_foreign() {
            // It makes a source known, so another site's <img> may not ask for it.
            return Err(Refusal::FOREIGN);
        }
        match self.limits.exceeded(client, class, exchange.accepted_at()) {
            Some(wait) => Err(Refusal::too_many(wait)),
            None => Ok(()),
        }
    }

    /// What changes something comes from the owner, or from our own pages where no token is set.
    fn admit_change(&self, exchange: &Exchange, client: IpAddr, is_foreign: bool) -> Result<(), Refusal> {
        if self.admin_token.is_some() {
            return self.admit_owner(exchange, client);
        }
        if is_foreign {
            return Err(Refusal::FOREIGN);
        }
        // A form of another site cannot send this type without asking first (CORS preflight).
        let is_json = exchange.header("content-type").is_some_and(is_json_type);
        if exchange.method() == "POST" && !is_json {
            return Err(Refusal::NOT_JSON);
        }
        Ok(())
    }

    /// Everybody where no token is set. After too many wrong ones even the right one has to wait: else
    /// guessing would go on behind the refusals, and the one answer that is none would tell the token.
    pub(super) fn admit_owner(&self, exchange: &Exchange, client: IpAddr) -> Result<(), Refusal> {
        let Some(expected) = &self.admin_token else { return Ok(()) };
        let now = exchange.accepted_at();
        match Token::of(exchange, expected) {
            Token::Missing => Err(Refusal::TOKEN_MISSING),
            given => match self.limits.spent(client, Class::Token, now) {
                Some(wait) => Err(Refusal::too_many(wait)),
                None if given == Token::Right => Ok(()),
                None => {
                    self.limits.exceeded(client, Class::Token, now);
                    Err(Refusal::TOKEN_WRONG)
                }
            },
        }
    }
}

fn is_json_type(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case("application/json")
}
