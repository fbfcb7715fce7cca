//! Servers of peers in a real daemon and in an embedded fleet.

use super::{audit, daemon, data, ok};
use crate::support::{Rig, eventually, http};
use coalmine::actors::{
    effects::{
        EffectError, Op,
        port::{Answers, Seat},
        served::{Answered, Asked},
    },
    ports::BoxFuture,
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    sync::Arc,
};

const SERVING: &str = r#"
    [allow]
    effects = ["net.listen", "proc", "clock"]
    [scope]
    net = "any"
    [program.answer]
    path = "DATA/answer"
"#;

fn ask(port: u16, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(&http::request("POST", "/orders", body.as_bytes())).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    http::understood(&answer)
}

fn port(address: &Value) -> u16 {
    u16::try_from(address["port"].as_u64().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_serves_by_a_program_until_it_is_removed() {
    let daemon = daemon(SERVING).await;
    let script = data(&daemon, "answer");
    fs::write(&script, "#!/bin/sh\nread -r asked\nprintf '{\"body\": {\"base64\": \"eyJzdGlycmVkIjp0cnVlfQ==\"}}'\n")
        .unwrap();
    fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let handle = ok(&daemon, "net.serve", &json!({ "port": 0, "handler": { "program": "answer" } }));
    let port = port(&ok(&daemon, "net.address", &json!({ "handle": handle })));
    assert_eq!(ask(port, "tea"), (200, json!({ "stirred": true })));
    let runs = audit(&daemon).into_iter().filter(|line| line["op"] == "process.run").count();
    assert_eq!(runs, 2, "its decision and its end");
    daemon.coalmine(&["remove", "bob"]).tells(&["removed"]);
    eventually("the port is free", || async { TcpListener::bind(("127.0.0.1", port)).ok() }).await;
}

/// Answers with the time, which it asks for as the session that listens.
struct Clock;

impl Answers for Clock {
    fn answer(&self, seat: Arc<Seat>, _: Asked) -> BoxFuture<Result<Answered, EffectError>> {
        Box::pin(async move {
            let session = seat.nested().ok_or(EffectError::Cancelled)?;
            let now = session.call(Op::TimeNow, json!({})).await?.into_json();
            Ok(Answered::json(200, &json!({ "peer": session.peer(), "now": now })))
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_the_embedder_answers_and_calls_effects_as_the_session_that_listens() {
    let rig = Rig::with(|builder| builder.answerer("clock", Arc::new(Clock))).await;
    let folder = rig.root().join("policies");
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
    fs::write(folder.join("serving.toml"), SERVING.replace("DATA", "/nowhere")).unwrap();
    fs::set_permissions(folder.join("serving.toml"), PermissionsExt::from_mode(0o600)).unwrap();
    let mut request = rig.script("bob", "sleep 60");
    (request.policy, request.start) = (Some("serving".into()), false);
    rig.fleet.create(request).await.unwrap();
    let operator = rig.fleet.caller(None).unwrap();
    let call = async |op: &str, args| rig.fleet.effect(&operator, "bob", op, args).await.unwrap().unwrap().into_json();
    let handle = call("net.serve", json!({ "port": 0, "handler": { "function": "clock" } })).await;
    let port = port(&call("net.address", json!({ "handle": handle })).await);
    let (status, answer) = ask(port, "");
    assert_eq!((status, &answer["peer"]), (200, &"shell-bob".into()));
    assert!(answer["now"].as_f64().unwrap() > 1.7e9, "{answer}");
    let log = fs::read_to_string(rig.root().join("effects/audit.log")).unwrap();
    assert_eq!(log.lines().filter(|line| line.contains("\"op\":\"time.now\"")).count(), 2, "{log}");
    assert_eq!(call("net.close", json!({ "handle": handle })).await, Value::Null);
    TcpListener::bind(("127.0.0.1", port)).unwrap();
}
