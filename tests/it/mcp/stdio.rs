//! `coalmine mcp`: an agent at its stdin, a daemon that may come and go behind it.

use super::{Agent, token};
use crate::{
    effects::policy,
    support::{Daemon, Root, eventually, skip},
};
use coalmine::io::sandbox;
use rustix::process::Signal;
use serde_json::{Value, json};

/// What the agent's process ever held in memory at once, KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_agent_is_greeted_lists_calls_and_leaves() {
    let daemon = Daemon::start().await;
    let mut agent = Agent::new(&daemon, &[], None);
    let greeting = agent.greet();
    assert_eq!(
        (&greeting["serverInfo"]["name"], &greeting["protocolVersion"]),
        (&json!("coalmine"), &json!("2025-06-18"))
    );
    assert!(greeting["instructions"].as_str().unwrap().contains("memory_"), "{greeting}");
    assert_eq!(
        agent.tools(),
        [
            "send_to_peer",
            "inbox",
            "ack",
            "peers",
            "memory_add",
            "memory_search",
            "memory_list",
            "memory_get",
            "memory_forget",
            "attachment_put",
            "attachment_get"
        ]
    );
    let added =
        agent.call("memory_add", json!({ "kind": "fact", "content": "the shaft is flooded", "tags": ["mine"] }));
    assert_eq!((&added["id"], &added["durable"]), (&json!(1), &json!(true)));
    let found = agent.call("memory_search", json!({ "query": "flood*" }));
    assert_eq!((&found["items"][0]["id"], &found["items"][0]["source"]), (&json!(1), &json!("operator")));
    assert_eq!(agent.call("memory_get", json!({ "id": 1 }))["items"][0]["tags"], json!(["mine"]));
    assert_eq!(agent.call("memory_forget", json!({ "id": 1 }))["forgotten"], 1);
    assert_eq!(agent.call("memory_get", json!({ "id": 1 }))["error"]["code"], "forgotten");
    let unknown = agent.call("memory_serach", json!({}));
    assert_eq!(
        (&unknown["error"]["code"], &unknown["error"]["hint"]),
        (&json!("unknown-tool"), &json!("did you mean memory_search?"))
    );
    assert_eq!(agent.leave().code(), Some(0));
}

#[tokio::test]
async fn a_daemon_that_goes_and_comes_again_ends_no_agent() {
    let daemon = Daemon::start().await;
    let mut agent = Agent::greeted(&daemon, &[], None);
    agent.call("memory_add", json!({ "kind": "fact", "content": "before" }));
    daemon.signal(Signal::TERM);
    let (_, root) = daemon.ended().await;
    let alone = agent.call("memory_list", json!({}));
    assert_eq!(alone["error"]["code"], "unreachable", "{alone}");
    assert!(alone["error"]["hint"].as_str().unwrap().contains("coalmine up -d"), "{alone}");
    assert_eq!(agent.tools().len(), 11, "a client that starts now sees the tools");
    let _daemon = Daemon::on(root).await;
    assert_eq!(agent.call("memory_list", json!({}))["items"][0]["content"], "before");
}

#[tokio::test]
async fn without_a_fleet_a_call_says_so() {
    let root = Root::at("nowhere");
    let mut agent = Agent::greeted(&root, &[], None);
    assert_eq!(agent.call("peers", json!({}))["error"]["code"], "unreachable");
    assert!(!root.path().exists(), "nothing is made");
}

#[tokio::test]
async fn a_line_of_100_mib_is_passed_over_in_bounded_memory() {
    let daemon = Daemon::start().await;
    let mut agent = Agent::greeted(&daemon, &[], None);
    let before = peak_kib(agent.pid());
    agent.write(br#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":""#);
    let mebibyte = vec![b'x'; 1024 * 1024];
    (0..100).for_each(|_| agent.write(&mebibyte));
    agent.say("\"}}");
    assert_eq!(agent.call("memory_list", json!({}))["items"], json!([]));
    let grown = peak_kib(agent.pid()) - before;
    assert!(grown < 64 * 1024, "{grown} KiB for a line that is not taken");
}

#[tokio::test]
async fn what_is_no_message_ends_nothing_and_what_never_begins_is_told() {
    let daemon = Daemon::start().await;
    let mut agent = Agent::greeted(&daemon, &[], None);
    for line in ["", "nonsense", "{\"jsonrpc\":", "[]", "\u{0}"] {
        agent.say(line);
    }
    assert_eq!(agent.call("peers", json!({}))["peers"], json!([]));
    agent.write(b"{\"jsonrpc\":\"2.0\",\"id\":");
    assert_eq!(agent.leave().code(), Some(0), "a stdin that ends in the middle of a line has ended");
    let mut early = Agent::new(&daemon, &[], None);
    early.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string());
    assert_eq!(early.leave().code(), Some(2), "who does not greet is no client");
    let silent = Agent::new(&daemon, &[], None);
    assert_eq!(silent.leave().code(), Some(0));
}

#[tokio::test]
async fn a_peers_own_agent_speaks_for_it_until_its_life_ends() {
    let daemon = Daemon::start().await;
    daemon.sleeper("ann");
    let token = token(&daemon, "shell-ann", 1);
    let mut agent = Agent::greeted(&daemon, &[], Some(&token));
    agent.call("memory_add", json!({ "kind": "pref", "content": "tea" }));
    assert_eq!(agent.call("memory_list", json!({}))["items"][0]["source"], "shell-ann");
    assert_eq!(agent.call("peers", json!({}))["peers"][0]["self"], true);
    daemon.ask(&["stop", "ann"]);
    let gone = agent.call("memory_list", json!({}));
    assert_eq!(gone["error"]["code"], "not-attested", "a life that is over speaks for nobody: {gone}");
}

/// The walls forbid every Unix socket, and with it the way to the daemon.
#[tokio::test]
async fn behind_walls_a_call_says_that_they_are_in_the_way() {
    if sandbox::abi().is_none() {
        return skip("behind walls a call says that they are in the way", "this kernel has no Landlock");
    }
    // Beside the state: of that a peer behind walls gets nothing.
    let daemon = Daemon::on(Root::at("state")).await;
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_coalmine"));
    let (project, programs) = (daemon.folder().join("project"), program.parent().unwrap());
    std::fs::create_dir(&project).unwrap();
    let granted = format!(
        "[allow]\neffects = [\"fs.read\", \"fs.write\"]\n[scope]\nfs_read = [{project:?}, {programs:?}]\nfs_write = [{project:?}]\n"
    );
    policy(&daemon, "walled", &granted);
    let folder = project.to_str().unwrap();
    let held = ["create", "bob", "--sandbox", "--policy", "walled", "--cwd", folder, "--start"];
    daemon.ask(&[&held[..], &["--", "/bin/sh", "-c", &script(program)]].concat());
    let said = project.join("said");
    let said = eventually("the agent has left", || async { std::fs::read_to_string(&said).ok() }).await;
    let answer: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    let error = &answer["result"]["structuredContent"]["error"];
    assert_eq!(error["code"], "unreachable", "{said}");
    assert!(error["hint"].as_str().unwrap().contains("sandbox makes no Unix sockets"), "{said}");
}

/// An agent that greets, calls, and leaves what it was told.
fn script(program: &std::path::Path) -> String {
    let client = json!({ "name": "test", "version": "1" });
    let greeting = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
    let says = [
        json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": greeting }),
        json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": "peers" } }),
    ];
    let lines: Vec<_> = says.iter().map(|line| format!("'{line}'")).collect();
    format!(
        "printf '%s\\n' {} | {} mcp >saying 2>&1; mv saying said; exec sleep 3600",
        lines.join(" "),
        program.display()
    )
}
