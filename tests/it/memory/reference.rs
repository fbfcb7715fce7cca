//! The same crowd before the memory server that others use: two processes, ten adds at once from each.
//!
//! `cargo test --test it reference -- --ignored` fetches that server from npm and prints both counts.

use super::contents;
use crate::support::{Root, skip};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

const PACKAGE: &str = "@modelcontextprotocol/server-memory";
const PROCESSES: usize = 2;
const ADDS: usize = 10;
const ROUNDS: usize = 5;

/// What was acknowledged, and what of it is in the file afterwards.
#[derive(Default)]
struct Count {
    acknowledged: usize,
    kept: usize,
}

impl Count {
    fn take(&mut self, acknowledged: &BTreeSet<String>, kept: &BTreeSet<String>) {
        self.acknowledged += acknowledged.len();
        self.kept += acknowledged.intersection(kept).count();
    }

    fn lost(&self) -> usize {
        self.acknowledged - self.kept
    }
}

/// A server that is ready for calls. It ends with its input; killed where the test fails before.
struct Server {
    child: Child,
    input: Option<ChildStdin>,
    answers: BufReader<std::process::ChildStdout>,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ended_already = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(program: &Path, file: &Path) -> Self {
        let mut command = Command::new("node");
        command.arg(program).env("MEMORY_FILE_PATH", file);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("node is there");
        let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
        let mut server = Self { child, input, answers: BufReader::new(output) };
        server.send(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } } }));
        assert!(server.answer()["result"].is_object());
        server.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        server
    }

    fn send(&mut self, message: &Value) {
        let line = format!("{message}\n");
        self.input.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    }

    /// The next answer; the end of the server's output is a failure, not a wait.
    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Asks for all adds before the first answer is read; the names of those that are acknowledged.
    fn add_all(&mut self, names: &[String]) -> BTreeSet<String> {
        for (id, name) in names.iter().enumerate() {
            let entity = json!({ "name": name, "entityType": "fact", "observations": [] });
            self.send(&json!({ "jsonrpc": "2.0", "id": id + 1, "method": "tools/call",
                "params": { "name": "create_entities", "arguments": { "entities": [entity] } } }));
        }
        let answers = names.iter().map(|_| self.answer());
        let kept = answers.filter(|answer| answer["result"].is_object() && answer["result"]["isError"] != true);
        kept.map(|answer| names[usize::try_from(answer["id"].as_u64().unwrap()).unwrap() - 1].clone()).collect()
    }
}

fn names(round: usize, process: usize) -> Vec<String> {
    (0..ADDS).map(|add| format!("{round}-{process}-{add}")).collect()
}

/// One crowd before the reference server.
fn theirs(program: &Path, folder: &Path, round: usize, count: &mut Count) {
    let file = folder.join(format!("reference-{round}.jsonl"));
    let servers: Vec<_> = (0..PROCESSES).map(|_| Server::start(program, &file)).collect();
    let acknowledged = std::thread::scope(|scope| {
        let running: Vec<_> = servers
            .into_iter()
            .enumerate()
            .map(|(process, mut server)| scope.spawn(move || server.add_all(&names(round, process))))
            .collect();
        running.into_iter().flat_map(|process| process.join().unwrap()).collect()
    });
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let kept = lines.filter_map(|line| Some(line["name"].as_str()?.to_owned())).collect();
    count.take(&acknowledged, &kept);
}

/// The same crowd before ours, without a daemon: every add is a process and takes the lock for itself.
fn ours(root: &Root, round: usize, count: &mut Count) {
    let all: Vec<_> = (0..PROCESSES).flat_map(|process| names(round, process)).collect();
    let adds: Vec<_> = all
        .iter()
        .map(|name| {
            let mut command = root.command(&["--json", "memory", "add", "fact", name, "--wait", "60s"]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    let ended = adds.into_iter().zip(all).map(|(mut add, name)| (add.wait().unwrap().success(), name));
    let acknowledged = ended.filter(|(success, _)| *success).map(|(_, name)| name).collect();
    count.take(&acknowledged, &contents(root).into_iter().collect());
}

#[test]
#[ignore = "fetches a package from npm"]
fn two_processes_of_ten_adds_at_once_lose_nothing_here_and_are_counted_before_the_reference_server() {
    let folder = tempfile::tempdir().unwrap();
    let install = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
        .args([folder.path().as_os_str(), PACKAGE.as_ref()])
        .stdout(Stdio::null())
        .status();
    if !install.is_ok_and(|status| status.success()) {
        return skip("the reference server's losses beside ours", "npm is missing, or can not fetch it");
    }
    let package = folder.path().join("node_modules").join(PACKAGE);
    let about: Value = serde_json::from_slice(&std::fs::read(package.join("package.json")).unwrap()).unwrap();
    let root = Root::new();
    let (mut reference, mut memory) = (Count::default(), Count::default());
    for round in 0..ROUNDS {
        theirs(&package.join("dist/index.js"), folder.path(), round, &mut reference);
        ours(&root, round, &mut memory);
    }
    for (who, count) in [(format!("{PACKAGE} {}", about["version"]), &reference), ("coalmine".into(), &memory)] {
        eprintln!("{who}: {} acknowledged, {} of them lost", count.acknowledged, count.lost());
    }
    assert!(reference.acknowledged > 0, "it answered nothing");
    assert_eq!((memory.acknowledged, memory.lost()), (ROUNDS * PROCESSES * ADDS, 0));
}
