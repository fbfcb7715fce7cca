//! One daemon after another: what runs is neither doubled nor lost.

use crate::support::{Daemon, alive};
use rustix::process::Signal;
use serde_json::{Value, json};

const NAMES: [&str; 3] = ["anna", "bob", "carl"];

fn processes(root: &crate::support::Root) -> Vec<Value> {
    let of =
        |peer: &Value| json!([peer["identity"], peer["gen"], peer["phase"], peer["server_pid"], peer["canary_pid"]]);
    root.ask(&["list"]).as_array().unwrap().iter().map(of).collect()
}

/// The tmux servers whose socket lies in this root.
fn servers(root: &crate::support::Root) -> usize {
    let run = root.paths().run().to_str().unwrap().to_owned();
    let is_server = |pid: i32| {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments).into_owned();
        arguments.contains("tmux\0-D") && arguments.contains(&run) && alive(pid)
    };
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|file| file.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| is_server(*pid)).count()
}

#[tokio::test]
async fn the_next_daemon_finds_what_the_last_one_left_running() {
    for end in [Signal::TERM, Signal::KILL] {
        let daemon = Daemon::start().await;
        NAMES.iter().for_each(|name| drop(daemon.sleeper(name)));
        let before = processes(&daemon);
        daemon.signal(end);
        let (_, root) = daemon.ended().await;
        let daemon = Daemon::on(root).await;
        for name in NAMES {
            daemon.until(name, "found", |peer| peer["phase"] == "up").await;
        }
        assert_eq!(processes(&daemon), before, "{end:?}");
        assert_eq!(servers(&daemon), NAMES.len());
        assert_eq!(daemon.ask(&["deaths"]), json!([]));
        // What was found is watched like what was started.
        crate::support::kill(before[1][3].as_i64().unwrap().try_into().unwrap());
        daemon.until("bob", "up again", |peer| peer["phase"] == "up" && peer["gen"] == 2).await;
        crate::support::eventually("one record", || async { (daemon.ask(&["deaths"])[0]["gen"] == 1).then_some(()) })
            .await;
        assert_eq!(servers(&daemon), NAMES.len());
    }
}

#[tokio::test]
async fn a_death_without_a_daemon_is_recorded_once_and_the_next_daemon_goes_on() {
    let daemon = Daemon::start().await;
    let bob = daemon.sleeper("bob");
    daemon.signal(Signal::KILL);
    let (_, root) = daemon.ended().await;
    crate::support::kill(bob["server_pid"].as_i64().unwrap().try_into().unwrap());
    let daemon = Daemon::on(root).await;
    daemon.until("bob", "up again", |peer| peer["phase"] == "up" && peer["gen"] == 2).await;
    crate::support::eventually("its record", || async { daemon.ask(&["deaths"]).get(0).is_some().then_some(()) }).await;
    let deaths = daemon.ask(&["deaths"]);
    assert_eq!(deaths.as_array().unwrap().len(), 1, "{deaths}");
    assert_eq!((&deaths[0]["gen"], &deaths[0]["witness"]), (&json!(1), &json!("canary")));
}

#[tokio::test]
async fn what_rested_rests_on() {
    let daemon = Daemon::impatient().await;
    daemon.sleeper("stopped");
    daemon.ask(&["stop", "stopped"]);
    daemon.ask(&["create", "asleep", "--", "sleep", "60"]);
    daemon.coalmine(&["create", "quarantined", "--start", "--", "/bin/sh", "-c", "exit 7"]);
    daemon.until("quarantined", "in quarantine", |peer| peer["phase"] == "quarantined").await;
    daemon.signal(Signal::TERM);
    let (_, root) = daemon.ended().await;
    let daemon = Daemon::on(root).await;
    for name in ["stopped", "asleep", "quarantined"] {
        daemon.until(name, "as it was", |peer| peer["phase"] == name).await;
    }
    let status = daemon.coalmine(&["status"]);
    status.tells(&["look at", "shell-quarantined: quarantined"]);
    assert!(!status.out.contains("quarantined:\n"), "{status:?}");
}
