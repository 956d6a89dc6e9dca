//! Two invariants of `src/lib.rs` as far as a reader of the text can hold them: that nothing happens under
//! a lock, and that a limit has its reason beside it and no channel is without end.

use super::{File, assert_none, files_of};

/// What takes time, waits for others or takes another lock; a connection's own statements are no such thing.
const NOT_UNDER_A_LOCK: &[&str] = &[
    "log::",
    "error!(",
    "warn!(",
    "info!(",
    "debug!(",
    "fs::",
    "File::",
    "thread::sleep",
    ".send(",
    ".recv(",
    ".write_all(",
    ".sync_all(",
    ".sync_data(",
    ".lock()",
    ".join()",
];

/// Lines that a guard bound by `let` outlives: to the end of its block, or to its `drop`. rustfmt indents what
/// is within; a guard without a name ends with its statement, which is one line to the reader.
fn under_locks(file: &File) -> (usize, Vec<String>) {
    let code: Vec<(usize, &str)> = file.code().collect();
    let (mut guards, mut found) = (0, Vec::new());
    for (at, (_, line)) in code.iter().enumerate() {
        let Some((name, after)) = guard(&code[at..]) else { continue };
        guards += 1;
        let indent = |line: &str| line.len() - line.trim_start().len();
        let ends = |other: &str| {
            (!other.trim().is_empty() && indent(other) < indent(line))
                || other.contains(&format!("drop({name})"))
        };
        let held = code[at + after..].iter().take_while(|(_, other)| !ends(other));
        let wrong = held.filter(|(_, other)| NOT_UNDER_A_LOCK.iter().any(|word| other.contains(word)));
        found.extend(wrong.map(|(number, other)| format!("{}:{number}: {}", file.path, other.trim())));
    }
    (guards, found)
}

/// The name of a guard whose `let` is the first of these lines, and how many lines that takes.
fn guard<'a>(lines: &[(usize, &'a str)]) -> Option<(&'a str, usize)> {
    let rest = lines[0].1.trim_start().strip_prefix("let ")?;
    let (name, value) = rest.strip_prefix("mut ").unwrap_or(rest).split_once(" =")?;
    let length = lines.iter().take(4).position(|(_, line)| line.ends_with(';'))? + 1;
    let statement: String = lines[..length].iter().map(|(_, line)| line.trim()).collect();
    let ends_locked = [".lock();", ".lock().unwrap_or_else(PoisonError::into_inner);"];
    // A copy out of the lock lets go of it at once; a stream is locked in order to write to it.
    let is_guard = ends_locked.iter().any(|end| statement.ends_with(end))
        && !value.starts_with(" *")
        && !statement.contains("std");
    is_guard.then_some((name, length))
}

#[test]
fn nothing_is_logged_sent_or_read_under_a_lock() {
    let (mut guards, mut found) = (0, Vec::new());
    for file in files_of(&["src"]) {
        let (held, wrong) = under_locks(&file);
        guards += held;
        found.extend(wrong);
    }
    assert!(guards > 30, "the scanner has gone blind: {guards} locks");
    assert_none("under a lock", &found);
}

#[test]
fn a_limit_has_its_reason_beside_it_and_no_channel_is_without_end() {
    // Of one message.
    let may_be_endless = |file: &File| file.path == "src/serve/watchdog.rs";
    let mut found = Vec::new();
    for file in files_of(&["src"]) {
        let lines: Vec<&str> = file.text.lines().collect();
        for (number, line) in file.code() {
            if is_limit(line) && !has_reason(&lines[..number]) {
                found.push(format!("{}:{number}: {line}", file.path));
            }
            let endless = ["mpsc::channel()", "= channel()", "channel::unbounded()"];
            if endless.iter().any(|word| line.contains(word)) && !may_be_endless(&file) {
                found.push(format!("{}:{number}: {line}", file.path));
            }
        }
    }
    assert_none("limits without a reason, channels without end", &found);
}

/// `pub const QUEUE_MAX: usize = 256;`
fn is_limit(line: &str) -> bool {
    let declared = line
        .split_once("const ")
        .filter(|(before, _)| before.trim_start().is_empty() || before.contains("pub"));
    declared.and_then(|(_, rest)| rest.split_once(':')).is_some_and(|(name, _)| name.contains("_MAX"))
}

/// Whether a comment stands in the last of these lines, or right above the constants that it ends.
fn has_reason(lines: &[&str]) -> bool {
    let (last, before) = lines.split_last().expect("a line has itself");
    let above = before.iter().rev().find(|line| !(line.contains("const ") || line.trim().starts_with("#[")));
    last.contains("//") || above.is_some_and(|line| line.trim_start().starts_with("//"))
}

/// Files with calls that Rust cannot check; the rest of the crate denies them.
const UNSAFE: [&str; 2] = ["src/heap.rs", "src/picture/libwebp.rs"];

#[test]
fn calls_that_rust_cannot_check_stand_in_two_files_and_each_has_its_proof() {
    let files = files_of(&["src"]);
    let allows = |file: &&File| file.code().any(|(_, line)| line.contains("allow(unsafe_code"));
    let mut found: Vec<&str> = files.iter().filter(allows).map(|file| file.path.as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, UNSAFE);
    for file in files.iter().filter(allows) {
        let lines: Vec<&str> = file.text.lines().collect();
        let unproved = lines.iter().enumerate().filter(|(at, line)| {
            let above = &lines[at.saturating_sub(4)..*at];
            line.contains("unsafe {") && !above.iter().any(|line| line.contains("// SAFETY: "))
        });
        assert_eq!(unproved.count(), 0, "{}", file.path);
    }
}

#[test]
fn the_scanners_of_invariants_see_what_they_are_for() {
    let file = |body: &str| File { path: "src/a.rs".to_owned(), text: format!("fn f() {{\n{body}}}\n") };
    let locked = "    let mut state = self.lock();\n";
    let long = "    let held =\n        self.held.lock().unwrap_or_else(PoisonError::into_inner);\n";
    for (body, guards, wrong) in [
        (format!("{locked}    state.count += 1;\n"), 1, 0),
        (format!("{locked}    if x {{\n        warn!(\"x\");\n    }}\n"), 1, 1),
        (format!("{locked}    drop(state);\n    warn!(\"x\");\n"), 1, 0),
        (format!("    {{\n    {locked}    }}\n    warn!(\"x\");\n"), 1, 0),
        (format!("{long}    let other = self.other.lock();\n"), 2, 1),
        ("    let copy = *self.held.lock().unwrap_or_else(PoisonError::into_inner);\n".to_owned(), 0, 0),
    ] {
        let (seen, found) = under_locks(&file(&body));
        assert_eq!((seen, found.len()), (guards, wrong), "{body}: {found:?}");
    }
    assert!(is_limit("    pub(super) const A_MAX: usize = 1;") && !is_limit("    a.const_MAX: usize"));
    assert!(
        has_reason(&["/// Why.", "const A_MAX: u64 = 1;"]) && has_reason(&["const A_MAX: u64 = 1; // why"])
    );
    assert!(!has_reason(&["", "const A_MAX: u64 = 1;"]) && !has_reason(&["const A_MAX: u64 = 1;"]));
}
