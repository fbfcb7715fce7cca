//! Effects as tools: those that the caller's policy grants, for the caller alone.

use super::{Agent, call, peer, refused, request, token};
use crate::{
    effects::{WORKER, daemon, data, policy},
    support::{Daemon, eventually},
};
use serde_json::{Value, json};

/// A fleet whose `bob` is up under this policy, and his token.
async fn workshop(text: &str) -> (Daemon, String) {
    let daemon = daemon(text).await;
    daemon.ask(&["start", "bob"]);
    let bob = token(&daemon, "shell-bob", 1);
    (daemon, bob)
}

fn offered(daemon: &Daemon, token: Option<&str>) -> Vec<Value> {
    let proof = token.map_or(String::new(), |token| format!("authorization: Bearer {token}\r\n"));
    let (status, answer) = request(daemon, "GET", "/v1/tools", &format!("host: x\r\n{proof}"), b"");
    assert_eq!(status, 200, "{answer}");
    answer["data"].as_array().unwrap().iter().skip(11).cloned().collect()
}

fn named(tools: &[Value]) -> Vec<&str> {
    tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_the_policy_grants_is_offered_and_done_and_nothing_else() {
    let (daemon, bob) = workshop(WORKER).await;
    let tools = offered(&daemon, Some(&bob));
    let names = named(&tools);
    for granted in
        ["io_read", "io_write", "fs_stat", "fs_copy", "proc_spawn", "process_run", "budget_remaining", "time_now"]
    {
        assert!(names.contains(&granted), "{granted} is not in {names:?}");
    }
    for absent in ["net_get", "kv_open", "sql_open", "agent_call_mcp", "log_set_sink", "chat_send"] {
        assert!(!names.contains(&absent), "{absent} is in {names:?}");
    }
    let tool = |name: &str| tools.iter().find(|tool| tool["name"] == name).unwrap();
    assert_eq!(tool("io_read")["annotations"]["readOnlyHint"], true);
    assert_eq!(tool("fs_remove")["annotations"]["destructiveHint"], true);
    assert_eq!(tool("proc_spawn")["annotations"]["openWorldHint"], true);
    assert_eq!(tool("io_read")["inputSchema"]["required"], json!(["path"]));
    assert_eq!(tool("io_read")["inputSchema"]["additionalProperties"], false);

    let bob = Some(bob.as_str());
    let hello = json!({ "path": data(&daemon, "in/hello.txt") });
    assert_eq!(call(&daemon, bob, "io_read", &hello)["ok"], "hello");
    let written = json!({ "path": data(&daemon, "out/new"), "contents": "x" });
    assert_eq!(call(&daemon, bob, "io_write", &written)["ok"], Value::Null);
    let echoed = call(&daemon, bob, "proc_spawn", &json!({ "program": "echo", "args": ["hello", "you"] }));
    assert_eq!(echoed["ok"]["stdout"], "hello you\n");
    for (code, tool, args) in [
        ("denied", "io_read", json!({ "path": "/etc/passwd" })),
        ("denied", "net_get", json!({ "url": "http://127.0.0.1/" })),
        ("bad-args", "io_read", json!({})),
        ("bad-args", "io_read", json!({ "path": "/a", "mode": "r" })),
        ("limit", "io_read", json!({ "path": format!("/{}", "x".repeat(5_000)) })),
        ("not-found", "io_read", json!({ "path": data(&daemon, "in/none") })),
        ("unknown-handle", "process_wait", json!({ "handle": "0".repeat(32) })),
        ("unknown-tool", "io_raed", json!({})),
    ] {
        assert_eq!(refused(&daemon, bob, tool, &args), code, "{tool} {args}");
    }
    assert_eq!(refused(&daemon, None, "io_read", &hello), "unknown-tool", "no policy governs the operator");
    assert!(offered(&daemon, None).is_empty());
    assert!(offered(&daemon, Some(&peer(&daemon, "ann"))).is_empty(), "who has no policy is offered nothing");
}

#[tokio::test]
async fn what_a_peer_holds_open_is_its_own_as_long_as_its_life() {
    let (daemon, bob) = workshop("[allow]\neffects = [\"kv\"]\n").await;
    let handle = call(&daemon, Some(&bob), "kv_open", &json!({}))["ok"].clone();
    let put = json!({ "handle": handle, "key": "a", "value": "1" });
    assert_eq!(call(&daemon, Some(&bob), "kv_put", &put)["ok"], Value::Null);
    // Another agent of the same peer, as after a restart of the one before.
    let mut agent = Agent::greeted(&daemon, &[], Some(&bob));
    let has = json!({ "handle": handle, "key": "a" });
    assert_eq!(agent.call("kv_contains", has.clone())["ok"], true);
    daemon.ask(&["restart", "bob"]);
    assert_eq!(agent.call("kv_contains", has.clone())["error"]["code"], "not-attested", "the old life is over");
    let bob = token(&daemon, "shell-bob", 2);
    assert_eq!(refused(&daemon, Some(&bob), "kv_contains", &has), "unknown-handle");
}

#[tokio::test]
async fn a_policy_that_changes_shows_in_the_next_list() {
    let (daemon, bob) = workshop("[allow]\neffects = [\"clock\"]\n").await;
    assert!(named(&offered(&daemon, Some(&bob))).contains(&"time_now"));
    policy(&daemon, "worker", "[allow]\neffects = [\"random\"]\n");
    eventually("the change shows", || async {
        let tools = offered(&daemon, Some(&bob));
        let names = named(&tools);
        (names.contains(&"rand_int_in") && !names.contains(&"time_now")).then_some(())
    })
    .await;
    assert_eq!(refused(&daemon, Some(&bob), "time_now", &json!({})), "denied");
}

#[tokio::test]
async fn the_effects_own_route_and_verb_know_whose_token_it_is() {
    let (daemon, bob) = workshop(WORKER).await;
    let ann = peer(&daemon, "ann");
    let ask = |token: &str, name: &str| {
        let headers = format!("host: x\r\nauthorization: Bearer {token}\r\n");
        request(&daemon, "POST", &format!("/v1/peers/{name}/effects/time.now"), &headers, b"{}")
    };
    for name in ["bob", "shell-bob"] {
        let (status, answer) = ask(&bob, name);
        assert!(status == 200 && answer["data"]["ok"].is_number(), "{answer}");
        let (status, answer) = ask(&ann, name);
        assert_eq!(
            (status, &answer["error"]["code"], &answer["error"]["exit_code"]),
            (403, &json!("not-attested"), &json!(4))
        );
    }
    assert_eq!(ask("shell-bob.1.00", "bob").0, 403);
    let verb = |token: &str| {
        let mut command = daemon.command(&["effect", "call", "bob", "time.now"]);
        crate::support::Said::of(command.env("COALMINE_TOKEN", token)).code
    };
    assert_eq!((verb(&bob), verb(&ann)), (0, 4));
    assert_eq!(daemon.coalmine(&["effect", "call", "bob", "time.now"]).code, 0, "the operator may");
}
