//! What settings promise: one spelling each as flag and variable, a flag wins, a wrong value stops
//! the start with exit code 2 and says what is allowed, and a secret is never shown.

mod support;

use std::ffi::OsString;
use std::process::Output;
use support::process::{binary, finish};
use vinylvault::config::{Config, ConfigError, Preset, SETTINGS};

fn load(args: &[&str], variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load(args, |name| {
        variables.iter().find(|(other, _)| *other == name).map(|(_, value)| OsString::from(value))
    })
}

/// The sentence about a wrong setting.
fn complaint(args: &[&str], variables: &[(&str, &str)]) -> String {
    load(args, variables).unwrap_err().to_string()
}

fn run(args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = binary();
    command.args(args).envs(variables.iter().copied());
    finish(command)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn nothing_given_means_the_documented_defaults() {
    let config = load(&[], &[]).unwrap();
    assert_eq!(config.listen, "0.0.0.0:5000".parse().unwrap());
    assert_eq!(config.data_dir.to_str(), Some("data"));
    assert_eq!((config.cache_bytes, config.free_bytes_min), (2_000_000_000, 256_000_000));
    assert_eq!((config.thumbnail_side, config.detail_side), (150, 600));
    assert_eq!((config.quality, config.effort), (85, 2));
    assert_eq!((config.downloads, config.threads), (3, 4));
    assert_eq!((config.image_bytes_max, config.megapixels_max), (20_000_000, 40));
    assert_eq!(config.render_bytes_max, 96_000_000);
    assert_eq!((config.debug, config.log_json), (false, false));
    assert!(config.allowed_hosts.is_none() && config.admin_token.is_none());
    assert!(config.trusted_proxies.is_empty());
}

#[test]
fn memory_is_an_eighth_of_the_machine_and_at_most_128_mb() {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap();
    let total_kb: u64 = total.trim().trim_end_matches(" kB").parse().unwrap();
    let expected = 128_000_000.min(total_kb * 1024 / 8);
    let memory_bytes = load(&[], &[]).unwrap().memory_bytes;
    assert!(memory_bytes.abs_diff(expected) < 4096, "{memory_bytes} and not {expected}");
    assert_eq!(load(&["--memory-cache-mb=0"], &[]).unwrap().memory_bytes, 0);
}

#[test]
fn a_flag_beats_a_variable_and_a_later_flag_an_earlier_one() {
    let variables = [("VINYL_VAULT_THREADS", "7")];
    assert_eq!(load(&[], &variables).unwrap().threads, 7);
    assert_eq!(load(&["--threads", "8"], &variables).unwrap().threads, 8);
    assert_eq!(load(&["--threads=8", "--threads=9"], &variables).unwrap().threads, 9);
    // What is not used is not checked either: the flag replaces the variable.
    assert_eq!(load(&["--threads=8"], &[("VINYL_VAULT_THREADS", "many")]).unwrap().threads, 8);
}

#[test]
fn an_empty_variable_is_an_unset_one_and_an_empty_flag_is_wrong() {
    assert_eq!(load(&[], &[("VINYL_VAULT_THREADS", "")]).unwrap().threads, 4);
    assert!(load(&[], &[("VINYL_VAULT_ADMIN_TOKEN", "")]).unwrap().admin_token.is_none());
    for setting in SETTINGS.iter().filter(|setting| !setting.placeholder.is_empty()) {
        let flag = format!("--{}=", setting.flag);
        assert!(load(&[&flag], &[]).is_err(), "{flag} was taken");
    }
}

#[test]
fn every_setting_is_a_flag_and_a_variable_of_the_same_name() {
    for setting in SETTINGS {
        let variable = setting.variable();
        assert_eq!(variable.strip_prefix("VINYL_VAULT_").unwrap().replace('_', "-"), {
            setting.flag.to_ascii_uppercase()
        });
        // Neither a number, an address, a name, a list nor a visible word.
        let wrong = "no such, \u{1f4bf} value?";
        if setting.flag == "data-dir" {
            continue;
        }
        let by_flag = complaint(&[&format!("--{}", setting.flag), wrong][..], &[]);
        let by_switch = complaint(&[&format!("--{}={wrong}", setting.flag)], &[]);
        let by_variable = complaint(&[], &[(&variable, wrong)]);
        if setting.placeholder.is_empty() {
            assert!(by_flag.contains(wrong.escape_debug().to_string().as_str()), "{by_flag}");
        } else {
            assert_eq!(by_flag, by_switch);
        }
        assert!(by_switch.starts_with(&format!("--{} is ", setting.flag)), "{by_switch}");
        assert!(by_variable.starts_with(&format!("{variable} is ")), "{by_variable}");
        for sentence in [by_switch, by_variable] {
            let ending = match setting.flag {
                // The guard knows which part of the list is wrong, and says what it may be.
                "source-hosts" | "private-sources" => "separated by commas",
                _ => setting.allowed,
            };
            assert!(sentence.ends_with(ending), "{sentence}");
            assert!(!sentence.contains('\n'), "{sentence}");
        }
    }
}

#[test]
fn the_limits_of_numbers_are_taken_and_one_more_is_not() {
    let limits = [
        ("thumbnail-size", "16", "4096", "15", "4097"),
        ("detail-size", "16", "4096", "15", "4097"),
        ("image-quality", "1", "100", "0", "101"),
        ("webp-effort", "0", "6", "-1", "7"),
        ("max-concurrent-downloads", "1", "16", "0", "17"),
        ("threads", "1", "32", "0", "33"),
        ("max-image-mb", "0.000001", "200", "0", "200.000001"),
        ("max-image-megapixels", "1", "200", "0", "201"),
        ("render-budget-mb", "24", "16384", "23.9", "16385"),
        ("cache-size-gb", "0.000000001", "100000", "0", "100000.1"),
        ("min-free-mb", "0", "100000000", "-1", "100000001"),
        ("memory-cache-mb", "0", "16384", "-1", "16385"),
        ("listen", "127.0.0.1:0", "[::]:65535", "127.0.0.1", "127.0.0.1:65536"),
    ];
    for (flag, least, most, less, more) in limits {
        for taken in [least, most] {
            assert!(load(&[&format!("--{flag}={taken}")], &[]).is_ok(), "{flag} {taken}");
        }
        for refused in [less, more, "", "abc", "1e1", "+1", "0x1", "nan", "inf", "1,5", "1 2", "."] {
            assert!(load(&[&format!("--{flag}={refused}")], &[]).is_err(), "{flag} {refused}");
        }
    }
}

#[test]
fn sizes_are_decimal_and_take_fractions() {
    let bytes = |gb: &str| load(&["--cache-size-gb", gb], &[]).unwrap().cache_bytes;
    assert_eq!(bytes("0.001"), 1_000_000);
    assert_eq!(bytes(".5"), 500_000_000);
    assert_eq!(bytes("0.000004"), 4_000);
    assert_eq!(bytes("1.23456789"), 1_234_567_890);
    assert_eq!(load(&["--max-image-mb=0.5"], &[]).unwrap().image_bytes_max, 500_000);
}

#[test]
fn localhost_is_an_address_to_listen_on() {
    let listen = |text: &str| load(&["--listen", text], &[]).unwrap().listen.to_string();
    assert_eq!(listen("localhost:8080"), "127.0.0.1:8080");
    assert_eq!(listen("[::1]:80"), "[::1]:80");
}

#[test]
fn host_names_are_lower_case_and_have_no_port() {
    let hosts = |text: &str| load(&["--allowed-hosts", text], &[]).map(|config| config.allowed_hosts);
    let taken = hosts("Vinyl.Example.com., *.home.example ,").unwrap().unwrap();
    assert_eq!(taken, ["vinyl.example.com", "*.home.example"]);
    for wrong in ["vinyl.example.com:80", "*", "a..b", "http://a", "a b", "*.*.a", ","] {
        assert!(hosts(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn lists_of_ranges_are_taken_whole_or_not_at_all() {
    let config = load(&["--trusted-proxies", "127.0.0.1, 10.0.0.0/8"], &[]).unwrap();
    let trusts = |address: &str| {
        let address = address.parse().unwrap();
        config.trusted_proxies.iter().any(|range| range.contains(address))
    };
    assert!(trusts("127.0.0.1") && trusts("10.255.0.1"));
    assert!(!trusts("127.0.0.2") && !trusts("11.0.0.0"));
    assert!(load(&["--trusted-proxies", "127.0.0.1,proxy"], &[]).is_err());
}

#[test]
fn the_hosts_and_the_own_network_of_origins_become_one_guard() {
    let flags = ["--source-hosts", "*.example.com", "--private-sources", "192.168.1.5:4533"];
    let guard = load(&flags, &[]).unwrap().guard;
    let permits = |url: &str| guard.permits(&vinylvault::source::Source::parse(url).unwrap()).is_ok();
    assert!(permits("http://covers.example.com/a.jpg"));
    assert!(permits("http://192.168.1.5:4533/a.jpg"));
    assert!(!permits("http://covers.example.org/a.jpg"));
    assert!(!permits("http://192.168.1.6:4533/a.jpg"));
}

#[test]
fn an_unknown_flag_is_refused_with_the_one_that_was_meant() {
    let sentence = complaint(&["--cache-size", "1"], &[]);
    assert_eq!(sentence, r#"there is no flag "--cache-size"; did you mean --cache-size-gb?"#);
    assert!(complaint(&["--frobnicate"], &[]).contains("see vinylvault help"));
    assert!(complaint(&["-x"], &[]).contains("-x"));
    assert!(complaint(&["stray"], &[]).contains("stray"));
    assert!(complaint(&["--threads"], &[]).starts_with("--threads needs a value; allowed is"));
}

#[test]
fn an_unknown_variable_of_ours_is_doubted_and_a_foreign_one_is_not() {
    let names = ["VINYL_VAULT_CACHE_SIZE", "VINYL_VAULT_THREADS", "PATH", "VINYL_VAULT_XYZZY_PLUGH"];
    let doubts = load(&[], &[]).unwrap().doubts(names.map(OsString::from));
    assert_eq!(doubts.len(), 2, "{doubts:?}");
    assert!(doubts[0].contains("did you mean VINYL_VAULT_CACHE_SIZE_GB?"), "{}", doubts[0]);
    assert!(doubts[1].contains("VINYL_VAULT_XYZZY_PLUGH is no setting"), "{}", doubts[1]);
}

#[test]
fn a_short_admin_token_is_doubted_and_a_long_one_is_not() {
    let doubts = |token: &str| load(&["--admin-token", token], &[]).unwrap().doubts([]);
    assert_eq!(doubts("fifteen-letters").len(), 1);
    assert_eq!(doubts("sixteen-letters!").len(), 0);
}

#[test]
fn the_admin_token_is_compared_and_never_shown() {
    let word = "correct-horse-battery";
    let config = load(&[], &[("VINYL_VAULT_ADMIN_TOKEN", word)]).unwrap();
    assert!(!format!("{config:?}").contains(word));
    let token = config.admin_token.unwrap();
    assert!(token.matches(word));
    for wrong in ["", "correct-horse-batter", "correct-horse-batterz", "correct-horse-battery1"] {
        assert!(!token.matches(wrong), "{wrong}");
    }
    let sentence = complaint(&["--admin-token", "two words"], &[]);
    assert!(!sentence.contains("two words"), "{sentence}");
}

#[test]
fn every_default_that_is_a_value_is_an_allowed_one() {
    for setting in SETTINGS {
        if let Preset::Value(value) = setting.default {
            assert!(load(&[&format!("--{}={value}", setting.flag)], &[]).is_ok(), "{}", setting.flag);
        }
    }
}

#[test]
fn a_wrong_setting_ends_the_program_with_code_2_and_one_line() {
    for (args, variables) in [
        (vec!["--threads=0"], vec![]),
        (vec!["serve", "--threads", "0"], vec![]),
        (vec!["demo"], vec![("VINYL_VAULT_THREADS", "0")]),
        (vec!["import", "albums.csv"], vec![("VINYL_VAULT_THREADS", "0")]),
        (vec!["--no-such-flag"], vec![]),
        (vec!["serve", "--threads"], vec![]),
    ] {
        let output = run(&args, &variables);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert_eq!(text(&output.stdout), "");
        let line = text(&output.stderr);
        assert!(line.starts_with("vinylvault: ") && line.matches('\n').count() == 1, "{line}");
        if !args.contains(&"--no-such-flag") {
            assert!(line.contains("whole number from 1 to 32"), "{line}");
        }
    }
}

#[test]
fn a_control_character_in_a_wrong_value_does_not_reach_the_terminal() {
    let output = run(&["--threads=\u{1b}[2J\nroot: all is well"], &[]);
    let line = text(&output.stderr);
    assert!(line.matches('\n').count() == 1 && !line.contains('\u{1b}'), "{line:?}");
}
