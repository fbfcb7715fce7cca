//! `coalmine memory-plugin`: on and off, for one peer and for all.

use super::House;
use crate::support::{Refusal, eventually, signal};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::process::Stdio;

fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn each_way_of_the_verb_has_its_own_occasion_and_its_own_command() {
    let house = House::new("").await;
    house.make("ann");
    house.make("bob");
    house.declare_both();
    house.coalmine(&["memory-plugin", "on", "--peer", "bob"]).tells(&["bob  agent:ok", "memory provisioned: 1 of 1"]);
    house.coalmine(&["memory-plugin", "off", "--peer", "bob"]).tells(&["memory unprovisioned: 1 of 1 peers"]);
    house.coalmine(&["memory-plugin", "off", "--all"]).tells(&["ann  agent:ok", "bob  agent:ok"]);
    let calls = house.calls();
    assert_eq!(calls[..2], ["on bob agent sweep-on", "off bob agent off-peer"].map(|call| house.call(call)));
    let mut all = calls[2..].to_vec();
    all.sort();
    assert_eq!(all, ["off ann agent off-all", "off bob agent off-all"].map(|call| house.call(call)));
}

#[tokio::test]
async fn what_is_refused_is_refused_in_words_and_runs_nothing() {
    let house = House::new("").await;
    house.make("bob");
    let empty = Refusal {
        code: "memory-slot-empty",
        exit: 1,
        message: "memory slot is empty: no provider declared",
        hint: "docs/PROVIDERS.md",
    };
    house.refuses(&["memory-plugin", "on", "--all"], &empty);
    house.declare(json!({ "provision": house.block("on") }));
    let missing = Refusal {
        code: "missing-direction",
        exit: 1,
        message: "provider \"mem\" declares no unprovision command (a v1.2 declaration needs both directions)",
        hint: "nothing was run",
    };
    house.refuses(&["memory-plugin", "off", "--all"], &missing);
    house.declare_both();
    let unknown = Refusal { code: "usage", exit: 2, message: "no peer is named boob", hint: "did you mean bob" };
    house.refuses(&["memory-plugin", "on", "--peer", "boob"], &unknown);
    for args in [&["memory-plugin", "on"][..], &["memory-plugin", "on", "--all", "--peer", "bob"], &["memory-plugin"]] {
        assert_eq!(house.coalmine(args).code, 2, "{args:?}");
    }
    assert_eq!(house.calls(), [""; 0]);
}

#[tokio::test]
async fn a_sweep_tells_of_each_peer_and_fails_where_one_did() {
    let house = House::new("test \"$2\" != bob || { echo bobs fault >&2; exit 1; }").await;
    house.declare_both();
    for name in ["ann", "bob", "cid"] {
        house.make(name);
    }
    let said = house.coalmine(&["--json", "memory-plugin", "on", "--all"]);
    assert_eq!((said.code, &said.error()["code"]), (1, &json!("provision-failed")));
    let mut lines = lines(&said.out);
    let summary = lines.pop().unwrap();
    assert_eq!((&summary["total"], &summary["done"], &summary["failed"]), (&json!(3), &json!(3), &json!(["bob"])));
    assert_eq!(lines.len(), 3);
    let bob = lines.iter().find(|line| line["personality"] == "bob").unwrap();
    assert_eq!((&bob["runtimes"][0]["state"], &bob["runtimes"][0]["detail"]), (&json!("failed"), &json!("bobs fault")));
    let said = house.coalmine(&["memory-plugin", "on", "--all"]);
    assert!(said.out.contains("bob  agent:failed (bobs fault)"), "{said:?}");
    assert!(said.err.contains("not done for 1 of 3 peers: bob"), "{said:?}");
}

#[tokio::test]
async fn ctrl_c_ends_what_runs_and_the_same_sweep_is_refused_meanwhile() {
    let house = House::with("[provision]\nparallel = 2", "trap 'exit 9' TERM; sleep 3600 & wait").await;
    for name in ["ann", "bob", "cid"] {
        house.make(name);
    }
    house.declare_both();
    let mut command = house.command(&["--json", "memory-plugin", "on", "--all"]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("two run", || async { (house.calls().len() == 2).then_some(()) }).await;
    let refused = house.coalmine(&["--json", "memory-plugin", "on", "--all"]);
    assert_eq!((refused.code, &refused.error()["code"]), (75, &json!("sweep-runs")));
    assert_eq!(refused.error()["message"], "the same sweep is under way: its id is 1");
    signal(child.id().try_into().unwrap(), Signal::INT);
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let mut lines = lines(std::str::from_utf8(&output.stdout).unwrap());
    let summary = lines.pop().unwrap();
    assert_eq!((&summary["cancelled"], &summary["done"]), (&json!(true), &json!(3)));
    let states: Vec<_> = lines.iter().map(|line| line["runtimes"][0]["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["cancelled"; 3]);
    assert_eq!(house.calls().len(), 2, "the third was never begun");
}
