//! `vinylvault restore FILE.tar|-`: where it comes from and what is said of it. What is verified and how
//! it is put into place is the business of [`crate::backup`].

use super::backup::{is_dash, json_of, sentence};
use super::meter::Meter;
use super::parse::Call;
use super::stop::Stop;
use super::{Failure, journal, print};
use crate::backup::{Restored, Source, restore, verify};
use crate::key::Timestamp;
use std::ffi::OsStr;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, IsTerminal};

pub(super) fn run(call: &Call) -> Result<(), Failure> {
    let config = call.config()?;
    let operand = call.operand().expect("the grammar asks for a FILE.tar");
    let failed = |cause: &dyn Display| Failure::Failed(format!("cannot restore {}: {cause}", named(operand)));
    if is_dash(operand) && io::stdin().is_terminal() {
        return Err(Failure::Usage(
            "a backup does not come from a terminal: redirect it, as in < FILE.tar".into(),
        ));
    }
    let mut stdin = io::stdin();
    let mut file = None;
    let source = match is_dash(operand) {
        true => Source::Stream(&mut stdin),
        false => {
            let opened = file.insert(File::open(operand).map_err(|cause| failed(&cause))?);
            let facts = opened.metadata().map_err(|cause| failed(&cause))?;
            // A FIFO or a tape cannot be read twice.
            if facts.is_file() { Source::File(opened) } else { Source::Stream(opened) }
        }
    };
    let stop = Stop::listen()?;
    let mut meter = Meter::new(&stop);
    let mut watch = |progress| meter.tell(progress);
    let done = match call.has("dry-run") {
        true => verify(source, &std::env::temp_dir(), &mut watch).map(|facts| (facts, None)),
        false => restore(source, &config.data_dir, Timestamp::now(), &mut watch)
            .map(|Restored { facts, set_aside }| (facts, Some(set_aside))),
    };
    drop(meter);
    let (facts, restored) = done.map_err(|error| match error.changed_nothing() {
        true => failed(&format_args!("{error}; nothing was changed")),
        false => failed(&error),
    })?;

    let set_aside = restored.flatten();
    if call.has("json") {
        let mut json = json_of(&facts, operand);
        json["data_dir"] = config.data_dir.to_string_lossy().into();
        json["restored"] = (!call.has("dry-run")).into();
        json["set_aside"] = set_aside.map(|folder| folder.to_string_lossy().into_owned()).into();
        return print(&format!("{json}\n"));
    }
    let mut lines = vec![format!(
        "{}: written {} by vinylvault {}, {}",
        named(operand),
        facts.created_at,
        facts.program,
        sentence(&facts)
    )];
    lines.push(match call.has("dry-run") {
        true => "it is whole; nothing was changed".to_owned(),
        false => format!("restored into {}", config.data_dir.display()),
    });
    lines.extend(set_aside.map(|folder| format!("what was there is in {}", folder.display())));
    print(&lines.iter().map(|line| format!("{}\n", journal::one_line(line))).collect::<String>())
}

fn named(operand: &OsStr) -> String {
    if is_dash(operand) { "standard input".to_owned() } else { operand.to_string_lossy().into_owned() }
}
