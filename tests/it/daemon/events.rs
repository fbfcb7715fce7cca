//! `events`: replay and following, with every number once.

use crate::support::{Daemon, eventually};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
};

/// `coalmine events -f --json`, and the lines that it wrote so far.
struct Follower {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<u64>,
}

impl Follower {
    fn of(daemon: &Daemon) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coalmine"));
        command.args(["events", "-f", "--json"]).env_clear().envs(daemon.env());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        // Ends with the follower: its output closes.
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, seen: Vec::new() }
    }

    async fn until(&mut self, seq: u64) {
        let this = std::cell::RefCell::new(self);
        eventually(&format!("event {seq}"), || async {
            let mut this = this.borrow_mut();
            while let Ok(line) = this.lines.try_recv() {
                let event: Value = serde_json::from_str(&line).unwrap();
                let seq = event["seq"].as_u64().unwrap_or_else(|| panic!("no number: {line}"));
                this.seen.push(seq);
            }
            this.seen.last().is_some_and(|last| *last >= seq).then_some(())
        })
        .await;
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn last_seq(daemon: &Daemon) -> u64 {
    daemon.ask(&["status"])["last_seq"].as_u64().unwrap()
}

#[tokio::test]
async fn a_follower_gets_every_event_once_while_events_are_being_made() {
    let daemon = Daemon::start().await;
    daemon.sleeper("bob");
    let reset = |count| (0..count).for_each(|_| drop(daemon.ask(&["reset", "bob"])));
    let mut followers = Vec::new();
    for _ in 0..4 {
        // Each one joins in the middle of something.
        reset(5);
        followers.push(Follower::of(&daemon));
    }
    reset(10);
    let last = last_seq(&daemon);
    for follower in &mut followers {
        follower.until(last).await;
        assert_eq!(follower.seen, (1..=*follower.seen.last().unwrap()).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_follower_hears_that_the_daemon_has_ended() {
    let daemon = Daemon::start().await;
    let mut follower = Follower::of(&daemon);
    follower.until(1).await;
    daemon.coalmine(&["down"]).tells(&["the daemon has ended; no peer runs"]);
    let child = std::cell::RefCell::new(&mut follower.child);
    let status = eventually("the follower ended", || async { child.borrow_mut().try_wait().unwrap() }).await;
    assert_eq!(status.code(), Some(69));
}

#[tokio::test]
async fn events_are_told_by_peer_and_by_age() {
    let daemon = Daemon::start().await;
    daemon.sleeper("bob");
    daemon.sleeper("anna");
    let all = daemon.coalmine(&["events"]);
    all.tells(&["daemon-started", "starting shell-bob gen=1", "up shell-anna gen=1"]);
    let bob = daemon.coalmine(&["events", "--peer", "bob"]);
    bob.tells(&["canary shell-bob gen=1 state=spawned origin=launch"]);
    assert!(!bob.out.contains("anna"), "{bob:?}");
    daemon.coalmine(&["events", "--since", "1h", "--peer", "shell-anna"]).tells(&["up shell-anna"]);
    assert_eq!(daemon.coalmine(&["events", "--since", "2100-01-01T00:00:00Z"]).out, "");
    assert_eq!(daemon.coalmine(&["events", "--since", "soon"]).code, 2);
    let lines = daemon.coalmine(&["events", "--json"]).out;
    let seqs: Vec<_> = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64()).collect();
    assert_eq!(seqs, (1..=last_seq(&daemon)).map(Some).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_a_stranger_asks_of_the_stream_is_refused_before_it_begins() {
    let daemon = Daemon::start().await;
    let said = daemon.coalmine(&["events", "--peer", "nobody"]);
    assert_eq!((said.code, said.out.as_str()), (3, ""), "{said:?}");
    let target = "/v1/events?after=minus-one";
    let (status, body) =
        crate::support::http::talk(&daemon.paths().daemon_socket(), &crate::support::http::request("GET", target, b""));
    assert_eq!((status, body["error"]["code"].as_str()), (400, Some("bad-query")), "{body}");
}
