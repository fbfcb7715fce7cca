//! The verbs, with a daemon and without one.

use super::{add, contents};
use crate::support::{Daemon, Root, kill, names_in};
use rustix::process::Signal;
use serde_json::json;

/// What every verb does, whoever serves it.
fn walk_through(root: &Root) {
    assert_eq!((add(root, "the build is slow"), add(root, "tabs"), add(root, "spaces")), (1, 2, 3));
    root.coalmine(&["memory", "forget", "2"]).tells(&["2 is forgotten"]);
    assert_eq!(contents(root), ["spaces", "the build is slow"]);
    let item = &root.ask(&["memory", "get", "1"])[0];
    assert_eq!((&item["kind"], &item["content"]), (&json!("fact"), &json!("the build is slow")));
    let hits = root.ask(&["memory", "search", "build"]);
    assert_eq!((hits.as_array().unwrap().len(), &hits[0]["id"]), (1, &json!(1)));
    let stats = root.ask(&["memory", "stats"]);
    assert_eq!((&stats["active"], &stats["forgotten"], &stats["next_id"]), (&json!(2), &json!(1), &json!(5)));
    root.coalmine(&["memory", "verify"]).tells(&["every line is as it should be"]);
    root.coalmine(&["memory", "compact", "--dry-run"]).tells(&["1 line would be removed"]);
    root.coalmine(&["memory", "compact"]).tells(&["2 items kept, 1 line removed", ".bak"]);
    let copy = root.folder().join("copy.jsonl");
    root.coalmine(&["memory", "export", copy.to_str().unwrap()]).tells(&["2 items written"]);
    root.coalmine(&["memory", "import", copy.to_str().unwrap()]).tells(&["2 items imported"]);
    let page = root.ask(&["memory", "list", "--kind", "fact", "--limit", "3"]);
    assert_eq!(page["items"].as_array().unwrap().len(), 3);
    let next = root.ask(&["memory", "list", "--cursor", page["cursor"].as_str().unwrap()]);
    assert_eq!(next["items"].as_array().unwrap().len(), 1);
    let imported = root.ask(&["memory", "get", "6"]);
    assert_eq!((&imported[0]["source_id"], &imported[0]["content"]), (&json!(3), &json!("spaces")));
    // Every id that `list` shows is one that `forget` takes.
    for item in root.ask(&["memory", "list"])["items"].as_array().unwrap() {
        root.coalmine(&["memory", "forget", &item["id"].to_string()]).tells(&["is forgotten"]);
    }
    assert!(contents(root).is_empty());
}

#[test]
fn every_verb_works_without_a_daemon() {
    let root = Root::new();
    walk_through(&root);
    let mut names = names_in(root.path());
    names.retain(|name| !name.starts_with("memory.jsonl"));
    assert_eq!(names, ["copy.jsonl"]);
}

#[tokio::test]
async fn every_verb_works_through_the_daemon() {
    let daemon = Daemon::start().await;
    walk_through(&daemon);
    daemon.coalmine(&["status"]).tells(&["memory", "0 items"]);
    let memory = &daemon.ask(&["status"])["memory"];
    assert_eq!((&memory["active"], &memory["bad_lines"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn what_the_daemon_acknowledged_outlives_it_and_its_lock_does_not() {
    let daemon = Daemon::start().await;
    daemon.sleeper("bob"); // a child that would inherit the lock
    assert_eq!(add(&daemon, "acknowledged"), 1);
    kill(daemon.pid());
    let (_, root) = daemon.ended().await;
    assert_eq!(contents(&root), ["acknowledged"]);
    assert_eq!(add(&root, "after"), 2);
    let daemon = Daemon::on(root).await;
    assert_eq!(contents(&daemon), ["after", "acknowledged"]);
    daemon.signal(Signal::TERM);
    let (status, root) = daemon.ended().await;
    assert!(status.success());
    assert_eq!(add(&root, "again"), 3);
}

#[tokio::test]
async fn who_reads_without_a_daemon_makes_nothing() {
    let root = Root::new();
    root.coalmine(&["memory", "list"]).tells(&["nothing is remembered"]);
    root.coalmine(&["memory", "stats"]).tells(&["next id    1"]);
    root.coalmine(&["memory", "verify"]).tells(&["every line is as it should be"]);
    root.coalmine(&["memory", "search", "x"]).tells(&["nothing is remembered"]);
    assert_eq!(names_in(root.path()), Vec::<String>::new());
}

#[test]
fn content_is_taken_from_stdin_and_a_peer_is_its_source() {
    let root = Root::new().env_also("COALMINE_PEER", "claude-alice");
    let mut command = root.command(&["--json", "memory", "add", "context", "-"]);
    let mut child = command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"two\nlines\n").unwrap();
    assert!(child.wait().unwrap().success());
    let item = &root.ask(&["memory", "get", "1"])[0];
    assert_eq!((&item["content"], &item["source"]), (&json!("two\nlines"), &json!("claude-alice")));
}

#[test]
fn a_lost_memory_is_said_and_begun_anew_only_on_request() {
    let root = Root::new();
    add(&root, "precious");
    root.coalmine(&["memory", "forget", "1"]).tells(&[]);
    root.coalmine(&["memory", "compact"]).tells(&[".bak"]);
    std::fs::remove_file(root.path().join("memory.jsonl")).unwrap();
    let said = root.coalmine(&["--json", "memory", "add", "fact", "x"]);
    assert_eq!((said.code, &said.error()["code"]), (78, &json!("missing-store")), "{said:?}");
    assert!(said.error()["hint"].as_str().unwrap().contains("coalmine memory init --empty"), "{said:?}");
    root.coalmine(&["memory", "init", "--empty"]).tells(&["is new and empty"]);
    assert_eq!(add(&root, "x"), 1);
    let said = root.coalmine(&["--json", "memory", "init", "--empty"]);
    assert_eq!((said.code, &said.error()["code"]), (2, &json!("usage")), "{said:?}");
}
