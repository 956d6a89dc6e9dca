//! What these tests begin with: an origin full of covers, a server that may fetch them, and the
//! command beside it.

use crate::support::folder::Folder;
use crate::support::origin::{Origin, Script, pictures};
use crate::support::process::{binary, finish};
use crate::support::vault::{Builder, Vault};
use serde_json::Value;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// An origin whose every `/cover/N.jpg` is a small cover; each `/gone/` is none.
pub fn origin() -> Origin {
    let origin = Origin::start();
    let cover = pictures::jpeg(60, 60, [180, 60, 30]);
    origin.on_prefix("/cover/", move |_| Script::picture(cover.clone()));
    origin
}

pub fn covers(origin: &Origin, count: usize) -> Vec<String> {
    (0..count).map(|number| origin.url(&format!("/cover/{number}.jpg"))).collect()
}

pub fn settings(origin: &Origin) -> Builder {
    Vault::builder().private_source(origin.private_source()).setting("min-free-mb", "0")
}

/// `vinylvault ARGS` over a data folder, with a locale.
pub fn command(data_dir: &Path, args: &[&str]) -> Command {
    let mut command = binary();
    command.args(args).env("VINYL_VAULT_DATA_DIR", data_dir).env("LC_ALL", "C.UTF-8");
    command
}

/// The same with these lines on standard input.
pub fn command_reading(data_dir: &Path, args: &[&str], folder: &Folder, lines: &[String]) -> Command {
    let list = folder.join("urls.txt");
    std::fs::write(&list, lines.join("\n")).unwrap();
    let mut command = command(data_dir, args);
    command.stdin(File::open(list).unwrap());
    command
}

#[track_caller]
pub fn run(data_dir: &Path, args: &[&str]) -> Output {
    finish(command(data_dir, args))
}

/// Left running; its output goes to files that outlive it.
pub fn begin(mut command: Command, folder: &Folder) -> Child {
    let file = |name: &str| File::create(folder.join(name)).unwrap();
    command.stdout(file("stdout")).stderr(file("stderr"));
    command.spawn().unwrap()
}

/// What a command left running has written.
pub fn written(folder: &Folder) -> (String, String) {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    (read("stdout"), read("stderr"))
}

/// A reader of standard output that has gone.
pub fn nobody() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[track_caller]
pub fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
