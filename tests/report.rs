//! `vinylvault preload` and `vinylvault report` from outside: the real binary beside a running
//! server and over a store at rest, and the report's page in a real browser.

mod support;

#[path = "report/history.rs"]
mod history;
#[path = "report/looks.rs"]
mod looks;
#[path = "report/page.rs"]
mod page;
#[path = "report/preload.rs"]
mod preload;
#[path = "report/stage.rs"]
mod stage;
