//! The code's and the papers' own invariants: which way imports point, how long things are, what
//! never stands in a file, and that README and unit file say what the program does.

#[path = "tidy/invariants.rs"]
mod invariants;
#[path = "tidy/traces.rs"]
mod traces;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use vinylvault::config::SETTINGS;

/// Each room and what it may use, downwards only. A room is a file or folder directly under `src/`.
const ALLOWED: &[(&str, &[&str])] = &[
    ("main", &[]),
    ("lib", &[]),
    (
        "cli",
        &["report", "serve", "demo", "backup", "collection", "cache", "owner", "config", "key", "figures"],
    ),
    ("report", &["key", "figures"]),
    ("demo", &["serve", "web", "door", "collection", "cache", "picture", "config", "guard", "source", "key"]),
    ("serve", &["web", "door", "collection", "cache", "picture", "config", "guard", "source", "key"]),
    ("web", &["door", "collection", "cache", "picture", "guard", "source", "key", "config", "figures"]),
    ("backup", &["collection", "cache", "database", "owner", "key"]),
    ("collection", &["source", "key", "sqlite", "database"]),
    ("cache", &["heap", "picture", "guard", "source", "key", "sqlite", "database"]),
    ("database", &[]),
    ("owner", &[]),
    ("door", &["key"]),
    ("picture", &["key"]),
    ("config", &["guard"]),
    ("guard", &["source"]),
    ("source", &["key"]),
    ("sqlite", &[]),
    ("key", &[]),
    ("figures", &[]),
    ("heap", &[]),
];

/// Libraries that one room each knows, so that the rest of the program can be read without them.
const CONFINED: &[(&str, &[&str])] = &[
    ("tiny_http", &["src/door"]),
    ("ureq", &["src/cache/origin", "src/cli/server.rs"]),
    ("rusqlite", &["src/cache/index", "src/collection", "src/sqlite.rs", "src/database.rs"]),
    ("minijinja", &["src/web/pages", "src/report"]),
    ("csv", &["src/collection"]),
    ("webp", &["src/picture"]),
    ("libwebp_sys", &["src/picture/libwebp.rs"]),
    ("moxcms", &["src/picture"]),
    ("zune_jpeg", &["src/picture"]),
    ("fast_image_resize", &["src/picture"]),
    ("tar", &["src/backup"]),
    ("ring", &["src/backup"]),
    ("indicatif", &["src/cli/preload", "src/cli/meter.rs"]),
    ("lexopt", &["src/cli", "src/config"]),
    ("env_logger", &["src/cli"]),
];

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 60;

struct File {
    /// From the repository's top: `src/cache/mod.rs`.
    path: String,
    text: String,
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_of(folders: &[&str]) -> Vec<File> {
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| top().join(folder)).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(top()).unwrap().to_str().unwrap().to_owned();
                files.push(File { path: name, text: fs::read_to_string(path).unwrap() });
            }
        }
    }
    assert!(files.len() > 2, "found only {} files", files.len());
    files
}

impl File {
    /// `cache` for `src/cache/mod.rs` and `src/cache.rs`.
    fn room(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap();
        below.split(['/', '.']).next().unwrap()
    }

    /// Numbered lines that are compiled into the program: no comments, no unit tests.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut is_test = false;
        self.text.lines().enumerate().filter_map(move |(i, line)| {
            is_test = (is_test || line == "#[cfg(test)]") && !(is_test && line == "}");
            let is_code = !is_test && !line.trim_start().starts_with("//");
            is_code.then_some((i + 1, line))
        })
    }

    /// Name, first line and number of lines of each function; rustfmt puts the closing brace under the `fn`.
    fn functions(&self) -> Vec<(&str, usize, usize)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let mut functions = Vec::new();
        for (start, line) in lines.iter().enumerate() {
            let Some(name) = function_name(line) else { continue };
            if line.ends_with(';') || line.ends_with('}') {
                continue;
            }
            let closing = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
            let length = lines[start..].iter().position(|line| *line == closing);
            functions.push((name, start + 1, length.map_or(1, |length| length + 1)));
        }
        functions
    }
}

fn function_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let is_prefix = |word: &str| word.starts_with("pub") || word == "const";
    let first = words.find(|word| !is_prefix(word))?;
    (first == "fn").then(|| words.next())?.and_then(|name| name.split(['(', '<']).next())
}

/// Rooms named after `crate::`, also in a group `crate::{a::B, c}`.
fn rooms_used(line: &str) -> Vec<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut used = Vec::new();
    for (at, word) in line.match_indices("crate::") {
        let rest = &line[at + word.len()..];
        match rest.strip_prefix('{') {
            None => used.push(rest.split(|c| !is_name(c)).next().unwrap()),
            Some(group) => {
                let names = group.trim_end_matches(['}', ';']).split(", ");
                used.extend(names.map(|name| name.split(|c| !is_name(c)).next().unwrap()));
            }
        }
    }
    used
}

#[track_caller]
fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn imports_point_downwards() {
    let mut wrong = Vec::new();
    for file in files_of(&["src"]) {
        let room = file.room();
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("{}: {room} is no room of the table in tests/tidy.rs", file.path));
            continue;
        };
        for (number, line) in file.code() {
            for used in rooms_used(line).into_iter().filter(|used| *used != room && !allowed.contains(used)) {
                wrong.push(format!("{}:{number}: {room} may not use {used}", file.path));
            }
        }
    }
    assert_none("imports against the arrows", &wrong);
}

#[test]
fn a_library_stays_in_its_room() {
    let mut wrong = Vec::new();
    for file in files_of(&["src"]) {
        for (library, rooms) in CONFINED {
            let (path, import) = (format!("{library}::"), format!("use {library};"));
            let names = |line: &str| {
                line.contains(&import)
                    || line.match_indices(&path).any(|(at, _)| {
                        !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
                    })
            };
            if rooms.iter().any(|room| file.path.starts_with(room)) {
                continue;
            }
            wrong.extend(
                file.code()
                    .filter(|(_, line)| names(line))
                    .map(|(n, _)| format!("{}:{n}: {library}", file.path)),
            );
        }
    }
    assert_none("libraries outside of the room that owns them", &wrong);
}

#[test]
fn the_environment_is_read_in_one_place() {
    let reads = |line: &str| line.contains("env::var");
    // A restart in place tells the next process about itself, and a service manager tells its
    // services where it listens: neither is a setting.
    let may = |file: &File| {
        file.room() == "cli" || ["src/door/restart.rs", "src/serve/notify.rs"].contains(&file.path.as_str())
    };
    let outside = files_of(&["src"]).into_iter().filter(|file| !may(file));
    let found = outside.flat_map(|file| {
        file.code()
            .filter(|(_, line)| reads(line))
            .map(|(n, _)| format!("{}:{n}", file.path))
            .collect::<Vec<_>>()
    });
    assert_none("environment read outside of src/cli", &found.collect::<Vec<_>>());
}

#[test]
fn files_and_functions_are_short() {
    let mut long = Vec::new();
    for file in files_of(&["src", "tests"]) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            long.push(format!("{}: {lines} lines of at most {FILE_LINES_MAX}", file.path));
        }
        for (name, line, length) in file.functions() {
            if length > FUNCTION_LINES_MAX {
                long.push(format!(
                    "{}:{line}: {name}: {length} lines of at most {FUNCTION_LINES_MAX}",
                    file.path
                ));
            }
        }
    }
    assert_none("too long", &long);
}

#[test]
fn every_file_opens_with_what_it_owns() {
    let files = files_of(&["src", "tests"]).into_iter();
    let bare = files.filter(|file| !file.text.starts_with("//! ")).map(|file| file.path);
    assert_none("no //! at the top", &bare.collect::<Vec<_>>());
}

#[test]
fn nothing_is_unfinished_and_nothing_unwraps() {
    // Put together here, so that this file does not find itself.
    let never = ["TO", "FIX", "XX"].into_iter().zip(["DO", "ME", "X"]).map(|(a, b)| format!("{a}{b}"));
    let macros =
        ["to", "unimplemen", "db"].into_iter().zip(["do!", "ted!", "g!"]).map(|(a, b)| format!("{a}{b}"));
    let never: Vec<String> = never.chain(macros).chain([format!("#[{}", "ignore")]).collect();
    let mut found = Vec::new();
    for file in files_of(&["src", "tests"]) {
        for (number, line) in file.text.lines().enumerate() {
            for word in never.iter().filter(|word| line.contains(*word)) {
                found.push(format!("{}:{}: {word}", file.path, number + 1));
            }
        }
        if file.path.starts_with("src") {
            let unwraps = file.code().filter(|(_, line)| line.contains(".unwrap()"));
            found.extend(unwraps.map(|(n, _)| format!("{}:{n}: unwrap", file.path)));
        }
    }
    assert_none("unfinished or unguarded", &found);
}

#[test]
fn no_file_is_a_drawer_for_everything() {
    let drawers = ["utils", "util", "helpers", "helper", "common", "misc", "types"];
    let is_drawer = |file: &File| file.path.split(['/', '.']).any(|part| drawers.contains(&part));
    let found = files_of(&["src", "tests"]).into_iter().filter(is_drawer).map(|file| file.path);
    assert_none("names that own no idea", &found.collect::<Vec<_>>());
}

#[test]
fn the_readme_carries_the_help_text() {
    let readme = fs::read_to_string(top().join("README.md")).unwrap();
    let help = output(&["help"]);
    assert!(
        readme.contains(&format!("```text\n{help}```\n")),
        "README.md needs this block:\n```text\n{help}```"
    );
    for command in ["serve", "demo", "import", "status", "restore"] {
        let own = output(&[command, "--help"]);
        assert_eq!(own, output(&["help", command]));
        assert!(own.starts_with(&format!("vinylvault {command}")), "{own}");
        for line in own.lines() {
            assert!(
                help.lines().any(|other| other == line),
                "{command} --help says, and help does not: {line}"
            );
        }
    }
}

fn output(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_vinylvault")).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_readme_lists_every_setting_and_no_other() {
    let readme = fs::read_to_string(top().join("README.md")).unwrap();
    let mut table = String::new();
    for setting in SETTINGS {
        let (variable, default) = (setting.variable(), setting.default_text());
        let _ = writeln!(table, "| `{variable}` | {default} | {} | {} |", setting.meaning, setting.allowed);
    }
    assert!(readme.contains(&table), "README.md needs these rows, one after the other:\n{table}");
    let rows = readme.lines().filter(|line| line.starts_with("| `VINYL_VAULT_")).count();
    assert_eq!(rows, SETTINGS.len(), "README.md lists a setting that does not exist");
}

#[test]
fn the_readme_has_exactly_two_set_up_commands() {
    let readme = fs::read_to_string(top().join("README.md")).unwrap();
    let section = readme.split("\n## ").find(|section| section.starts_with("Set up\n")).unwrap();
    let block = section.split("```").nth(1).unwrap();
    let commands: Vec<&str> = block.lines().skip(1).filter(|line| !line.trim().is_empty()).collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
}

#[test]
fn pictures_that_the_readme_shows_are_there_and_small() {
    let readme = fs::read_to_string(top().join("README.md")).unwrap();
    for picture in readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        if picture.starts_with("tests/screenshots/") {
            let size = fs::metadata(top().join(picture)).map(|file| file.len());
            assert!(size.as_ref().is_ok_and(|size| *size < 300_000), "{picture}: {size:?}");
        }
    }
}

#[test]
fn the_unit_is_closed_and_understood_by_systemd() {
    let analyze = |args: &[&str]| {
        Command::new("systemd-analyze").args(args).arg("vinylvault.service").current_dir(top()).output()
    };
    let Ok(security) = analyze(&["security", "--offline=true", "--threshold=15"]) else {
        eprintln!("not checked: there is no systemd-analyze on this machine");
        return;
    };
    assert!(security.status.success(), "exposure above 1.5:\n{}", String::from_utf8_lossy(&security.stdout));
    // The program it names is not installed here, so only what it says about keys counts.
    let verify = analyze(&["verify"]).unwrap();
    let said = String::from_utf8_lossy(&verify.stderr);
    let wrong = said.lines().filter(|line| line.contains("nknown") || line.contains("Failed to parse"));
    assert_none("unit keys", &wrong.map(str::to_owned).collect::<Vec<_>>());
}

#[test]
fn the_scanners_see_what_they_are_for() {
    assert_eq!(rooms_used("use crate::{web::Pages, key};"), ["web", "key"]);
    assert_eq!(rooms_used("  pub(crate::x) crate::cache::d::D::open(crate::key::K)"), ["x", "cache", "key"]);
    for line in ["fn name() {", "    pub(super) const fn name<T>(", "pub fn name(", "async fn name()"] {
        assert_eq!(function_name(line).is_some(), !line.starts_with("async"), "{line}");
    }
    let text = "fn long() {\n    body\n}\n\nimpl A {\n    fn b() {\n        if x {\n        }\n    }\n}\n// no\n#[cfg(test)]\nmod tests {\n    x\n}\nlast\n";
    let file = File { path: "src/cache/disk.rs".to_owned(), text: text.to_owned() };
    assert_eq!(file.room(), "cache");
    assert_eq!(file.functions(), [("long", 1, 3), ("b", 6, 4)]);
    let code: Vec<usize> = file.code().map(|(number, _)| number).collect();
    assert_eq!(code, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16]);
}
