//! A daemon that is killed at every step of a put, a commit, a release and a sweep: what was acknowledged and is still
//! owned is there, and no orphan survives two sweeps.

use super::{conformance::noise, disk::files};
use crate::support::{Daemon, Root};
use coalmine::io::fault::{FaultPoint, VARIABLE};
use coalmine_actors::attachments::AttachmentId;
use serde_json::Value;
use std::{collections::BTreeSet, fs};

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

/// Puts, lets go and sweeps until the daemon dies, or to the end.
fn live(root: &Root, told: &mut Told) {
    for round in 0..3 {
        for seed in [round, round + 10, round + 20] {
            let length = if seed < 10 { 2_000 } else { 100_000 };
            let file = root.folder().join("file");
            fs::write(&file, noise(seed, length)).unwrap();
            let put = root.coalmine(&["--json", "attachment", "put", file.to_str().unwrap()]);
            if put.code == 0 {
                let id = put.json()["data"]["id"].as_str().unwrap().to_owned();
                told.released.remove(&id);
                told.stored.insert(id);
            }
        }
        let old = AttachmentId::of(&noise(round + 10, 100_000)).to_string();
        // Whether it was carried out before the daemon died nobody knows: it is not owned any more either way.
        told.released.insert(old.clone());
        root.coalmine(&["--json", "attachment", "forget", &old]);
        root.coalmine(&["--json", "attachment", "gc", "--grace", "0s"]);
    }
}

/// Whether the daemon was killed; what it left is held against what it told.
async fn killed_at(point: FaultPoint, count: u32) -> bool {
    let armed = Root::new().env_also(VARIABLE, format!("{}:{count}", point.name()));
    let daemon = Daemon::on(armed).await;
    let mut told = Told::default();
    live(&daemon, &mut told);
    let died = daemon.coalmine(&["status", "--json"]).json()["data"]["daemon_pid"] != daemon.pid();
    if !died {
        return false;
    }
    let (_, root) = daemon.ended().await;
    let what = format!("{}:{count}", point.name());
    // The next one must not die of the same.
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
    true
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
