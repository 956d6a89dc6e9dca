//! How the program says no: a status, a sentence for a person, a word for a program.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::json;

use super::pages::Pages;
use super::reply::{json_reply, page_headers};
use super::route::is_for_programs;
use crate::door::{Body, Reply};

/// A request that is not done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    code: &'static str,
    sentence: Cow<'static, str>,
    header: Option<(&'static str, Cow<'static, str>)>,
}

impl Refusal {
    pub const NOT_FOUND: Refusal = Refusal::fixed(404, "not_found", "There is nothing at this address.");
    pub const FOREIGN: Refusal =
        Refusal::fixed(403, "cross_site", "This was asked by a page of another site, which may not.");
    pub const TOKEN_MISSING: Refusal =
        Refusal::fixed(401, "token_missing", "This needs the admin token (Authorization: Bearer ...).");
    pub const TOKEN_WRONG: Refusal = Refusal::fixed(401, "token_wrong", "The admin token is not right.");
    pub const NOT_JSON: Refusal =
        Refusal::fixed(415, "not_json", "The request must have the Content-Type application/json.");
    pub const LENGTH_MISSING: Refusal =
        Refusal::fixed(411, "length_missing", "The request needs a body and its Content-Length.");
    pub const BODY_TOO_LARGE: Refusal =
        Refusal::fixed(413, "body_too_large", "The body of the request is larger than 256 KiB.");
    pub const WRONG_HOST: Refusal =
        Refusal::fixed(421, "wrong_host", "This machine does not answer under that name.");
    pub const BUSY: Refusal = Refusal {
        status: 503,
        code: "busy",
        sentence: Cow::Borrowed("Too much is being asked at once. Try again in a moment."),
        header: Some(("Retry-After", Cow::Borrowed("2"))),
    };

    pub const fn fixed(status: u16, code: &'static str, sentence: &'static str) -> Refusal {
        Refusal { status, code, sentence: Cow::Borrowed(sentence), header: None }
    }

    pub const fn bad(sentence: &'static str) -> Refusal {
        Refusal::fixed(400, "bad_request", sentence)
    }

    pub fn owned(status: u16, code: &'static str, sentence: String) -> Refusal {
        Refusal { status, code, sentence: Cow::Owned(sentence), header: None }
    }

    pub fn too_many(wait: Duration) -> Refusal {
        let sentence = Cow::Borrowed("Rate limit exceeded");
        let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1);
        let header = Some(("Retry-After", Cow::Owned(seconds.to_string())));
        Refusal { status: 429, code: "rate_limited", sentence, header }
    }

    pub fn wrong_method(allowed: &[&str]) -> Refusal {
        let sentence = Cow::Owned(format!("This address answers to {} only.", allowed.join(", ")));
        let header = Some(("Allow", Cow::Owned(allowed.join(", "))));
        Refusal { status: 405, code: "method_not_allowed", sentence, header }
    }

    /// As JSON where a program asks, else as a page, or as plain text where our pages are not for the asker.
    pub fn reply_for(self, target: &str, pages: Option<&Pages>) -> Reply {
        match is_for_programs(target) {
            true => self.reply(),
            false => self.reply_to(pages),
        }
    }

    /// As JSON.
    pub fn reply(self) -> Reply {
        let body = json!({ "error": self.sentence, "code": self.code });
        let mut reply = json_reply(self.status, &body);
        reply.headers.extend(self.header);
        if self.status == 401 {
            reply.headers.push(("WWW-Authenticate", "Bearer".into()));
        }
        reply
    }

    fn reply_to(self, pages: Option<&Pages>) -> Reply {
        let (content_type, body) = match pages {
            Some(pages) => ("text/html; charset=utf-8", pages.error(self.status, &self.sentence)),
            None => ("text/plain; charset=utf-8", format!("{}\n", self.sentence)),
        };
        let mut headers = page_headers(content_type);
        headers.push(("Cache-Control", "no-store".into()));
        headers.extend(self.header);
        Reply { status: self.status, headers, body: Body::Owned(body.into_bytes()) }
    }
}

/// What the door refuses by itself, in the words and the form of all other refusals
/// ([`crate::door::Complain`]).
pub fn at_the_door(target: &str, status: u16, sentence: &'static str) -> Reply {
    if !is_for_programs(target) {
        return Reply::sentence(status, sentence);
    }
    let refusal = match status {
        413 => Refusal::BODY_TOO_LARGE,
        414 => Refusal::fixed(status, "address_too_long", sentence.trim_end()),
        431 => Refusal::fixed(status, "headers_too_large", sentence.trim_end()),
        500 => Refusal::fixed(status, "failed", sentence.trim_end()),
        503 => Refusal::fixed(status, "busy", sentence.trim_end()),
        505 => Refusal::fixed(status, "wrong_version", sentence.trim_end()),
        _ => Refusal::fixed(status, "bad_request", sentence.trim_end()),
    };
    refusal.reply()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(target: &str, status: u16) -> (u16, String, bool) {
        let reply = at_the_door(target, status, "As asked.\n");
        let body = String::from_utf8_lossy(reply.body.bytes()).into_owned();
        let is_json = reply
            .headers
            .iter()
            .any(|(name, value)| (*name, &**value) == ("Content-Type", "application/json"));
        (reply.status, body, is_json)
    }

    #[test]
    fn what_the_door_refuses_is_json_for_programs_and_a_sentence_for_people() {
        for status in [400, 413, 414, 431, 500, 503, 505] {
            for target in
                ["/api/cache/stats", "/api/?x", "/cache/detail/x", "/health?a=b", "/ready", "/metrics"]
            {
                let (same, body, is_json) = answered(target, status);
                let said: serde_json::Value = serde_json::from_str(&body).unwrap();
                assert!(same == status && is_json && said["code"].is_string(), "{target}: {body}");
                assert!(said["error"].as_str().is_some_and(|text| text.ends_with('.')), "{body}");
            }
            for target in ["/", "/album/1?u=/api/", "*", "", "http://h/api/x", "/apix", "/static/app.js"] {
                assert_eq!(answered(target, status), (status, "As asked.\n".to_owned(), false), "{target}");
            }
        }
    }
}
