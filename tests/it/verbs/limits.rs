//! Limits at the command line: what is understood, what is shown, and what is refused.

use crate::support::{Daemon, Root, skip};
use serde_json::json;

#[tokio::test]
async fn limits_are_kept_shown_and_changed_one_by_one() {
    let daemon = Daemon::on(Root::new()).await;
    // `create` refuses what the host can not apply: then there is nothing to be shown.
    let made = daemon.coalmine(&["create", "bob", "--tasks-max", "100", "--", "sleep", "60"]);
    if made.err.contains("unsupported") {
        skip("limits are shown", "this host applies none");
        return;
    }
    assert_eq!(daemon.peer("bob")["limits"], json!({ "tasks_max": 100 }));
    daemon.coalmine(&["show", "bob"]).tells(&["limits", "tasks 100"]);
    daemon.coalmine(&["explain", "bob"]).tells(&["it is limited to tasks 100 by"]);
    daemon.ask(&["create", "bob", "--tasks-max", "90", "--", "sleep", "60"]);
    assert_eq!(daemon.peer("bob")["limits"], json!({ "tasks_max": 90 }));
    assert!(daemon.read("fleet.json").contains("\"tasks_max\": 90"));
}

#[tokio::test]
async fn limits_that_make_no_sense_are_refused_with_what_they_may_be() {
    let daemon = Daemon::on(Root::new()).await;
    for (flag, value, says) in [
        ("--memory-max", "0", "memory_max is 0; it must be 16M to 1024T"),
        ("--memory-max", "abc", "an amount of memory is a number with K, M, G or T"),
        ("--memory-max", "1000T", "memory_max is 1000T, and this host has"),
        ("--tasks-max", "0", "tasks_max is 0; it must be 8 to 4194304"),
        ("--tasks-max", "many", "invalid digit"),
    ] {
        let refused = daemon.coalmine(&["create", "bob", flag, value, "--", "sleep", "60"]);
        assert_eq!(refused.code, 2, "{flag} {value}: {}", refused.err);
        assert!(refused.err.contains(says), "{flag} {value}: {}", refused.err);
    }
    assert_eq!(daemon.ask(&["list"]), json!([]));
}

#[tokio::test]
async fn doctor_says_how_limits_are_applied_here() {
    let said = Root::new().coalmine(&["doctor"]);
    let ways = ["systemd scope", "cgroup v", "unsupported: limits can not be applied here"];
    assert!(ways.iter().any(|way| said.out.contains(way)), "{}", said.out);
}
