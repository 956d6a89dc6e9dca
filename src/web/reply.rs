//! What every answer of a kind has in common: the headers of JSON, the headers of a page, and
//! when a browser is told that it has the thing already. Decides no answer.

use std::borrow::Cow;

use serde_json::Value;

use crate::door::{Body, Reply};

/// Nothing from elsewhere, nothing inline: a title that is markup stays text, and if it ever did
/// not, it could neither run nor load anything.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'";

pub(super) fn json_reply(status: u16, value: &Value) -> Reply {
    let headers = vec![
        ("Content-Type", "application/json".into()),
        ("Cache-Control", "no-store".into()),
        ("X-Content-Type-Options", "nosniff".into()),
        ("Cross-Origin-Resource-Policy", "same-origin".into()),
    ];
    Reply { status, headers, body: Body::Owned(value.to_string().into_bytes()) }
}

pub(super) fn page_headers(content_type: &'static str) -> Vec<(&'static str, Cow<'static, str>)> {
    vec![
        ("Content-Type", content_type.into()),
        ("Content-Security-Policy", PAGE_POLICY.into()),
        ("X-Content-Type-Options", "nosniff".into()),
        ("Referrer-Policy", "no-referrer".into()),
        ("Cross-Origin-Opener-Policy", "same-origin".into()),
        ("Cross-Origin-Resource-Policy", "same-origin".into()),
    ]
}

/// To another address of ours, this time only.
pub(super) fn redirect(location: String) -> Reply {
    Reply::new(302)
        .with("Location", location)
        .with("Cache-Control", "no-store")
        .with("Cross-Origin-Resource-Policy", "same-origin")
}

/// Whether an `If-None-Match` value (a list, weak tags, `*`) names `tag` (RFC 9110, 13.1.2).
pub(super) fn names_tag(list: &str, tag: &str) -> bool {
    list.split(',')
        .map(str::trim)
        .any(|given| given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag)
}

#[cfg(test)]
mod tests {
    use super::names_tag;

    #[test]
    fn a_tag_is_found_in_a_list_weak_or_not_and_nowhere_else() {
        for list in ["\"a\"", "W/\"a\"", "\"x\", \"a\"", "\"x\" ,W/\"a\"", "*", " * "] {
            assert!(names_tag(list, "\"a\""), "{list}");
        }
        for list in ["", "a", "\"ab\"", "w/\"a\"", "\"x\"", "W/a", "**"] {
            assert!(!names_tag(list, "\"a\""), "{list}");
        }
    }
}
