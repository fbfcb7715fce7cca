//! What is used of a budget, and what was done, outlives any kill of the daemon.

use super::{WORKER, audit, daemon, err, ok};
use crate::support::{Daemon, Root};
use rustix::process::Signal;
use serde_json::json;
use std::{collections::BTreeSet, fs, io::Write};

async fn kill(daemon: Daemon) -> Root {
    daemon.signal(Signal::KILL);
    daemon.ended().await.1
}

#[tokio::test]
async fn a_ledger_goes_on_where_a_killed_daemon_left_it() {
    let daemon = daemon(&format!("{WORKER}\n[budget]\ncalls = 5\nbytes_out = 100")).await;
    for _ in 0..2 {
        ok(&daemon, "io.print", &json!({ "line": "0123456789" }));
    }
    let daemon = Daemon::on(kill(daemon).await).await;
    let left = ok(&daemon, "budget.remaining", &json!({}));
    assert_eq!((&left["calls"], &left["bytes_out"]), (&json!(3), &json!(80)));
    let daemon = Daemon::on(kill(daemon).await).await;
    for _ in 0..3 {
        ok(&daemon, "time.now", &json!({}));
    }
    assert_eq!(err(&daemon, "time.now", &json!({})), (4, "budget".into()));
    // A namesake begins anew.
    daemon.coalmine(&["remove", "bob"]).tells(&["removed"]);
    daemon.coalmine(&["create", "bob", "--policy", "worker", "--", "sleep", "60"]).tells(&["created"]);
    assert_eq!(ok(&daemon, "budget.remaining", &json!({}))["calls"], 5);
}

#[tokio::test]
async fn whatever_was_answered_is_written_down_whenever_the_daemon_is_killed() {
    let daemon = daemon(&format!("{WORKER}\n[budget]\ncalls = 100000")).await;
    ok(&daemon, "time.now", &json!({})); // its session is open
    let callers: Vec<_> = (0..4)
        .map(|caller| {
            let socket = daemon.paths().daemon_socket();
            std::thread::spawn(move || {
                let mut answered = Vec::new();
                for call in 0.. {
                    let line = format!("{caller}-{call}");
                    let body = json!({ "name": format!("N{caller}_{call}") }).to_string();
                    let request =
                        crate::support::http::request("POST", "/v1/peers/bob/effects/env.get", body.as_bytes());
                    let Ok(answer) = std::panic::catch_unwind(|| crate::support::http::talk(&socket, &request)) else {
                        return answered; // the daemon is gone
                    };
                    assert_eq!(answer.1["data"]["ok"], serde_json::Value::Null, "{line}");
                    answered.push(format!("N{caller}_{call}"));
                }
                answered
            })
        })
        .collect();
    crate::support::eventually("a few hundred calls", || async {
        (super::whole_lines(&daemon).len() > 400).then_some(())
    })
    .await;
    let root = kill(daemon).await;
    let answered: BTreeSet<String> = callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect();
    assert!(answered.len() > 100, "{}", answered.len());
    let lines = super::whole_lines(&root);
    let written = |ev: &str| -> BTreeSet<String> {
        let lines = lines.iter().filter(|line| line["ev"] == ev && line["op"] == "env.get");
        lines.map(|line| line["resource"].as_str().unwrap().to_owned()).collect()
    };
    assert!(answered.is_subset(&written("decision")) && answered.is_subset(&written("outcome")));
    // Each decision counts, also one whose end was never written.
    let calls = lines.iter().filter(|line| line["ev"] == "decision").count();
    let daemon = Daemon::on(root).await;
    assert_eq!(ok(&daemon, "budget.remaining", &json!({}))["calls"], 100_000 - calls);
}

#[tokio::test]
async fn a_torn_last_line_costs_itself() {
    let daemon = daemon(&format!("{WORKER}\n[budget]\ncalls = 5")).await;
    ok(&daemon, "time.now", &json!({}));
    let root = kill(daemon).await;
    let path = root.path().join("effects/audit.log");
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"ts\":\"2026-11-21T0").unwrap();
    let daemon = Daemon::on(root).await;
    assert_eq!(ok(&daemon, "budget.remaining", &json!({}))["calls"], 4);
    let lines = super::whole_lines(&daemon);
    let seqs: Vec<_> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert!(seqs.is_sorted() && seqs.len() >= 3, "{seqs:?}");
}

#[tokio::test]
async fn a_daemon_that_ends_leaves_a_checkpoint() {
    let daemon = daemon(WORKER).await;
    ok(&daemon, "time.now", &json!({}));
    daemon.signal(Signal::TERM);
    let (_, root) = daemon.ended().await;
    let lines = audit(&root);
    let last = lines.last().unwrap();
    assert_eq!((&last["ev"], &last["used"]["bob"]["calls"]), (&json!("checkpoint"), &json!(1)));
}

#[tokio::test]
async fn a_log_that_can_not_be_written_stops_effects_and_is_told() {
    let daemon = daemon(WORKER).await;
    ok(&daemon, "time.now", &json!({}));
    let folder = daemon.path().join("effects");
    fs::rename(&folder, daemon.folder().join("aside")).unwrap();
    fs::write(&folder, "no folder").unwrap();
    assert_eq!(err(&daemon, "time.now", &json!({})).1, "unaudited");
    daemon.coalmine(&["status"]).tells(&["unavailable", "effects"]);
    fs::remove_file(&folder).unwrap();
    fs::rename(daemon.folder().join("aside"), &folder).unwrap();
    ok(&daemon, "time.now", &json!({}));
}
