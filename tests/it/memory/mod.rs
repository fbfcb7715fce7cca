//! The memory as people and programs meet it: by the daemon, without one, and in a crowd.
mod crowd;
mod faults;
mod input;
mod power;
mod reference;
mod verbs;

use crate::support::Root;
use serde_json::Value;

/// The contents of all items, the newest first.
fn contents(root: &Root) -> Vec<String> {
    let page = root.ask(&["memory", "list", "-n", "1000"]);
    page["items"].as_array().unwrap().iter().map(|item| item["content"].as_str().unwrap().to_owned()).collect()
}

/// Remembers a fact; its id.
fn add(root: &Root, content: &str) -> u64 {
    let added: Value = root.ask(&["memory", "add", "fact", content]);
    assert_eq!(added["durable"], true);
    added["id"].as_u64().unwrap()
}
