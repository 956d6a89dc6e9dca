//! `vinylvault preload [URL...] [--all]`: hands lists of covers to the running server, batch by
//! batch, and says how far it is. Fetches nothing itself; what is here already is the server's to
//! know, so a second call goes on where the first one ended.

mod course;
mod errand;
mod list;
mod tally;

use super::parse::Call;
use super::server::Server;
use super::stop::Stop;
use super::{Failure, journal, print};
use course::Course;
use errand::{Ended, Errand};
use serde_json::json;
use std::fmt::Write;
use std::time::Instant;
use tally::Tally;

/// Failed covers that the text names; the JSON and the log of the server name more.
const NAMED_MAX: usize = 20;

/// Exit code 0 when every cover is here; 1 when some could not be fetched or when it was stopped.
pub(super) fn run(call: &Call) -> Result<(), Failure> {
    let asked = list::asked(call)?;
    let config = call.config()?;
    let server = Server::needed(&config, "preload")?;
    // Before anything else: another program's server, or an older one, is found out at once.
    let covers = if asked.is_all { covers_of_collection(&server)? } else { 0 };
    let urls = list::urls(asked)?;
    let stop = Stop::listen()?;

    let mut tally = Tally::new(urls.len() as u64 + covers, Instant::now());
    let mut course = Course::begin(call.has("json"), &tally, &server)?;
    let mut errand = Errand::new(&config, server, &stop);
    let mut ended = Ended::Done;
    for batch in list::batches(&urls) {
        ended = errand.run(&json!({ "urls": batch }), &mut tally, &mut course)?;
        if ended != Ended::Done {
            break;
        }
    }
    let mut batch = (covers > 0).then(|| json!({ "all": true }));
    while let Some(body) = batch.filter(|_| ended == Ended::Done) {
        ended = errand.run(&body, &mut tally, &mut course)?;
        batch = errand.next().map(|album| json!({ "all": true, "before": album }));
    }
    course.end();

    let tally = tally.closed(Instant::now());
    match call.has("json") {
        true => print(&format!("{}\n", json_of(&tally, ended)))?,
        false => print(&text_of(&tally))?,
    }
    verdict(&tally, ended)
}

/// The server's, whose data folder need not be where this command looks, nor be readable.
fn covers_of_collection(server: &Server) -> Result<u64, Failure> {
    let act = "preload the covers of the collection";
    let size = server.get("/api/collection")?.success(act)?;
    size["covers"].as_u64().ok_or_else(|| {
        Failure::Failed(format!("cannot {act}: the server does not count them; is it another version?"))
    })
}

fn json_of(tally: &tally::Closed, ended: Ended) -> serde_json::Value {
    let errors: Vec<_> =
        tally.errors.iter().map(|(url, reason)| json!({ "url": url, "reason": reason })).collect();
    json!({
        "source": "server",
        "total": tally.total,
        "done": tally.done,
        "failed": tally.failed,
        "skipped": tally.skipped,
        "fetched": tally.fetched(),
        "seconds": (tally.took.as_secs_f64() * 1000.0).round() / 1000.0,
        "interrupted": ended != Ended::Done,
        "errors": errors,
    })
}

/// What became of it, and which covers are not here.
fn text_of(tally: &tally::Closed) -> String {
    if tally.total == 0 {
        return "there is nothing to fetch: no URL was given, and no album has a cover\n".to_owned();
    }
    let mut text = format!(
        "{} fetched, {} here already, {} failed in {}\n",
        tally.fetched(),
        tally.skipped,
        tally.failed,
        tally::spelled(tally.took)
    );
    for (url, reason) in tally.errors.iter().take(NAMED_MAX) {
        // Both come from strangers; a line stays a line.
        let _ = writeln!(text, "  {}", journal::one_line(&format!("{url}: {reason}")));
    }
    let named = tally.errors.len().min(NAMED_MAX) as u64;
    if tally.failed > named {
        let _ = writeln!(text, "  and {} more", tally.failed - named);
    }
    text
}

fn verdict(tally: &tally::Closed, ended: Ended) -> Result<(), Failure> {
    let tally::Closed { total, done, failed, .. } = tally;
    match ended {
        Ended::Stopped => Err(Failure::Failed(format!(
            "stopped after {done} of {total} covers; the same command goes on from there"
        ))),
        Ended::Abandoned => Err(Failure::Failed(format!(
            "stopped after {done} of {total} covers, and the server could not be told: it goes on \
             fetching what it had begun"
        ))),
        Ended::Done if *failed > 0 => {
            Err(Failure::Failed(format!("{failed} of {total} covers could not be fetched")))
        }
        Ended::Done => Ok(()),
    }
}
