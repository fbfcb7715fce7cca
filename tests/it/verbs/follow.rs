//! What goes on until somebody ends it: `logs -f`, `list --watch`.

use crate::support::{Daemon, Said};
use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
};

/// A verb that runs on; ended with its handle.
struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn of(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Reads on to a line that holds `words`; the test runner's deadline ends a wait for one that never comes.
    fn until(&mut self, words: &str) -> String {
        self.lines.by_ref().map(Result::unwrap).find(|line| line.contains(words)).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_log_is_followed_over_the_lives_of_its_peer() {
    let daemon = Daemon::start().await;
    daemon.script("bob", "echo life $PEER_GENERATION; exec sleep 3600");
    let mut log = Running::of(daemon.command(&["logs", "-f", "bob"]));
    log.until("life 1");
    daemon.ask(&["restart", "bob"]);
    log.until("life 2");
    let mut json = Running::of(daemon.command(&["--json", "logs", "-f", "-n", "1", "bob"]));
    assert!(json.until("life 2").starts_with(r#"{"identity":"shell-bob","text":"#));
}

#[tokio::test]
async fn following_the_log_of_a_peer_ends_with_the_peer() {
    let daemon = Daemon::start().await;
    daemon.script("bob", "echo here; exec sleep 3600");
    let mut command = daemon.command(&["logs", "-f", "bob"]);
    std::thread::scope(|scope| {
        let followed = scope.spawn(|| Said::of(&mut command));
        daemon.ask(&["remove", "bob", "--force"]);
        let followed = followed.join().unwrap();
        // Whether it came before the removal or after it: it ends, and says why.
        assert!(followed.err.contains("shell-bob has been removed") || followed.code == 3, "{followed:?}");
    });
}

#[tokio::test]
async fn a_list_that_is_watched_follows_the_states_also_past_the_daemon() {
    let daemon = Daemon::start().await;
    daemon.sleeper("bob");
    let mut list = Running::of(daemon.command(&["list", "--watch=100ms"]));
    list.until("shell-bob  up");
    daemon.ask(&["stop", "bob"]);
    list.until("shell-bob  stopped");
    daemon.ask(&["down"]);
    list.until("daemon: not running");
    list.until("shell-bob  stopped");
    drop(list);
    assert_eq!(daemon.coalmine(&["list", "--watch=never"]).code, 2);
}
