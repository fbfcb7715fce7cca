//! Calls through the command line and the API.

use super::{WORKER, audit, call, daemon, data, err, ok, policy, root, whole_lines};
use crate::support::{Daemon, Refusal, http};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::symlink};

#[tokio::test]
async fn what_a_policy_grants_happens_and_what_it_does_not_exits_with_4() {
    let daemon = daemon(WORKER).await;
    let hello = data(&daemon, "in/hello.txt");
    assert_eq!(ok(&daemon, "io.read", &json!({ "path": hello })), "hello");
    assert_eq!(ok(&daemon, "fs.exists", &json!({ "path": data(&daemon, "in/none") })), false);
    ok(&daemon, "io.write", &json!({ "path": data(&daemon, "out/new"), "contents": { "base64": "AAE=" } }));
    assert_eq!(fs::read(data(&daemon, "out/new")).unwrap(), [0, 1]);
    ok(&daemon, "io.print", &json!({ "line": "a line" }));
    ok(&daemon, "log.warn", &json!({ "message": "a warning" }));
    assert_eq!(daemon.read("effects/shell-bob/print.log"), "a line\n");
    assert!(daemon.read("effects/shell-bob/session.log").ends_with(" warn a warning\n"));
    assert!(ok(&daemon, "time.now", &json!({})).as_f64().unwrap() > 1.6e9);
    assert_eq!(ok(&daemon, "env.get", &json!({ "name": "TERM" })), "xterm-256color");
    let echoed = ok(&daemon, "proc.spawn", &json!({ "program": "echo", "args": ["hello", "bob"] }));
    assert_eq!((&echoed["stdout"], &echoed["exit_code"]), (&json!("hello bob\n"), &json!(0)));

    let denied = (4, "denied".to_owned());
    for (op, args) in [
        ("io.read", json!({ "path": "/etc/passwd" })),
        ("io.read", json!({ "path": data(&daemon, "in/../../state/fleet.json") })),
        ("io.write", json!({ "path": data(&daemon, "in/new"), "contents": "x" })),
        ("fs.remove", json!({ "path": data(&daemon, "out") })),
        ("proc.spawn", json!({ "program": "echo", "args": ["bye"] })),
        ("proc.spawn", json!({ "program": "sh", "args": [] })),
        ("net.get", json!({ "url": "http://127.0.0.1/" })),
        ("env.get", json!({ "name": "COALMINE_ROOT" })),
    ] {
        assert_eq!(err(&daemon, op, &args), denied, "{op} {args}");
    }
    for (op, args, refused) in [
        ("io.read", json!({}), (2, "bad-args")),
        ("io.read", json!({ "path": "/a\0" }), (2, "bad-args")),
        ("io.read", json!({ "path": format!("/{}", "x".repeat(5_000)) }), (2, "limit")),
        ("io.raed", json!({ "path": "/a" }), (2, "bad-args")),
        ("io.read", json!({ "path": data(&daemon, "in/none") }), (3, "not-found")),
        ("process.wait", json!({ "handle": "0".repeat(32) }), (3, "unknown-handle")),
    ] {
        assert_eq!(err(&daemon, op, &args), (refused.0, refused.1.to_owned()), "{op} {args}");
    }
    // Every call that reached the daemon is there, with its decision, and one that was allowed with its end.
    let lines = audit(&daemon);
    let decisions = lines.iter().filter(|line| line["ev"] == "decision");
    let allowed = decisions.clone().filter(|line| line["verdict"] == "allowed").count();
    assert_eq!((decisions.count(), allowed), (22, 10));
    assert_eq!(lines.iter().filter(|line| line["ev"] == "outcome").count(), allowed);
    assert!(lines.iter().map(|line| line["seq"].as_u64().unwrap()).eq(1..=lines.len() as u64));
}

#[tokio::test]
async fn a_link_that_leads_out_is_refused_by_the_kernel_and_tells_nothing() {
    let daemon = daemon(WORKER).await;
    symlink("/etc/passwd", data(&daemon, "in/there")).unwrap();
    symlink("/etc/nothing-of-this-name", data(&daemon, "in/not-there")).unwrap();
    let told = |name: &str| call(&daemon, "io.read", &json!({ "path": data(&daemon, name) }));
    let (there, not_there) = (told("in/there"), told("in/not-there"));
    assert_eq!((there.0, &there.1["err"]["code"]), (4, &json!("denied")));
    assert_eq!(there, not_there);
}

#[tokio::test]
async fn the_fleets_own_files_are_nobodys_whatever_the_scope() {
    let open =
        "[allow]\neffects = [\"fs.read\", \"fs.list\", \"fs.write\"]\n[scope]\nfs_read = \"any\"\nfs_write = \"any\"\n";
    let daemon = daemon(open).await;
    ok(&daemon, "fs.stat", &json!({ "path": data(&daemon, "in/hello.txt") }));
    for below in ["fleet.json", "policies/worker.toml", "run/daemon.sock", "effects/audit.log"] {
        let path = daemon.path().join(below);
        assert!(path.exists(), "{below}");
        assert_eq!(err(&daemon, "io.read", &json!({ "path": path })), (4, "denied".into()), "{below}");
    }
    // By a link in a folder that may be read, too.
    symlink(daemon.path(), data(&daemon, "in/state")).unwrap();
    let (code, answer) = call(&daemon, "io.read", &json!({ "path": data(&daemon, "in/state/fleet.json") }));
    assert_eq!((code, &answer["err"]["code"]), (4, &json!("denied")), "{answer}");
    assert_eq!(err(&daemon, "fs.remove", &json!({ "path": daemon.folder() })), (4, "denied".into()));
}

#[tokio::test]
async fn a_call_that_can_not_be_made_is_an_error_like_every_other() {
    let daemon = daemon(WORKER).await;
    daemon.refuses(
        &["effect", "call", "bobb", "time.now"],
        &Refusal { code: "unknown-peer", exit: 3, message: "no peer is named bobb", hint: "bob" },
    );
    daemon.refuses(
        &["effect", "call", "bob", "time.now", "{"],
        &Refusal { code: "usage", exit: 2, message: "no JSON", hint: "give an object" },
    );
}

#[tokio::test]
async fn over_the_api_a_denial_is_an_answer_and_a_body_has_a_limit() {
    let daemon = daemon(WORKER).await;
    let socket = daemon.paths().daemon_socket();
    let post = |op: &str, body: &Value| {
        http::talk(&socket, &http::request("POST", &format!("/v1/peers/bob/effects/{op}"), body.to_string().as_bytes()))
    };
    let (status, answer) = post("io.read", &json!({ "path": "/etc/passwd" }));
    assert_eq!(
        (status, &answer["data"]["err"]["code"], &answer["data"]["err"]["exit_code"]),
        (200, &json!("denied"), &json!(4))
    );
    let (status, answer) = post("budget.remaining", &json!({}));
    assert_eq!((status, &answer["data"]["ok"]["calls"]), (200, &Value::Null));
    let head =
        format!("POST /v1/peers/bob/effects/io.print HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", 25 << 20);
    let (status, answer) = http::talk(&socket, head.as_bytes());
    assert_eq!((status, &answer["error"]["code"]), (413, &json!("body-too-large")));
}

#[tokio::test]
async fn the_log_shows_calls_by_peer_and_by_verdict_with_a_daemon_and_without_one() {
    let daemon = daemon(WORKER).await;
    daemon.coalmine(&["create", "carol", "--", "sleep", "60"]).tells(&["created"]);
    ok(&daemon, "time.now", &json!({}));
    err(&daemon, "io.read", &json!({ "path": "/etc/passwd" }));
    assert_eq!(daemon.coalmine(&["effect", "call", "carol", "time.now"]).code, 4);
    daemon.coalmine(&["status"]).tells(&["effects", "3 calls, 2 denied"]);
    let look = |root: &crate::support::Root| {
        let all = root.coalmine(&["effects", "log"]);
        all.tells(&["shell-bob time.now: ok, ", "shell-bob io.read /etc/passwd: denied (outside scope.fs_read)"]);
        assert_eq!(all.out.lines().count(), 3, "{all:?}");
        let denied = root.coalmine(&["effects", "log", "--denied"]);
        assert_eq!(denied.out.lines().count(), 2, "{denied:?}");
        root.coalmine(&["effects", "log", "--peer", "carol"]).tells(&["shell-carol time.now: denied (no clock)"]);
        let lines = root.coalmine(&["--json", "effects", "log", "--peer", "bob", "--denied"]);
        assert_eq!(serde_json::from_str::<Value>(lines.out.trim()).unwrap()["rule"], "outside scope.fs_read");
        assert_eq!(root.coalmine(&["effects", "log", "--peer", "carlo"]).code, 3);
    };
    look(&daemon);
    daemon.signal(rustix::process::Signal::TERM);
    let (_, root) = daemon.ended().await;
    look(&root);
}

#[tokio::test]
async fn a_call_under_way_is_in_the_log_before_its_end() {
    let daemon = daemon(WORKER).await;
    let mut sleeping = daemon.command(&["effect", "call", "bob", "time.sleep_ms", "{\"ms\": 60000}"]).spawn().unwrap();
    let begun = crate::support::eventually("begun", || async {
        let lines = whole_lines(&daemon);
        lines.into_iter().find(|line| line["op"] == "time.sleep_ms")
    })
    .await;
    assert_eq!((&begun["verdict"], &begun["resource"]), (&json!("allowed"), &json!("60000 ms")));
    // Whoever hangs up calls it off.
    sleeping.kill().unwrap();
    sleeping.wait().unwrap();
    crate::support::eventually("called off", || async {
        let lines = whole_lines(&daemon);
        lines.into_iter().find(|line| line["call"] == begun["seq"] && line["outcome"] == "cancelled")
    })
    .await;
}

#[tokio::test]
async fn a_peer_without_a_policy_can_do_nothing() {
    let root = root();
    policy(&root, "worker", WORKER);
    let daemon = Daemon::on(root).await;
    daemon.coalmine(&["create", "bob", "--", "sleep", "60"]).tells(&["created"]);
    for (op, args) in [("time.now", json!({})), ("io.print", json!({ "line": "x" })), ("kv.open", json!({}))] {
        assert_eq!(err(&daemon, op, &args), (4, "denied".into()), "{op}");
    }
    assert_eq!(ok(&daemon, "budget.remaining", &json!({}))["calls"], Value::Null);
}
