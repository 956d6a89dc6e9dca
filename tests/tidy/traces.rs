//! What no file may tell: where and on what machine it was written.

use super::{assert_none, top};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

#[test]
fn no_tracked_file_tells_about_the_machine_it_was_written_on() {
    let Ok(listed) = Command::new("git").args(["ls-files", "-z"]).current_dir(top()).output() else {
        eprintln!("not checked: there is no git on this machine");
        return;
    };
    let mut secrets = vec![format!("{}/", top().display())];
    secrets.extend(std::env::var("HOME").ok().filter(|home| home.len() > 2).map(|home| format!("{home}/")));
    secrets.extend(registries());
    let mut found = Vec::new();
    for path in String::from_utf8(listed.stdout).unwrap().split_terminator('\0') {
        // Deleted and not yet committed, or a picture.
        let Ok(text) = fs::read_to_string(top().join(path)) else { continue };
        let told = secrets.iter().filter(|secret| text.contains(*secret));
        found.extend(told.map(|secret| format!("{path}: {secret}")));
        assert!(path != "Cargo.lock" || !text.contains("\"git+"), "a dependency that no registry keeps");
    }
    assert_none("paths or registries of this machine", &found);
}

/// Hosts of package registries and mirrors that this machine's tools are pointed to.
fn registries() -> Vec<String> {
    let is_pointer =
        |name: &str| ["CARGO", "RUSTUP", "INDEX", "REGISTRY"].iter().any(|word| name.contains(word));
    let variables = std::env::vars_os().filter(|(name, _)| is_pointer(&name.to_string_lossy()));
    let mut texts: Vec<String> = variables.map(|(_, value)| value.to_string_lossy().into_owned()).collect();
    let home = |name: &str| std::env::var_os(name).map(PathBuf::from).unwrap_or_default();
    for folder in [home("CARGO_HOME"), home("HOME").join(".cargo")] {
        texts.extend(fs::read_to_string(folder.join("config.toml")));
    }
    let is_public = |host: &&str| {
        ["github.com", "crates.io", "rust-lang.org", "rustup.rs"].iter().any(|known| host.ends_with(known))
    };
    let hosts = texts.iter().flat_map(|text| text.split("://").skip(1)).filter_map(|rest| {
        let authority = rest.split(['/', '"', '\'', ' ', '\n']).next()?;
        authority.rsplit('@').next()?.split(':').next()
    });
    hosts
        .filter(|host| !host.is_empty() && !is_public(host) && *host != "localhost")
        .map(str::to_owned)
        .collect()
}
