//! `/metrics` as Prometheus' own tool reads it, of a server that has done nothing yet and of a used one.
//! What stands there is `metrics`' business; `exposition` reads it where there is no such tool.

use crate::stage::{address_of, assert_cover, origin, settings, settle};
use crate::support::http::Connection;
use crate::support::not_checked;
use crate::support::origin::Script;
use crate::support::vault::Vault;
use std::io::{ErrorKind, Write};
use std::process::{Command, Output, Stdio};

/// `promtool check metrics`, whose lint fails it too; `None` where it is not installed.
fn promtool(page: &str) -> Option<Output> {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return None,
        child => child.unwrap(),
    };
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

#[track_caller]
fn page(vault: &Vault) -> String {
    Connection::open_as_stranger(vault.address()).get("/metrics").text()
}

#[test]
fn promtool_has_nothing_to_say() {
    let origin = origin();
    origin.on("/gone.jpg", Script::status(404));
    let vault = settings(&origin).start();
    let fresh = page(&vault);
    for _ in 0..2 {
        assert_cover(&vault.get(&address_of(&vault, &origin.url("/cover.jpg"), "detail")));
    }
    vault.get(&address_of(&vault, &origin.url("/gone.jpg"), "thumbnails"));
    vault.get("/");
    settle(&vault);
    let used = page(&vault);
    assert!(used.contains("code=\"404\"") && !fresh.contains("code=\"404\""), "the used one is used");
    for page in [fresh, used] {
        let Some(output) = promtool(&page) else { return not_checked("there is no promtool here") };
        let said = [&output.stdout[..], &output.stderr].concat();
        assert!(output.status.success() && said.is_empty(), "{}\n{page}", String::from_utf8_lossy(&said));
    }
    let broken = promtool("vinylvault_a 1\nvinylvault_a 2\n");
    assert!(broken.is_none_or(|output| !output.status.success()), "it finds something to say");
}
