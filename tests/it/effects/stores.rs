//! Stores of peers, over the life of a daemon.

use super::{daemon, data, ok};
use crate::support::{Daemon, Root};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{sync::mpsc, thread};

const STORES: &str = r#"
    [allow]
    effects = ["kv", "sql"]
    [scope]
    fs_write = ["DATA/out"]
"#;

/// What a call gives; nothing where nobody answers.
fn tried(root: &Root, op: &str, args: &Value) -> Option<Value> {
    let said = root.coalmine(&["effect", "call", "bob", op, &args.to_string()]);
    (said.code == 0).then(|| said.json()["ok"].take())
}

fn handles(root: &Root) -> (Value, Value) {
    let open = |op: &str, name: &str| ok(root, op, &json!({ "path": data(root, name) }));
    (open("kv.open", "out/store"), open("sql.open", "out/database"))
}

#[tokio::test]
async fn a_killed_daemon_leaves_stores_that_open_with_all_that_was_answered() {
    let daemon = daemon(STORES).await;
    let (kv, sql) = handles(&daemon);
    ok(&daemon, "sql.exec", &json!({ "handle": sql, "sql": "CREATE TABLE t (n)" }));

    // One write after the other, until nobody answers: the kill comes in the midst of them.
    let write = |number: u64| {
        let put = json!({ "handle": kv, "key": number.to_string(), "value": "v" });
        let insert = json!({ "handle": sql, "sql": "INSERT INTO t VALUES (?)", "params": [number] });
        (tried(&daemon, "kv.put", &put).is_some(), tried(&daemon, "sql.exec", &insert).is_some())
    };
    let answered = thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let writer = scope.spawn(move || {
            let written = (0..).map(|number| (number, write(number)));
            let answered = written.take_while(|(number, (put, inserted))| {
                let _the_listener_has_heard_enough = tell.send(*number);
                *put || *inserted
            });
            answered.collect::<Vec<_>>()
        });
        assert_eq!(told.iter().take(5).count(), 5);
        daemon.signal(Signal::KILL);
        writer.join().unwrap()
    });
    let (_, root) = daemon.ended().await;
    assert!(answered.len() >= 5, "{answered:?}");

    let daemon = Daemon::on(root).await;
    let (kv, sql) = handles(&daemon);
    for (number, (put, inserted)) in answered {
        let there = ok(&daemon, "kv.contains", &json!({ "handle": kv, "key": number.to_string() }));
        assert!(!put || there == true, "{number} was put");
        let row = json!({ "handle": sql, "sql": "SELECT count(*) AS n FROM t WHERE n = ?", "params": [number] });
        let rows = ok(&daemon, "sql.query", &row)["rows"].take();
        assert!(!inserted || rows == json!([{ "n": 1 }]), "{number} was inserted");
    }
    // And goes on from there.
    ok(&daemon, "kv.put", &json!({ "handle": kv, "key": "new", "value": "v" }));
}
