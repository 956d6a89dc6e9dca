//! `vinylvault explain URL|KEY`: why a cover looks as it does, as JSON or in words. What is known is
//! brought together by [`crate::cache::explain`]; here it is asked for and read out.

use super::facts::Whence;
use super::journal::one_line;
use super::parse::Call;
use super::server::{Found, Server};
use super::sheet::row;
use super::{Failure, print};
use crate::cache::explain::{Holder, Question};
use crate::cache::index::AtRest;
use crate::collection::Catalogue;
use crate::config::Config;
use crate::figures::{bytes, counted, span};
use serde_json::{Value, json};

pub(super) fn run(call: &Call) -> Result<(), Failure> {
    let asked = call.operand().expect("the grammar asks for a URL or a key").to_string_lossy();
    let question = Question::parse(&asked).map_err(|error| {
        Failure::Usage(format!("{asked:?} is no key of 40 hex digits and no URL of a cover: {error}"))
    })?;
    let config = call.config()?;
    let (mut answer, whence) = match Server::find(&config)? {
        Found::Server(server) => {
            let target = format!("/api/cache/explain?source={}", encoded(&asked));
            let answer = server.get(&target)?.success("explain the cover")?;
            (answer, Whence::Server(server.address()))
        }
        Found::AtRest => look(&config, &question)?,
    };
    answer["source"] = json!(whence.name());
    match call.has("json") {
        true => print(&format!("{answer}\n")),
        false => print(&text(&answer, &whence)),
    }
}

fn look(config: &Config, question: &Question) -> Result<(Value, Whence), Failure> {
    let root = config.data_dir.join("cache");
    let failed =
        |cause: &dyn std::error::Error| Failure::Failed(format!("cannot explain the cover: {cause}"));
    let store = AtRest::open(&root).map_err(|cause| failed(&cause))?;
    let catalogue =
        Catalogue::open(&config.data_dir.join("vinylvault.db")).map_err(|cause| failed(&cause))?;
    let albums = match catalogue {
        Some(catalogue) => catalogue.albums_with_cover(question.key()).map_err(|cause| failed(&cause))?,
        None => Vec::new(),
    };
    let holders: Vec<Holder> = albums
        .into_iter()
        .map(|album| Holder {
            album: album.id,
            artist: album.record.artist,
            title: album.record.title,
            cover_url: album.record.cover_url,
        })
        .collect();
    let answer =
        question.answer_at_rest(store.as_ref(), &holders, &config.guard).map_err(|cause| failed(&cause))?;
    let whence = if store.is_some() { Whence::Store(root) } else { Whence::Nothing(root) };
    Ok((answer, whence))
}

/// In words; every text in the answer comes from strangers.
fn text(answer: &Value, whence: &Whence) -> String {
    let text = |name: &str| answer[name].as_str().map(one_line);
    let state = text("state").unwrap_or_default().replace('_', " ");
    let mut rows = vec![
        row("State", &format!("{state}: {}", text("meaning").unwrap_or_default())),
        row("Key", &text("key").unwrap_or_default()),
        row("Cover", &text("canonical").unwrap_or("not known: only its key was given".into())),
        row("URL", &text("url").unwrap_or("not known".into())),
    ];
    for (place, album) in answer["albums"].as_array().into_iter().flatten().enumerate() {
        let word = |name: &str| one_line(album[name].as_str().unwrap_or("?")).into_owned();
        let name = if place == 0 { "Albums" } else { "" };
        rows.push(row(name, &format!("{}  {} - {}", album["id"], word("artist"), word("title"))));
    }
    if answer["albums"].as_array().is_none_or(Vec::is_empty) {
        rows.push(row("Albums", "none has it"));
    }
    for variant in ["thumbnails", "detail"] {
        rows.push(row(variant, &variant_words(&answer["variants"][variant])));
    }
    rows.extend(failure_words(&answer["failure"]).iter().map(|(name, words)| row(name, words)));
    if let Some(words) = moment_words(answer) {
        rows.push(row("Now", &words));
    }
    if let Some(words) = origin_words(&answer["origin"]) {
        rows.push(row("Origin", &words));
    }
    match (answer["permitted"].as_bool(), text("refusal")) {
        (Some(true), _) => rows.push(row("Settings", "it may be fetched from there")),
        (Some(false), Some(reason)) => {
            rows.push(row("Settings", &format!("it may not be fetched: {reason}")))
        }
        _ => {}
    }
    rows.push(row("Source", &whence.to_string()));
    rows.iter().map(|row| format!("{}\n", row.plain())).collect()
}

fn variant_words(variant: &Value) -> String {
    let Some(size) = variant["bytes"].as_u64() else { return "not in the cache".to_owned() };
    let mut words = format!("{} in the cache", bytes(size));
    if variant["in_memory"] == true {
        words += " and in memory";
    }
    if let Some(seconds) = variant["accessed_seconds_ago"].as_u64() {
        words += &format!(", looked at {} ago", span(seconds));
    }
    if let Some(version) = variant["version"].as_str() {
        words += &format!(", version {}", one_line(&version.chars().take(8).collect::<String>()));
    }
    words
}

fn failure_words(failure: &Value) -> Vec<(&'static str, String)> {
    let Some(reason) = failure["reason"].as_str() else { return Vec::new() };
    let word = |name: &str| one_line(failure[name].as_str().unwrap_or("?")).into_owned();
    let tries = counted(failure["tries"].as_u64().unwrap_or(0), "time", "times");
    let next = match failure["next_try_in_seconds"].as_u64() {
        Some(0) | None => "when somebody looks".to_owned(),
        Some(seconds) => format!("in {} at the earliest, when somebody looks", span(seconds)),
    };
    vec![
        ("Last error", one_line(reason).into_owned()),
        ("", format!("{}, {tries} in a row, last at {}", word("class"), word("failed_at"))),
        ("Next try", next),
    ]
}

/// What goes on with it at the server.
fn moment_words(answer: &Value) -> Option<String> {
    let (fetching, waiting) = (answer["fetching"].as_bool()?, answer["waiting"].as_u64()?);
    let queued = counted(answer["queued"].as_u64()?, "cover", "covers");
    let viewers = counted(waiting, "viewer waits", "viewers wait");
    Some(match (fetching, answer["in_preload"] == true) {
        (true, _) => format!("it is being fetched, {viewers} for it; {queued} in the queue"),
        (false, true) => "it is on the list of a preload".to_owned(),
        (false, false) => "nobody is fetching it".to_owned(),
    })
}

fn origin_words(origin: &Value) -> Option<String> {
    let host = one_line(origin["host"].as_str()?).into_owned();
    let number = |name: &str| origin[name].as_u64().unwrap_or(0);
    let mut words = format!("{host}: {} asked, {} failed", number("requests"), number("failures"));
    if let Some(seconds) = origin["paused_seconds"].as_u64() {
        words += &format!("; it asked to be left alone for another {}", span(seconds));
    }
    Some(words)
}

/// Percent-encoded, as a query's value.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
