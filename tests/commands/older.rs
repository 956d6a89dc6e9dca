//! The older spelling: `monitor --action ...` does what the command of that name does.

use crate::asking::{NOWHERE, filled, json, nothing, printed};
use serde_json::json;

#[test]
fn each_action_is_the_command_of_its_name() {
    let (_origin, vault) = filled(2);
    let status = json(&vault.run(&["monitor", "--action", "status", "--json", "--monitor-interval", "60"]));
    assert_eq!(status["disk"]["file_count"], 4);
    let health = json(&vault.run(&["monitor", "--action=health", "--json"]));
    assert_eq!((&health["status"], &health["source"]), (&json!("healthy"), &json!("server")));
    let output = vault.run(&["monitor", "--action", "status"]);
    assert!(printed(&output).contains("4 files"), "{}", printed(&output));
    let kept = json(&vault.run(&["monitor", "--action", "cleanup", "--cleanup-days", "7", "--json"]));
    assert_eq!((&kept["max_age_days"], &kept["entries_cleaned"]), (&json!(7), &json!(0)));
    let gone = json(&vault.run(&["monitor", "--action", "cleanup", "--cleanup-days=0", "--json"]));
    assert_eq!((&gone["max_age_days"], &gone["entries_cleaned"]), (&json!(0), &json!(4)));
}

#[test]
fn exit_codes_and_limits_are_those_of_the_command() {
    let builder = nothing();
    let output = builder.run(&["monitor", "--action", "health", "--json", NOWHERE]);
    assert_eq!((output.status.code(), &json(&output)["status"]), (Some(1), &json!("degraded")));
    for (args, said) in [
        (["--action", "explode", "--json"], "allowed is status, health, cleanup, report or monitor"),
        (["--action", "cleanup", "--cleanup-days=-1"], "from 0 to 36500"),
        (["--action", "monitor", "--monitor-interval=0"], "from 2 to 86400"),
    ] {
        let output = builder.run(&[&["monitor"][..], &args[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{args:?}");
    }
}
