//! From what was typed to a [`Call`]: the command, its operand, its flags, and the settings' flags
//! untouched for [`crate::config`]. Flags may stand before and after the command.

use super::{COMMANDS, Command, Failure, Flag, Operand, help};
use crate::config::{Kind, SETTINGS, Setting, nearest};
use lexopt::{Arg, Parser};
use std::cell::OnceCell;
use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// What was typed, complete and allowed by the command's grammar.
pub(super) struct Call {
    pub command: &'static Command,
    pub operands: Vec<OsString>,
    /// As `Config::load` takes them.
    pub settings: Vec<OsString>,
    flags: Vec<(&'static Flag, Option<OsString>)>,
    /// Once the settings are read.
    pub data_dir: OnceCell<PathBuf>,
}

impl Call {
    pub fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|(given, _)| given.name == flag)
    }

    /// The operand of a command that takes one.
    pub fn operand(&self) -> Option<&OsStr> {
        self.operands.first().map(OsString::as_os_str)
    }

    /// The value of a flag; of one that was given twice, the last.
    pub fn value(&self, flag: &str) -> Option<&OsStr> {
        let given = self.flags.iter().rev().find(|(given, _)| given.name == flag);
        given.and_then(|(_, value)| value.as_deref())
    }

    /// The value of a flag that takes a whole number of `allowed`; `preset` without the flag.
    pub fn number(&self, flag: &str, preset: u64, allowed: RangeInclusive<u64>) -> Result<u64, Failure> {
        let Some(value) = self.value(flag) else { return Ok(preset) };
        let number = value.to_str().and_then(|text| text.parse().ok());
        number.filter(|number| allowed.contains(number)).ok_or_else(|| {
            let (least, most) = allowed.into_inner();
            let value = value.to_string_lossy();
            Failure::Usage(format!("--{flag} is {value:?}; allowed is a whole number from {least} to {most}"))
        })
    }
}

pub(super) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Call, Failure> {
    let mut parser = Parser::from_iter(args);
    let mut typed = Typed::default();
    while let Some(arg) = parser.next().map_err(|e| Failure::Usage(e.to_string()))? {
        match arg {
            Arg::Long("help") | Arg::Short('h') => typed.wants_help = true,
            Arg::Long("version") | Arg::Short('V') => typed.wants_version = true,
            Arg::Long(name) => {
                let name = name.to_owned();
                typed.take_flag(&name, &mut parser)?;
            }
            Arg::Short(letter) => return Err(unknown_flag(&format!("-{letter}"))),
            Arg::Value(word) => typed.words.push(word),
        }
    }
    typed.into_call()
}

/// What was typed, in the order of its kinds.
#[derive(Default)]
struct Typed {
    words: Vec<OsString>,
    settings: Vec<OsString>,
    flags: Vec<(&'static Flag, Option<OsString>)>,
    wants_help: bool,
    wants_version: bool,
}

impl Typed {
    fn take_flag(&mut self, name: &str, parser: &mut Parser) -> Result<(), Failure> {
        if let Some(setting) = Setting::of_flag(name) {
            let value = match setting.kind {
                Kind::Switch => parser.optional_value(),
                // A missing value is complained about by the settings, which know what is allowed.
                Kind::Value | Kind::Secret => parser.value().ok(),
            };
            self.settings.push(spelled(name, value));
            return Ok(());
        }
        let known = COMMANDS.iter().flat_map(|command| command.flags).find(|flag| flag.name == name);
        let flag = known.ok_or_else(|| unknown_flag(&format!("--{name}")))?;
        let value = match flag.placeholder {
            "" => None,
            wanted => Some(parser.value().map_err(|_| Failure::Usage(format!("--{name} needs {wanted}")))?),
        };
        self.flags.push((flag, value));
        Ok(())
    }

    fn into_call(self) -> Result<Call, Failure> {
        let mut words = self.words.into_iter();
        let command = match words.next() {
            Some(word) => command(&word)?,
            None if self.wants_help => command(OsStr::new("help"))?,
            None => &COMMANDS[0],
        };
        if self.wants_version {
            return Ok(Call { command: &help::VERSION, ..Call::of(command) });
        }
        if self.wants_help {
            let about = (command.name != "help").then(|| command.name.into());
            let operands = about.into_iter().collect();
            return Ok(Call { operands, ..Call::of(self::command(OsStr::new("help"))?) });
        }
        if let Some((flag, _)) = self.flags.iter().find(|(flag, _)| !command.takes(flag)) {
            let sentence = format!("--{} is no flag of vinylvault {}", flag.name, command.name);
            return Err(Failure::Usage(sentence));
        }
        let most = match command.operand {
            Operand::None => 0,
            Operand::One(_) | Operand::Optional(_) => 1,
            Operand::Many(_) => usize::MAX,
        };
        let operands: Vec<OsString> = words.by_ref().take(most).collect();
        if let (Operand::One(name), []) = (command.operand, &operands[..]) {
            return Err(Failure::Usage(format!(
                "vinylvault {} needs a {name}; see vinylvault help {0}",
                command.name
            )));
        }
        if let Some(extra) = words.next() {
            return Err(Failure::Usage(format!(
                "{:?} is too much for vinylvault {}; see vinylvault help {1}",
                extra.to_string_lossy(),
                command.name
            )));
        }
        Ok(Call { operands, settings: self.settings, flags: self.flags, ..Call::of(command) })
    }
}

impl Call {
    fn of(command: &'static Command) -> Call {
        let data_dir = OnceCell::new();
        Call { command, operands: Vec::new(), settings: Vec::new(), flags: Vec::new(), data_dir }
    }

    /// This call as one of another command: with the flags that this one takes, some of them under
    /// another name (`(here, there)`).
    pub fn instead(&self, name: &str, renamed: &[(&str, &str)]) -> Call {
        let command = COMMANDS.iter().find(|command| command.name == name);
        let command = command.expect("callers name commands of the table");
        let there = |flag: &Flag| {
            let name =
                renamed.iter().find(|(here, _)| *here == flag.name).map_or(flag.name, |(_, there)| there);
            command.flags.iter().find(|own| own.name == name)
        };
        let flags = self.flags.iter().filter_map(|(flag, value)| Some((there(flag)?, value.clone())));
        Call { flags: flags.collect(), settings: self.settings.clone(), ..Call::of(command) }
    }
}

impl Command {
    fn takes(&self, flag: &Flag) -> bool {
        self.flags.iter().any(|own| own.name == flag.name)
    }
}

/// The command of that name.
pub(super) fn command(word: &OsStr) -> Result<&'static Command, Failure> {
    if let Some(command) = COMMANDS.iter().find(|command| word == command.name) {
        return Ok(command);
    }
    let word = word.to_string_lossy();
    let hint = match nearest(&word, COMMANDS.iter().map(|command| command.name.to_owned())) {
        Some(name) => format!("did you mean {name}?"),
        None => "see vinylvault help".to_owned(),
    };
    Err(Failure::Usage(format!("there is no command {word:?}; {hint}")))
}

fn unknown_flag(flag: &str) -> Failure {
    let settings = SETTINGS.iter().map(|setting| setting.flag);
    let own = COMMANDS.iter().flat_map(|command| command.flags).map(|flag| flag.name);
    let known = settings.chain(own).chain(["help", "version"]).map(|name| format!("--{name}"));
    let hint = match nearest(flag, known) {
        Some(name) => format!("did you mean {name}?"),
        None => "see vinylvault help".to_owned(),
    };
    Failure::Usage(format!("there is no flag {flag:?}; {hint}"))
}

/// `--name` or `--name=value`, as a shell would hand it over.
fn spelled(name: &str, value: Option<OsString>) -> OsString {
    let mut spelled = OsString::from(format!("--{name}"));
    if let Some(value) = value {
        spelled.push("=");
        spelled.push(value);
    }
    spelled
}
