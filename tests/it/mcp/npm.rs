//! Programs that others wrote, from npm: an MCP client against our server, and the reference memory server beside it.
//!
//! `cargo test --test it mcp::npm -- --ignored`; `NPM_FOLDER` names a folder in which `npm i
//! @modelcontextprotocol/inspector @modelcontextprotocol/server-memory` was run, else npx fetches them.

use super::peer;
use crate::support::{Daemon, Root, Said};
use serde_json::{Value, json};
use std::process::Command;

/// A program of npm's, with this environment and nothing of the daemon's.
fn npx(root: &Root, package: &str, program: &str) -> Command {
    let mut command = match std::env::var_os("NPM_FOLDER") {
        Some(folder) => Command::new(std::path::Path::new(&folder).join("node_modules/.bin").join(program)),
        None => {
            let mut npx = Command::new("npx");
            npx.args(["--yes", "--package", package, program]);
            npx
        }
    };
    command.envs(root.env()).env_remove("COALMINE_TOKEN").current_dir(root.folder());
    command
}

/// What the inspector is told by `server`.
#[track_caller]
fn inspect(root: &Root, server: &[&str], method: &[&str]) -> Value {
    let mut command = npx(root, "@modelcontextprotocol/inspector", "mcp-inspector");
    command.arg("--cli").args(server).args(method);
    let said = Said::of(&mut command);
    assert_eq!(said.code, 0, "{said:?}");
    said.json()
}

fn tool<'a>(name: &'a str, args: &'a [String]) -> Vec<&'a str> {
    let mut words = vec!["--method", "tools/call", "--tool-name", name];
    for arg in args {
        words.extend(["--tool-arg", arg]);
    }
    words
}

#[tokio::test]
#[ignore = "needs npm and its registry"]
async fn the_inspector_lists_and_calls_every_sort_of_tool() {
    let daemon = Daemon::start().await;
    peer(&daemon, "ann");
    let server = [env!("CARGO_BIN_EXE_coalmine"), "mcp"];
    let listed = inspect(&daemon, &server, &["--method", "tools/list"]);
    assert_eq!(super::names(&listed["tools"]).len(), 11);
    let call = |name: &str, args: &[&str]| {
        let args: Vec<_> = args.iter().map(|&arg| arg.to_owned()).collect();
        super::given(&inspect(&daemon, &server, &tool(name, &args)))
    };
    assert_eq!(call("memory_add", &["kind=fact", "content=the lamp is lit"])["id"], 1);
    assert_eq!(call("memory_search", &["query=lamp", "limit=3"])["items"][0]["content"], "the lamp is lit");
    assert_eq!(call("memory_forget", &["id=1"])["forgotten"], 1);
    assert_eq!(call("memory_get", &["id=1"])["error"]["code"], "forgotten");
    assert_eq!(call("send_to_peer", &["to=ann", "body=hello"])["reason"]["code"], "no-composer");
    let put = call("attachment_put", &["text=a note"]);
    let id = format!("id={}", put["id"].as_str().unwrap());
    assert_eq!(call("attachment_get", &[&id])["text"], "a note");
    assert_eq!(call("peers", &[])["peers"][0]["identity"], "shell-ann");
    assert_eq!(call("inbox", &["peer=ann"])["messages"][0]["body"], "hello");
}

/// What both are asked, in this order.
fn script() -> Vec<(&'static str, Value)> {
    let entity =
        |name: &str, kind: &str, known: &[&str]| json!({ "name": name, "entityType": kind, "observations": known });
    let relation = |from: &str, to: &str| json!({ "from": from, "to": to, "relationType": "knows" });
    vec![
        ("read_graph", json!({})),
        (
            "create_entities",
            json!({ "entities": [entity("Ann", "person", &["likes tea"]), entity("Pit 7", "shaft", &[])] }),
        ),
        (
            "create_entities",
            json!({ "entities": [entity("Ann", "ghost", &["x"]), entity("Bob", "person", &["é🐦", "b"])] }),
        ),
        ("create_relations", json!({ "relations": [relation("Ann", "Bob"), relation("Bob", "Nobody")] })),
        ("create_relations", json!({ "relations": [relation("Ann", "Bob"), relation("Pit 7", "Ann")] })),
        ("add_observations", json!({ "observations": [{ "entityName": "Ann", "contents": ["likes tea", "digs"] }] })),
        ("add_observations", json!({ "observations": [{ "entityName": "Eve", "contents": ["x"] }] })),
        ("search_nodes", json!({ "query": "PERSON" })),
        ("search_nodes", json!({ "query": "é" })),
        ("search_nodes", json!({ "query": "nothing like it" })),
        ("search_nodes", json!({ "query": "" })),
        ("open_nodes", json!({ "names": ["Pit 7", "Eve"] })),
        ("read_graph", json!({})),
        ("delete_observations", json!({ "deletions": [{ "entityName": "Bob", "observations": ["b", "c"] }] })),
        ("delete_relations", json!({ "relations": [relation("Pit 7", "Ann"), relation("x", "y")] })),
        ("read_graph", json!({})),
        ("delete_entities", json!({ "entityNames": ["Ann", "Eve"] })),
        ("read_graph", json!({})),
    ]
}

/// Of each tool its name, its hints, and which arguments it takes and needs.
fn outlines(listed: &Value) -> Vec<Value> {
    let keys = |schema: &Value| {
        let mut keys: Vec<_> =
            schema["properties"].as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect();
        keys.sort();
        json!([keys, schema["required"].as_array().cloned().unwrap_or_default()])
    };
    let outline = |tool: &Value| {
        let schema = &tool["inputSchema"];
        let inner = schema["properties"].as_object().into_iter().flatten().map(|(_, inner)| keys(&inner["items"]));
        let hints = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"];
        let hints = hints.map(|hint| tool["annotations"][hint].clone());
        json!([tool["name"], tool["title"], tool["description"], hints, keys(schema), inner.collect::<Vec<_>>()])
    };
    listed["result"]["tools"].as_array().unwrap().iter().map(outline).collect()
}

#[tokio::test]
#[ignore = "needs npm and its registry"]
async fn the_nine_tools_answer_as_the_reference_server_does() {
    let daemon = Daemon::start().await;
    let mut ours = super::Agent::greeted(&daemon, &["--compat", "server-memory"], None);
    let mut reference = npx(&daemon, "@modelcontextprotocol/server-memory", "mcp-server-memory");
    reference.env("MEMORY_FILE_PATH", daemon.folder().join("reference.jsonl"));
    let mut theirs = super::Agent::of(reference);
    theirs.greet();
    let (mine, other) = (ours.ask("tools/list", json!({})), theirs.ask("tools/list", json!({})));
    assert_eq!(outlines(&mine), outlines(&other));
    for (name, args) in script() {
        let call = json!({ "name": name, "arguments": args });
        let (mine, other) = (ours.ask("tools/call", call.clone()), theirs.ask("tools/call", call));
        let (mine, other) = (&mine["result"], &other["result"]);
        if other["isError"] == true {
            let text = other["content"][0]["text"].as_str().unwrap();
            assert_eq!(mine["isError"], true, "{name} {args}");
            assert!(mine["content"][0]["text"].as_str().unwrap().contains(text), "{name} {args}: {mine} {other}");
            continue;
        }
        for part in ["structuredContent", "content"] {
            assert_eq!(mine[part], other[part], "{name} {args}");
        }
    }
    let inspected = inspect(
        &daemon,
        &[env!("CARGO_BIN_EXE_coalmine"), "mcp"],
        &["--compat", "server-memory", "--method", "tools/call", "--tool-name", "read_graph"],
    );
    assert_eq!(inspected["structuredContent"], ours.call("read_graph", json!({})));
}
