//! `/mcp`: streamable HTTP on the daemon's socket.

use super::{names, peer, request};
use crate::support::{Daemon, Root};
use serde_json::{Value, json};

const TYPES: &str = "content-type: application/json\r\naccept: application/json, text/event-stream\r\n";

fn post(root: &Root, headers: &str, body: &Value) -> (u16, Value) {
    let headers = format!("host: localhost\r\n{TYPES}{headers}");
    request(root, "POST", "/mcp", &headers, body.to_string().as_bytes())
}

fn message(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

fn greeting() -> Value {
    let client = json!({ "name": "test", "version": "1" });
    message("initialize", json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client }))
}

#[tokio::test]
async fn every_request_stands_alone_also_across_daemons() {
    let daemon = Daemon::start().await;
    let (status, greeted) = post(&daemon, "", &greeting());
    assert_eq!((status, &greeted["result"]["serverInfo"]["name"]), (200, &json!("coalmine")), "{greeted}");
    let (status, _) = post(&daemon, "", &json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    assert_eq!(status, 202);
    let (_, listed) = post(&daemon, "mcp-protocol-version: 2025-06-18\r\n", &message("tools/list", json!({})));
    assert_eq!(names(&listed["result"]["tools"]).len(), 11, "{listed}");
    let add = json!({ "name": "memory_add", "arguments": { "kind": "fact", "content": "x" } });
    // A session id of whoever gave it changes nothing.
    let (_, added) = post(&daemon, "mcp-session-id: 0123\r\n", &message("tools/call", add));
    assert_eq!(added["result"]["structuredContent"]["id"], 1, "{added}");
    daemon.signal(rustix::process::Signal::TERM);
    let (_, root) = daemon.ended().await;
    let daemon = Daemon::on(root).await;
    let list = message("tools/call", json!({ "name": "memory_list", "arguments": {} }));
    assert_eq!(post(&daemon, "", &list).1["result"]["structuredContent"]["items"][0]["id"], 1);
}

#[tokio::test]
async fn the_newest_protocol_asks_without_a_greeting() {
    let daemon = Daemon::start().await;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" }
    });
    let headers = "mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/list\r\n";
    let (status, listed) = post(&daemon, headers, &message("tools/list", json!({ "_meta": meta })));
    assert_eq!((status, listed["result"]["tools"].as_array().map(Vec::len)), (200, Some(11)), "{listed}");
}

#[tokio::test]
async fn what_does_not_belong_here_is_turned_away() {
    let daemon = Daemon::start().await;
    let list = message("tools/list", json!({}));
    for method in ["GET", "DELETE", "PUT"] {
        let (status, answer) = request(&daemon, method, "/mcp", "host: x\r\n", b"");
        assert_eq!((status, &answer["error"]["code"]), (405, &json!("bad-method")), "{method}");
    }
    for (wanted, headers) in [
        (403, format!("host: evil.example\r\n{TYPES}")),
        (403, format!("host: localhost\r\norigin: https://evil.example\r\n{TYPES}")),
        (403, format!("host: localhost\r\norigin: null\r\n{TYPES}")),
        (406, "host: localhost\r\ncontent-type: application/json\r\n".into()),
        (415, "host: localhost\r\naccept: application/json, text/event-stream\r\n".into()),
        (401, format!("host: localhost\r\nauthorization: Bearer shell-ann.1.00\r\n{TYPES}")),
        (401, format!("host: localhost\r\nauthorization: Basic b3BlcmF0b3I6\r\n{TYPES}")),
        (401, format!("host: localhost\r\nauthorization: Bearer \r\n{TYPES}")),
    ] {
        let (status, answer) = request(&daemon, "POST", "/mcp", &headers, list.to_string().as_bytes());
        assert_eq!(status, wanted, "{headers}: {answer}");
    }
    for body in [&b""[..], b"nonsense", b"[]", b"{\"jsonrpc\":\"2.0\"}"] {
        let (status, answer) = request(&daemon, "POST", "/mcp", &format!("host: localhost\r\n{TYPES}"), body);
        assert!((400..500).contains(&status), "{status}: {answer}");
    }
    let (status, answer) = request(&daemon, "POST", "/mcp?set=nonsense", &format!("host: localhost\r\n{TYPES}"), b"{}");
    assert_eq!((status, &answer["error"]["code"]), (400, &json!("bad-query")));
    let (status, answer) = request(&daemon, "POST", "/v1/tools/peers", "host: x\r\n", &vec![b' '; 25 * 1024 * 1024]);
    assert_eq!((status, &answer["error"]["code"]), (413, &json!("body-too-large")));
    assert_eq!(post(&daemon, "", &list).0, 200, "and it goes on");
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_before_it_is_understood() {
    let daemon = Daemon::start().await;
    let body = message("tools/call", json!({ "name": "peers", "arguments": { "name": "x".repeat(25 * 1024 * 1024) } }));
    assert_eq!(post(&daemon, "", &body).0, 413);
}

#[tokio::test]
async fn a_token_is_proved_with_every_request() {
    let daemon = Daemon::start().await;
    let token = peer(&daemon, "ann");
    let me = message("tools/call", json!({ "name": "peers", "arguments": {} }));
    let proof = format!("authorization: Bearer {token}\r\n");
    assert_eq!(post(&daemon, &proof, &me).1["result"]["structuredContent"]["peers"][0]["self"], true);
    assert_eq!(post(&daemon, "", &me).1["result"]["structuredContent"]["peers"][0]["self"], false);
    daemon.ask(&["stop", "ann"]);
    assert_eq!(post(&daemon, &proof, &me).0, 401);
}
