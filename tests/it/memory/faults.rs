//! A disk that refuses, and a compaction that is killed at every step.

use super::{add, contents};
use crate::{
    daemon::disk::fill,
    support::{Daemon, Refusal, Root, Said, is_root, names_in, skip},
};
use rustix::process::Signal;
use serde_json::json;
use std::{
    fs,
    os::unix::process::ExitStatusExt,
    process::{Command, Stdio},
};

const FULL: Refusal =
    Refusal { code: "io", exit: 1, message: "No space left on device", hint: "free some space; nothing was lost" };

fn full_disk(root: &Root) {
    assert_eq!(add(root, "before"), 1);
    let ballast = fill(root.path());
    let text = "x".repeat(8192);
    for _ in 0..2 {
        FULL.check(
            &root.coalmine(&["--json", "memory", "add", "fact", &text]),
            &root.coalmine(&["memory", "add", "fact", &text]),
        );
    }
    assert_eq!(contents(root), ["before"]);
    root.coalmine(&["memory", "verify"]).tells(&["every line is as it should be"]);
    fs::remove_file(ballast).unwrap();
    assert_eq!(add(root, "after"), 2);
    assert_eq!(contents(root), ["after", "before"]);
}

#[test]
fn a_full_disk_refuses_and_loses_nothing_without_a_daemon() {
    let mut root = Root::at("mounted");
    if !(is_root() && root.mount_tmpfs("size=1m,mode=700")) {
        return skip("a full disk loses no memory", "a small file system can only be mounted by root");
    }
    full_disk(&root);
}

#[tokio::test]
async fn a_full_disk_refuses_and_loses_nothing_by_the_daemon() {
    let mut root = Root::at("mounted");
    if !(is_root() && root.mount_tmpfs("size=1m,mode=700")) {
        return skip("a full disk loses no memory", "a small file system can only be mounted by root");
    }
    let daemon = Daemon::on(root).await;
    full_disk(&daemon);
}

#[test]
fn a_read_only_memory_is_read_and_not_written() {
    let mut root = Root::at("mounted");
    if !(is_root() && root.mount_tmpfs("size=1m,mode=700")) {
        return skip("a read-only memory is read", "a file system can only be mounted by root");
    }
    add(&root, "before");
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(root.path()).status();
    assert!(remounted.unwrap().success());
    let refusal = Refusal { code: "io", exit: 1, message: "Read-only file system", hint: "how it is mounted" };
    refusal.check(
        &root.coalmine(&["--json", "memory", "add", "fact", "x"]),
        &root.coalmine(&["memory", "add", "fact", "x"]),
    );
    assert_eq!(contents(&root), ["before"]);
}

/// Lets a daemon make no file longer than this (`unlimited`, or bytes); whether this host can.
fn limit_files(daemon: &Daemon, longest: &str) -> bool {
    let pid = daemon.pid().to_string();
    Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={longest}:")]).status().is_ok_and(|s| s.success())
}

#[tokio::test]
async fn a_write_that_is_cut_short_is_refused_and_leaves_no_half_line() {
    let daemon = Daemon::start().await;
    assert_eq!(add(&daemon, "before"), 1);
    let before = daemon.read("memory.jsonl");
    if !limit_files(&daemon, &(before.len() + 50).to_string()) {
        return skip("a write that is cut short leaves no half line", "prlimit is missing");
    }
    let said = daemon.coalmine(&["--json", "memory", "add", "fact", &"x".repeat(200)]);
    assert_eq!((said.code, &said.error()["code"]), (1, &json!("io")), "{said:?}");
    assert!(said.error()["message"].as_str().unwrap().contains("File too large"), "{said:?}");
    assert_eq!(daemon.read("memory.jsonl"), before);
    assert!(limit_files(&daemon, "unlimited"));
    assert_eq!(add(&daemon, "after"), 2);
    assert_eq!(contents(&daemon), ["after", "before"]);
}

#[test]
fn a_writer_that_dies_within_a_line_costs_that_line_only() {
    let root = Root::new();
    add(&root, "before");
    let longest = root.read("memory.jsonl").len() + 50;
    // Whoever has no daemon dies of the signal that tells of the limit: half a line is written by then.
    let mut command = Command::new("prlimit");
    command.args([&format!("--fsize={longest}"), "--core=0", env!("CARGO_BIN_EXE_coalmine")]);
    command.args(["memory", "add", "fact", &"x".repeat(200)]).env_clear().envs(root.env());
    let Ok(status) = command.stdin(Stdio::null()).stderr(Stdio::null()).status() else {
        return skip("a writer that dies within a line costs that line only", "prlimit is missing");
    };
    assert_eq!(status.signal(), Some(Signal::XFSZ.as_raw()), "{status:?}");
    assert_eq!(root.read("memory.jsonl").len(), longest);
    assert_eq!(contents(&root), ["before"]);
    assert_eq!(add(&root, "after"), 2);
    assert_eq!(contents(&root), ["after", "before"]);
    let torn = names_in(root.path()).into_iter().find(|name| name.starts_with("memory.jsonl.torn-")).unwrap();
    assert_eq!(root.read(&torn).len(), 50);
    assert_eq!(root.ask(&["memory", "stats"])["torn"], 1);
}

/// Runs the command line with one system call of it tampered with; nothing where there is no strace.
fn tampered(root: &Root, inject: &str, args: &[&str]) -> Option<Said> {
    let mut command = Command::new("strace");
    command.args(["-f", "-o", "/dev/null", "-e"]).arg(format!("inject={inject}"));
    command.arg(env!("CARGO_BIN_EXE_coalmine")).args(args);
    command.env_clear().envs(root.env()).current_dir(root.folder());
    let output = command.stdin(Stdio::null()).output().ok()?;
    Some(Said {
        code: output.status.code().unwrap_or(137),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    })
}

#[test]
fn a_write_that_the_disk_does_not_confirm_is_called_so() {
    let root = Root::new();
    add(&root, "before");
    let args = ["--json", "memory", "add", "fact", "unsure"];
    let Some(said) = tampered(&root, "fdatasync:error=EIO:when=1", &args) else {
        return skip("an unconfirmed write is called so", "strace is missing");
    };
    assert_eq!((said.code, &said.error()["code"]), (1, &json!("indeterminate")), "{said:?}");
    assert!(said.error()["message"].as_str().unwrap().contains("may be kept or not"), "{said:?}");
    // Whatever became of it, the next one has an id of its own and no line is bad.
    let id = add(&root, "after");
    assert_eq!(contents(&root).len() as u64, id);
    root.coalmine(&["memory", "verify"]).tells(&["every line is as it should be"]);
}

#[test]
fn a_compaction_that_is_killed_at_any_step_leaves_the_old_file_or_the_new_one() {
    const CLAIM: &str = "a killed compaction leaves a whole file";
    let steps =
        [("fsync", 4), ("rename", 1), ("flock", 4), ("ftruncate", 2), ("unlink", 2), ("write", 8), ("fdatasync", 2)];
    let mut killed = 0;
    for (call, times) in steps {
        for when in 1..=times {
            let root = Root::new();
            let ids: Vec<u64> = ["one", "two", "three"].map(|text| add(&root, text)).into();
            root.coalmine(&["memory", "forget", &ids[1].to_string()]).tells(&[]);
            let inject = format!("{call}:signal=KILL:when={when}");
            let Some(said) = tampered(&root, &inject, &["memory", "compact", "--purge"]) else {
                return skip(CLAIM, "strace is missing");
            };
            killed += usize::from(said.code != 0);
            assert_eq!(contents(&root), ["three", "one"], "{inject}: {said:?}");
            root.coalmine(&["memory", "verify"]).tells(&["every line is as it should be"]);
            assert_eq!(add(&root, "after"), 5, "{inject}");
        }
    }
    assert!(killed >= 6, "only {killed} of them met a system call");
    println!("{killed} compactions were killed");
}
