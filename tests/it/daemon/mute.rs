//! A daemon that runs and is not heard: its socket is gone, or it was stopped. Nobody may say that none runs.

use crate::support::{Daemon, continue_process, eventually, stop_process};
use serde_json::json;

#[tokio::test]
async fn a_removed_socket_is_made_again_and_the_daemon_answers_at_it() {
    let daemon = Daemon::start().await;
    let bob = daemon.sleeper("bob");
    let socket = daemon.paths().daemon_socket();
    std::fs::remove_file(&socket).unwrap();
    eventually("the socket is there", || async { socket.exists().then_some(()) }).await;
    assert_eq!(daemon.ask(&["status"])["daemon_pid"], daemon.pid());
    // With its whole folder, in which bob's socket lies too.
    // The daemon may put a socket back while the folder is being emptied: then once more.
    let removed = || async { std::fs::remove_dir_all(daemon.paths().run()).ok() };
    eventually("the folder is removed", removed).await;
    eventually("the socket is there", || async { socket.exists().then_some(()) }).await;
    assert_eq!(daemon.peer("bob")["server_pid"], bob["server_pid"]);
    assert_eq!(daemon.ask(&["up", "-d"]), json!({"pid": daemon.pid(), "started": false}));
    daemon.coalmine(&["down"]).tells(&["the daemon has ended; 1 peer still runs"]);
    let (status, _root) = daemon.ended().await;
    assert!(status.success());
}

#[tokio::test]
async fn a_stopped_daemon_is_named_as_one_that_runs() {
    let daemon = Daemon::start().await;
    let bob = daemon.sleeper("bob");
    stop_process(daemon.pid());
    let list = daemon.coalmine(&["list"]);
    list.tells(&["daemon: not answering", "shell-bob"]);
    let named = format!("pid {} (coalmine)", daemon.pid());
    assert!(list.err.contains(&named), "{list:?}");
    for act in [&["stop", "bob"][..], &["down"], &["up", "-d"], &["create", "carl", "--", "sleep", "1"]] {
        let said = daemon.coalmine(&[&["--json"], act].concat());
        assert_eq!((said.code, &said.error()["code"]), (69, &json!("daemon-mute")), "{act:?}: {said:?}");
        let error = said.error();
        assert!(error["message"].as_str().unwrap().contains(&named), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("kill -CONT"), "{error}");
    }
    let doctor = daemon.coalmine(&["doctor"]);
    assert!(doctor.out.contains("bad   daemon: ") && doctor.out.contains(&named), "{doctor:?}");
    continue_process(daemon.pid());
    assert_eq!(daemon.peer("bob")["server_pid"], bob["server_pid"]);
}
