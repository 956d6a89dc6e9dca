//! What `vinylvault help` prints, made of the tables of commands and settings. The README carries
//! the same text; a command's own help is a part of it.

use super::{COMMANDS, Command, Failure, Flag, Operand, Reads, parse, print};
use crate::config::{SETTINGS, Setting};
use std::fmt::Write;

/// A terminal's width, and what a README's code block shows on a phone held sideways.
const COLUMNS: usize = 80;

/// What `--version` runs; not in the list, for it is a flag.
pub(super) const VERSION: Command = Command {
    name: "--version",
    operand: Operand::None,
    flags: &[],
    summary: "",
    details: "",
    settings: Reads::None,
    run: |_| print(concat!("vinylvault ", env!("CARGO_PKG_VERSION"), "\n")),
};

/// `help` and `help COMMAND`.
pub(super) fn run(call: &parse::Call) -> Result<(), Failure> {
    match call.operand() {
        None => print(&whole()),
        Some(word) => print(&of_command(parse::command(word)?)),
    }
}

fn whole() -> String {
    let mut text = String::from(concat!(env!("CARGO_PKG_DESCRIPTION"), "\n\n"));
    text += "Usage: vinylvault [COMMAND] [FLAGS]\n\nCommands:\n";
    for command in COMMANDS {
        push_row(&mut text, &format!("{}{}", command.name, operand(command)), command.summary);
    }
    text += "\nFlags of every command:\n";
    push_row(&mut text, "-h, --help", "what the command does and takes");
    push_row(&mut text, "-V, --version", "the version of the program");
    for command in COMMANDS.iter().filter(|command| !matches!(command.settings, Reads::None)) {
        text.push('\n');
        push_command(&mut text, command);
    }
    text += "\nSettings. Each is a flag and a variable; a flag wins:\n";
    for setting in SETTINGS {
        push_setting(&mut text, setting);
    }
    text + "\nExit codes: 0 done, 1 failed, 2 wrong usage or wrong setting.\n"
}

fn of_command(command: &Command) -> String {
    let mut text = String::new();
    push_command(&mut text, command);
    let listed = |setting: &&Setting| match command.settings {
        Reads::None => false,
        Reads::All => true,
        Reads::These(names) => names.contains(&setting.flag),
    };
    let settings: Vec<&Setting> = SETTINGS.iter().filter(listed).collect();
    if !settings.is_empty() {
        text += "\nSettings. Each is a flag and a variable; a flag wins:\n";
    }
    for setting in settings {
        push_setting(&mut text, setting);
    }
    text
}

/// The usage line, the paragraph and the flags of one command.
fn push_command(text: &mut String, command: &Command) {
    let call = format!("vinylvault {}{}", command.name, operand(command));
    let flags = command.flags.iter().map(|flag| format!(" [{}]", spelled(flag.name, flag.placeholder)));
    let flags: String = flags.collect();
    let fits = call.len() + flags.len() <= COLUMNS;
    let _ = writeln!(text, "{call}{}", if fits { &flags } else { " [FLAGS]" });
    push_wrapped(text, command.details, 2);
    for Flag { name, placeholder, meaning } in command.flags {
        let _ = writeln!(text, "  {:<26} {meaning}", spelled(name, placeholder));
    }
}

fn push_setting(text: &mut String, setting: &Setting) {
    let flag = spelled(setting.flag, setting.placeholder);
    let _ = writeln!(text, "  {flag:<35} {}", setting.variable());
    push_wrapped(text, &sentence(setting.meaning), 6);
    push_wrapped(text, &format!("Default: {}. Allowed: {}.", setting.default_text(), setting.allowed), 6);
}

/// A term and its meaning in two columns.
fn push_row(text: &mut String, term: &str, meaning: &str) {
    let _ = writeln!(text, "  {term:<17} {meaning}");
}

fn push_wrapped(text: &mut String, paragraph: &str, indent: usize) {
    let mut line = String::new();
    for word in paragraph.split_whitespace() {
        if !line.is_empty() && indent + line.chars().count() + 1 + word.chars().count() > COLUMNS {
            let _ = writeln!(text, "{:indent$}{line}", "");
            line.clear();
        }
        let space = if line.is_empty() { "" } else { " " };
        let _ = write!(line, "{space}{word}");
    }
    let _ = writeln!(text, "{:indent$}{line}", "");
}

/// A meaning stands in tables without capital and period.
fn sentence(meaning: &str) -> String {
    let mut letters = meaning.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

fn operand(command: &Command) -> String {
    match command.operand {
        Operand::None => String::new(),
        Operand::Optional(name) => format!(" [{name}]"),
        Operand::One(name) => format!(" {name}"),
        Operand::Many(name) => format!(" [{name}...]"),
    }
}

fn spelled(name: &str, placeholder: &str) -> String {
    match placeholder {
        "" => format!("--{name}"),
        _ => format!("--{name} {placeholder}"),
    }
}
