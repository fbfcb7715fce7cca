//! How long is waited, and how much is taken: whole, or an error.

use super::{Session, hasty};
use crate::io::effects::testing::server::{Server, Then, chunked, ok};
use coalmine_actors::effects::EffectError;
use serde_json::json;
use std::time::Duration;
use tokio::{net::TcpListener, time::Instant};

const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;

/// How it ends with this server; its connection must be gone then.
async fn refused(server: &Server, args: serde_json::Value) -> EffectError {
    let session = Session::granting(&[&server.origin()]).await;
    let error = session.call("http.send", args).await.unwrap_err();
    server.left(1).await;
    error
}

#[tokio::test]
async fn whoever_says_nothing_is_left_in_the_phase_in_which_that_is() {
    for (answer, then, phase) in [
        ("", Then::Hold, "first byte"),
        ("HTTP/1.1 200 OK\r\nx: y\r\n", Then::Hold, "first byte"),
        ("", Then::Repeat("HTTP/1.1 103 Early Hints\r\n\r\n"), "first byte"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", Then::Hold, "idle"),
        ("HTTP/1.1 200 OK\r\n\r\n", Then::Drip, "total"),
        ("", Then::Hold, "total"),
    ] {
        let server = Server::then(answer, then).await;
        let begun = Instant::now();
        let session = Session::with(&[&server.origin()], hasty(phase)).await;
        assert_eq!(session.get(&server.url("/")).await, Err(EffectError::Timeout { phase }), "{answer:?} {then:?}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{answer:?} {then:?}: {:?}", begun.elapsed());
        server.left(1).await;
    }
    // What a caller says of all of it holds too, down to nothing.
    let silent = Server::then("", Then::Hold).await;
    for ms in [0, 200] {
        let args = json!({ "method": "GET", "url": silent.url("/"), "timeout_ms": ms });
        let session = Session::granting(&[&silent.origin()]).await;
        assert_eq!(session.call("http.send", args).await, Err(EffectError::Timeout { phase: "total" }));
    }
}

#[tokio::test]
async fn whoever_does_not_take_the_connection_or_speaks_no_tls_is_left_too() {
    let held = Server::then("", Then::Hold).await;
    let secure = format!("https://127.0.0.1:{}", held.port);
    let error = Session::with(&[&secure], hasty("connect")).await.get(&secure).await.unwrap_err();
    assert_eq!(error, EffectError::Timeout { phase: "connect" });
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    assert_eq!(Session::granting(&[&nobody]).await.code("net.get", json!({ "url": nobody })).await, "network");
}

#[tokio::test]
async fn a_body_is_whole_or_an_error() {
    let body = "b".repeat(BODY_BYTES_MAX);
    for whole in [ok(&body), chunked(&body), format!("HTTP/1.1 200 OK\r\n\r\n{body}")] {
        let server = Server::answering(whole).await;
        let got = Session::granting(&[&server.origin()]).await.get(&server.url("/")).await.unwrap();
        assert_eq!(got.as_str().map(str::len), Some(BODY_BYTES_MAX));
    }
    let over = format!("{body}b");
    let too_long = EffectError::limit("body", BODY_BYTES_MAX as u64);
    for over in [ok(&over), chunked(&over), format!("HTTP/1.1 200 OK\r\n\r\n{over}")] {
        let server = Server::answering(over).await;
        assert_eq!(refused(&server, json!({ "method": "GET", "url": server.url("/") })).await, too_long);
    }
    let endless = Server::then("HTTP/1.1 200 OK\r\n\r\n", Then::Repeat("and on and on")).await;
    assert_eq!(refused(&endless, json!({ "method": "GET", "url": endless.url("/") })).await, too_long);
}

#[tokio::test]
async fn an_answer_that_is_not_what_it_says_is_an_error() {
    for (answer, then, code) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort", Then::Close, "network"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort", Then::Close, "network"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nwhat\r\n", Then::Hold, "protocol"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nshort", Then::Hold, "protocol"),
        ("HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n", Then::Hold, "protocol"),
        ("HTTP/1.1 2x0 OK\r\n\r\n", Then::Hold, "protocol"),
        ("SSH-2.0-OpenSSH\r\n", Then::Hold, "protocol"),
        ("HTTP/1.1 200 OK\r\nno header\r\n\r\n", Then::Hold, "protocol"),
        ("HTTP/1.1 200 OK\r\n", Then::Close, "network"),
        ("", Then::Close, "network"),
        ("HTTP/1.1 200 OK\r\n", Then::Repeat("a: b\r\n"), "limit"),
        ("HTTP/1.1 200 OK\r\na: ", Then::Repeat("bbbbbbbb"), "limit"),
        ("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", Then::Hold, "protocol"),
    ] {
        let server = Server::then(answer, then).await;
        let error = refused(&server, json!({ "method": "GET", "url": server.url("/") })).await;
        assert_eq!(error.code(), code, "{answer:?} {then:?}: {error}");
    }
    let more = Server::answering(format!("{}and more", ok("short"))).await;
    let got = Session::granting(&[&more.origin()]).await.get(&more.url("/")).await.unwrap();
    assert_eq!(got, "short", "what stands behind an answer is no part of it");
}

#[tokio::test]
async fn whoever_lets_go_of_a_call_closes_its_connection_and_so_does_a_sessions_end() {
    let server = Server::then("", Then::Hold).await;
    let session = Session::granting(&[&server.origin()]).await;
    let asked = async |count: usize| {
        while server.seen().len() < count {
            tokio::task::yield_now().await;
        }
    };
    let url = server.origin();
    tokio::select! {
        answer = session.get(&url) => panic!("{answer:?}"),
        () = asked(1) => {}
    }
    server.left(1).await;
    let ends = async {
        asked(2).await;
        session.session.end();
    };
    let (answer, ()) = tokio::join!(session.get(&url), ends);
    assert_eq!(answer, Err(EffectError::Cancelled));
    server.left(1).await;
}
