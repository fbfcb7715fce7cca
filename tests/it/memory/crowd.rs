//! Many processes at once, some of them killed: what was acknowledged is there, once, and nothing else is wrong.

use crate::support::{Daemon, Root, gone_within, kill};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    process::{Child, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

const WRITERS: usize = 64;
const CALLS: usize = 3;
/// Calls that succeed before a daemon is killed. A kill costs a call of each writer at most: two daemons have their
/// number also in the worst order.
const A_DAEMON: usize = 30;

/// A small generator: the same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// One call, killed after a while where the dice say so; the id, where it was acknowledged.
fn call(root: &Root, text: &str, dice: &mut Dice) -> Option<u64> {
    let mut command = root.command(&["--json", "memory", "add", "fact", text, "--wait", "60s"]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    if dice.roll(4) == 0 {
        let after = Duration::from_millis(dice.roll(400));
        kill_after(&child, after);
    }
    let output = child.wait_with_output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).ok()?;
    document["data"]["id"].as_u64()
}

/// Kills a child unless it has ended by then; its number is its own, because nobody has waited for it.
fn kill_after(child: &Child, after: Duration) {
    let pid = rustix::process::Pid::from_child(child);
    let process = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
    if !gone_within(&process, after) {
        crate::support::kill_pidfd(&process);
    }
}

/// Every acknowledged text is in the file under its id; no id is there twice; no line is bad.
fn check(root: &Root, acknowledged: &BTreeMap<u64, String>) -> usize {
    let found = root.ask(&["memory", "verify"]);
    assert_eq!((&found["bad_lines"], found["doubles"].as_array().unwrap().len()), (&Value::from(0), 0), "{found}");
    let page = root.ask(&["memory", "list", "-n", "1000"]);
    let on_disk: BTreeMap<u64, &str> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["id"].as_u64().unwrap(), item["content"].as_str().unwrap()))
        .collect();
    for (id, text) in acknowledged {
        assert_eq!(on_disk.get(id).copied(), Some(text.as_str()), "{id} was acknowledged");
    }
    on_disk.len()
}

/// 64 processes at a time, each call with its own text.
fn crowd(root: &Root, seed: u64, each_success: &(impl Fn() + Sync)) -> BTreeMap<u64, String> {
    let acknowledged = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let acknowledged = &acknowledged;
            scope.spawn(move || {
                let mut dice = Dice(seed + writer as u64);
                for round in 0..CALLS {
                    let text = format!("writer {writer}, round {round}");
                    if let Some(id) = call(root, &text, &mut dice) {
                        let before = acknowledged.lock().unwrap().insert(id, text);
                        assert_eq!(before, None, "{id} was given out twice");
                        each_success();
                    }
                }
            });
        }
    });
    acknowledged.into_inner().unwrap()
}

#[test]
fn a_crowd_without_a_daemon_loses_nothing() {
    let root = Root::new();
    let acknowledged = crowd(&root, 1, &|| {});
    let found = check(&root, &acknowledged);
    println!("{} acknowledged, {found} on disk", acknowledged.len());
    assert!(acknowledged.len() > WRITERS, "only {} were acknowledged", acknowledged.len());
}

#[test]
fn sixty_four_processes_with_writers_and_daemons_killed_lose_nothing() {
    let root = Root::new();
    let (successes, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let acknowledged = std::thread::scope(|scope| {
        // Daemons come and go; each is killed once some more calls have succeeded, however slow the machine is.
        let daemons = scope.spawn(|| {
            let mut killed = 0;
            while !over.load(Ordering::Relaxed) {
                let mut daemon = root.command(&["daemon"]);
                let mut daemon =
                    daemon.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
                let from = successes.load(Ordering::Relaxed);
                while successes.load(Ordering::Relaxed) < from + A_DAEMON && !over.load(Ordering::Relaxed) {
                    std::thread::park_timeout(Duration::from_millis(5));
                }
                daemon.kill().unwrap();
                daemon.wait().unwrap();
                killed += 1;
            }
            killed
        });
        let each_success = || {
            successes.fetch_add(1, Ordering::Relaxed);
        };
        let acknowledged = crowd(&root, 2, &each_success);
        over.store(true, Ordering::Relaxed);
        println!("{} daemons were killed", daemons.join().unwrap());
        acknowledged
    });
    let found = check(&root, &acknowledged);
    println!("{} acknowledged, {found} on disk", acknowledged.len());
    assert!(acknowledged.len() >= 2 * A_DAEMON, "only {} were acknowledged", acknowledged.len());
}

#[tokio::test]
async fn the_daemon_commits_many_at_once_and_all_are_there_after_its_death() {
    let daemon = Daemon::start().await;
    let acknowledged = crowd(&daemon, 3, &|| {});
    kill(daemon.pid());
    let (_, root) = daemon.ended().await;
    check(&root, &acknowledged);
}
