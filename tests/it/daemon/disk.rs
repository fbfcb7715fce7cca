//! A root that can not be written, and a disk that is full: refused with what helps, and whole again after it.

use crate::support::{Daemon, Refusal, Root, is_root, names_in, skip};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

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
    refusal.check(&root.coalmine(&["--json", "daemon"]), &root.coalmine(&["daemon"]));
    assert_eq!(names_in(root.path()), ["precious"]);
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
