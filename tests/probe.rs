//! The whole program under the abuse that others wrote down: `server_probe.py`, which stands beside the
//! checkouts of this project and not in them. Alone in its process, for its verdicts are about seconds.

mod support;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use support::folder::Folder;
use support::process::binary;

/// One line each: descriptors, idle crowds, endless and half heads, threads, four requests that can be
/// read two ways, eight that cannot be read at all.
const VERDICTS: usize = 17;
/// The one that takes root and a control group of its own.
const SKIPPED: &str = "skip thread limit";

const TRIES: usize = 3;

#[test]
fn every_verdict_of_the_probe_of_client_abuse_is_a_pass() {
    let probe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tools/server_probe.py");
    let python = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
    if !probe.exists() || python.is_err() {
        return eprintln!("not checked: there is no {} or no python3", probe.display());
    }
    // It looks at one moment, a second after it has opened 500 connections: a machine that others keep
    // busy just then may have another look.
    let tries: Vec<String> = (0..TRIES).map_while(|_| verdicts_that_fail(&probe)).collect();
    assert!(tries.len() < TRIES, "{}", tries.join("\n"));
}

/// What the probe said, where not every verdict of it is a pass.
fn verdicts_that_fail(probe: &Path) -> Option<String> {
    let folder = Folder::new();
    // The probe starts the server anew for each attack, and the server itself in the midst of some.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = binary();
    let mut command = Command::new("python3");
    command.arg(probe).arg(port.to_string()).arg("--").arg(server.get_program()).args(server.get_args());
    command.args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data-dir"]).arg(folder.join("data"));
    for (name, _) in server.get_envs() {
        command.env_remove(name);
    }
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    println!("{said}");
    let lines = |begin: &str| said.lines().filter(|line| line.starts_with(begin)).count();
    let is_passed = lines("pass ") + lines(SKIPPED) == VERDICTS && output.status.success();
    (!is_passed).then_some(said)
}
