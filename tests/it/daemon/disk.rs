//! A root that can not be written, and a disk that is full: refused with what helps, and whole again after it.

use crate::support::{Daemon, Refusal, Root, eventually, is_root, kill, names_in, skip};
use serde_json::{Value, json};
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// Takes all the room that is left below `folder`.
pub fn fill(folder: &Path) -> PathBuf {
    let path = folder.join("ballast");
    let mut file = std::fs::File::create(&path).unwrap();
    for size in [4096, 1] {
        while std::io::Write::write_all(&mut file, &vec![0; size]).is_ok() {}
    }
    path
}

#[test]
fn a_file_where_the_root_should_be_is_refused() {
    let root = Root::at("taken/root");
    root.put("taken", "a file");
    for verb in [&["daemon"][..], &["up", "-d"], &["create", "bob", "--", "sleep", "60"]] {
        let said = root.coalmine(&[&["--json"], verb].concat());
        assert_eq!((said.code, &said.error()["code"]), (1, &json!("io")), "{verb:?}: {said:?}");
        let message = said.error()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("taken/root") && message.contains("Not a directory"), "{said:?}");
        assert!(!said.error()["hint"].as_str().unwrap().is_empty(), "{said:?}");
    }
}

#[test]
fn a_root_that_is_open_to_others_is_refused() {
    let root = Root::new();
    root.put("precious", "");
    std::fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let refusal = Refusal { code: "unsafe-path", exit: 1, message: "is open to others (mode 755)", hint: "mode 0700" };
    for verb in ["daemon", "up -d", "create bob -- sleep 60"] {
        let words: Vec<_> = verb.split(' ').collect();
        refusal.check(&root.coalmine(&[&["--json"], &words[..]].concat()), &root.coalmine(&words));
    }
    assert_eq!(names_in(root.path()), ["precious"]);
}

#[tokio::test]
async fn an_empty_root_is_made_private_whoever_starts_the_daemon() {
    for verb in [&["up", "-d"][..], &["create", "bob", "--", "sleep", "60"]] {
        let root = Root::at("mine");
        std::fs::create_dir(root.path()).unwrap();
        std::fs::set_permissions(root.path(), PermissionsExt::from_mode(0o755)).unwrap();
        root.ask(verb);
        assert_eq!(root.path().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn a_read_only_root_is_refused_with_what_to_check() {
    const CLAIM: &str = "a read-only root is refused";
    let mut root = Root::at("mounted");
    if !(is_root() && root.mount_tmpfs("size=1m,mode=700,ro")) {
        return skip(CLAIM, "a read-only file system can only be mounted by root");
    }
    let refusal = Refusal { code: "io", exit: 1, message: "Read-only file system", hint: "how it is mounted" };
    refusal.check(&root.coalmine(&["--json", "daemon"]), &root.coalmine(&["daemon"]));
    refusal.check(&root.coalmine(&["--json", "up", "-d"]), &root.coalmine(&["up", "-d"]));
    root.coalmine(&["list"]).tells(&["no peers yet"]);
    let doctor = root.coalmine(&["doctor"]);
    assert_eq!(doctor.code, 6, "{doctor:?}");
    assert!(doctor.out.contains("it can not be written"), "{doctor:?}");
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_half_made_and_after_it_all_works() {
    const CLAIM: &str = "on a full disk nothing is half made";
    let mut root = Root::at("mounted");
    if !(is_root() && root.mount_tmpfs("size=1m,mode=700")) {
        return skip(CLAIM, "a small file system can only be mounted by root");
    }
    let daemon = Daemon::on(root).await;
    daemon.ask(&["create", "rested", "--", "sleep", "60"]);
    let bob = daemon.sleeper("bob");
    let ballast = fill(daemon.path());
    let full = Refusal { code: "io", exit: 1, message: "No space left on device", hint: "free some space" };
    daemon.refuses(&["create", "carl", "--", "sleep", "60"], &full);
    daemon.refuses(&["create", "carl", "--start", "--", "sleep", "60"], &full);
    let start = daemon.coalmine(&["--json", "start", "rested"]);
    assert_eq!(start.code, 1, "{start:?}");
    let error = start.error();
    assert!(error["message"].as_str().unwrap().contains("No space left on device"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("tries again"), "{error}");
    // What runs runs on, and reads are served.
    assert_eq!(daemon.peer("bob")["server_pid"], bob["server_pid"]);
    daemon.coalmine(&["capture", "bob"]).tells(&[]);
    let fleet: Value = serde_json::from_str(&daemon.read("fleet.json")).unwrap();
    assert_eq!(fleet["peers"].as_array().unwrap().len(), 2);
    std::fs::remove_file(ballast).unwrap();
    // What was asked for comes by itself; what was refused can be asked for again.
    daemon.until("rested", "up", |peer| peer["phase"] == "up").await;
    daemon.coalmine(&["create", "carl", "--start", "--", "sleep", "60"]).tells(&["created: shell-carl is up (gen 1)"]);
    daemon.coalmine(&["verify"]).tells(&["fleet.json: 3 identities"]);
}

#[tokio::test]
async fn a_daemon_whose_notes_can_not_be_written_serves_on() {
    // Whatever it notes meets a full disk, and there is no lack of what it notes.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "exec \"$0\" -vv daemon 2>/dev/full", env!("CARGO_BIN_EXE_coalmine")]);
    let daemon = Daemon::run(Root::new().env_also("COALMINE_LOG", "trace"), command).await;
    let bob = daemon.sleeper("bob");
    kill(bob["server_pid"].as_i64().unwrap().try_into().unwrap());
    daemon.until("bob", "up again", |peer| peer["phase"] == "up" && peer["gen"] == 2).await;
    assert_eq!(daemon.ask(&["status"])["daemon_pid"], daemon.pid());
}

#[tokio::test]
async fn a_detached_daemon_outlives_a_full_disk() {
    const CLAIM: &str = "a detached daemon outlives a full disk";
    let mut root = Root::at("mounted");
    if !(is_root() && root.mount_tmpfs("size=1m,mode=700")) {
        return skip(CLAIM, "a small file system can only be mounted by root");
    }
    let bob = root.ask(&["create", "bob", "--start", "--", "sleep", "3600"])["peer"].take();
    let daemon = root.ask(&["status"])["daemon_pid"].take();
    let ballast = fill(root.path());
    kill(bob["server_pid"].as_i64().unwrap().try_into().unwrap());
    for _ in 0..60 {
        root.coalmine(&["reset", "bob"]);
    }
    assert_eq!(root.ask(&["status"])["daemon_pid"], daemon);
    std::fs::remove_file(ballast).unwrap();
    eventually("bob is up again", || async { (root.ask(&["show", "bob"])[0]["phase"] == "up").then_some(()) }).await;
}
