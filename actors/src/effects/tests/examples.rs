//! For every operation: arguments that are right, and, where its kind has a scope, arguments that lie outside of it.

use crate::effects::{Op, Policy, Request, policy_file::parse};
use serde_json::{Value, json};

/// A policy that allows every example.
pub(super) const FULL: &str = r#"
    [allow]
    effects = ["io", "fs.read", "fs.write", "fs.list", "log", "log.admin", "clock", "random", "env", "proc",
               "net.connect", "net.listen", "chat", "kv", "sql", "mcp:github", "llm:ollama", "llm:openai", "a2a:bob"]
    [scope]
    fs_read = ["/secret-grant/data"]
    fs_write = ["/secret-grant/data/out"]
    net = ["https://secret-grant.example", "http://127.0.0.1:8080", "https://127.0.0.1:8443"]
    env = ["LANG"]
    [program.git]
    path = "/secret-grant/bin/git"
    args = [["status"], ["log", "*"]]
    [mcp.github]
    command = ["/secret-grant/bin/github-mcp"]
    tools = ["search_issues"]
"#;

pub(super) fn full() -> Policy {
    parse("full", FULL).unwrap()
}

const HANDLE: &str = "00112233445566778899aabbccddeeff";

/// Arguments that [`full`] allows.
pub(super) fn example(op: Op) -> Value {
    let (read, write) = ("/secret-grant/data/a", "/secret-grant/data/out/a");
    let url = "https://secret-grant.example/x?key=1";
    match op {
        Op::IoPrint => json!({ "line": "hello" }),
        Op::IoRead | Op::FsExists | Op::FsIsFile | Op::FsIsDir | Op::FsStat | Op::FsListDir | Op::FsWalk => {
            json!({ "path": read })
        }
        Op::FsGlob => json!({ "pattern": "/secret-grant/data/**/*.rs" }),
        Op::IoWrite => json!({ "path": write, "contents": "text" }),
        Op::FsMkdirP | Op::FsRemove => json!({ "path": write }),
        Op::FsCopy => json!({ "src": read, "dst": write }),
        Op::LogDebug | Op::LogInfo | Op::LogWarn | Op::LogError => json!({ "message": "hello" }),
        Op::LogSetLevel => json!({ "level": "debug" }),
        Op::LogSetFormat => json!({ "format": "json" }),
        Op::LogSetSink => json!({ "path": write }),
        Op::TimeNow | Op::DatetimeNow | Op::BudgetRemaining => json!({}),
        Op::TimeSleepMs => json!({ "ms": 0 }),
        Op::RandIntIn => json!({ "lo": i64::MIN, "hi": i64::MAX }),
        Op::CryptoRandom => json!({ "n": 8 }),
        Op::EnvGet => json!({ "name": "LANG" }),
        Op::ProcSpawn | Op::ProcessRun => json!({ "program": "git", "args": ["status"] }),
        Op::ProcessSpawn => {
            json!({ "program": "git", "args": ["log", "-1"], "cwd": read, "env": { "LANG": "C" }, "stdin": "x" })
        }
        Op::ProcessReadStdoutLine | Op::ProcessReadStderrLine | Op::ProcessWait => json!({ "handle": HANDLE }),
        Op::ProcessKill => json!({ "handle": HANDLE, "signal": "HUP" }),
        Op::NetGet | Op::HttpGet => json!({ "url": url }),
        Op::NetPost => json!({ "url": url, "body": "x" }),
        Op::HttpPost => json!({ "url": url, "body": { "base64": "AAE=" }, "content_type": "text/plain" }),
        Op::HttpSend => json!({
            "method": "PUT", "url": url, "headers": [["A", "1"], ["A", "2"]], "body": "x", "timeout_ms": 5, "redirects": 1,
        }),
        Op::NetServe | Op::NetServeWs => json!({ "port": 8080, "handler": { "function": "answer" } }),
        Op::NetServeTls => json!({ "port": 8443, "cert": read, "key": read, "handler": { "peer": "bob" } }),
        Op::ChatBroadcast => json!({ "room": "all", "body": "hello" }),
        Op::ChatSend => json!({ "connection": "1", "body": "hello" }),
        Op::KvOpen => json!({ "path": write }),
        Op::KvClose | Op::SqlClose => json!({ "handle": HANDLE }),
        Op::KvGet | Op::KvDelete | Op::KvContains => json!({ "handle": HANDLE, "key": "k" }),
        Op::KvPut => json!({ "handle": HANDLE, "key": "k", "value": "v" }),
        Op::KvListPrefix => json!({ "handle": HANDLE, "prefix": "k", "cursor": "c", "limit": 3 }),
        Op::SqlOpen => json!({ "path": write }),
        Op::SqlExec => json!({ "handle": HANDLE, "sql": "select 1" }),
        Op::SqlQuery => {
            json!({ "handle": HANDLE, "sql": "select ?", "params": [null, 1, 0.5, "x", { "base64": "AA==" }] })
        }
        Op::AgentCallMcp => json!({ "server": "github", "tool": "search_issues", "arguments": { "q": 1 } }),
        Op::AgentLocalComplete => json!({ "prompt": "hello" }),
        Op::AgentCloudComplete => {
            json!({ "messages": [{ "role": "user", "content": "hi" }], "provider": "openai", "model": "m", "max_tokens": 5 })
        }
        Op::AgentSendA2a => json!({ "peer": "bob", "payload": { "any": "thing" } }),
    }
}

pub(super) fn request(op: Op) -> Request {
    Request::read(op, example(op)).unwrap()
}

/// Arguments of kinds that are granted, and that lie outside of their scope; each alone must be denied. None where a kind
/// has no scope.
pub(super) fn outside(op: Op) -> Vec<Value> {
    let paths =
        |key: &str, paths: &[&str]| -> Vec<Value> { paths.iter().map(|path| with(op, key, json!(path))).collect() };
    let read = [
        "/etc/passwd",
        "/secret-grant",
        "/secret-grant/database",
        "/secret-grant/data/../x",
        "/secret-grant/data/a/../../x",
        "/",
    ];
    let write = ["/etc/passwd", "/secret-grant/data/a", "/secret-grant/data/out/../a", "/secret-grant/data"];
    let urls = |key: &str| -> Vec<Value> {
        let urls =
            ["http://secret-grant.example/", "https://secret-grant.example:444/", "https://a.secret-grant.example/"];
        urls.iter().map(|url| with(op, key, json!(url))).collect()
    };
    match op {
        Op::IoRead | Op::FsExists | Op::FsIsFile | Op::FsIsDir | Op::FsStat | Op::FsListDir | Op::FsWalk => {
            paths("path", &read)
        }
        Op::FsGlob => paths("pattern", &["/etc/*", "/*", "/secret-grant/*/a", "/secret-grant/data/../*"]),
        Op::IoWrite | Op::FsMkdirP | Op::LogSetSink | Op::KvOpen | Op::SqlOpen => paths("path", &write),
        // The root itself is not to be removed either, however it is written.
        Op::FsRemove => {
            let roots = ["/secret-grant/data/out", "/secret-grant/data/out/.", "/secret-grant/data/out/a/.."];
            [paths("path", &write), paths("path", &roots)].concat()
        }
        Op::FsCopy => [paths("src", &read), paths("dst", &write)].concat(),
        Op::EnvGet => ["HOME", "LANG_2"].iter().map(|name| with(op, "name", json!(name))).collect(),
        Op::ProcSpawn | Op::ProcessRun => vec![
            with(op, "program", json!("sh")),
            with(op, "args", json!([])),
            with(op, "args", json!(["status", "-s"])),
        ],
        Op::ProcessSpawn => vec![
            with(op, "program", json!("sh")),
            with(op, "args", json!(["push"])),
            with(op, "cwd", json!("/etc")),
            with(op, "env", json!({ "LD_PRELOAD": "/x" })),
            with(op, "env", json!({ "PATH": "/x" })),
            with(op, "env", json!({ "OTHER": "x" })),
        ],
        Op::NetGet | Op::NetPost | Op::HttpGet | Op::HttpPost | Op::HttpSend => urls("url"),
        Op::NetServe | Op::NetServeWs => vec![
            with(op, "port", json!(8081)),
            with(op, "port", json!(8443)),
            with(op, "handler", json!({ "program": "sh" })),
            with(op, "handler", json!({ "program": "git" })), // no pattern fits no arguments
            with(op, "handler", json!({ "peer": "carol" })),
        ],
        Op::NetServeTls => vec![
            with(op, "port", json!(8080)),
            with(op, "cert", json!("/etc/passwd")),
            with(op, "key", json!("/etc/passwd")),
        ],
        Op::AgentCallMcp => vec![with(op, "server", json!("gitlab")), with(op, "tool", json!("delete_all"))],
        Op::AgentLocalComplete | Op::AgentCloudComplete => vec![with(op, "provider", json!("other"))],
        Op::AgentSendA2a => vec![with(op, "peer", json!("carol"))],
        Op::IoPrint
        | Op::LogDebug
        | Op::LogInfo
        | Op::LogWarn
        | Op::LogError
        | Op::LogSetLevel
        | Op::LogSetFormat
        | Op::TimeNow
        | Op::DatetimeNow
        | Op::TimeSleepMs
        | Op::RandIntIn
        | Op::CryptoRandom
        | Op::BudgetRemaining
        | Op::ProcessReadStdoutLine
        | Op::ProcessReadStderrLine
        | Op::ProcessWait
        | Op::ProcessKill
        | Op::ChatBroadcast
        | Op::ChatSend
        | Op::KvClose
        | Op::KvGet
        | Op::KvPut
        | Op::KvDelete
        | Op::KvContains
        | Op::KvListPrefix
        | Op::SqlClose
        | Op::SqlExec
        | Op::SqlQuery => Vec::new(),
    }
}

/// The example with one argument replaced.
pub(super) fn with(op: Op, key: &str, value: Value) -> Value {
    let mut args = example(op);
    args[key] = value;
    args
}
