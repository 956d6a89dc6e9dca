//! What the command line promises: its grammar, its exit codes, one line for a failure, and a log
//! whose form fits its reader.

mod support;

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::process::{Output, Stdio};
use support::folder::Folder;
use support::process::{binary, finish};

fn run(args: &[&str]) -> Output {
    let mut command = binary();
    command.args(args);
    finish(command)
}

/// Exit code and standard error of a call that prints nothing else.
#[track_caller]
fn refusal(args: &[&str]) -> (i32, String) {
    let output = run(args);
    assert!(output.stdout.is_empty(), "{args:?} printed {}", text(&output.stdout));
    let line = text(&output.stderr).to_owned();
    assert!(line.starts_with("vinylvault: ") && line.matches('\n').count() == 1, "{args:?}: {line}");
    (output.status.code().unwrap(), line)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A command that fails after its log has started: there is no such file, and one variable is doubtful.
fn doubtful_import() -> std::process::Command {
    let mut command = binary();
    command.args(["import", "no-such-file.csv", "--dry-run"]);
    command.env("VINYL_VAULT_CACHE_SIZE", "1").env("VINYL_VAULT_ADMIN_TOKEN", "never-to-be-seen");
    command
}

#[test]
fn help_comes_by_every_way_of_asking_and_is_exit_code_0() {
    let whole = run(&["help"]).stdout;
    assert!(text(&whole).contains("Usage: vinylvault [COMMAND] [FLAGS]"));
    for args in [&["--help"][..], &["-h"], &["--threads=0", "--help"], &["help", "--help"]] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(args[0] == "help" || output.stdout == whole, "{args:?}");
    }
    let import = run(&["help", "import"]).stdout;
    assert!(text(&import).starts_with("vinylvault import FILE"));
    for args in [["import", "--help"], ["--help", "import"], ["import", "-h"]] {
        assert_eq!(run(&args).stdout, import, "{args:?}");
    }
}

#[test]
fn help_works_whatever_the_environment_says() {
    let mut command = binary();
    command.arg("help").env("VINYL_VAULT_THREADS", "0");
    assert_eq!(finish(command).status.code(), Some(0));
}

#[test]
fn help_fits_a_terminal_and_names_every_flag() {
    let output = run(&["help"]);
    for line in text(&output.stdout).lines().skip(1) {
        assert!(line.chars().count() <= 100, "{line}");
    }
    for setting in vinylvault::config::SETTINGS {
        assert!(text(&output.stdout).contains(&format!("--{}", setting.flag)));
        assert!(text(&output.stdout).contains(&setting.variable()));
    }
}

#[test]
fn the_version_is_one_line() {
    for flag in ["--version", "-V"] {
        let output = run(&[flag]);
        assert_eq!(text(&output.stdout), concat!("vinylvault ", env!("CARGO_PKG_VERSION"), "\n"));
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn wrong_usage_is_exit_code_2_and_says_what_was_meant() {
    for (args, said) in [
        (&["imprt", "a.csv"][..], "did you mean import?"),
        (&["frobnicate"], "see vinylvault help"),
        (&["help", "imprt"], "did you mean import?"),
        (&["import"], "needs a FILE"),
        (&["import", "a.csv", "b.csv"], "\"b.csv\" is too much"),
        (&["serve", "now"], "\"now\" is too much"),
        (&["serve", "--dry-run"], "--dry-run is no flag of vinylvault serve"),
        (&["import", "a.csv", "--dry-rum"], "did you mean --dry-run?"),
        (&["--versio"], "did you mean --version?"),
        (&["-x"], "there is no flag \"-x\""),
        (&["import", "a.csv", "--data-dir"], "--data-dir needs a value"),
        (&["import", "a.csv", "--json=yes"], "--json"),
        (&["bad\u{1b}[31m\nname"], "there is no command"),
    ] {
        let (code, line) = refusal(args);
        assert_eq!(code, 2, "{args:?}");
        assert!(line.contains(said) && !line.contains('\u{1b}'), "{args:?}: {line}");
    }
}

#[test]
fn a_file_that_is_not_there_is_exit_code_1_and_named() {
    let folder = Folder::new();
    let data_dir = folder.join("data");
    let (code, line) = refusal(&["--data-dir", data_dir.to_str().unwrap(), "import", "no-such-file.csv"]);
    assert_eq!(code, 1);
    assert!(line.contains("no-such-file.csv"), "{line}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = binary().arg("help").stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = binary().arg("help").stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot write to standard output"));
}

#[test]
fn the_log_has_a_time_and_a_level_for_a_person() {
    let output = finish(doubtful_import());
    let line = text(&output.stderr).lines().next().unwrap().to_owned();
    let (time, rest) = line.split_once(' ').unwrap();
    assert!(time.starts_with("20") && time.ends_with('Z') && time.len() == 24, "{line}");
    assert!(rest.starts_with("warn VINYL_VAULT_CACHE_SIZE is no setting"), "{line}");
    assert!(!text(&output.stderr).contains("never-to-be-seen"));
}

#[test]
fn the_log_is_json_for_a_machine() {
    let mut command = doubtful_import();
    command.args(["--log", "json"]);
    let output = finish(command);
    let line = text(&output.stderr).lines().next().unwrap();
    let event: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(event["level"], "warn");
    assert!(event["message"].as_str().unwrap().starts_with("VINYL_VAULT_CACHE_SIZE is no setting"));
}

#[test]
fn the_log_has_a_priority_for_the_journal_and_only_when_it_is_the_journal() {
    let folder = Folder::new();
    let file = File::create(folder.join("journal")).unwrap();
    let own = file.metadata().unwrap();
    for (inode, begin) in [(own.ino(), "<4>VINYL_VAULT_CACHE_SIZE"), (own.ino() + 1, "20")] {
        std::fs::write(folder.join("journal"), "").unwrap();
        let stream = format!("{}:{inode}", own.dev());
        let appending = File::options().append(true).open(folder.join("journal")).unwrap();
        let mut command = doubtful_import();
        assert!(!command.env("JOURNAL_STREAM", stream).stderr(appending).status().unwrap().success());
        let log = std::fs::read_to_string(folder.join("journal")).unwrap();
        assert!(log.starts_with(begin), "{log}");
    }
}
