//! Bad input and bad places: each a typed refusal that leaves all as it was.

use super::{add, contents};
use crate::support::{Daemon, Refusal, Root, Said, eventually, skip, stop_process};
use serde_json::json;
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

const TOO_LONG: Refusal =
    Refusal { code: "too-long", exit: 2, message: "65537 bytes; 65536 are the limit", hint: "attachment" };

fn rows() -> Vec<(Vec<String>, Refusal)> {
    let row = |args: &[&str], code, exit, message, hint| {
        (args.iter().map(|&arg| arg.to_owned()).collect(), Refusal { code, exit, message, hint })
    };
    vec![
        row(&["add", "note", "x"], "unknown-kind", 2, "\"note\" is no kind", "fact, pref, context"),
        row(&["add", "fact", ""], "empty", 2, "the content is empty", "say something"),
        row(&["add", "fact", "x", "--tag", "a\nb"], "control-character", 2, "a tag holds a control", "one line"),
        row(&["add", "fact", "x", "--tag", ""], "empty", 2, "a tag is empty", "say something"),
        row(&["add", "fact", "x", "--source", "a\rb"], "control-character", 2, "the source holds", "one line"),
        row(&["forget", "99"], "no-item", 3, "there is no item 99", "memory list"),
        row(&["get", "99"], "no-item", 3, "there is no item 99", "memory list"),
        row(&["forget", "18446744073709551615"], "no-item", 3, "there is no item 18446744073709551615", "memory list"),
        row(&["forget", "2"], "forgotten", 3, "item 2 is forgotten", "on purpose"),
        row(&["get", "2"], "forgotten", 3, "item 2 is forgotten", "on purpose"),
        row(&["forget", "3"], "is-tombstone", 2, "3 is no item", "add it again"),
        row(&["search", "\"*"], "bad-query", 2, "the query has no word", "words to look for"),
        row(&["import", "/nowhere/at/all"], "usage", 2, "there is no file", "one item a line"),
    ]
}

fn each_is_refused(root: &Root) {
    assert_eq!((add(root, "kept"), add(root, "gone")), (1, 2));
    root.coalmine(&["memory", "forget", "2"]).tells(&[]);
    let before = root.read("memory.jsonl");
    let long = "x".repeat(64 * 1024 + 1);
    let rows = rows().into_iter().chain([(vec!["add".into(), "fact".into(), long], TOO_LONG)]);
    for (args, refusal) in rows {
        let args: Vec<&str> = std::iter::once("memory").chain(args.iter().map(String::as_str)).collect();
        refusal.check(&root.coalmine(&[&["--json"], args.as_slice()].concat()), &root.coalmine(&args));
        assert_eq!(root.read("memory.jsonl"), before, "{args:?} left something behind");
    }
    // What clap refuses.
    for args in [
        &["memory", "forget", "one"][..],
        &["memory", "list", "--since", "yesterdayish"],
        &["memory", "list", "--cursor", "x"],
    ] {
        let said = root.coalmine(args);
        assert_eq!(said.code, 2, "{args:?}: {said:?}");
    }
    let some = root.coalmine(&["memory", "forget", "1", "99"]);
    assert_eq!((some.code, some.out.as_str()), (6, "1 is forgotten\n"), "{some:?}");
    assert!(some.err.contains("there is no item 99"), "{some:?}");
}

#[test]
fn bad_input_is_refused_without_a_daemon() {
    each_is_refused(&Root::new());
}

#[tokio::test]
async fn bad_input_is_refused_by_the_daemon() {
    let daemon = Daemon::start().await;
    each_is_refused(&daemon);
}

/// A process that holds the lock of a file, and does nothing else; ended with its child when it is dropped.
struct Holder(Child);

impl Holder {
    fn of(root: &Root) -> Option<Self> {
        let path = root.path().join("memory.jsonl");
        let holds = "use Fcntl ':flock'; $| = 1; open F, '>>', $ARGV[0]; flock F, LOCK_EX; print \"held\\n\"; sleep 60";
        let child = Command::new("perl").args(["-e", holds]).arg(path).stdout(Stdio::piped()).spawn().ok()?;
        let mut holder = Self(child);
        let mut line = String::new();
        BufReader::new(holder.0.stdout.take()?).read_line(&mut line).ok()?;
        (line == "held\n").then_some(holder)
    }

    fn pid(&self) -> i32 {
        self.0.id().try_into().unwrap()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_held(said: &Said) -> String {
    assert_eq!((said.code, &said.error()["code"]), (75, &json!("memory-held")), "{said:?}");
    said.error()["message"].as_str().unwrap().to_owned()
}

#[test]
fn a_lock_that_a_stopped_process_holds_is_named_and_reads_are_served() {
    let root = Root::new();
    add(&root, "kept");
    let Some(holder) = Holder::of(&root) else { return skip("a held lock is named", "perl is missing") };
    let add_more = ["--json", "memory", "add", "fact", "x", "--wait", "100ms"];
    let message = is_held(&root.coalmine(&add_more));
    let held = format!("memory.jsonl is held by pid {} (perl), since 2", holder.pid());
    assert!(message.contains(&held) && !message.contains("stopped"), "{message}");
    stop_process(holder.pid());
    let message = is_held(&root.coalmine(&add_more));
    assert!(message.contains(&held) && message.ends_with(", which is stopped"), "{message}");
    assert_eq!(contents(&root), ["kept"]);
    root.coalmine(&["memory", "search", "kept"]).tells(&["kept"]);
    root.coalmine(&["memory", "verify"]).tells(&["every line is as it should be"]);
    drop(holder);
    assert_eq!(add(&root, "x"), 2);
}

#[tokio::test]
async fn a_daemon_whose_memory_is_held_says_so_and_has_it_when_it_is_free() {
    let root = Root::new();
    add(&root, "kept");
    let Some(holder) = Holder::of(&root) else { return skip("a held memory is said", "perl is missing") };
    let daemon = Daemon::on(root).await;
    is_held(&daemon.coalmine(&["--json", "memory", "add", "fact", "x", "--wait", "0s"]));
    assert_eq!(contents(&daemon), ["kept"]); // by the file
    let unavailable = daemon.ask(&["status"])["unavailable"].clone();
    assert_eq!(unavailable[0]["store"], "memory", "{unavailable}");
    let told = || async { daemon.coalmine(&["status"]).out.contains("memory, tried again in ").then_some(()) };
    eventually("it says when it is tried again", told).await;
    drop(holder);
    let said = daemon.coalmine(&["--json", "memory", "add", "fact", "x", "--wait", "30s"]);
    assert_eq!((said.code, &said.json()["data"]["id"]), (0, &json!(2)), "{said:?}");
}

#[test]
fn a_folder_or_a_link_in_its_place_is_refused() {
    let root = Root::new();
    let path = root.path().join("memory.jsonl");
    std::fs::create_dir(&path).unwrap();
    let folder = Refusal { code: "not-a-file", exit: 78, message: "memory.jsonl is a folder", hint: "move it away" };
    for verb in [&["add", "fact", "x"][..], &["list"], &["verify"]] {
        let args = [&["memory"], verb].concat();
        folder.check(&root.coalmine(&[&["--json"], args.as_slice()].concat()), &root.coalmine(&args));
    }
    std::fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    let link = Refusal { message: "memory.jsonl is a link to nothing", ..folder };
    let args = ["memory", "add", "fact", "x"];
    link.check(&root.coalmine(&[&["--json"], args.as_slice()].concat()), &root.coalmine(&args));
    // Nor is one to a file written through.
    root.put("nowhere", "");
    let link = Refusal { message: "memory.jsonl is a link, and compaction would replace it", ..folder };
    link.check(&root.coalmine(&[&["--json"], args.as_slice()].concat()), &root.coalmine(&args));
    assert_eq!(root.read("nowhere"), "");
}
