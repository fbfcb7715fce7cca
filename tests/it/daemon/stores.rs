//! Stores of peers, over the life of a daemon.

use crate::support::Daemon;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::mpsc, thread};

/// A peer that may have stores below `folder`.
fn peer_with_stores(daemon: &Daemon, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let policy = format!("[allow]\neffects = [\"kv\", \"sql\"]\n[scope]\nfs_write = [{folder:?}]\n");
    let file = daemon.paths().policies().join("stores.toml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, policy).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    daemon.ask(&["create", "bob", "--policy", "stores", "--", "/bin/sh", "-c", "exec sleep 3600"]);
}

/// What an effect of bob's gives; nothing where nobody answers.
fn effect(daemon: &Daemon, op: &str, args: &Value) -> Option<Value> {
    let said = daemon.coalmine(&["--json", "effect", "call", "bob", op, &args.to_string()]);
    (said.code == 0).then(|| said.json()["data"]["ok"].take())
}

fn handles(daemon: &Daemon, folder: &Path) -> (Value, Value) {
    let open = |op: &str, name: &str| effect(daemon, op, &json!({ "path": folder.join(name) })).unwrap();
    (open("kv.open", "store"), open("sql.open", "database"))
}

#[tokio::test]
async fn a_killed_daemon_leaves_stores_that_open_with_all_that_was_answered() {
    let daemon = Daemon::start().await;
    let folder = daemon.folder().join("granted");
    peer_with_stores(&daemon, &folder);
    let (kv, sql) = handles(&daemon, &folder);
    effect(&daemon, "sql.exec", &json!({ "handle": sql, "sql": "CREATE TABLE t (n)" })).unwrap();

    // One write after the other, until nobody answers: the kill comes in the midst of them.
    let write = |number: &u64| {
        let put = json!({ "handle": kv, "key": number.to_string(), "value": "v" });
        let insert = json!({ "handle": sql, "sql": "INSERT INTO t VALUES (?)", "params": [number] });
        let (put, insert) = (effect(&daemon, "kv.put", &put), effect(&daemon, "sql.exec", &insert));
        (put.is_some(), insert.is_some())
    };
    let answered = thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let writer = scope.spawn(move || {
            let answered = (0..).map(|number| (number, write(&number))).take_while(|(number, done)| {
                let _the_listener_has_heard_enough = tell.send(*number);
                done.0 || done.1
            });
            answered.collect::<Vec<_>>()
        });
        (0..5).for_each(|_| drop(told.recv().unwrap()));
        daemon.signal(Signal::KILL);
        writer.join().unwrap()
    });
    let (_, root) = daemon.ended().await;
    assert!(answered.len() >= 4, "{answered:?}");

    let daemon = Daemon::on(root).await;
    let (kv, sql) = handles(&daemon, &folder);
    for (number, (put, inserted)) in answered {
        let key = json!({ "handle": kv, "key": number.to_string() });
        assert!(!put || effect(&daemon, "kv.contains", &key) == Some(json!(true)), "{number} was put");
        let row = json!({ "handle": sql, "sql": "SELECT count(*) AS n FROM t WHERE n = ?", "params": [number] });
        let rows = effect(&daemon, "sql.query", &row).unwrap()["rows"].take();
        assert!(!inserted || rows == json!([{ "n": 1 }]), "{number} was inserted");
    }
    // And goes on from there.
    assert_eq!(effect(&daemon, "kv.put", &json!({ "handle": kv, "key": "new", "value": "v" })), Some(Value::Null));
}
