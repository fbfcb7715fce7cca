//! The fleet's tools with the real daemon: over stdin and stdout, over HTTP, by the operator and by peers.

mod attachments;
mod effects;
mod graph;
mod http;
mod identity;
mod listings;
mod npm;
mod stdio;

use crate::support::{Daemon, PATIENCE, Root, gone_within, http as wire};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
};

/// `coalmine mcp`, and whoever speaks to it. Ended with its handle.
pub struct Agent {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    asked: u64,
}

impl Agent {
    /// One that has not said anything yet.
    pub fn new(root: &Root, args: &[&str], token: Option<&str>) -> Self {
        let mut command = root.command(&[&["mcp"], args].concat());
        command.envs(token.map(|token| ("COALMINE_TOKEN", token)));
        Self::of(command)
    }

    /// One that speaks to any server.
    pub fn of(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        let (heard, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let Ok(line) = line else { return };
                if heard.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, lines, asked: 0 }
    }

    /// One that has said who it is.
    pub fn greeted(root: &Root, args: &[&str], token: Option<&str>) -> Self {
        let mut agent = Self::new(root, args, token);
        agent.greet();
        agent
    }

    pub fn greet(&mut self) -> Value {
        let client = json!({ "name": "test", "version": "1" });
        let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
        let greeted = self.ask("initialize", params);
        self.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string());
        greeted["result"].clone()
    }

    pub fn say(&mut self, line: &str) {
        self.write(format!("{line}\n").as_bytes());
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// The answer to a request, error or result.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string());
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no answer to {method} {params}"));
            let answer: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if answer["id"] == id {
                return answer;
            }
        }
    }

    /// What a tool gives, or `{"error": …}`.
    pub fn call(&mut self, tool: &str, args: Value) -> Value {
        given(&self.ask("tools/call", json!({ "name": tool, "arguments": args }))["result"])
    }

    pub fn tools(&mut self) -> Vec<String> {
        names(&self.ask("tools/list", json!({}))["result"]["tools"])
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Hangs up, and says how it ended.
    pub fn leave(mut self) -> ExitStatus {
        drop(self.stdin.take());
        let process = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty()).unwrap();
        assert!(gone_within(&process, PATIENCE), "it goes on without a stdin");
        self.child.wait().unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The structured part of a result, which must be there, and say the same as its mark.
#[track_caller]
pub fn given(result: &Value) -> Value {
    let given = result["structuredContent"].clone();
    assert!(given.is_object() && result["content"][0].is_object(), "{result}");
    assert_eq!(result["isError"], given["error"].is_object(), "{result}");
    if given["error"].is_object() {
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(given["error"]["message"].as_str().unwrap()), "{result}");
    }
    given
}

pub fn names(tools: &Value) -> Vec<String> {
    tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

/// A peer that rests, up, and the token of its present life.
pub fn peer(daemon: &Daemon, name: &str) -> String {
    daemon.sleeper(name);
    token(daemon, &format!("shell-{name}"), 1)
}

/// The token of a life.
pub fn token(root: &Root, identity: &str, life: u64) -> String {
    let file = root.paths().peer(&identity.parse().unwrap()).join(format!("token-g{life}"));
    format!("{identity}.{life}.{}", std::fs::read_to_string(file).unwrap())
}

/// A request by HTTP/1.1 with these headers: status and document.
pub fn request(root: &Root, method: &str, target: &str, headers: &str, body: &[u8]) -> (u16, Value) {
    let head =
        format!("{method} {target} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    let answer = wire::answer(&root.paths().daemon_socket(), &[head.as_bytes(), body].concat());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    (status, serde_json::from_str(body).unwrap_or_else(|_| json!({ "text": body, "head": head })))
}

/// What a tool gives to this caller, by `/v1/tools`.
#[track_caller]
pub fn call(root: &Root, token: Option<&str>, tool: &str, args: &Value) -> Value {
    let proof = token.map_or(String::new(), |token| format!("authorization: Bearer {token}\r\n"));
    let target = format!("/v1/tools/{tool}?wait_ms=30000");
    let (status, answer) = request(root, "POST", &target, &format!("host: x\r\n{proof}"), args.to_string().as_bytes());
    assert_eq!(status, 200, "{tool}: {answer}");
    given(&answer["data"])
}

/// The code by which a call is refused.
#[track_caller]
pub fn refused(root: &Root, token: Option<&str>, tool: &str, args: &Value) -> String {
    let given = call(root, token, tool, args);
    assert!(given["error"]["hint"].is_string(), "{tool}: {given}");
    given["error"]["code"].as_str().unwrap_or_else(|| panic!("{tool} {args}: {given}")).to_owned()
}
