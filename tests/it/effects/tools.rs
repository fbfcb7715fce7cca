//! Tool servers with the real daemon: a small one in the shell's language, and the protocol's own example from npm.

use super::{audit, call, daemon, data, err, ok, policy, root};
use crate::support::{Daemon, Root, eventually};
use serde_json::{Value, json};
use std::{path::Path, process::Command};

/// Answers `initialize`, `tools/list` and one tool, which gives its own process.
pub const SERVER: &str = r#"
reply() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
echo "it begins" >&2
while IFS= read -r line; do
    rest=${line#*\"id\":}; id=${rest%%[,\}]*}
    case $line in
    *'"method":"initialize"'*)
        reply '{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"it","version":"1"}}' ;;
    *'"method":"tools/list"'*) reply '{"tools":[{"name":"who","inputSchema":{"type":"object"}}]}' ;;
    *'"method":"tools/call"'*) reply "{\"content\":[],\"structuredContent\":{\"pid\":$$,\"key\":\"$KEY\"}}" ;;
    esac
done
"#;

/// Grants the server as `it`, with the tool `who` and one that it does not have.
fn policy_text() -> String {
    format!(
        "[allow]\neffects = [\"mcp:it\"]\n[mcp.it]\ncommand = [\"/bin/sh\", \"-c\", {}]\nenv = {{ KEY = \"k\" }}\n\
         tools = [\"who\", \"gone\"]\ntimeout = \"30s\"\n",
        toml_text(SERVER)
    )
}

/// As TOML writes a text: JSON's escapes are TOML's too.
pub fn toml_text(text: &str) -> String {
    json!(text).to_string()
}

fn is_there(pid: &Value) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn a_peers_calls_share_a_server_that_ends_with_its_life() {
    let daemon = daemon(&policy_text()).await;
    daemon.coalmine(&["start", "bob"]).tells(&["shell-bob"]);
    let who = json!({ "server": "it", "tool": "who" });
    let first = ok(&daemon, "agent.call_mcp", &who);
    assert_eq!(first["key"], "k", "what the policy lists is its environment");
    assert_eq!(ok(&daemon, "agent.call_mcp", &who)["pid"], first["pid"]);
    assert!(is_there(&first["pid"]));
    let refused = |tool: &str| err(&daemon, "agent.call_mcp", &json!({ "server": "it", "tool": tool }));
    assert_eq!(refused("other"), (4, "denied".into()));
    assert_eq!(refused("gone"), (2, "bad-args".into()));
    assert_eq!(err(&daemon, "agent.call_mcp", &json!({ "server": "ti", "tool": "who" })), (4, "denied".into()));
    let lines = audit(&daemon);
    let ended = lines.iter().find(|line| line["outcome"] == "ok").unwrap();
    assert_eq!((&ended["resource"], &ended["rule"]), (&json!("it/who"), &json!("mcp.it")));
    assert!(ended["sandbox"].is_string() && ended["bytes_in"].as_u64() > Some(0), "{ended}");
    eventually("its stderr is in the session's log", || async {
        let log = std::fs::read_to_string(daemon.path().join("effects/shell-bob/session.log")).ok()?;
        log.contains(" info mcp.it: it begins").then_some(())
    })
    .await;
    daemon.coalmine(&["stop", "bob"]).tells(&["stopped"]);
    eventually("the server is gone", || async { (!is_there(&first["pid"])).then_some(()) }).await;
}

#[tokio::test]
async fn a_server_of_a_daemon_that_was_killed_is_ended_by_the_next_one() {
    let daemon = daemon(&policy_text()).await;
    // It does not notice that its stdin is closed.
    let text = policy_text().replace("done\\n\"", "done\\nwhile :; do sleep 1; done\\n\"");
    policy(&daemon, "worker", &text);
    let who = json!({ "server": "it", "tool": "who" });
    let pid = ok(&daemon, "agent.call_mcp", &who)["pid"].take();
    daemon.signal(rustix::process::Signal::KILL);
    let (_, root) = daemon.ended().await;
    let daemon = Daemon::on(root).await;
    eventually("the server is gone", || async { (!is_there(&pid)).then_some(()) }).await;
    assert_ne!(ok(&daemon, "agent.call_mcp", &who)["pid"], pid);
}

/// Installs a package from npm below the root's folder; its files are what a policy has to grant.
fn install(root: &Root, package: &str) {
    let folder = data(root, "npm");
    std::fs::create_dir_all(&folder).unwrap();
    let args = ["install", "--prefix", &folder, "--no-audit", "--no-fund", "--ignore-scripts", package];
    let said = Command::new("npm").args(args).output().unwrap();
    assert!(said.status.success(), "{said:?}");
}

fn node() -> String {
    let said = Command::new("node").args(["-p", "process.execPath"]).output().unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
#[ignore = "needs npm and its registry"]
async fn the_protocols_own_example_server_works_as_it_is() {
    let root = root();
    install(&root, "@modelcontextprotocol/server-everything");
    let script = data(&root, "npm/node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    let text = format!(
        "[allow]\neffects = [\"mcp:everything\", \"fs.read\"]\n[scope]\nfs_read = [{}]\n[mcp.everything]\n\
         command = [{}, {}, \"stdio\"]\ntools = \"any\"\n",
        toml_text(&data(&root, "npm")),
        toml_text(&node()),
        toml_text(&script),
    );
    policy(&root, "worker", &text);
    let daemon = Daemon::on(root).await;
    daemon.coalmine(&["create", "bob", "--policy", "worker", "--", "sleep", "60"]).tells(&["created"]);
    let tool = |tool: &str, arguments: Value| {
        call(&daemon, "agent.call_mcp", &json!({ "server": "everything", "tool": tool, "arguments": arguments }))
    };
    let (code, echoed) = tool("echo", json!({ "message": "hello" }));
    assert_eq!((code, &echoed["ok"][0]["text"]), (0, &json!("Echo: hello")), "{echoed}");
    let (code, structured) = tool("get-structured-content", json!({ "location": "New York" }));
    assert!(code == 0 && structured["ok"]["temperature"].is_number(), "{structured}");
    let (code, wrong) = tool("get-sum", json!({ "a": "x" }));
    assert_eq!((code, &wrong["err"]["code"]), (1, &json!("tool")), "{wrong}");
    let (code, gone) = tool("ecco", json!({}));
    assert_eq!((code, &gone["err"]["code"]), (2, &json!("bad-args")), "{gone}");
    let (code, slow) = tool("trigger-long-running-operation", json!({ "duration": 2, "steps": 2 }));
    assert_eq!(code, 0, "{slow}");
    assert_eq!(tool("echo", json!({ "message": "again" })).0, 0);
}
