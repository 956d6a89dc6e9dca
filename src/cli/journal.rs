//! The log: one line an event on standard error, as a person, journald or a machine reads it. Owns
//! the form only; what is worth a line is decided where it happens.

use crate::config::Config;
use env_logger::{Builder, Target, WriteStyle};
use log::{Level, LevelFilter, Record};
use std::borrow::Cow;
use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Libraries whose details are of use to their authors only; they are heard when something is wrong.
const TALKATIVE: [&str; 4] = ["ureq", "ureq_proto", "rustls", "tiny_http"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `2026-07-18T20:15:01Z info message`.
    Text,
    /// `<6>message`: journald adds the time itself and keeps the priority.
    Journal,
    /// One object a line.
    Json,
}

/// Starts the log; a second call keeps the first. `least` is what a run without debug tells.
pub(super) fn start(config: &Config, least: LevelFilter) {
    let form = match config.log_json {
        true => Form::Json,
        false if stderr_is_the_journal() => Form::Journal,
        false => Form::Text,
    };
    let mut builder = Builder::new();
    builder.filter_level(if config.debug { LevelFilter::Debug } else { least });
    for library in TALKATIVE {
        builder.filter_module(library, LevelFilter::Warn);
    }
    builder.target(Target::Stderr).write_style(WriteStyle::Never);
    builder.format(move |out, record| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut line = line(form, since, record);
        line.push('\n');
        // One write a line: lines of several threads do not mix.
        out.write_all(line.as_bytes())
    });
    let _ = builder.try_init();
    log_panics();
}

/// A panic is an event like any other: one line in the form of the others, not five of its own. Whoever
/// asks for a backtrace gets Rust's own words too.
fn log_panics() {
    let before = std::panic::take_hook();
    let wants_more = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
    std::panic::set_hook(Box::new(move |panic| {
        log::error!("thread={} {panic}", std::thread::current().name().unwrap_or("?"));
        if wants_more {
            before(panic);
        }
    }));
}

/// The text with every character escaped that would start a line, move a cursor or turn the
/// writing direction: titles, paths and URLs in the log come from strangers.
pub(super) fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().map(|c| match is_unprintable(c) {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    });
    Cow::Owned(escaped.collect())
}

fn is_unprintable(c: char) -> bool {
    let is_separator_or_direction =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || is_separator_or_direction
}

/// systemd names the device and inode of the stream that it connected; a program started by a
/// service, with its own standard error, inherits the variable but not the stream.
fn stderr_is_the_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(own) = rustix::fs::fstat(io::stderr()) else { return false };
    stream == format!("{}:{}", own.st_dev, own.st_ino)
}

fn line(form: Form, since_1970: Duration, record: &Record) -> String {
    let message = record.args().to_string();
    match form {
        Form::Text => {
            let level = record.level().as_str().to_ascii_lowercase();
            format!("{} {level} {}", rfc3339(since_1970), one_line(&message))
        }
        Form::Journal => format!("<{}>{}", priority(record.level()), one_line(&message)),
        Form::Json => one_json_line(&serde_json::json!({
            "time": rfc3339(since_1970),
            "level": record.level().as_str().to_ascii_lowercase(),
            "target": record.target(),
            "message": message,
        })),
    }
}

/// JSON need escape nothing above U+0020, and a terminal obeys U+009B as it obeys ESC `[`. What is
/// unprintable stands within texts only, where an escape means the same character to who reads it.
fn one_json_line(event: &serde_json::Value) -> String {
    let mut line = String::new();
    for c in event.to_string().chars() {
        match is_unprintable(c) {
            true => line.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}"))),
            false => line.push(c),
        }
    }
    line
}

/// sd-daemon(3): the numbers of syslog.
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// `2026-07-18T20:15:01.042Z`.
fn rfc3339(since_1970: Duration) -> String {
    let (days, second) = (since_1970.as_secs() / 86_400, since_1970.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let millisecond = since_1970.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

/// Year, month and day of the n-th day since 1970-01-01, counted in 400-year eras that begin on a
/// 1 March, so that the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: Form, message: &str) -> String {
        let since = Duration::from_millis(1_784_405_701_042);
        let args = format_args!("{message}").to_string();
        line(
            form,
            since,
            &Record::builder().level(Level::Warn).target("t").args(format_args!("{args}")).build(),
        )
    }

    #[test]
    fn each_form_is_one_line_with_its_level() {
        assert_eq!(written(Form::Text, "a b"), "2026-07-18T20:15:01.042Z warn a b");
        assert_eq!(written(Form::Journal, "a b"), "<4>a b");
        let json: serde_json::Value = serde_json::from_str(&written(Form::Json, "a\n\"b\"")).unwrap();
        assert_eq!((json["level"].as_str(), json["message"].as_str()), (Some("warn"), Some("a\n\"b\"")));
        assert!(!written(Form::Json, "a\nb").contains('\n'));
    }

    #[test]
    fn a_message_cannot_forge_a_line_or_move_the_cursor() {
        assert_eq!(one_line("a\n<3>b\u{1b}[2J\u{202e}c\r"), r"a\n<3>b\u{1b}[2J\u{202e}c\r");
        let hostile =
            "del\u{7f} csi\u{9b}2J nel\u{85} bidi\u{202e}\u{2066}\u{61c}\u{200f} line\u{2028} esc\u{1b}";
        for form in [Form::Text, Form::Journal, Form::Json] {
            let line = written(form, hostile);
            assert!(!line.contains(is_unprintable), "{form:?}: {line:?}");
        }
        let json: serde_json::Value = serde_json::from_str(&written(Form::Json, hostile)).unwrap();
        assert_eq!(json["message"], hostile, "a machine reads what was written");
        assert!(matches!(one_line("Sigur R\u{f3}s \u{1f4bf}"), Cow::Borrowed(_)));
    }

    #[test]
    fn dates_are_right_at_the_edges_of_leap_years() {
        let date = |days: u64| rfc3339(Duration::from_secs(days * 86_400))[..10].to_owned();
        let known = [
            (0, "1970-01-01"),
            (11_015, "2000-02-28"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
            (19_722, "2023-12-31"),
        ];
        for (days, expected) in known {
            assert_eq!(date(days), expected);
        }
    }
}
