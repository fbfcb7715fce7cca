//! `coalmine explain`: why a peer is as it is, with and without a daemon.

use crate::support::{Daemon, Refusal, Root, kill};
use serde_json::json;

#[tokio::test]
async fn a_peer_that_runs_is_explained_with_its_budget_and_its_last_death() {
    let daemon = Daemon::start().await;
    let bob = daemon.sleeper("bob");
    daemon.coalmine(&["explain", "bob"]).tells(&[
        "shell-bob is up (gen 1)",
        "it runs, and its program is ready",
        "0 of 5 deaths within 5m; 5 left",
        "after a death or a failed exit it is started again",
        "`coalmine attach shell-bob` shows its screen, live",
    ]);
    kill(bob["server_pid"].as_i64().unwrap().try_into().unwrap());
    daemon.until("bob", "is up again", |peer| peer["gen"] == 2 && peer["phase"] == "up").await;
    crate::support::eventually("the death is on record", || async {
        let bob = daemon.ask(&["explain", "bob"])[0].take();
        (!bob["last_death"].is_null()).then_some(())
    })
    .await;
    daemon.coalmine(&["explain", "bob"]).tells(&[
        "shell-bob is up (gen 2)",
        "gen 1: its server ended",
        "with SIGKILL (killed, seen by its canary)",
        "1 of 5 deaths within 5m; 4 left",
        "`coalmine deaths shell-bob -n 1`",
    ]);
}

#[tokio::test]
async fn a_quarantined_peer_says_what_it_died_of_and_that_only_a_reset_helps() {
    let daemon = Daemon::start().await;
    daemon.ask(&["create", "bob", "--", "/bin/sh", "-c", "exit 7"]);
    daemon.coalmine(&["start", "bob"]);
    daemon.ask(&["wait", "bob", "--for", "quarantined"]);
    daemon.coalmine(&["explain", "bob"]).tells(&[
        "shell-bob is quarantined (gen 6)",
        "it died too often too fast; at last its program ended",
        "with exit 7",
        "6 of 5 deaths within 5m; 0 left",
        "until somebody resets it",
        "`coalmine reset shell-bob`",
    ]);
    daemon.ask(&["reset", "bob"]);
    assert_eq!(daemon.ask(&["explain", "bob"])[0]["budget"]["deaths"], 0);
}

#[tokio::test]
async fn without_a_daemon_the_files_explain_by_the_config_of_the_next_one() {
    let root = Root::new().env_also("COALMINE_RESTART_DEATHS_MAX", "9");
    let daemon = Daemon::on(root).await;
    daemon.ask(&["create", "bob", "--", "sleep", "60"]);
    daemon.ask(&["down"]);
    let (_, root) = daemon.ended().await;
    root.coalmine(&["explain", "bob"]).tells(&[
        "daemon: not running",
        "shell-bob is asleep (gen 0)",
        "it has never been started",
        "0 of 9 deaths",
        "`coalmine start shell-bob` starts it",
    ]);
    let refusal = Refusal { code: "unknown-peer", exit: 3, message: "no peer is named bop", hint: "did you mean bob?" };
    refusal.check(&root.coalmine(&["--json", "explain", "bop"]), &root.coalmine(&["explain", "bop"]));
}

#[tokio::test]
async fn a_program_gets_the_same_as_one_document() {
    let daemon = Daemon::start().await;
    daemon.ask(&["create", "bob", "--restart", "never", "--", "sleep", "60"]);
    let bob = daemon.ask(&["explain", "bob"])[0].take();
    assert_eq!(bob["why"], "it has never been started");
    assert_eq!((&bob["budget"], &bob["last_death"]), (&json!(null), &json!(null)));
    assert_eq!(bob["run"][0]["command"], "coalmine start shell-bob");
    assert_eq!(bob["peer"]["phase"], "asleep");
}
