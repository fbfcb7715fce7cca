//! A pid is no process: whoever got the number of a dead one is neither signalled nor taken for it.

use super::{
    campaign::{number, rest_for},
    census::Kind,
    schedule::{PEERS, Step, Target},
    support::{alive, is_root, skip},
    yard::Yard,
};
use std::{
    path::Path,
    process::{Child, Command},
    time::Duration,
};
use tokio::{task::LocalSet, time::Instant};

const CLAIM: &str = "a process that got a dead server's pid is never signalled";
/// The pid that the kernel gave last: root may say what it was.
const LAST_PID: &str = "/proc/sys/kernel/ns_last_pid";
/// Fleets that are tried unless COALMINE_REUSE_ROUNDS says otherwise.
const ROUNDS: u64 = 2;
/// Tries to be the next one who gets a process: others start some too.
const TRIES_MAX: usize = 200;
/// How long a dead process may take to be reaped by whoever inherited it.
const REAPED: Duration = Duration::from_secs(10);
const REST: Duration = Duration::from_secs(30);

/// A stranger with this very pid; nothing where others are always faster.
fn stranger(pid: i32) -> Option<Child> {
    (0..TRIES_MAX).find_map(|_| {
        std::fs::write(LAST_PID, (pid - 1).to_string()).unwrap();
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        if child.id().cast_signed() == pid {
            return Some(child);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        None
    })
}

#[test]
fn a_process_that_got_a_dead_ones_pid_is_never_signalled() {
    if !is_root() || std::fs::File::options().write(true).open(LAST_PID).is_err() {
        return skip(CLAIM, "only root may choose the next pid");
    }
    let reused: usize = (0..number("COALMINE_REUSE_ROUNDS", ROUNDS)).map(round).sum();
    if reused == 0 {
        skip(CLAIM, "others were always faster");
    }
    eprintln!("pid reuse: {reused} pids were given to strangers, 0 of them were signalled");
}

/// One fleet, dead with its daemon, whose pids go to strangers; how many did.
fn round(number: u64) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asking = LocalSet::new();
    runtime.block_on(asking.run_until(async {
        let mut yard = Yard::new();
        yard.start_daemon(None);
        yard.populate(&asking).await;
        let census = yard.census();
        let pids: Vec<i32> = census
            .iter()
            .filter(|member| matches!(member.kind, Kind::Server(_) | Kind::Canary(_)))
            .map(|member| member.pid)
            .collect();
        let all = vec![Target::Daemon, Target::Canary, Target::Server, Target::Program];
        (0..PEERS.len()).for_each(|peer| yard.carry_out(&Step::Kill(peer, all.clone()), &asking));
        if number % 2 == 1 {
            // An end that stands, and that the next daemon is to carry out.
            let anna = yard.paths().peers().join("shell-anna");
            let state = std::fs::read_to_string(anna.join("state.json")).unwrap();
            std::fs::write(anna.join("state.json"), state.replace(r#""phase": "up""#, r#""phase": "stopping""#))
                .unwrap();
            std::fs::write(anna.join("claim-g1"), "why=restart by=operator then=start").unwrap();
            yard.forget_kill("shell-anna", 1);
        }
        let deadline = Instant::now() + REAPED;
        while pids.iter().any(|pid| Path::new(&format!("/proc/{pid}")).exists()) && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let strangers: Vec<Child> = pids.iter().filter_map(|pid| stranger(*pid)).collect();
        let theirs: Vec<i32> = strangers.iter().map(|stranger| stranger.id().cast_signed()).collect();
        strangers.into_iter().for_each(|stranger| yard.keep(stranger));
        yard.start_daemon(None);
        assert_eq!(rest_for(&mut yard, REST).await, [""; 0]);
        for name in PEERS {
            yard.client().stop(name, REST).await.unwrap();
        }
        assert!(theirs.iter().all(|pid| alive(*pid)), "a stranger was ended: {theirs:?}");
        theirs.len()
    }))
}
