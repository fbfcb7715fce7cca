//! A daemon that is killed at every step of a put, a commit, a release and a sweep: what was acknowledged and is still
//! owned is there, and no orphan survives two sweeps.

use super::{conformance::noise, disk::files};
use crate::support::{Daemon, Root};
use coalmine::io::fault::{FaultPoint, VARIABLE};
use coalmine_actors::attachments::AttachmentId;
use serde_json::Value;
use std::{
    cell::Cell,
    collections::BTreeSet,
    fs,
    os::unix::process::ExitStatusExt,
    process::{Output, Stdio},
};

/// The steps that attachments go through.
fn points() -> Vec<FaultPoint> {
    FaultPoint::ALL.iter().copied().filter(|point| point.name().starts_with("attachment-")).collect()
}

/// What somebody was told.
#[derive(Default)]
struct Told {
    stored: BTreeSet<String>,
    released: BTreeSet<String>,
}

/// A call that may be killed on its way.
fn call(root: &Root, args: &[&str]) -> Output {
    root.command(&[&["--json"], args].concat()).stdin(Stdio::null()).output().unwrap()
}

/// Its answer, where there is one.
fn answer(output: &Output) -> Option<Value> {
    serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success())
}

/// Puts, lets go and sweeps; `ask` is nothing where whoever was to do it has died.
fn live(root: &Root, told: &mut Told, ask: impl Fn(&[&str]) -> Option<Value>) {
    for round in 0..3 {
        for seed in [round, round + 10, round + 20] {
            let length = if seed < 10 { 2_000 } else { 100_000 };
            let file = root.folder().join("file");
            fs::write(&file, noise(seed, length)).unwrap();
            if let Some(put) = ask(&["attachment", "put", file.to_str().unwrap()]) {
                let id = put["data"]["id"].as_str().unwrap().to_owned();
                told.released.remove(&id);
                told.stored.insert(id);
            }
        }
        let old = AttachmentId::of(&noise(round + 10, 100_000)).to_string();
        // Whether it was carried out before the end nobody knows: it is not owned any more either way.
        told.released.insert(old.clone());
        ask(&["attachment", "forget", &old]);
        ask(&["attachment", "gc", "--grace", "0s"]);
    }
}

/// Whether the daemon was killed; what it left is held against what it told.
async fn killed_at(point: FaultPoint, count: u32) -> bool {
    let what = format!("{}:{count}", point.name());
    let daemon = Daemon::on(Root::new().env_also(VARIABLE, &what)).await;
    let mut told = Told::default();
    // Without it nobody does its work.
    let socket = daemon.paths().daemon_socket().to_str().unwrap().to_owned();
    live(&daemon, &mut told, |args| answer(&call(&daemon, &[&["--socket", socket.as_str()], args].concat())));
    let died = daemon.coalmine(&["status", "--json"]).json()["data"]["daemon_pid"] != daemon.pid();
    if !died {
        return false;
    }
    let (_, root) = daemon.ended().await;
    is_whole(root, &told, &what).await;
    true
}

/// Whether a verb that does the work itself was killed; what it left is held against what was told.
async fn killed_alone_at(point: FaultPoint, count: u32) -> bool {
    let what = format!("{}:{count} without a daemon", point.name());
    let root = Root::new().env_also(VARIABLE, format!("{}:{count}", point.name()));
    let (mut told, died) = (Told::default(), Cell::new(false));
    live(&root, &mut told, |args| {
        let output = call(&root, args);
        died.set(died.get() || output.status.signal() == Some(libc::SIGKILL));
        answer(&output)
    });
    is_whole(root, &told, &what).await;
    died.get()
}

/// The next daemon has all that is owned and was acknowledged, and two sweeps leave nothing else.
async fn is_whole(root: Root, told: &Told, what: &str) {
    // It must not die of the same.
    let daemon = Daemon::on(root.without(VARIABLE)).await;
    for _ in 0..2 {
        let report = daemon.ask(&["attachment", "gc", "--grace", "0s"]);
        assert_eq!(report["strange"], Value::Array(vec![]), "{what}");
    }
    let owned: BTreeSet<_> = told.stored.difference(&told.released).cloned().collect();
    let listed: BTreeSet<_> = daemon.ask(&["attachment", "list", "-n", "1000"])["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|meta| meta["id"].as_str().unwrap().to_owned())
        .collect();
    let lost: Vec<_> = owned.difference(&listed).collect();
    assert!(lost.is_empty(), "{what}: {lost:?} were acknowledged and are lost");
    let found = daemon.ask(&["attachment", "verify"]);
    for wrong in ["corrupt", "unreadable", "missing", "unknown"] {
        assert_eq!(found[wrong], Value::Array(vec![]), "{what}: {found}");
    }
    let on_disk = files(&daemon.path().join("attachments/blobs"));
    let blobs = on_disk.iter().filter_map(|path| path.rsplit('/').next()?.parse::<AttachmentId>().ok());
    let blobs: BTreeSet<_> = blobs.map(|id| id.to_string()).collect();
    assert_eq!(blobs, listed, "{what}: an orphan survived two sweeps");
    assert_eq!(files(&daemon.path().join("attachments/staging")), Vec::<String>::new(), "{what}");
}

#[tokio::test]
async fn a_daemon_that_dies_at_the_first_pass_of_any_step_loses_nothing_that_is_owned_and_leaves_no_orphan() {
    for point in points() {
        assert!(killed_at(point, 1).await, "{} is never reached", point.name());
    }
}

#[tokio::test]
async fn a_daemon_that_dies_at_a_later_pass_of_any_step_loses_nothing_that_is_owned_and_leaves_no_orphan() {
    let mut died = 0;
    for point in points() {
        died += u32::from(killed_at(point, 4).await);
    }
    assert!(died >= 6, "only {died} steps were passed so often");
}

#[tokio::test]
async fn a_verb_without_a_daemon_that_dies_at_any_step_loses_nothing_that_is_owned_and_leaves_no_orphan() {
    for point in points() {
        assert!(killed_alone_at(point, 1).await, "{} is never reached", point.name());
    }
}
