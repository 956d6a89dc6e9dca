//! `vinylvault clear`: empties the cache. The collection is not touched.

use super::cleanup::{Effect, purge};
use super::parse::Call;
use super::{Failure, print};
use crate::cache::index::Scope;
use crate::figures::{bytes, counted};
use crate::key::Timestamp;
use serde_json::{Value, json};

pub(super) fn run(call: &Call) -> Result<(), Failure> {
    let config = call.config()?;
    let effect = purge(&config, "clear the cache", ("/api/cache/clear", json!({})), Scope::All)?;
    match call.has("json") {
        true => print(&format!("{}\n", value(&effect))),
        false => print(&text(&effect)),
    }
}

fn value(effect: &Effect) -> Value {
    json!({
        "timestamp": Timestamp::now().to_string(),
        "source": effect.whence.name(),
        "removed": effect.removed,
        "freed_bytes": effect.freed_bytes,
        "before": effect.before.to_json(),
        "after": effect.after.to_json(),
    })
}

fn text(effect: &Effect) -> String {
    let files = counted(effect.removed, "file", "files");
    format!(
        "Removed {files}, {}. The collection is as it was.\n\
         Covers come again when somebody looks at them.\nSource: {}\n",
        bytes(effect.freed_bytes),
        effect.whence
    )
}
