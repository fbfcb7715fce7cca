//! Clients that misbehave, come in crowds, or are not ours.

use crate::support::{
    Daemon, Root, Said, eventually,
    http::{request, talk, understood},
    is_root, skip,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use std::{os::unix::fs::PermissionsExt, path::Path, process::Command, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::{Instant, timeout},
};

/// How many come at once.
const CROWD: usize = 1000;
/// How long any of them may have to wait.
const CROWD_TIME_MAX: Duration = Duration::from_secs(60);
/// The server's limit for a request's head, with some room.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5 + 3);

#[tokio::test]
async fn bad_requests_are_refused_in_the_shape_of_every_answer() {
    let daemon = Daemon::start().await;
    let socket = daemon.paths().daemon_socket();
    let too_long = vec![b' '; 1024 * 1024 + 1];
    let unknown_key = br#"{"name":"bob","cwd":"/tmp","comand":["sleep"]}"#;
    let deep = "[".repeat(100_000);
    let rows: &[(&str, &str, &[u8], u16, &str)] = &[
        ("POST", "/v1/peers", b"{ nope", 400, "bad-json"),
        ("POST", "/v1/peers", b"", 400, "bad-json"),
        ("POST", "/v1/peers", b"\xff\xfe", 400, "bad-json"),
        ("POST", "/v1/peers", unknown_key, 400, "bad-json"),
        ("POST", "/v1/peers", deep.as_bytes(), 400, "bad-json"),
        ("POST", "/v1/peers", &too_long, 413, "body-too-large"),
        ("POST", "/v1/peers", br#"{"name":"BOB","cwd":"/tmp","command":["sleep"]}"#, 400, "bad-name"),
        ("POST", "/v1/peers", br#"{"name":"bob","cwd":"tmp","command":["sleep"]}"#, 400, "bad-cwd"),
        ("POST", "/v1/peers", br#"{"name":"bob","cwd":"/tmp","command":["a\u0000b"]}"#, 400, "bad-command"),
        ("POST", "/v1/peers", br#"{"name":"bob","cwd":"/tmp","command":["sleep"],"env":{"A=B":""}}"#, 400, "usage"),
        ("GET", "/v1/nope", b"", 404, "no-route"),
        ("GET", "/", b"", 404, "no-route"),
        ("PUT", "/v1/peers", b"", 405, "bad-method"),
        ("GET", "/v1/peers/%ff", b"", 400, "bad-path"),
        ("GET", "/v1/peers/nobody", b"", 404, "unknown-peer"),
        ("GET", "/v1/peers/..%2f..%2fetc", b"", 404, "unknown-peer"),
        ("DELETE", "/v1/peers/bob?force=perhaps", b"", 400, "bad-query"),
        ("GET", "/v1/deaths?limit=-1", b"", 400, "bad-query"),
    ];
    for (method, target, body, status, code) in rows {
        let (got, document) = talk(&socket, &request(method, target, body));
        assert_eq!((got, document["error"]["code"].as_str()), (*status, Some(*code)), "{method} {target}: {document}");
        assert_eq!(document["schema_version"], 1);
        let error = &document["error"];
        assert!(error["message"].is_string() && error["exit_code"].is_u64() && error["retryable"].is_boolean());
        assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{document}");
    }
    assert_eq!(daemon.ask(&["list"]), Value::Array(vec![]));
    assert_eq!(daemon.read("fleet.json"), "");
}

#[tokio::test]
async fn a_body_without_an_announced_length_has_the_same_limit() {
    let daemon = Daemon::start().await;
    let mut bytes =
        b"POST /v1/peers HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..20 {
        bytes.extend_from_slice(b"10000\r\n");
        bytes.extend_from_slice(&[b' '; 0x10000]);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    let (status, document) = talk(&daemon.paths().daemon_socket(), &bytes);
    assert_eq!((status, document["error"]["code"].as_str()), (413, Some("body-too-large")), "{document}");
}

#[tokio::test]
async fn what_is_not_http_is_hung_up_on() {
    let daemon = Daemon::start().await;
    for bytes in [&b"\x16\x03\x01 hello\r\n\r\n"[..], b"nonsense\r\n\r\n", &[b'x'; 100_000]] {
        let mut stream = UnixStream::connect(daemon.paths().daemon_socket()).await.unwrap();
        let _refused_early = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let read = timeout(HEAD_TIME_MAX, stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "still open after {} bytes", bytes.len());
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&answer));
    }
    daemon.coalmine(&["status"]).tells(&["daemon"]);
}

/// How many descriptors the daemon has open.
fn descriptors(daemon: &Daemon) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count()
}

async fn one_of_the_crowd(socket: std::path::PathBuf) -> (u16, Value) {
    let mut stream = loop {
        match UnixStream::connect(&socket).await {
            Ok(stream) => break stream,
            // The kernel's queue is full: a client comes again.
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                tokio::time::sleep(Duration::from_millis(5)).await
            }
            Err(error) => panic!("{error}"),
        }
    };
    stream.write_all(&request("GET", "/v1/peers", b"")).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    understood(&String::from_utf8_lossy(&answer))
}

#[tokio::test]
async fn a_thousand_clients_at_once_are_all_answered() {
    // The usual limit of a session: a thousand clients and the fleet's own files are more than that.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -Sn 1024; exec \"$0\" daemon", env!("CARGO_BIN_EXE_coalmine")]);
    let daemon = Daemon::run(Root::new(), command).await;
    let mine = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: mine.maximum.map(|most| most.min(8192)), ..mine }).unwrap();
    daemon.sleeper("bob");
    let before = descriptors(&daemon);
    let mut crowd = tokio::task::JoinSet::new();
    let socket = daemon.paths().daemon_socket();
    (0..CROWD).for_each(|_| drop(crowd.spawn(one_of_the_crowd(socket.clone()))));
    let answers = timeout(CROWD_TIME_MAX, crowd.join_all()).await.expect("everybody is answered in time");
    let served =
        answers.iter().filter(|(status, document)| *status == 200 && document["data"][0]["personality"] == "bob");
    let served = served.count();
    let busy =
        answers.iter().filter(|(status, document)| *status == 503 && document["error"]["code"] == "busy").count();
    assert_eq!(served + busy, CROWD, "{served} served, {busy} told to come again");
    assert!(served >= CROWD / 2, "{served} served, {busy} told to come again");
    eventually("the crowd's descriptors are closed", || async { (descriptors(&daemon) <= before).then_some(()) }).await;
    assert_eq!(daemon.sleeper("anna")["phase"], "up");
}

#[tokio::test]
async fn clients_that_only_hold_on_are_let_go_and_nobody_waits_for_them() {
    let daemon = Daemon::start().await;
    let mut stalled = Vec::new();
    for begun in ["", "GET", "GET /v1/peers HTTP/1.1\r\n", "GET /v1/peers HTTP/1.1\r\nhost: x\r\nx-"] {
        for _ in 0..13 {
            let mut stream = UnixStream::connect(daemon.paths().daemon_socket()).await.unwrap();
            stream.write_all(begun.as_bytes()).await.unwrap();
            stalled.push(stream);
        }
    }
    let begun = Instant::now();
    daemon.coalmine(&["list"]).tells(&["no peers yet"]);
    let waited = begun.elapsed();
    assert!(waited < Duration::from_secs(3), "a client with a whole request waited {waited:?}");
    for mut stream in stalled {
        let mut answer = Vec::new();
        let left = (begun + HEAD_TIME_MAX).saturating_duration_since(Instant::now());
        assert!(timeout(left, stream.read_to_end(&mut answer)).await.is_ok(), "still held on to");
    }
}

#[tokio::test]
async fn another_user_is_refused_by_the_folder_and_by_the_daemon() {
    const CLAIM: &str = "another user is refused";
    if !is_root() {
        return skip(CLAIM, "only root can become somebody else");
    }
    if !everybody_may_pass(&std::env::temp_dir()) {
        return skip(CLAIM, "the folder for temporary files is closed to others");
    }
    let daemon = Daemon::start().await;
    daemon.sleeper("bob");
    // Where anybody may run it: the build's own folder may be closed.
    let public = tempfile::Builder::new().prefix("cmpub").tempdir().unwrap();
    open(public.path(), 0o755);
    let program = public.path().join("coalmine");
    std::fs::copy(env!("CARGO_BIN_EXE_coalmine"), &program).unwrap();
    let socket = daemon.paths().daemon_socket();
    let stranger = |args: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&program);
        command.env_clear().env("HOME", "/nonexistent").env("COALMINE_ROOT", "/nonexistent");
        Said::of(command.arg("--json").arg("--socket").arg(&socket).args(args))
    };
    let said = stranger(&["stop", "bob"]);
    assert_eq!(said.code, 69, "{said:?}");
    assert!(said.error()["message"].as_str().unwrap().contains("Permission denied"), "{said:?}");
    // The daemon itself does not rest on folders and modes.
    for folder in [daemon.folder(), daemon.paths().run(), &socket] {
        open(folder, 0o777);
    }
    let said = stranger(&["stop", "bob"]);
    assert!(said.code != 0 && said.out.is_empty(), "{said:?}");
    assert_eq!(daemon.peer("bob")["phase"], "up");
    assert!(daemon.words().contains("a stranger was refused"), "{}", daemon.words());
}

fn everybody_may_pass(folder: &Path) -> bool {
    folder.ancestors().all(|folder| folder.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0))
}

fn open(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}
