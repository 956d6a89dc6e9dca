//! The commands that tell facts about the cache: against a running server, against the store that one
//! left behind, and where there is nothing yet. Each file below holds one command's promises.

#[path = "../suite/stage.rs"]
#[allow(dead_code, reason = "a part of what the suite begins with is enough here")]
mod stage;
#[path = "../support/mod.rs"]
mod support;

mod asking;
mod explain;
mod health;
mod lines;
mod older;
mod owner;
mod pictures;
mod screen;
mod status;
mod sweep;
