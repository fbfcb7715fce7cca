//! The verbs that only look: `list`, `show`, `status`, `capture`, `logs`, `verify`, `doctor`.

use crate::support::{Daemon, eventually};
use serde_json::json;

const SCREEN: &str = "printf 'first\\n\\033[31mred\\033[0m\\n'; exec sleep 3600";

#[tokio::test]
async fn an_empty_fleet_says_how_to_begin() {
    let daemon = Daemon::start().await;
    daemon.coalmine(&["list"]).tells(&["no peers yet", "coalmine create NAME --start"]);
    daemon.coalmine(&["status"]).tells(&["none yet", &format!("pid {}", daemon.pid())]);
    assert_eq!(daemon.ask(&["list"]), json!([]));
    daemon.coalmine(&["verify"]).tells(&["fleet.json: 0 identities"]);
}

#[tokio::test]
async fn list_show_and_status_agree() {
    let daemon = Daemon::start().await;
    let bob = daemon.sleeper("bob");
    daemon.ask(&["create", "anna", "--", "sleep", "60"]);
    let list = daemon.coalmine(&["list"]);
    list.tells(&["NAME", "STATE", "shell-anna", "asleep", "shell-bob", "up", "sleep 60"]);
    assert!(!list.out.contains("not running"), "{list:?}");
    assert_eq!(daemon.ask(&["list"])[1], daemon.ask(&["show", "bob"])[0]);
    let pid = bob["server_pid"].to_string();
    daemon.coalmine(&["show", "bob"]).tells(&[
        "identity",
        "state",
        "up",
        &pid,
        "on-failure",
        "/bin/sh -c exec sleep 3600",
    ]);
    let status = daemon.ask(&["status"]);
    assert_eq!((&status["daemon_pid"], &status["records_owed"]), (&json!(daemon.pid()), &json!(0)));
    assert_eq!(status["phases"], json!([["asleep", 1], ["up", 1]]));
    daemon.coalmine(&["status"]).tells(&["1 asleep", "1 up", daemon.path().to_str().unwrap()]);
}

#[tokio::test]
async fn capture_shows_the_screen_without_what_could_drive_a_terminal() {
    let daemon = Daemon::start().await;
    daemon.script("bob", SCREEN);
    let screen = eventually("the screen", || async {
        let said = daemon.coalmine(&["capture", "bob"]);
        said.out.contains("red").then_some(said)
    })
    .await;
    // What is below the last line of a tall screen is nothing that anybody wants to scroll through.
    assert_eq!((screen.code, screen.out.as_str()), (0, "first\nred\n"));
    assert!(daemon.ask(&["capture", "bob"])["text"].as_str().unwrap().starts_with("first\nred\n"));
    daemon.ask(&["stop", "bob"]);
    let said = daemon.coalmine(&["capture", "bob"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("shell-bob is stopped") && said.err.contains("coalmine start shell-bob"), "{said:?}");
}

#[tokio::test]
async fn logs_outlive_the_life_that_wrote_them() {
    let daemon = Daemon::start().await;
    daemon.ask(&["create", "quiet", "--", "sleep", "60"]);
    let said = daemon.coalmine(&["logs", "quiet"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""));
    assert!(said.err.contains("shell-quiet has written nothing"), "{said:?}");
    daemon.script("bob", SCREEN);
    eventually("the log", || async { daemon.coalmine(&["logs", "bob"]).out.contains("red").then_some(()) }).await;
    daemon.ask(&["stop", "bob"]);
    daemon.coalmine(&["logs", "bob", "-n", "1"]).tells(&["red"]);
    assert!(daemon.ask(&["logs", "bob"])["text"].as_str().unwrap().starts_with("first\nred\n"));
}

#[tokio::test]
async fn doctor_finds_a_healthy_fleet_healthy() {
    let daemon = Daemon::start().await;
    daemon.sleeper("bob");
    let said = daemon.coalmine(&["doctor"]);
    said.tells(&["tmux: tmux ", "helper: ", &format!("(pid {})", daemon.pid()), "is yours alone"]);
    assert!(!said.out.contains("bad "), "{said:?}");
    let found = daemon.ask(&["doctor"]);
    assert!(found.as_array().unwrap().iter().all(|finding| finding["weight"] != "bad"), "{found}");
    daemon.coalmine(&["verify"]).tells(&["fleet.json: 1 identity", "peers: 1 state", "lifecycle.log: "]);
    assert!(daemon.ask(&["verify"]).as_array().unwrap().iter().all(|finding| finding["weight"] == "ok"));
}

#[tokio::test]
async fn without_a_daemon_the_files_tell_the_same() {
    let daemon = Daemon::start().await;
    let bob = daemon.sleeper("bob");
    daemon.signal(rustix::process::Signal::TERM);
    let (status, root) = daemon.ended().await;
    assert!(status.success());
    let list = root.coalmine(&["list"]);
    list.tells(&["daemon: not running", "shell-bob", "up"]);
    let shown = root.ask(&["show", "bob"])[0].take();
    for key in ["identity", "phase", "gen", "server_pid", "canary_pid", "command", "cwd", "restart"] {
        assert_eq!(shown[key], bob[key], "{key}");
    }
    root.coalmine(&["events"]).tells(&["daemon: not running", "daemon-stopping running=1"]);
    root.coalmine(&["deaths"]).tells(&["no deaths on record"]);
    root.coalmine(&["verify"]).tells(&["fleet.json: 1 identity"]);
}
