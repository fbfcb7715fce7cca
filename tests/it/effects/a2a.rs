//! Messages as effects: from the session's peer, to whom its policy names, through the mailroom.

use crate::{
    mail::Post,
    support::{eventually, http},
};
use coalmine::actors::{fleet::request::CreatePeer, mail::envelope::Block};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::{client_async, tungstenite};

const POLICY: &str = r#"
    [allow]
    effects = ["net.listen", "chat", "a2a:bob", "a2a:shy"]
    [scope]
    net = "any"
"#;

/// A fleet with `bob`, who reads, and `alice`, who rests and may write to him.
async fn fleet() -> Post {
    let post = Post::new().await;
    post.up("bob").await;
    post.asleep("carol").await;
    let folder = post.rig.root().join("policies");
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
    fs::write(folder.join("writer.toml"), POLICY).unwrap();
    fs::set_permissions(folder.join("writer.toml"), PermissionsExt::from_mode(0o600)).unwrap();
    let peer = |name: &str, runtime: &str, policy: Option<&str>| CreatePeer {
        name: name.into(),
        runtime: Some(runtime.into()),
        cwd: post.rig.root().into(),
        policy: policy.map(ToOwned::to_owned),
        start: false,
        ..CreatePeer::default()
    };
    post.rig.fleet.create(peer("alice", "agent", Some("writer"))).await.unwrap();
    // What is typed to it would be run: it takes no mail.
    post.rig.fleet.create(peer("shy", "shell", None)).await.unwrap();
    post
}

/// Calls an effect as alice.
async fn call(post: &Post, op: &str, args: Value) -> Result<Value, Value> {
    let operator = post.rig.fleet.caller(None).unwrap();
    let done = post.rig.fleet.effect(&operator, "alice", op, args).await.unwrap();
    done.map(|output| output.into_json()).map_err(|error| error.to_json())
}

async fn send(post: &Post, peer: &str, payload: Value) -> Result<Value, Value> {
    call(post, "agent.send_a2a", json!({ "peer": peer, "payload": payload })).await
}

/// The message of this id, once bob has read it.
async fn read(post: &Post, id: &Value) -> Block {
    eventually("bob reads it", || async {
        let read = post.read("bob").into_iter().map(|(_, block)| block);
        read.into_iter().find(|block| *id == block.id.to_string())
    })
    .await
}

/// A server of alice whose requests go to this peer.
async fn serve(post: &Post, op: &str, peer: &str) -> u16 {
    let handle = call(post, op, json!({ "port": 0, "handler": { "peer": peer } })).await.unwrap();
    let at = call(post, "net.address", json!({ "handle": handle })).await.unwrap();
    u16::try_from(at["port"].as_u64().unwrap()).unwrap()
}

async fn ask(port: u16, method: &str, target: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(&http::request(method, target, body.as_bytes())).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    http::understood(&answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_goes_out_as_the_sessions_peer_to_whom_its_policy_names() {
    let post = fleet().await;
    let args = json!({ "peer": "bob", "payload": { "n": 1 }, "topic": "numbers" });
    let block = read(&post, &call(&post, "agent.send_a2a", args).await.unwrap()).await;
    assert_eq!((block.from.as_str(), block.topic.as_deref()), ("agent-alice", Some("numbers")));
    assert_eq!(serde_json::from_str::<Value>(&block.body).unwrap(), json!({ "n": 1 }));
    // A text is itself, and a peer may be named by its identity: the grant is for bob, whatever he is called.
    let block = read(&post, &send(&post, "agent-bob", json!("plain words")).await.unwrap()).await;
    assert_eq!((block.body.as_str(), block.topic), ("plain words", None));
    for stranger in ["carol", "agent-carol", "bobby", "agent-bobby", "operator"] {
        assert_eq!(send(&post, stranger, json!("x")).await.unwrap_err()["code"], "denied", "{stranger}");
    }
    assert_eq!(post.read("bob").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_looks_like_bobs_identity_and_is_another_peers_is_not_granted() {
    let post = fleet().await;
    // `shell-bob` would be bob as a shell, and he is none: it is the name of somebody else.
    let other = CreatePeer {
        name: "shell-bob".into(),
        runtime: Some("agent".into()),
        cwd: post.rig.root().into(),
        ..CreatePeer::default()
    };
    post.rig.fleet.create(other).await.unwrap();
    let error = send(&post, "shell-bob", json!("for bob alone")).await.unwrap_err();
    assert_eq!(error["code"], "denied", "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_mailroom_does_not_take_is_told_by_its_reason() {
    let post = fleet().await;
    let error = send(&post, "bob", json!("x".repeat(16_001))).await.unwrap_err();
    assert_eq!((&error["code"], &error["which"], &error["max"]), (&"limit".into(), &"payload".into(), &16_000.into()));
    let error = send(&post, "bob", json!(" \n")).await.unwrap_err();
    assert_eq!((&error["code"], &error["which"]), (&"bad-args".into(), &"payload".into()));
    let args = json!({ "peer": "bob", "payload": "x", "topic": "two\nlines" });
    let error = call(&post, "agent.send_a2a", args).await.unwrap_err();
    assert_eq!((&error["code"], &error["which"]), (&"bad-args".into(), &"topic".into()));
    let error = send(&post, "shy", json!("x")).await.unwrap_err();
    assert_eq!((&error["code"], &error["reason"]), (&"not-sent".into(), &"no-composer".into()));
    post.rig.fleet.stop("bob", Duration::from_secs(30)).await.unwrap();
    let error = send(&post, "bob", json!("x")).await.unwrap_err();
    assert_eq!((&error["code"], &error["reason"]), (&"not-sent".into(), &"stopped".into()));
    post.rig.fleet.remove("bob", true).await.unwrap();
    assert_eq!(send(&post, "bob", json!("x")).await.unwrap_err()["code"], "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_a_peer_answers_becomes_a_message_and_says_which() {
    let post = fleet().await;
    let port = serve(&post, "net.serve", "bob").await;
    let (status, answer) = ask(port, "POST", "/orders?n=1", "tea").await;
    assert_eq!(status, 202, "{answer}");
    let block = read(&post, &answer["message"]).await;
    assert_eq!((block.from.as_str(), block.topic.as_deref()), ("agent-alice", Some("POST /orders")));
    let asked = json!({ "method": "POST", "path": "/orders", "query": "n=1", "body": "tea" });
    assert_eq!(serde_json::from_str::<Value>(&block.body).unwrap(), asked);
    let code = |(status, answer): (u16, Value)| (status, answer["error"]["code"].as_str().unwrap().to_owned());
    let too_large = ask(port, "POST", "/", &"x".repeat(16_001)).await;
    assert_eq!(code(too_large), (413, "message-too-large".into()));
    post.rig.fleet.stop("bob", Duration::from_secs(30)).await.unwrap();
    assert_eq!(code(ask(port, "GET", "/", "").await), (503, "stopped".into()));
    post.rig.fleet.remove("bob", true).await.unwrap();
    assert_eq!(code(ask(port, "GET", "/", "").await), (502, "unknown-peer".into()));
    let shy = serve(&post, "net.serve", "shy").await;
    assert_eq!(code(ask(shy, "GET", "/", "").await), (502, "no-composer".into()));
    let refused = call(&post, "net.serve", json!({ "port": 0, "handler": { "peer": "carol" } })).await;
    assert_eq!(refused.unwrap_err()["code"], "denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_in_a_room_reaches_a_peer_who_answers_by_the_connections_name() {
    let post = fleet().await;
    let port = serve(&post, "net.serve_ws", "bob").await;
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (guest, _) = client_async(format!("ws://localhost:{port}/lobby"), stream).await.unwrap();
    // Blocking from here on: it says one thing, and hears two.
    let stream = guest.into_inner().into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let role = tungstenite::protocol::Role::Client;
    let mut guest = tungstenite::WebSocket::from_raw_socket(stream, role, None);
    guest.send("hello".into()).unwrap();
    let accepted: Value = serde_json::from_str(guest.read().unwrap().to_text().unwrap()).unwrap();
    let block = read(&post, &accepted["message"]).await;
    let asked: Value = serde_json::from_str(&block.body).unwrap();
    assert_eq!((&asked["path"], &asked["body"]), (&"/lobby".into(), &"hello".into()));
    let answer = json!({ "connection": asked["connection"], "body": "hello yourself" });
    assert_eq!(call(&post, "chat.send", answer).await.unwrap(), true);
    assert_eq!(guest.read().unwrap().to_text().unwrap(), "hello yourself");
}
