//! What may be in the log and what may not: tokens, queries and signatures are nobody's business.

use crate::stage::{settings, settle};
use crate::support::http::Connection;
use crate::support::origin::{Origin, Script, pictures};
use crate::support::vault::Vault;
use crate::support::{until, until_within};
use serde_json::Value;
use std::time::Duration;

const SECRET: &str = "S3cr3tT0k3n";
const BEARER: &str = "Bearer S3cr3tT0k3n";
/// Longer than three tries of each, three at a time.
const ALL_TRIES: Duration = Duration::from_secs(60);

/// Every way in which a download ends badly, each under its own path, and one that ends well.
fn script(origin: &Origin) -> Vec<String> {
    let whole = Script::picture(pictures::sleeve(1, 300));
    let elsewhere = format!("http://127.0.0.1:9/gone.jpg?token={SECRET}");
    let scripts = [
        ("/good.jpg", whole.clone()),
        ("/missing.jpg", Script::status(404)),
        ("/broken.jpg", Script::status(500)),
        ("/busy.jpg", Script::busy(503, "1")),
        ("/page.jpg", Script::bytes("image/jpeg", format!("<p>{SECRET}").into_bytes())),
        ("/cut.jpg", whole.clone().cut(500)),
        ("/short.jpg", whole.declares(10)),
        ("/hangup.jpg", Script::hangup()),
        ("/reset.jpg", Script::reset()),
        ("/junk.jpg", Script::raw(format!("HTTP/1.1 2x0 {SECRET}\r\n\r\n").into_bytes())),
        ("/away.jpg", Script::redirect(&elsewhere)),
        ("/odd.jpg", Script::redirect(&format!("ftp://{SECRET}/?token={SECRET}"))),
        ("/again.jpg", Script::redirect(&format!("/again.jpg?token={SECRET}"))),
    ];
    let mut urls = vec![format!("http://127.0.0.1:1/nobody.jpg?token={SECRET}")];
    for (path, script) in scripts {
        origin.on_prefix(path, move |_| script.clone());
        urls.push(origin.url(&format!("{path}?token={SECRET}&signature={SECRET}")));
    }
    urls
}

/// Asks for everything and waits until there is nothing more to come.
fn fetch_all(vault: &Vault, urls: &[String]) {
    let own = [("Authorization", BEARER), ("Content-Type", "application/json")];
    let body = serde_json::json!({ "urls": urls }).to_string();
    let reply = vault.request("POST", "/api/cache/preload", &own, body.as_bytes());
    assert_eq!(reply.status, 202, "{}", reply.text());
    assert_eq!(reply.json()["accepted"], urls.len());
    let job = format!("/api/jobs/{}", reply.json()["job"].as_str().unwrap());
    until_within(ALL_TRIES, "every download has ended", || {
        Connection::open_as_stranger(vault.address()).get(&job).json()["state"] == "done"
    });
    settle(vault);
}

fn assert_silent(log: &str, form: &str) {
    let told: Vec<&str> = log.lines().filter(|line| line.contains(SECRET)).collect();
    assert!(told.is_empty(), "{form}: {told:#?}");
}

#[test]
fn no_query_no_token_and_no_word_of_an_origin_is_in_the_log_at_any_level() {
    for form in ["text", "json"] {
        let origin = Origin::start();
        let urls = script(&origin);
        let vault = settings(&origin)
            .private_source("127.0.0.1:1")
            .env("VINYL_VAULT_DEBUG", "1")
            .env("VINYL_VAULT_LOG", form)
            .env("VINYL_VAULT_ADMIN_TOKEN", SECRET)
            .start();
        fetch_all(&vault, &urls);
        for target in [format!("/?q={SECRET}"), format!("/none?token={SECRET}"), format!("/ready?{SECRET}")] {
            vault.get(&target);
        }
        vault.request("GET", "/api/cache/image", &[("Authorization", BEARER), ("Referer", SECRET)], b"");
        let log = vault.log();
        assert_silent(&log, form);
        // What is told is which picture, where it is, and why it is not here.
        for path in ["/missing.jpg", "/broken.jpg", "/page.jpg", "/cut.jpg", "/junk.jpg", "/away.jpg"] {
            let source = format!("source={}", origin.url(path));
            let about: Vec<&str> = log.lines().filter(|line| line.contains(&source)).collect();
            assert!(about.iter().any(|line| line.contains(" cause=")), "{form} {path}: {log}");
        }
        assert!(log.lines().any(|line| line.contains("downloaded key=")), "{log}");
        assert!(log.contains("cause=cannot connect to 127.0.0.1"), "{log}");
        assert_has_form(&log, form);
    }
}

/// One event is one line, with a time and a level.
fn assert_has_form(log: &str, form: &str) {
    for line in log.lines() {
        let level = match form {
            "json" => {
                let event: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
                assert!(event["time"].is_string() && event["message"].is_string(), "{line}");
                event["level"].as_str().unwrap().to_owned()
            }
            _ => line.split(' ').nth(1).unwrap_or_default().to_owned(),
        };
        assert!(["error", "warn", "info", "debug"].contains(&&*level), "{line}");
    }
}

#[test]
fn a_stranger_cannot_write_a_line_of_his_own() {
    let origin = Origin::start();
    origin.on("/forged.jpg", Script::raw(b"HTTP/1.1 200 \x1b[2J\nerror all is lost\r\n\r\n".to_vec()));
    let vault = settings(&origin).env("VINYL_VAULT_DEBUG", "1").start();
    fetch_all(&vault, &[origin.url("/forged.jpg")]);
    let log = vault.log();
    assert!(log.contains("forged.jpg"), "{log}");
    assert!(!log.contains('\x1b'), "{log}");
    assert_has_form(&log, "text");
}

/// What the log says about answers, without how long they took.
fn answers(log: &str) -> Vec<String> {
    let told = log.lines().filter_map(|line| line.split_once("answered ")?.1.split_once(" ms="));
    told.map(|(line, _)| line.to_owned()).collect()
}

#[test]
fn every_answer_is_one_line_without_its_query_and_without_debug_there_is_none() {
    for (debug, form) in [("1", "text"), ("1", "json"), ("0", "text")] {
        let origin = Origin::start();
        origin.on("/cover.jpg", Script::picture(pictures::sleeve(1, 300)));
        let vault = settings(&origin).env("VINYL_VAULT_DEBUG", debug).env("VINYL_VAULT_LOG", form).start();
        let cover = crate::stage::address_of(&vault, &origin.url("/cover.jpg"), "thumbnails");
        let bytes = vault.get(&cover).body.len();
        // From memory: the accept loop answers.
        let tag = vault.get(&format!("{cover}?v={SECRET}")).header("etag").unwrap().to_owned();
        vault.request("GET", &cover, &[("If-None-Match", &tag)], b"");
        vault.head(&cover);
        vault.get(&format!("/none?token={SECRET}"));
        // The door's own refusals: no Host, a target that is no address of ours, a control character.
        for line in ["GET /api/x", "GET http://me:S3cr3tT0k3n@pi/", "GET /\x7fx"] {
            let mut connection = vault.connect();
            connection.send(format!("{line} HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
            assert_eq!(connection.receive("GET").unwrap().status, 400);
        }
        let escaped = if form == "json" { r"\u007f" } else { r"\u{7f}" };
        let expected: Vec<String> = [
            "method=GET path=/api/cache/image status=302 bytes=0".to_owned(),
            format!("method=GET path={cover} status=200 bytes={bytes}"),
            format!("method=GET path={cover} status=200 bytes={bytes}"),
            format!("method=GET path={cover} status=304 bytes=0"),
            format!("method=HEAD path={cover} status=200 bytes=0"),
            "method=GET path=/none status=404".to_owned(),
            "method=GET path=/api/x status=400".to_owned(),
            "method=GET path=- status=400".to_owned(),
            format!("method=GET path=/{escaped}x status=400"),
        ]
        .into();
        if debug == "0" {
            assert_eq!(answers(&vault.log()), Vec::<String>::new());
            continue;
        }
        until("all answers are in the log", || answers(&vault.log()).len() >= expected.len());
        let told = answers(&vault.log());
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, expected) in told.iter().zip(&expected) {
            assert!(told.starts_with(expected.as_str()), "{form}: {told:?} and not {expected:?}");
        }
        assert_silent(&vault.log(), form);
        assert_has_form(&vault.log(), form);
    }
}
