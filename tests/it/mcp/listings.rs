//! The memory and the fleet in pages, and what is refused of both.

use super::{call, peer, refused};
use crate::support::{Daemon, Root};
use serde_json::{Value, json};

/// All entries of a listing, page by page, none longer than `max_tokens`.
fn all(root: &Root, tool: &str, list: &str, args: &Value, max_tokens: usize) -> Vec<Value> {
    let (mut all, mut args) = (Vec::new(), args.clone());
    args["max_tokens"] = json!(max_tokens);
    for _ in 0..200 {
        let page = call(root, None, tool, &args);
        let entries = page[list].as_array().unwrap();
        assert!(!entries.is_empty() && page.to_string().len() <= max_tokens * 4, "{page}");
        all.extend(entries.iter().cloned());
        args["cursor"] = page["next_cursor"].clone();
        if args["cursor"].is_null() {
            return all;
        }
    }
    panic!("{tool} has no end");
}

#[tokio::test]
async fn every_listing_is_read_to_its_end_in_pages_that_fit() {
    let daemon = Daemon::start().await;
    for number in 0..23 {
        let content = format!("item {number} {}", "coal \"and\"\n".repeat(number));
        let tags = if number % 2 == 0 { json!(["even"]) } else { json!([]) };
        call(&daemon, None, "memory_add", &json!({ "kind": "context", "content": content, "tags": tags }));
    }
    let numbers = |items: &[Value]| items.iter().map(|item| item["id"].as_u64().unwrap()).collect::<Vec<_>>();
    let newest_first: Vec<u64> = (1..=23).rev().collect();
    for tokens in [150, 400, 5_000] {
        assert_eq!(numbers(&all(&daemon, "memory_list", "items", &json!({ "limit": 7 }), tokens)), newest_first);
        let mut found =
            numbers(&all(&daemon, "memory_search", "items", &json!({ "query": "item", "limit": 5 }), tokens));
        found.sort_unstable();
        assert_eq!(found, (1..=23).collect::<Vec<_>>(), "each once, by its rank");
    }
    assert_eq!(numbers(&all(&daemon, "memory_list", "items", &json!({ "tags": ["even"] }), 500)).len(), 12);
    assert_eq!(call(&daemon, None, "memory_list", &json!({ "until": "2000-01-01T00:00:00Z" }))["items"], json!([]));
    assert_eq!(call(&daemon, None, "memory_list", &json!({ "kind": "fact" }))["items"], json!([]));
    for name in ["ann", "bob", "cid"] {
        peer(&daemon, name);
    }
    let peers = all(&daemon, "peers", "peers", &json!({ "limit": 2 }), 100);
    let identities: Vec<_> = peers.iter().map(|peer| peer["identity"].as_str().unwrap()).collect();
    assert_eq!(identities, ["shell-ann", "shell-bob", "shell-cid"]);
    assert_eq!(peers[0]["phase"], "up");
}

#[tokio::test]
async fn a_single_item_that_is_too_long_is_cut_and_says_so() {
    let daemon = Daemon::start().await;
    call(&daemon, None, "memory_add", &json!({ "kind": "fact", "content": "🐦".repeat(10_000) }));
    for tool in ["memory_list", "memory_search"] {
        let args = if tool == "memory_search" {
            json!({ "query": "🐦*", "max_tokens": 200 })
        } else {
            json!({ "max_tokens": 200 })
        };
        let page = call(&daemon, None, tool, &args);
        if tool == "memory_search" && page["error"].is_object() {
            continue; // a bird is no word
        }
        assert_eq!((&page["cut"], page["items"].as_array().unwrap().len()), (&json!(true), 1), "{tool}");
        assert!(
            page.to_string().len() <= 800 && page["items"][0]["content"].as_str().unwrap().starts_with("🐦🐦"),
            "{tool}"
        );
    }
    let whole = call(&daemon, None, "memory_get", &json!({ "id": 1 }));
    assert_eq!(whole["items"][0]["content"].as_str().unwrap().chars().count(), 10_000);
}

#[tokio::test]
async fn what_the_memory_can_not_take_is_refused_by_name() {
    let daemon = Daemon::start().await;
    for (code, tool, args) in [
        ("bad-argument", "memory_add", json!({})),
        ("bad-argument", "memory_add", json!({ "kind": "dream", "content": "x" })),
        ("empty", "memory_add", json!({ "kind": "fact", "content": " " })),
        ("too-long", "memory_add", json!({ "kind": "fact", "content": "é".repeat(40_000) })),
        ("bad-argument", "memory_add", json!({ "kind": "fact", "content": "x".repeat(70_000) })),
        ("bad-argument", "memory_add", json!({ "kind": "fact", "content": "x", "tags": vec!["t"; 33] })),
        ("control-character", "memory_add", json!({ "kind": "fact", "content": "x", "tags": ["a\nb"] })),
        ("bad-argument", "memory_add", json!({ "kind": "fact", "content": "x", "source": "somebody else" })),
        ("no-item", "memory_get", json!({ "id": 9 })),
        ("bad-argument", "memory_get", json!({ "id": "9" })),
        ("bad-argument", "memory_get", json!({ "id": 0 })),
        ("bad-argument", "memory_get", json!({ "id": 9_007_199_254_740_992_u64 })),
        ("no-item", "memory_forget", json!({ "id": 9 })),
        ("bad-query", "memory_search", json!({ "query": "" })),
        ("bad-argument", "memory_search", json!({ "query": "x", "cursor": "nonsense" })),
        ("bad-argument", "memory_list", json!({ "cursor": "nonsense" })),
        ("bad-argument", "memory_list", json!({ "since": "yesterday" })),
        ("bad-argument", "memory_list", json!({ "limit": 0 })),
        ("bad-argument", "memory_list", json!({ "limit": 101 })),
        ("bad-argument", "memory_list", json!({ "max_tokens": 99 })),
        ("unknown-peer", "peers", json!({ "name": "nobody" })),
        ("unknown-tool", "memory", json!({})),
        ("unknown-tool", "fs_stat", json!({ "path": "/" })),
    ] {
        assert_eq!(refused(&daemon, None, tool, &args), code, "{tool} {args}");
    }
    assert_eq!(call(&daemon, None, "memory_list", &json!({}))["items"], json!([]), "nothing of it was kept");
}
