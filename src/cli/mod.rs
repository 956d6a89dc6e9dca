//! The command line: which commands there are, what each takes, and how a failure becomes one line
//! and an exit code. Owns standard output, standard error and the log's form; what a command does
//! is the business of the part that it calls.

mod backup;
mod cleanup;
mod clear;
mod explain;
mod facts;
mod handover;
mod health;
mod help;
mod import;
mod journal;
mod live;
mod meter;
mod monitor;
mod parse;
mod preload;
mod replace;
mod report;
mod restore;
mod screen;
mod server;
mod sheet;
mod status;
mod stop;
mod verify;
mod watch;

use crate::config::{Config, ConfigError};
use log::LevelFilter;
use parse::Call;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// One command: its grammar, its help and what runs it. A new command is a new entry in [`COMMANDS`].
struct Command {
    name: &'static str,
    operand: Operand,
    flags: &'static [Flag],
    /// One line, in the list of commands.
    summary: &'static str,
    /// Paragraphs, in the command's own help.
    details: &'static str,
    settings: Reads,
    run: fn(&Call) -> Result<(), Failure>,
}

/// A flag of some commands; one name takes a value everywhere or nowhere.
struct Flag {
    /// Without the dashes.
    name: &'static str,
    /// What stands for the value in help; empty for a flag without one.
    placeholder: &'static str,
    meaning: &'static str,
}

#[derive(Clone, Copy)]
enum Operand {
    None,
    Optional(&'static str),
    One(&'static str),
    /// None or more of them.
    Many(&'static str),
}

/// Which settings a command's help lists (it takes them all: an env file is the same for every command).
enum Reads {
    None,
    All,
    These(&'static [&'static str]),
}

/// Why a command did not do what it was asked for: one line.
#[derive(Debug)]
enum Failure {
    /// Exit code 1.
    Failed(String),
    /// Exit code 2: what was typed, or a setting, is wrong.
    Usage(String),
    /// Everything was said on standard output; what is left is the exit code.
    Told(u8),
}

/// Whether somebody still reads standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    There,
    /// It has seen enough (`| head`), which is no failure.
    Gone,
}

const JSON: Flag = Flag { name: "json", placeholder: "", meaning: "print facts as JSON" };

/// The settings of a command that asks the running server, or reads the store when there is none.
const ASKS: Reads = Reads::These(&["data-dir", "listen", "admin-token", "debug", "log"]);

/// In the order in which help lists them; the first is what runs without a command.
const COMMANDS: &[Command] = &[
    Command {
        name: "serve",
        operand: Operand::None,
        flags: &[],
        summary: "the server; the same as no command",
        details: "Serves the collection and its covers until SIGTERM or Ctrl-C, and then ends within \
                  5 seconds with every answer finished and everything written.",
        settings: Reads::All,
        run: |call| crate::serve::run(call.config()?).map_err(|error| Failure::Failed(error.to_string())),
    },
    Command {
        name: "demo",
        operand: Operand::None,
        flags: &[],
        summary: "the server with a sample collection; needs no Internet, leaves nothing behind",
        details: "Runs the server on a temporary data folder, with a sample collection whose covers \
                  come from an origin that the same process runs on the loopback address: real HTTP, \
                  real JPEGs, the real pipeline. Prints the address to open.",
        settings: Reads::These(&["listen", "threads", "memory-cache-mb", "debug", "log"]),
        run: |call| crate::demo::run(call.config()?).map_err(|error| Failure::Failed(error.to_string())),
    },
    Command {
        name: "import",
        operand: Operand::One("FILE"),
        flags: &[Flag { name: "dry-run", placeholder: "", meaning: "read and report, change nothing" }, JSON],
        summary: "albums from a Discogs CSV export, a CSV with headers, or JSON",
        details: "Adds the albums of FILE to the collection. Importing the same file again changes \
                  nothing. A line that cannot be read is named by its number and never costs the others. \
                  A running server shows what was imported at the next page.",
        settings: Reads::These(&["data-dir", "debug", "log"]),
        run: import::run,
    },
    Command {
        name: "preload",
        operand: Operand::Many("URL"),
        flags: &[
            Flag { name: "all", placeholder: "", meaning: "the cover of every album of the collection" },
            JSON,
        ],
        summary: "fetch covers ahead of time",
        details: "Asks the running server to fetch covers that are not in the cache, and shows how far it \
                  is until they are here. A URL given as - is a list on standard input, one a line. \
                  Ctrl-C stops the fetching; the next call goes on where it was, for what is here is \
                  not fetched again. Exit code 1 when a cover could not be fetched: those are named.",
        settings: ASKS,
        run: preload::run,
    },
    Command {
        name: "status",
        operand: Operand::None,
        flags: &[JSON],
        summary: "what the cache holds and how well it answers",
        details: "Asks the running server; without one it reads the store and says so.",
        settings: ASKS,
        run: status::run,
    },
    Command {
        name: "health",
        operand: Operand::None,
        flags: &[JSON],
        summary: "whether everything works; exit code 0, 1 or 2",
        details: "Checks the store, the databases, free space and the origins. Exit code 0 is healthy, \
                  1 degraded, 2 unhealthy. A full cache is healthy, and so is an empty one; a server that \
                  does not run is degraded: nothing is damaged, but nobody is served.",
        settings: ASKS,
        run: health::run,
    },
    Command {
        name: "report",
        operand: Operand::None,
        flags: &[
            Flag { name: "html", placeholder: "FILE", meaning: "write one page with charts instead" },
            JSON,
        ],
        summary: "the last 30 days, for a person to read",
        details: "Hits, misses, downloads, failures and evictions, from the hourly history, and what to do \
                  about them. The page needs no network; FILE as - is standard output. Asks the running \
                  server; without one it reads the store and says so.",
        settings: ASKS,
        run: report::run,
    },
    Command {
        name: "monitor",
        operand: Operand::None,
        flags: &[
            Flag { name: "interval", placeholder: "SECONDS", meaning: "between two lines; 300 if not given" },
            JSON,
            Flag { name: "action", placeholder: "ACTION", meaning: "older spelling: the command to run" },
            Flag { name: "cleanup-days", placeholder: "DAYS", meaning: "older spelling of cleanup --days" },
            Flag {
                name: "monitor-interval",
                placeholder: "SECONDS",
                meaning: "older spelling of --interval",
            },
        ],
        summary: "the status, live on a terminal, a line each interval in a pipe",
        details: "Runs until Ctrl-C and survives a restart of the server. On a terminal it paints a screen, \
                  every 2 seconds if not told otherwise; q ends it too.",
        settings: ASKS,
        run: monitor::run,
    },
    Command {
        name: "cleanup",
        operand: Operand::None,
        flags: &[
            Flag { name: "days", placeholder: "DAYS", meaning: "30 if not given; 0 is everything" },
            JSON,
        ],
        summary: "remove covers that nobody looked at for so many days",
        details: "Asks the running server; without one it cleans the store itself. The cache keeps its \
                  budget by itself, so this is for who wants the space back.",
        settings: ASKS,
        run: cleanup::run,
    },
    Command {
        name: "clear",
        operand: Operand::None,
        flags: &[JSON],
        summary: "empty the cache; the collection stays",
        details: "Asks the running server; without one it empties the store itself. Covers are fetched \
                  again when somebody looks at them.",
        settings: ASKS,
        run: clear::run,
    },
    Command {
        name: "explain",
        operand: Operand::One("URL|KEY"),
        flags: &[JSON],
        summary: "why a cover looks as it does",
        details: "The canonical string, the key, what is cached, the last error and the next try of one \
                  cover, by its URL, its key or the address of its picture on the page. Fetches nothing.",
        settings: ASKS,
        run: explain::run,
    },
    Command {
        name: "verify",
        operand: Operand::None,
        flags: &[
            Flag { name: "repair", placeholder: "", meaning: "remove what is wrong; it is fetched again" },
            JSON,
        ],
        summary: "file against row against content",
        details: "Reads every file of the cache and both databases. Exit code 1 when anything is wrong \
                  and was not repaired. A repair needs the server to be stopped.",
        settings: ASKS,
        run: verify::run,
    },
    Command {
        name: "backup",
        operand: Operand::One("FILE.tar"),
        flags: &[
            Flag {
                name: "collection-only",
                placeholder: "",
                meaning: "without the covers, which can come again",
            },
            JSON,
        ],
        summary: "collection and covers in one tar; - is standard output",
        details: "Works while the server runs. Each part stands in manifest.json with its SHA-256. A file \
                  that is there is replaced when the new one is complete, and not before.",
        settings: ASKS,
        run: backup::run,
    },
    Command {
        name: "restore",
        operand: Operand::One("FILE.tar"),
        flags: &[Flag { name: "dry-run", placeholder: "", meaning: "verify the file, change nothing" }, JSON],
        summary: "what backup wrote, after a check: all of it or nothing",
        details: "FILE.tar as - is standard input. The server must be stopped. What was there is set \
                  aside in a folder beside it, or within it where it cannot be moved as a whole; the last \
                  line names that folder.",
        settings: ASKS,
        run: restore::run,
    },
    Command {
        name: "help",
        operand: Operand::Optional("COMMAND"),
        flags: &[],
        summary: "this text, or a command's own part of it",
        details: "The same as COMMAND --help.",
        settings: Reads::None,
        run: help::run,
    },
];

/// Runs the program: `args` as the system gives them, the program's name first.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let failure = match parse::parse(args).and_then(|call| call.run()) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(failure) => failure,
    };
    let code = match failure {
        Failure::Failed(_) => 1,
        Failure::Usage(_) => 2,
        Failure::Told(code) => return ExitCode::from(code),
    };
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(io::stderr(), "vinylvault: {failure}");
    ExitCode::from(code)
}

impl Call {
    fn run(&self) -> Result<(), Failure> {
        let done = (self.command.run)(self);
        if let Some(data_dir) = self.data_dir.get()
            && !self.serves()
        {
            handover::hand_over(data_dir);
        }
        done
    }

    fn serves(&self) -> bool {
        matches!(self.command.name, "serve" | "demo")
    }

    /// The settings, with the log started as they say; called once, by a command that needs them.
    fn config(&self) -> Result<Config, Failure> {
        let config = Config::load(&self.settings, |name| std::env::var_os(name))?;
        let _ = self.data_dir.set(config.data_dir.clone());
        // What a command did stands on its standard output.
        journal::start(&config, if self.serves() { LevelFilter::Info } else { LevelFilter::Warn });
        for doubt in config.doubts(std::env::vars_os().map(|(name, _)| name)) {
            log::warn!("{doubt}");
        }
        Ok(config)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Failed(sentence) | Failure::Usage(sentence) => f.write_str(&journal::one_line(sentence)),
            Failure::Told(code) => write!(f, "exit code {code}"),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure::Usage(error.to_string())
    }
}

/// Writes to standard output, read or not.
fn print(text: &str) -> Result<(), Failure> {
    offer(text).map(|_| ())
}

/// [`print()`] for a command that has more to say as long as somebody reads.
fn offer(text: &str) -> Result<Reader, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(Reader::There),
        Err(cause) if cause.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(cause) => Err(Failure::Failed(format!("cannot write to standard output: {cause}"))),
    }
}
