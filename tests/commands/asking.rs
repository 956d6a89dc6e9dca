//! What nearly every test here begins with: a cache with something in it, a folder with nothing in it,
//! and a command's answer.

use crate::stage::{address_of, assert_cover, origin, settings, settle};
use crate::support::origin::{Origin, Script, pictures};
use crate::support::vault::{Builder, Vault};
use serde_json::Value;
use std::process::{Command, Output};

/// Nobody listens there, whatever runs on this machine.
pub const NOWHERE: &str = "--listen=127.0.0.1:1";

/// A server with `covers` covers, each looked at twice: two files, one miss and one hit each.
#[track_caller]
pub fn filled(covers: usize) -> (Origin, Vault) {
    let origin = origin();
    let vault = settings(&origin).start();
    for number in 0..covers {
        fetch(&origin, &vault, &format!("/{number}.jpg"));
    }
    settle(&vault);
    (origin, vault)
}

/// One cover, looked at twice.
#[track_caller]
pub fn fetch(origin: &Origin, vault: &Vault, path: &str) {
    origin.on(path, Script::picture(pictures::sleeve(path.bytes().map(u32::from).sum(), 300)));
    let address = address_of(vault, &origin.url(path), "detail");
    assert_cover(&vault.get(&address));
    assert_cover(&vault.get(&address));
}

/// A folder on which no server has run.
pub fn nothing() -> Builder {
    Vault::builder()
}

/// What a command printed; panics when it failed or complained.
#[track_caller]
pub fn printed(output: &Output) -> &str {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaint.is_empty(), "{:?}: {complaint}", output.status);
    std::str::from_utf8(&output.stdout).unwrap()
}

/// The one line of JSON that a command printed, whatever its exit code.
#[track_caller]
pub fn json(output: &Output) -> Value {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(text.lines().count(), 1, "{text}{complaint}");
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// Names of an object, sorted.
pub fn names(value: &Value) -> Vec<&str> {
    value.as_object().map(|object| object.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// The program about this server's folder, for a pipe or a terminal of the test's own.
pub fn command(vault: &Vault, args: &[&str]) -> Command {
    let mut command = crate::support::process::binary();
    command.args(args).env("VINYL_VAULT_DATA_DIR", vault.data_dir()).env("LC_ALL", "C.UTF-8");
    command.env("TERM", "xterm-256color").env_remove("NO_COLOR");
    command
}
