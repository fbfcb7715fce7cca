//! Files that somebody removed or damaged while no daemon ran: what lives is found all the same.

use crate::support::{Daemon, Root, alive, continue_process, eventually, stop_process};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::PathBuf;

fn file(root: &Root, name: &str) -> PathBuf {
    root.path().join("peers/shell-bob").join(name)
}

fn pid(peer: &Value, which: &str) -> i32 {
    peer[which].as_i64().unwrap().try_into().unwrap()
}

/// A peer that is up, and whose daemon was killed.
async fn orphan() -> (Root, Value) {
    let daemon = Daemon::start().await;
    daemon.sleeper("bob");
    let bob = daemon.peer("bob");
    daemon.signal(Signal::KILL);
    (daemon.ended().await.1, bob)
}

/// Asserts that the next daemon goes on with this very life, and with the next generation after it.
async fn goes_on(daemon: &Daemon, bob: &Value) {
    let found = daemon.until("bob", "found", |peer| peer["phase"] == "up").await;
    for same in ["gen", "server_pid", "canary_pid"] {
        assert_eq!(found[same], bob[same], "{same}: {found}");
    }
    daemon.ask(&["restart", "bob"]);
    let next = daemon.until("bob", "up again", |peer| peer["phase"] == "up" && peer["gen"] == 2).await;
    assert!(!alive(pid(bob, "server_pid")) && !alive(pid(bob, "canary_pid")), "{next}");
    assert_eq!(daemon.ask(&["deaths"]), json!([]));
}

#[tokio::test]
async fn a_stop_is_no_death_to_a_canary_that_nobody_knows_and_whose_lock_is_gone() {
    let (root, bob) = orphan().await;
    let mut state: Value = serde_json::from_str(&std::fs::read_to_string(file(&root, "state.json")).unwrap()).unwrap();
    assert!(state["lives"][0].as_object_mut().unwrap().remove("canary").is_some());
    std::fs::write(file(&root, "state.json"), state.to_string()).unwrap();
    std::fs::remove_file(file(&root, "canary-g1.lock")).unwrap();
    let canary = pid(&bob, "canary_pid");
    stop_process(canary);
    let daemon = Daemon::on(root).await;
    daemon.until("bob", "found", |peer| peer["phase"] == "up").await;
    daemon.ask(&["stop", "bob"]);
    daemon.ask(&["start", "bob"]);
    if alive(canary) {
        continue_process(canary);
    }
    eventually("the canary is gone", || async { (!alive(canary)).then_some(()) }).await;
    assert_eq!(daemon.ask(&["deaths"]), json!([]));
    assert_eq!(daemon.read("journal/exits.log"), "");
}

#[tokio::test]
async fn a_live_server_whose_lock_was_removed_is_adopted_and_never_swept() {
    let (root, bob) = orphan().await;
    std::fs::remove_file(file(&root, "server.lock")).unwrap();
    let daemon = Daemon::on(root).await;
    let found = daemon.until("bob", "found", |peer| peer["phase"] == "up").await;
    assert!(found["detail"].as_str().unwrap().contains("server.lock was removed"), "{found}");
    goes_on(&daemon, &bob).await;
}

#[tokio::test]
async fn a_lost_state_is_made_again_from_what_lives() {
    for lock_too in [false, true] {
        let (root, bob) = orphan().await;
        std::fs::remove_file(file(&root, "state.json")).unwrap();
        if lock_too {
            std::fs::remove_file(file(&root, "server.lock")).unwrap();
        }
        // Also for whoever looks while no daemon runs.
        assert_eq!(root.ask(&["list"])[0]["server_pid"], bob["server_pid"]);
        let down = root.coalmine(&["down", "--all"]);
        assert!(down.code == 69 && down.err.contains("1 peer still runs"), "{down:?}");
        let daemon = Daemon::on(root).await;
        goes_on(&daemon, &bob).await;
    }
}

#[tokio::test]
async fn a_damaged_state_is_moved_away_and_what_lives_goes_on() {
    let (root, bob) = orphan().await;
    std::fs::write(file(&root, "state.json"), "{\"version\":1,").unwrap();
    let verified = root.coalmine(&["verify"]);
    assert!(verified.out.contains("move it away"), "{verified:?}");
    let daemon = Daemon::on(root).await;
    daemon.until("bob", "blocked", |peer| peer["phase"] == "blocked" && peer["next_try"].is_string()).await;
    daemon.coalmine(&["explain", "bob"]).tells(&["looked at again by itself", "blocked, tried again in "]);
    let refused = daemon.coalmine(&["stop", "bob"]);
    assert!(refused.code != 0 && refused.err.contains("move it away"), "{refused:?}");
    let down = daemon.coalmine(&["down", "--all"]);
    assert!(down.code == 6 && down.out.contains("shell-bob could not be ended"), "{down:?}");
    let (_, root) = daemon.ended().await;
    assert!(alive(pid(&bob, "server_pid")));
    std::fs::rename(file(&root, "state.json"), file(&root, "state.json.damaged")).unwrap();
    let daemon = Daemon::on(root).await;
    goes_on(&daemon, &bob).await;
}

#[tokio::test]
async fn a_peer_whose_state_is_lost_can_not_be_removed_over_its_living_server() {
    let (root, bob) = orphan().await;
    std::fs::remove_file(file(&root, "state.json")).unwrap();
    let daemon = Daemon::on(root).await;
    let refused = daemon.coalmine(&["remove", "bob"]);
    assert!(refused.code != 0 && refused.err.contains("--force"), "{refused:?}");
    daemon.ask(&["remove", "bob", "--force"]);
    assert!(!alive(pid(&bob, "server_pid")));
    let next = daemon.sleeper("bob");
    assert_eq!(next["gen"], 2, "{next}");
    assert_eq!(daemon.ask(&["deaths"]), json!([]));
}
