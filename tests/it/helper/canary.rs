//! The canary beside a real process.

use super::{Guard, Root, helper, wait_for};
use rustix::{
    io::fcntl_dupfd_cloexec,
    process::{Pid, PidfdFlags, Signal, pidfd_open},
};
use std::{
    fs::{self, File},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::Command,
};

/// Arms a canary beside `server`, as the daemon does: the pidfd is descriptor 3, the lock 4.
fn arm(root: &Root, server: &Guard) -> Guard {
    let pidfd = pidfd_open(Pid::from_child(&server.0), PidfdFlags::empty()).unwrap();
    let lock: OwnedFd = File::create(root.peer().join("canary-g7.lock")).unwrap().into();
    // Far from 3 and 4, so that neither copy overwrites the other's source.
    let pidfd = fcntl_dupfd_cloexec(&pidfd, 10).unwrap();
    let lock = fcntl_dupfd_cloexec(&lock, 10).unwrap();
    let mut command = helper();
    command.arg("canary").arg("--journal").arg(root.journal()).arg("--peer-dir").arg(root.peer());
    command.args(["--identity", "claude-bob", "--gen", "7", "--started-boot-ms", "0", "--server-pid"]);
    command.arg(server.pid().to_string()).arg("--pane-log").arg(root.peer().join("pane.log"));
    let passed = [(pidfd.as_raw_fd(), 3), (lock.as_raw_fd(), 4)];
    #[allow(clippy::disallowed_methods, reason = "the canary is tested without the daemon's own way to start it")]
    // SAFETY: between fork and exec only dup2 runs, which is async-signal-safe; the sources live until after the spawn.
    unsafe {
        command.pre_exec(move || {
            for (from, to) in passed {
                if libc::dup2(from, to) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
    let canary = Guard::of(&mut command);
    wait_for("the canary to be armed", || {
        let status = fs::read_to_string(format!("/proc/{}/status", canary.pid())).unwrap();
        let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:"))?.trim();
        (u64::from_str_radix(blocked, 16).unwrap() != 0).then_some(())
    });
    canary
}

fn shell(script: &str) -> Guard {
    Guard::of(Command::new("/bin/sh").args(["-c", script]).stdin(std::process::Stdio::piped()))
}

/// The kernel tells a status to others than the parent since 6.15; before, the honest answer is `unknown`.
fn kernel_tells_statuses() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(15))
}

#[test]
fn a_dead_server_leaves_one_record_with_how_and_why() {
    // Each script waits for its input to end, so that the canary is there first.
    for (script, status, cause) in [
        ("read x; kill -KILL $$", "signal:9", "killed"),
        ("ulimit -c 0; read x; kill -SEGV $$", "signal:11", "crashed"),
        ("read x; exit 3", "exit:3", "exited"),
        ("read x; exit 0", "exit:0", "exited"),
    ] {
        let (status, cause) = if kernel_tells_statuses() { (status, cause) } else { ("unknown", "unwitnessed") };
        let root = Root::new();
        fs::write(root.peer().join("pane.log"), "last \u{1b}[31mwords\n").unwrap();
        let mut server = shell(script);
        let mut canary = arm(&root, &server);
        drop(server.0.stdin.take());
        server.ended();
        assert!(canary.ended().success(), "{script}");

        let file = root.journal().join("server-deaths/claude-bob-g7.txt");
        let record = fs::read_to_string(&file).unwrap();
        let (head, body) = record.split_once("\n\n").unwrap();
        let wanted = format!(
            "ev=server-exit identity=claude-bob gen=7 server_pid={} status={status} cause={cause} witness=canary",
            server.pid()
        );
        // Whether a core was dumped is the host's affair.
        let said = |text: &str| text.replace('\n', " ").replace("+core", "").contains(&wanted);
        assert!(said(head), "{head}");
        assert!(body.contains("| last \\u{1b}[31mwords\n"), "{body}");
        assert!(record.len() <= 256 * 1024);
        let [line] = &root.exits()[..] else { panic!("{:?}", root.exits()) };
        assert!(said(line) && line.ends_with(&format!(" forensics={}", file.display())), "{line}");
        assert!(file.with_extension("logged").exists());
        assert_eq!(root.records(), ["claude-bob-g7.txt"]);
    }
}

#[test]
fn a_dismissed_canary_leaves_nothing_and_exits_with_0() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let (root, server) = (Root::new(), Guard::sleeper());
        let mut canary = arm(&root, &server);
        canary.signal(signal);
        assert_eq!(canary.ended().code(), Some(0), "{signal:?}");
        assert!(root.records().is_empty() && root.exits().is_empty());
    }
}

#[test]
fn a_claimed_death_leaves_no_record() {
    let (root, mut server) = (Root::new(), Guard::sleeper());
    let mut canary = arm(&root, &server);
    root.claim();
    server.signal(Signal::KILL);
    server.ended();
    assert_eq!(canary.ended().code(), Some(0));
    assert!(root.records().is_empty() && root.exits().is_empty());
}

#[test]
fn a_server_that_nobody_reaps_is_recorded_all_the_same() {
    let (root, server) = (Root::new(), Guard::sleeper());
    let mut canary = arm(&root, &server);
    server.signal(Signal::KILL);
    assert!(canary.ended().success());
    assert!(root.exits()[0].contains(" status=unknown cause=unwitnessed witness=canary "), "{:?}", root.exits());
}

#[test]
fn a_dismissal_wins_over_a_death_at_the_same_time() {
    let (root, mut server) = (Root::new(), Guard::sleeper());
    let mut canary = arm(&root, &server);
    canary.signal(Signal::STOP);
    canary.signal(Signal::TERM);
    server.signal(Signal::KILL);
    server.ended();
    canary.signal(Signal::CONT);
    assert_eq!(canary.ended().code(), Some(0));
    assert!(root.records().is_empty());
}

#[test]
fn a_record_that_can_not_be_written_is_tried_again() {
    let (root, mut server) = (Root::new(), Guard::sleeper());
    // A file where the folder of the records must be: as good as a full disk, and curable.
    let folder = root.journal().join("server-deaths");
    fs::write(&folder, "").unwrap();
    let mut canary = arm(&root, &server);
    server.signal(Signal::KILL);
    server.ended();
    fs::remove_file(&folder).unwrap();
    assert!(canary.ended().success());
    assert_eq!(root.records(), ["claude-bob-g7.txt"]);
}

#[test]
fn a_canary_whose_fleet_was_deleted_does_not_linger() {
    let (root, mut server) = (Root::new(), Guard::sleeper());
    let mut canary = arm(&root, &server);
    fs::remove_dir_all(root.journal()).unwrap();
    server.signal(Signal::KILL);
    server.ended();
    assert_eq!(canary.ended().code(), Some(1));
    assert!(!root.journal().exists());
}
