//! The client against a hand-made server that answers with fixed bytes.

use super::*;
use coalmine_actors::view::Streamed;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
};

/// Answers one request with `answer`, whatever it was; returns its first line.
async fn once(answer: &'static str) -> (Client, tokio::task::JoinHandle<String>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut head).await.unwrap(), 0);
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(head).unwrap().lines().next().unwrap_or_default().to_owned()
    });
    (Client::new(socket), server, folder)
}

#[tokio::test]
async fn an_answer_is_unwrapped_and_a_hostile_name_is_encoded() {
    let (client, server, _folder) =
        once("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"schema_version\":1,\"data\":{\"text\":\"hello\"}}").await;
    assert_eq!(client.capture("#(touch x)/../é").await.unwrap(), "hello");
    assert_eq!(server.await.unwrap(), "GET /v1/peers/%23%28touch%20x%29%2F%2E%2E%2F%C3%A9/capture HTTP/1.1");
}

#[tokio::test]
async fn a_refusal_keeps_its_code_and_hint() {
    let (client, _server, _folder) = once(
        "HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n{\"schema_version\":1,\"error\":{\"code\":\
         \"unknown-peer\",\"message\":\"no peer is named x\",\"hint\":\"h\",\"retryable\":false,\"exit_code\":3}}",
    )
    .await;
    let error = client.show("x").await.unwrap_err();
    assert!(matches!(error, ClientError::Refused(body) if body.exit_code == 3 && body.code == "unknown-peer"));
}

#[tokio::test]
async fn what_is_not_this_api_is_named_so() {
    let (client, _server, _folder) = once("HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\n\r\n<html>").await;
    assert!(matches!(client.list().await.unwrap_err(), ClientError::Broken(why) if why.contains("502")));
}

#[tokio::test]
async fn events_come_whole_however_they_are_cut() {
    let (client, _server, _folder) = once(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
         e\r\ndata: {\"lagged\r\n7\r\n\":2}\n\nd\r\n10\r\nata: {\"lagged\":3\r\n3\r\n}\n\n\r\n0\r\n\r\n",
    )
    .await;
    let mut events = client.events(Some(4), true).await.unwrap();
    assert_eq!(events.next().await.unwrap(), Some(Streamed::Lagged { lagged: 2 }));
    assert_eq!(events.next().await.unwrap(), Some(Streamed::Lagged { lagged: 3 }));
    assert_eq!(events.next().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn somebody_who_listens_and_says_nothing_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let _listens = UnixListener::bind(&socket).unwrap();
    let client = Client::new(socket);
    let error = client.stop("bob", Duration::from_secs(3600)).await.unwrap_err();
    assert!(error.is_mute() && matches!(error, ClientError::Stuck { .. }), "{error}");
}

#[tokio::test]
async fn a_daemon_that_lost_its_socket_is_known_by_its_lock() {
    let root = tempfile::tempdir().unwrap();
    let paths = Paths::new(root.path()).unwrap();
    let lock = lock::try_lock(&paths.daemon_lock()).unwrap();
    let error = Client::of(&paths).list().await.unwrap_err();
    let me = format!("pid {} (", std::process::id());
    assert!(matches!(&error, ClientError::Deaf { holder, .. } if holder.starts_with(&me)), "{error}");
    drop(lock);
    assert!(Client::of(&paths).list().await.unwrap_err().is_unreachable());
}

#[tokio::test]
async fn nobody_at_the_socket_is_unreachable() {
    let folder = tempfile::tempdir().unwrap();
    let absent = Client::new(folder.path().join("absent"));
    assert!(absent.list().await.unwrap_err().is_unreachable());
    let stale = folder.path().join("stale");
    drop(UnixListener::bind(&stale).unwrap());
    assert!(Client::new(stale).list().await.unwrap_err().is_unreachable());
}
