//! A peer's way through its verbs, from `create` to `remove`: documents for programs, words for people.

use crate::support::{Daemon, Root, alive, eventually, kill};
use serde_json::{Value, json};

const SLEEPER: [&str; 5] = ["--start", "--", "/bin/sh", "-c", "exec sleep 3600"];

fn pid(peer: &Value, which: &str) -> i32 {
    peer[which].as_i64().unwrap().try_into().unwrap()
}

#[tokio::test]
async fn create_makes_a_peer_and_says_how_to_start_it() {
    let daemon = Daemon::start().await;
    let said = daemon.coalmine(&["create", "bob", "--", "sleep", "60"]);
    said.tells(&["created: shell-bob is asleep", "start it with `coalmine start bob`"]);
    let again = daemon.coalmine(&["create", "bob", "--", "sleep", "60"]);
    again.tells(&["already there: shell-bob is asleep"]);
    let carol = daemon.ask(&["create", "carol", "--restart", "never", "--env", "A=b=c", "--", "sleep", "60"]);
    assert_eq!(
        (&carol["new"], &carol["peer"]["phase"], &carol["peer"]["gen"]),
        (&json!(true), &json!("asleep"), &json!(0))
    );
    assert_eq!((&carol["peer"]["restart"], &carol["peer"]["command"]), (&json!("never"), &json!(["sleep", "60"])));
    assert_eq!(daemon.ask(&["create", "carol", "--", "sleep", "60"])["new"], false);
    let fleet: Value = serde_json::from_str(&daemon.read("fleet.json")).unwrap();
    assert_eq!(fleet["peers"][1]["env"], json!({"A": "b=c"}));
}

#[tokio::test]
async fn a_peer_leaves_no_descriptor_behind_however_often_it_lives() {
    let daemon = Daemon::start().await;
    daemon.sleeper("bob");
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count();
    daemon.ask(&["restart", "bob"]);
    let before = descriptors();
    for _ in 0..5 {
        daemon.ask(&["restart", "bob"]);
    }
    let none_left = || async { (descriptors() <= before).then_some(()) };
    eventually("five lives leave no descriptor", none_left).await;
}

#[tokio::test]
async fn create_with_start_returns_when_the_peer_is_up() {
    let daemon = Daemon::start().await;
    let said = daemon.coalmine(&[&["create", "bob"][..], &SLEEPER].concat());
    said.tells(&["created: shell-bob is up (gen 1)"]);
    let bob = daemon.peer("bob");
    assert!(alive(pid(&bob, "server_pid")) && alive(pid(&bob, "canary_pid")));
}

/// tmux gives the first pane of a session the PATH of whoever opens it.
#[tokio::test]
async fn a_program_is_found_in_the_path_of_the_daemon() {
    let root = Root::new();
    let bin = root.folder().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink("/bin/sh", bin.join("my-agent")).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let daemon = Daemon::on(root.env_also("PATH", path)).await;
    let said = daemon.coalmine(&["create", "bob", "--start", "--", "my-agent", "-c", "exec sleep 3600"]);
    said.tells(&["created: shell-bob is up (gen 1)"]);
}

#[tokio::test]
async fn a_second_runtime_in_the_same_folder_joins_its_personality() {
    let daemon = Daemon::start().await;
    daemon.put("home/.config/coalmine/config.toml", "[runtime.other]\nkind = \"program\"\nargv = [\"/bin/sh\"]\n");
    let (_, root) = {
        daemon.signal(rustix::process::Signal::TERM);
        daemon.ended().await
    };
    let daemon = Daemon::on(root).await;
    daemon.ask(&["create", "bob", "--", "sleep", "60"]);
    daemon.ask(&["create", "bob", "--runtime", "other", "--start"]);
    let names: Vec<_> =
        daemon.ask(&["show", "bob"]).as_array().unwrap().iter().map(|peer| peer["identity"].clone()).collect();
    assert_eq!(names, ["other-bob", "shell-bob"]);
    // A bare name starts the default runtime, and stops them all.
    daemon.coalmine(&["start", "bob"]).tells(&["shell-bob is up"]);
    daemon.coalmine(&["stop", "bob"]).tells(&["shell-bob is stopped", "other-bob is stopped"]);
}

#[tokio::test]
async fn start_stop_restart_and_reset_say_what_became_of_the_peer() {
    let daemon = Daemon::start().await;
    daemon.ask(&["create", "bob", "--", "/bin/sh", "-c", "exec sleep 3600"]);
    daemon.coalmine(&["start", "bob"]).tells(&["shell-bob is up (gen 1)"]);
    // What is up already is no failure.
    daemon.coalmine(&["start", "bob"]).tells(&["shell-bob is up (gen 1)"]);
    let first = daemon.peer("bob");
    daemon.coalmine(&["restart", "bob"]).tells(&["shell-bob is up (gen 2)"]);
    assert!(!alive(pid(&first, "server_pid")));
    daemon.coalmine(&["stop", "bob"]).tells(&["shell-bob is stopped (kill-server)"]);
    daemon.coalmine(&["stop", "bob"]).tells(&["shell-bob is stopped; it did not run"]);
    let stopped = daemon.ask(&["stop", "bob"]);
    assert_eq!(
        stopped,
        json!({"done": [{"identity": "shell-bob", "was": "stopped", "phase": "stopped", "report": null}], "failed": []})
    );
    let started = daemon.ask(&["start", "shell-bob"]);
    assert_eq!((&started["done"][0]["phase"], &started["done"][0]["gen"]), (&json!("up"), &json!(3)));
    assert_eq!(daemon.ask(&["restart", "bob"])["done"][0]["gen"], 4);
    daemon.coalmine(&["reset", "bob"]).tells(&["shell-bob is up (gen 4)"]);
    assert_eq!(daemon.ask(&["reset", "bob"])[0]["deaths_recent"], 0);
    assert_eq!(daemon.ask(&["deaths"]), json!([]));
}

#[tokio::test]
async fn a_quarantined_peer_says_so_and_names_the_way_out() {
    let daemon = Daemon::impatient().await;
    // Whether the first end comes soon enough to be told by `create` is for another test.
    daemon.coalmine(&["create", "bob", "--start", "--", "/bin/sh", "-c", "exit 7"]);
    daemon.until("bob", "quarantined", |peer| peer["phase"] == "quarantined").await;
    daemon.coalmine(&["list"]).tells(&["quarantined", "shell-bob: `coalmine reset shell-bob`"]);
    let refused = daemon.coalmine(&["start", "bob"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("hint: `coalmine reset shell-bob`"), "{refused:?}");
    daemon.coalmine(&["status"]).tells(&["1 quarantined", "look at", "6 deaths in 300 s"]);
    daemon.coalmine(&["reset", "bob"]).tells(&["shell-bob is stopped"]);
    assert_eq!(daemon.peer("bob")["deaths_recent"], 0);
}

#[tokio::test]
async fn several_names_are_done_one_by_one_and_a_failure_among_them_is_degraded() {
    let daemon = Daemon::start().await;
    for name in ["anna", "bob"] {
        daemon.ask(&["create", name, "--", "sleep", "60"]);
    }
    daemon.coalmine(&["start", "--all"]).tells(&["shell-anna is up", "shell-bob is up"]);
    let said = daemon.coalmine(&["stop", "anna", "nobody"]);
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.out.contains("shell-anna is stopped") && said.err.contains("no peer is named nobody"), "{said:?}");
    let said = daemon.coalmine(&["--json", "stop", "nobody", "noone"]);
    assert_eq!(
        (said.code, &said.json()["data"]["failed"][1]["error"]["code"]),
        (3, &json!("unknown-peer")),
        "{said:?}"
    );
    daemon.coalmine(&["restart", "--all"]).tells(&["shell-bob is up (gen 2)"]);
    assert_eq!(daemon.peer("anna")["phase"], "stopped");
}

#[tokio::test]
async fn remove_spares_what_lives_and_keeps_the_folder() {
    let daemon = Daemon::start().await;
    let bob = daemon.sleeper("bob");
    let said = daemon.coalmine(&["remove", "bob"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("shell-bob is up") && said.err.contains("--force"), "{said:?}");
    assert!(alive(pid(&bob, "server_pid")));
    let folder = daemon.folder().to_str().unwrap().to_owned();
    daemon.coalmine(&["remove", "bob", "--force"]).tells(&["bob is removed", &folder, "is kept"]);
    assert!(!alive(pid(&bob, "server_pid")) && !alive(pid(&bob, "canary_pid")));
    assert!(daemon.folder().exists() && !daemon.path().join("peers/shell-bob").exists());
    daemon.coalmine(&["remove", "bob"]).tells(&["no peer is named bob: nothing to remove"]);
    assert_eq!(daemon.ask(&["remove", "bob"])["existed"], false);
    // A namesake inherits nothing but the count of lives.
    assert_eq!(daemon.sleeper("bob")["gen"], 2);
}

#[tokio::test]
async fn a_death_is_told_by_deaths_with_its_forensics() {
    let daemon = Daemon::start().await;
    daemon.coalmine(&["deaths"]).tells(&["no deaths on record"]);
    let bob = daemon.sleeper("bob");
    kill(pid(&bob, "server_pid"));
    daemon.until("bob", "up again", |peer| peer["phase"] == "up" && peer["gen"] == 2).await;
    crate::support::eventually("the record", || async { (daemon.ask(&["deaths"]) != json!([])).then_some(()) }).await;
    daemon.coalmine(&["deaths"]).tells(&["WITNESS", "shell-bob", "SIGKILL", "killed", "canary"]);
    daemon.coalmine(&["deaths", "bob", "-n", "1"]).tells(&["forensics: ", "--full", "status=signal:9"]);
    let death = daemon.ask(&["deaths", "bob"])[0].take();
    assert_eq!((&death["gen"], &death["cause"], &death["witness"]), (&json!(1), &json!("killed"), &json!("canary")));
    daemon.coalmine(&["list"]).tells(&["shell-bob"]);
    assert_eq!((&daemon.peer("bob")["restarts"], &daemon.peer("bob")["deaths_recent"]), (&json!(1), &json!(1)));
    let unknown = daemon.coalmine(&["deaths", "bop"]);
    assert_eq!(unknown.code, 3, "{unknown:?}");
}
