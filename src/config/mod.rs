//! What the program was told: every setting read once, from flags and variables, checked and made
//! into plain types. Owns what a wrong setting is called. Opens no file (but the kernel's, for how
//! much memory there is), contacts nobody, and is not kept: each part takes its own values out of
//! [`Config`] at the start.

mod check;
mod machine;
mod nearest;
mod settings;

pub use nearest::nearest;
pub use settings::{Kind, Preset, SETTINGS, Setting};

use crate::guard::{Guard, Range};
use check::Wrong;
use machine::Memory;
use settings::Draft;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Sizes are bytes; every value is within the limits that [`SETTINGS`] prints.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    /// Disk budget of renditions, bytes.
    pub cache_bytes: u64,
    /// Space left free on the file system whatever the budget says, bytes.
    pub free_bytes_min: u64,
    /// Memory for renditions, bytes; 0 keeps none there.
    pub memory_bytes: u64,
    /// Side of the box that a thumbnail fits into, pixels.
    pub thumbnail_side: u32,
    pub detail_side: u32,
    /// WebP quality, 1-100.
    pub quality: u8,
    /// libwebp method, 0-6.
    pub effort: u8,
    /// Download workers.
    pub downloads: usize,
    /// Threads of the HTTP pool.
    pub threads: usize,
    /// Limit of an original's body, bytes.
    pub image_bytes_max: u64,
    /// Limit of an original's declared size, millions of pixels.
    pub megapixels_max: u32,
    /// Limit of the memory that all renders hold together, bytes.
    pub render_bytes_max: u64,
    pub guard: Guard,
    /// Further `Host` names answered, beyond addresses, localhost, one-label names, `*.local` and
    /// the machine's name. Lower case, without port; `*.` in front is every name below.
    pub allowed_hosts: Option<Vec<String>>,
    pub admin_token: Option<Secret>,
    pub trusted_proxies: Vec<Range>,
    pub debug: bool,
    pub log_json: bool,
}

/// A word that is compared and never shown: `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why the program does not start. One line that names the setting as the person spelled it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    UnknownFlag {
        flag: String,
        nearest: Option<String>,
    },
    NoValue {
        flag: String,
        allowed: &'static str,
    },
    Stray {
        argument: String,
    },
    /// A `reason` names the wrong part of a list and what is allowed instead.
    Value {
        setting: String,
        value: String,
        allowed: &'static str,
        reason: Option<String>,
    },
}

impl Config {
    /// Flags (`--flag value`, `--flag=value`) beat variables, which beat defaults; of a flag given
    /// twice the last counts. An empty variable is an unset one, as env files write it.
    ///
    /// ```
    /// use vinylvault::config::Config;
    /// let environment = |name: &str| (name == "VINYL_VAULT_THREADS").then(|| "8".into());
    /// let config = Config::load(["--cache-size-gb=0.5", "--threads", "2"], environment)?;
    /// assert_eq!((config.cache_bytes, config.threads), (500_000_000, 2));
    /// # Ok::<(), vinylvault::config::ConfigError>(())
    /// ```
    pub fn load(
        args: impl IntoIterator<Item = impl Into<OsString>>,
        lookup: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Config, ConfigError> {
        let flags = Given::parse(args)?;
        let mut draft = Draft::new(Memory::look());
        for setting in SETTINGS {
            let variable = setting.variable();
            if let Some(value) = flags.value_of(setting) {
                setting.check(&mut draft, format!("--{}", setting.flag), value)?;
            } else if let Some(value) = lookup(&variable).filter(|value| !value.is_empty()) {
                setting.check(&mut draft, variable, &value)?;
            } else if let Preset::Value(value) = setting.default {
                setting.check(&mut draft, format!("--{}", setting.flag), OsStr::new(value))?;
            }
        }
        Ok(draft.finish())
    }

    /// What is allowed but probably not meant, one sentence each; `names` are the environment's.
    pub fn doubts(&self, names: impl IntoIterator<Item = OsString>) -> Vec<String> {
        let mut doubts: Vec<String> =
            names.into_iter().filter_map(|name| unknown_variable(&name.to_string_lossy())).collect();
        if self.admin_token.as_ref().is_some_and(Secret::is_short) {
            doubts.push(format!(
                "the admin token is shorter than {} characters and can be guessed",
                Secret::LEN_GOOD
            ));
        }
        doubts
    }
}

impl Secret {
    /// 16 random characters are beyond guessing over a network.
    const LEN_GOOD: usize = 16;

    pub fn new(word: &str) -> Secret {
        Secret(word.to_owned())
    }

    /// Takes the same time wherever the first wrong character stands.
    pub fn matches(&self, given: &str) -> bool {
        let pairs = self.0.bytes().zip(given.bytes());
        self.0.len() == given.len() && pairs.fold(0, |wrong, (a, b)| wrong | (a ^ b)) == 0
    }

    /// `Authorization` of a request to our own server; never for a log or another host.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    fn is_short(&self) -> bool {
        self.0.len() < Secret::LEN_GOOD
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::UnknownFlag { flag, nearest } => {
                write!(f, "there is no flag {flag:?}")?;
                match nearest {
                    Some(name) => write!(f, "; did you mean {name}?"),
                    None => f.write_str("; see vinylvault help"),
                }
            }
            ConfigError::NoValue { flag, allowed } => {
                write!(f, "{flag} needs a value; allowed is {allowed}")
            }
            ConfigError::Stray { argument } => {
                write!(f, "{argument:?} is no flag; see vinylvault help")
            }
            ConfigError::Value { setting, value, reason: Some(reason), .. } => {
                write!(f, "{setting} is {value}: {reason}")
            }
            ConfigError::Value { setting, value, allowed, reason: None } => {
                write!(f, "{setting} is {value}; allowed is {allowed}")
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// Flags as they were given, in order.
struct Given(Vec<(&'static Setting, OsString)>);

impl Given {
    fn parse(args: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Given, ConfigError> {
        let mut given = Vec::new();
        let mut parser = lexopt::Parser::from_args(args.into_iter().map(Into::into));
        loop {
            let name = match parser.next() {
                Ok(Some(lexopt::Arg::Long(name))) => name.to_owned(),
                Ok(Some(lexopt::Arg::Short(letter))) => return Err(unknown_flag(&format!("-{letter}"))),
                Ok(Some(lexopt::Arg::Value(value))) => return Err(stray(&value)),
                Ok(None) => return Ok(Given(given)),
                Err(cause) => return Err(ConfigError::Stray { argument: cause.to_string() }),
            };
            let setting = Setting::of_flag(&name).ok_or_else(|| unknown_flag(&format!("--{name}")))?;
            let value = match setting.kind {
                Kind::Switch => parser.optional_value().unwrap_or_else(|| "1".into()),
                Kind::Value | Kind::Secret => parser.value().map_err(|_| ConfigError::NoValue {
                    flag: format!("--{name}"),
                    allowed: setting.allowed,
                })?,
            };
            given.push((setting, value));
        }
    }

    fn value_of(&self, setting: &Setting) -> Option<&OsStr> {
        let given = self.0.iter().rev().find(|(other, _)| other.flag == setting.flag);
        given.map(|(_, value)| value.as_os_str())
    }
}

impl Setting {
    /// Checks a value and takes it over; `spelled` is the flag or variable to blame.
    fn check(&self, draft: &mut Draft, spelled: String, value: &OsStr) -> Result<(), ConfigError> {
        let checked = match value.to_str() {
            Some(text) => (self.apply)(draft, text.trim()),
            // Shown with replacement characters, which tells the same.
            None => Err(Wrong::Value),
        };
        checked.map_err(|wrong| ConfigError::Value {
            setting: spelled,
            value: match self.kind {
                Kind::Secret => "not usable (it is not shown here)".to_owned(),
                Kind::Value | Kind::Switch => quoted(value),
            },
            allowed: self.allowed,
            reason: match wrong {
                Wrong::Value => None,
                Wrong::Because(reason) => Some(reason),
            },
        })
    }
}

/// What is repeated of a wrong value: enough to find it, on one line.
fn quoted(value: &OsStr) -> String {
    /// More would bury the sentence.
    const SHOWN_MAX: usize = 120;
    let text = value.to_string_lossy();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn unknown_flag(flag: &str) -> ConfigError {
    let known = SETTINGS.iter().map(|setting| format!("--{}", setting.flag));
    ConfigError::UnknownFlag { flag: flag.to_owned(), nearest: nearest(flag, known) }
}

fn stray(argument: &OsStr) -> ConfigError {
    ConfigError::Stray { argument: argument.to_string_lossy().into_owned() }
}

/// A variable of ours that no setting reads does nothing, which its writer ought to know.
fn unknown_variable(name: &str) -> Option<String> {
    let is_ours = name.starts_with(settings::VARIABLE_PREFIX);
    if !is_ours || SETTINGS.iter().any(|setting| setting.variable() == name) {
        return None;
    }
    Some(match nearest(name, SETTINGS.iter().map(Setting::variable)) {
        Some(known) => format!("{name} is no setting and does nothing; did you mean {known}?"),
        None => format!("{name} is no setting and does nothing; see vinylvault help"),
    })
}
