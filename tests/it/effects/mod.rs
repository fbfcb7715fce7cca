//! Effects with the real daemon, the real command line and the real host.

mod a2a;
mod calls;
mod docs;
mod families;
mod leftovers;
mod net;
mod policies;
mod servers;
mod stores;
mod survive;
mod tools;

use crate::support::{Daemon, Root};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

/// A root with a folder beside it that policies can grant: `state` and `data`.
fn root() -> Root {
    let root = Root::at("state");
    root.put("data/in/hello.txt", "hello");
    fs::create_dir_all(root.folder().join("data/out")).unwrap();
    root
}

/// A path below that folder.
pub fn data(root: &Root, below: &str) -> String {
    root.folder().join("data").join(below).to_str().unwrap().to_owned()
}

/// A policy of this name, in which `DATA` stands for that folder.
pub fn policy(root: &Root, name: &str, text: &str) -> PathBuf {
    let path = format!("state/policies/{name}.toml");
    root.put(&path, &text.replace("DATA", &data(root, "")));
    let path = root.folder().join(path);
    fs::set_permissions(root.path(), PermissionsExt::from_mode(0o700)).unwrap();
    fs::set_permissions(path.parent().unwrap(), PermissionsExt::from_mode(0o700)).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    path
}

/// Reads and writes beside the root, and a few things that need nothing.
pub const WORKER: &str = r#"
    [allow]
    effects = ["io", "fs.read", "fs.list", "fs.write", "log", "clock", "random", "env", "proc"]
    [scope]
    fs_read = ["DATA"]
    fs_write = ["DATA/out"]
    env = "any"
    [program.echo]
    path = "/bin/echo"
    args = [["hello", "*"]]
"#;

/// A daemon with the peer `bob`, who rests, under this policy.
pub async fn daemon(text: &str) -> Daemon {
    let root = root();
    policy(&root, "worker", text);
    let daemon = Daemon::on(root).await;
    daemon.coalmine(&["create", "bob", "--policy", "worker", "--", "sleep", "60"]).tells(&["created"]);
    daemon
}

/// Calls as `bob`: the exit code, and what stands on stdout.
fn call(root: &Root, op: &str, args: &Value) -> (i32, Value) {
    let said = root.coalmine(&["effect", "call", "bob", op, &args.to_string()]);
    assert_eq!(said.err, "", "{op}: {said:?}");
    (said.code, said.json())
}

/// What a call gives; it must succeed.
#[track_caller]
fn ok(root: &Root, op: &str, args: &Value) -> Value {
    let (code, mut answer) = call(root, op, args);
    assert_eq!(code, 0, "{op} {args}: {answer}");
    answer["ok"].take()
}

/// How a call is refused: the exit code, and the error's own.
fn err(root: &Root, op: &str, args: &Value) -> (i32, String) {
    let (code, answer) = call(root, op, args);
    (code, answer["err"]["code"].as_str().unwrap_or_else(|| panic!("{op} {args}: {answer}")).to_owned())
}

/// The audit log, line by line.
fn audit(root: &Root) -> Vec<Value> {
    root.read("effects/audit.log").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The same while it is being written: without a line that is not whole yet.
fn whole_lines(root: &Root) -> Vec<Value> {
    root.read("effects/audit.log").lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
