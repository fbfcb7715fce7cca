//! Every name means one peer: also where a peer's name reads like another one's identity.

use crate::support::{Daemon, Refusal, Root};
use serde_json::json;

#[tokio::test]
async fn a_name_that_is_another_peers_identity_is_refused_whichever_comes_first() {
    let daemon = Daemon::start().await;
    daemon.sleeper("shell-bob");
    let taken = Refusal { code: "name-taken", exit: 2, message: "the name shell-bob is taken", hint: "another name" };
    daemon.refuses(&["create", "bob", "--start", "--", "sleep", "60"], &taken);
    daemon.coalmine(&["remove", "shell-bob", "--force"]).tells(&["shell-bob is removed"]);
    daemon.sleeper("bob");
    daemon.refuses(&["create", "shell-bob", "--", "sleep", "60"], &taken);
}

/// Such a file can be left from before the rule.
#[tokio::test]
async fn namesakes_of_an_old_file_are_each_meant_by_their_identity() {
    let root = Root::new();
    let peer = |name: &str| {
        json!({ "personality": name, "runtimes": ["shell"], "default_runtime": "shell", "cwd": root.folder(),
                "command": ["sleep", "60"] })
    };
    let fleet = json!({ "version": 1, "peers": [peer("shell-bob"), peer("bob")], "retired": {} });
    root.put("fleet.json", &fleet.to_string());
    let daemon = Daemon::on(root).await;
    daemon.coalmine(&["start", "shell-bob", "shell-shell-bob"]).tells(&["shell-bob is up", "shell-shell-bob is up"]);
    daemon.coalmine(&["restart", "--all"]).tells(&["shell-bob is up (gen 2)", "shell-shell-bob is up (gen 2)"]);
    daemon.coalmine(&["stop", "--all"]).tells(&["shell-bob is stopped (", "shell-shell-bob is stopped ("]);
    assert_eq!(daemon.peer("shell-bob")["phase"], "stopped");
    daemon.coalmine(&["start", "shell-bob"]).tells(&["shell-bob is up (gen 3)"]);
    daemon.coalmine(&["down", "--all"]).tells(&["and 1 peer with it"]);
}
