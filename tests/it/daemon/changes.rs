//! `create` over a peer that is there: what changed, from when on it holds, and for which runtime.

use crate::support::{Daemon, Refusal, Root};
use serde_json::json;

/// A daemon that knows a second runtime.
async fn with_beta() -> Daemon {
    let config = "[runtime.beta]\nkind = \"program\"\nargv = [\"cat\"]\n";
    Daemon::on(Root::with(&[("home/.config/coalmine/config.toml", config)])).await
}

#[tokio::test]
async fn a_second_runtime_runs_its_own_program_and_not_the_firsts() {
    let daemon = with_beta().await;
    daemon.ask(&["create", "x", "--", "sleep", "60"]);
    daemon
        .coalmine(&["create", "x", "--runtime", "beta"])
        .tells(&["changed runtime: beta-x is asleep", "coalmine start beta-x"]);
    assert_eq!(daemon.peer("beta-x")["command"], json!(["cat"]));
    daemon.ask(&["create", "x", "--runtime", "beta", "--", "sleep", "61"]);
    assert_eq!(daemon.peer("beta-x")["command"], json!(["sleep", "61"]));
    assert_eq!(daemon.peer("shell-x")["command"], json!(["sleep", "60"]));
}

#[tokio::test]
async fn a_change_is_called_one_and_holds_from_the_next_life() {
    let daemon = Daemon::start().await;
    daemon.ask(&["create", "bob", "--start", "--", "sleep", "60"]);
    daemon.coalmine(&["create", "bob", "--", "sleep", "60"]).tells(&["already there: shell-bob is up"]);
    let said = daemon.coalmine(&["create", "bob", "--start", "--env", "A=1", "--", "sleep", "61"]);
    said.tells(&["changed command, env: shell-bob is up (gen 1)", "next life: `coalmine restart shell-bob`"]);
    assert!(!said.out.contains("start it with"), "{said:?}");
    let bob = daemon.peer("bob");
    assert_eq!((&bob["command"], &bob["next_command"]), (&json!(["sleep", "60"]), &json!(["sleep", "61"])));
    daemon.coalmine(&["list"]).tells(&["sleep 60 (next life: sleep 61)"]);
    daemon.coalmine(&["show", "bob"]).tells(&["sleep 61, from its next life"]);
    daemon.coalmine(&["restart", "bob"]).tells(&["shell-bob is up (gen 2)"]);
    let bob = daemon.peer("bob");
    assert_eq!((&bob["command"], bob.get("next_command")), (&json!(["sleep", "61"]), None));
    let events = daemon.coalmine(&["events"]).out;
    let told = |ev: &str| events.lines().filter(|line| line.contains(&format!("Z {ev} personality=bob"))).count();
    assert_eq!((told("created"), told("changed")), (1, 1), "{events}");
}

#[tokio::test]
async fn what_the_fleet_would_not_honour_is_refused() {
    let daemon = Daemon::start().await;
    let refusal = |code, message, hint| Refusal { code, exit: 2, message, hint };
    let bob = |flag: &'static str, value: &'static str| ["create", "bob", flag, value, "--", "sleep", "60"];
    let policy = refusal("unknown-policy", "the policy strict is not defined", "policies/NAME.toml");
    daemon.refuses(&bob("--policy", "strict"), &policy);
    for (value, why) in [("COALMINE_LIFE=x", "the fleet sets it"), ("A B=x", "its name is not letters")] {
        daemon.refuses(&bob("--env", value), &refusal("usage", why, "the program's own"));
    }
    daemon
        .refuses(&bob("--runtime", "cl-aude"), &refusal("bad-name", "may hold only a-z and 0-9", "use a-z and 0-9, a"));
}

#[tokio::test]
async fn documents_are_flat_and_say_whether_a_daemon_was_there() {
    let daemon = Daemon::start().await;
    daemon.sleeper("bob");
    let events = daemon.coalmine(&["events", "--peer", "nosuch"]);
    assert_eq!(events.code, 3, "{events:?}");
    let stopped = daemon.ask(&["stop", "bob", "bob"]);
    assert_eq!(
        (&stopped["done"][0]["identity"], &stopped["done"][1]["phase"]),
        (&json!("shell-bob"), &json!("stopped"))
    );
    let down = daemon.coalmine(&["--json", "down"]).json();
    assert_eq!(down.get("daemon"), None, "{down}");
    let (_, root) = daemon.ended().await;
    assert_eq!(root.coalmine(&["--json", "down"]).json()["daemon"], "not running");
    assert!(!root.coalmine(&["status"]).out.contains("event 0"));
}
