//! `coalmine wait`: what returns when, and with which exit code.

use super::until_connected;
use crate::support::{Daemon, Root, Said, kill};
use serde_json::json;
use tokio::{task::spawn_blocking, time::Instant};

#[tokio::test]
async fn wait_returns_at_once_for_what_is_so_already() {
    let daemon = Daemon::start().await;
    daemon.sleeper("bob");
    for goal in ["up", "ready"] {
        daemon.coalmine(&["wait", "bob", "--for", goal]).tells(&["shell-bob is up (gen 1)"]);
    }
    daemon.ask(&["create", "ann", "--", "sleep", "60"]);
    assert_eq!(daemon.ask(&["wait", "ann", "--for", "asleep"])["phase"], "asleep");
    assert_eq!(daemon.ask(&["wait", "ann", "--for", "dead"])["phase"], "asleep");
}

#[tokio::test]
async fn a_death_is_heard_of_also_when_the_next_life_is_faster_than_the_waiter() {
    let daemon = Daemon::start().await;
    let bob = daemon.sleeper("bob");
    let pid = bob["server_pid"].as_i64().unwrap().try_into().unwrap();
    until_connected(&daemon, 0).await;
    let mut waiter = daemon.command(&["--json", "wait", "bob", "--for", "dead", "--timeout", "30s"]);
    let said = spawn_blocking(move || Said::of(&mut waiter));
    // It waits for the death of who lives when it comes, so it must have come before the kill.
    until_connected(&daemon, 1).await;
    kill(pid);
    let said = said.await.unwrap();
    assert_eq!(said.code, 0, "{said:?}");
    daemon.coalmine(&["wait", "bob", "--for", "up"]).tells(&["shell-bob is up (gen 2)"]);
}

#[tokio::test]
async fn stopped_and_quarantined_are_waited_for() {
    let daemon = Daemon::start().await;
    daemon.ask(&["create", "bob", "--", "/bin/sh", "-c", "exit 7"]);
    let started = daemon.coalmine(&["start", "bob"]);
    assert_eq!(started.code, 1, "{started:?}");
    assert_eq!(daemon.ask(&["wait", "bob", "--for", "quarantined"])["phase"], "quarantined");
    daemon.sleeper("ann");
    daemon.ask(&["stop", "ann"]);
    assert_eq!(daemon.ask(&["wait", "ann", "--for", "stopped"])["phase"], "stopped");
}

#[tokio::test]
async fn a_wait_that_runs_out_is_exit_5_and_names_the_verb_that_says_why() {
    let daemon = Daemon::start().await;
    daemon.ask(&["create", "bob", "--", "sleep", "60"]);
    let said = daemon.coalmine(&["wait", "bob", "--for", "up", "--timeout", "100ms"]);
    assert_eq!(said.code, 5, "{said:?}");
    assert!(said.err.contains("waiting for shell-bob to be up (it is asleep)"), "{said:?}");
    assert!(said.err.contains("hint: `coalmine explain bob`"), "{said:?}");
    let error = daemon.coalmine(&["--json", "wait", "bob", "--for", "up", "--timeout", "0s"]).error();
    assert_eq!((&error["code"], &error["retryable"]), (&json!("timed-out"), &json!(true)));
}

#[tokio::test]
async fn a_wait_does_not_hold_up_the_end_of_the_daemon_nor_of_its_peer() {
    let daemon = Daemon::start().await;
    daemon.ask(&["create", "bob", "--", "sleep", "60"]);
    daemon.ask(&["create", "ann", "--", "sleep", "60"]);
    until_connected(&daemon, 0).await;
    let [bob, ann] = ["bob", "ann"].map(|name| {
        let mut waiter = daemon.command(&["wait", name, "--for", "up", "--timeout", "50s"]);
        spawn_blocking(move || Said::of(&mut waiter))
    });
    until_connected(&daemon, 2).await;
    let begun = Instant::now();
    daemon.ask(&["remove", "ann"]);
    let ann = ann.await.unwrap();
    assert_eq!(ann.code, 3, "{ann:?}");
    daemon.ask(&["down"]);
    let bob = bob.await.unwrap();
    assert_eq!(bob.code, 69, "{bob:?}");
    assert!(begun.elapsed().as_secs() < 30, "the wait was waited for: {bob:?}");
}

#[test]
fn without_a_daemon_there_is_nothing_to_wait_for() {
    let said = Root::new().coalmine(&["wait", "bob", "--for", "up"]);
    assert_eq!(said.code, 69, "{said:?}");
    assert_eq!(Root::new().coalmine(&["wait", "bob", "--for", "rich"]).code, 2);
}
