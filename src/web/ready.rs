//! Whether the program can do its work, check by check. Owns what is checked and the sentences; a full
//! cache is ready, and so is an empty one.

use super::Web;
use super::reply::json_reply;
use crate::cache::Condition;
use crate::collection::CollectionError;
use crate::door::Reply;
use serde_json::{Value, json};

/// One named check. A reason is for strangers: the log and the statistics have the details.
pub(super) struct Check {
    pub name: &'static str,
    pub failed: Option<&'static str>,
}

impl Web {
    /// Costs a few locks and two system calls; writes nothing, unless the card has refused a write: then it
    /// is tried again once a minute, for nobody else may come and try.
    pub(super) fn checks(&self) -> [Check; 5] {
        let Condition { index, writing, space, serving } = self.cache.condition();
        let check = |name, is_fine: bool, reason| Check { name, failed: (!is_fine).then_some(reason) };
        [
            check("store", writing, "The card refused to be written or read: covers may not be kept."),
            check("index", index, "The cache's index has stopped: covers are no longer kept."),
            check("space", space, "Less than the free minimum is left, and nothing of the cache to remove."),
            Check { name: "database", failed: self.database_trouble() },
            check("listener", serving, "The server is stopping."),
        ]
    }

    fn database_trouble(&self) -> Option<&'static str> {
        match self.collection.check() {
            Ok(()) => None,
            Err(CollectionError::Damaged { .. }) => {
                Some("The collection is damaged: a restart restores its newest good copy.")
            }
            Err(_) => Some("The collection does not answer."),
        }
    }

    pub(super) fn ready(&self) -> Reply {
        let checks = self.checks();
        let is_ready = checks.iter().all(|check| check.failed.is_none());
        let words: serde_json::Map<String, Value> =
            checks.iter().map(|check| (check.name.to_owned(), word(check).into())).collect();
        let reasons: serde_json::Map<String, Value> = checks
            .iter()
            .filter_map(|check| Some((check.name.to_owned(), Value::from(check.failed?))))
            .collect();
        let failed: Vec<&String> = reasons.keys().collect();
        let body = json!({ "ready": is_ready, "checks": words, "failed": failed, "reasons": reasons });
        json_reply(if is_ready { 200 } else { 503 }, &body)
    }
}

fn word(check: &Check) -> &'static str {
    if check.failed.is_none() { "ok" } else { "failed" }
}
