//! The daemon's own verbs: `up -d`, `down`, `daemon`, and the signals that it hears.

use crate::support::{Daemon, Refusal, Root, alive, eventually};
use rustix::process::Signal;
use serde_json::{Value, json};

fn pid(peer: &Value, which: &str) -> i32 {
    peer[which].as_i64().unwrap().try_into().unwrap()
}

#[tokio::test]
async fn up_starts_a_daemon_once_and_down_ends_it() {
    let root = Root::new();
    root.coalmine(&["up", "-d"]).tells(&["the daemon runs now (pid "]);
    root.coalmine(&["up", "-d"]).tells(&["the daemon runs already (pid "]);
    let status = root.ask(&["status"]);
    assert_eq!(root.ask(&["up", "-d"]), json!({"pid": status["daemon_pid"], "started": false}));
    let daemon = pid(&status, "daemon_pid");
    assert_eq!(std::fs::read_to_string(format!("/proc/{daemon}/comm")).unwrap(), "coalmine\n");
    root.coalmine(&["down"]).tells(&["the daemon has ended; no peer runs"]);
    assert!(!alive(daemon));
    root.coalmine(&["down"]).tells(&["no daemon runs, and no peer"]);
    assert!(root.read("daemon.log").contains("ready: the fleet in "), "{}", root.read("daemon.log"));
}

#[tokio::test]
async fn create_starts_the_daemon_that_it_needs_and_says_so() {
    let root = Root::new();
    let said = root.coalmine(&["create", "bob", "--start", "--", "sleep", "3600"]);
    said.tells(&["created: shell-bob is up (gen 1)"]);
    assert!(said.err.contains("started the daemon (pid ") && said.err.contains("`coalmine down` ends it"), "{said:?}");
    root.coalmine(&["down", "--all"]).tells(&["the daemon has ended, and 1 peer with it"]);
}

#[tokio::test]
async fn ten_at_once_start_one_daemon() {
    let root = Root::new();
    let pids: Vec<_> = std::thread::scope(|scope| {
        let ups: Vec<_> = (0..10).map(|_| scope.spawn(|| root.ask(&["up", "-d"]))).collect();
        ups.into_iter().map(|up| up.join().unwrap()["pid"].clone()).collect()
    });
    assert!(pids.iter().all(|pid| *pid == pids[0] && pid.is_u64()), "{pids:?}");
}

#[tokio::test]
async fn down_leaves_the_peers_and_down_all_does_not() {
    let daemon = Daemon::start().await;
    let (bob, anna) = (daemon.sleeper("bob"), daemon.sleeper("anna"));
    let down = daemon.coalmine(&["down"]);
    down.tells(&["the daemon has ended; 2 peers still run", "`coalmine up -d`, then `coalmine down --all`"]);
    let (status, root) = daemon.ended().await;
    assert!(status.success());
    for peer in [&bob, &anna] {
        assert!(alive(pid(peer, "server_pid")) && alive(pid(peer, "canary_pid")));
    }
    let said = root.coalmine(&["down", "--all"]);
    assert_eq!(said.code, 69, "{said:?}");
    assert!(said.err.contains("no daemon runs, and 2 peers still run") && said.err.contains("hint: `coalmine up -d`"));
    root.coalmine(&["down"]).tells(&["no daemon runs; 2 peers still run"]);
    root.coalmine(&["up", "-d"]).tells(&["runs now"]);
    assert_eq!(root.ask(&["down", "--all"]), json!({"ended": 2, "running": 0}));
    for peer in [&bob, &anna] {
        assert!(!alive(pid(peer, "server_pid")) && !alive(pid(peer, "canary_pid")));
    }
    assert_eq!(root.ask(&["deaths"]), json!([]));
    root.coalmine(&["up", "-d"]);
    assert_eq!(root.ask(&["show", "bob"])[0]["phase"], "stopped");
}

#[tokio::test]
async fn a_daemon_that_ended_its_peers_ends_with_success() {
    let daemon = Daemon::start().await;
    daemon.sleeper("bob");
    daemon.coalmine(&["down", "--all"]).tells(&["the daemon has ended, and 1 peer with it"]);
    let words = daemon.words();
    let (status, _root) = daemon.ended().await;
    assert!(status.success() && words.contains("ended; no peer runs"), "{status}: {words}");
}

#[tokio::test]
async fn a_second_daemon_is_refused_and_told_who_the_first_one_is() {
    let daemon = Daemon::start().await;
    let said = daemon.coalmine(&["daemon"]);
    assert_eq!(said.code, 75, "{said:?}");
    assert!(said.err.contains(&format!("is held by pid {} (coalmine)", daemon.pid())), "{said:?}");
    assert!(said.err.contains("hint: use that daemon"), "{said:?}");
    let said = daemon.coalmine(&["--json", "daemon"]);
    assert_eq!((&said.error()["code"], &said.error()["retryable"]), (&json!("held"), &json!(true)));
    assert_eq!(daemon.ask(&["status"])["daemon_pid"], daemon.pid());
}

#[tokio::test]
async fn an_act_without_a_daemon_is_refused() {
    let root = Root::with(&[("fleet.json", r#"{"version":1,"peers":[],"retired":{}}"#)]);
    let refusal = Refusal { code: "unreachable", exit: 69, message: "no daemon answers", hint: "coalmine up -d" };
    refusal.check(&root.coalmine(&["--json", "stop", "bob"]), &root.coalmine(&["stop", "bob"]));
    assert_eq!(crate::support::names_in(root.path()), ["fleet.json"]);
}

#[tokio::test]
async fn signals_end_the_daemon_and_leave_the_peers() {
    for signal in [Signal::TERM, Signal::INT] {
        let daemon = Daemon::start().await;
        let bob = daemon.sleeper("bob");
        let socket = daemon.paths().daemon_socket();
        daemon.signal(signal);
        let (status, root) = daemon.ended().await;
        let words = root.read("daemon.out");
        assert!(status.success() && !socket.exists());
        assert!(words.contains("ended; 1 peer still runs: `coalmine up -d`, then `coalmine down --all`"), "{words}");
        assert!(alive(pid(&bob, "server_pid")) && alive(pid(&bob, "canary_pid")));
    }
}

#[tokio::test]
async fn a_bad_config_at_sighup_changes_nothing_and_is_told() {
    let daemon = Daemon::start().await;
    let bob = daemon.sleeper("bob");
    daemon.put("home/.config/coalmine/config.toml", "[restart]\npolcy = \"never\"\n");
    daemon.signal(Signal::HUP);
    eventually("the error is told", || async { daemon.words().contains("unknown key \"polcy\"").then_some(()) }).await;
    let words = daemon.words();
    assert!(words.contains("line 2") && words.contains("did you mean \"policy\"?"), "{words}");
    assert_eq!(daemon.peer("bob")["server_pid"], bob["server_pid"]);
    assert_eq!(daemon.peer("bob")["restart"], "on-failure");
    // It still serves, and still starts what it is asked to.
    assert_eq!(daemon.sleeper("anna")["phase"], "up");
}
