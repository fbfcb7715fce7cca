//! Crowds, slow clients and the end, with a router that needs no fleet.

use super::*;
use axum::routing::get;
use std::path::PathBuf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct Table {
    socket: PathBuf,
    closing: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

fn lay(places: Places) -> Table {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::new(folder.path()).unwrap();
    let socket = paths.daemon_socket();
    let app = Router::new().route("/", get(|| async { "served" }));
    let (closing, ended) = watch::channel(false);
    let accepting = tokio::spawn(accept(bind_private(&socket).unwrap(), Guard::new(&paths), app, places, ended));
    Table { socket, closing, accepting, _folder: folder }
}

async fn connect(table: &Table) -> UnixStream {
    UnixStream::connect(&table.socket).await.unwrap()
}

/// Sends one request and reads until the server hangs up.
async fn ask(mut stream: UnixStream) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn whoever_comes_over_the_limit_is_told_so_and_the_next_one_is_served() {
    let table = lay(Places::new(1, 1));
    let mut first = connect(&table).await;
    first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // Its answer proves that the first one sits at the table.
    assert_ne!(first.read(&mut [0; 512]).await.unwrap(), 0);
    let refused = ask(connect(&table).await).await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("\"code\":\"busy\""), "{refused}");
    drop(first);
    // The place is free once the server has seen the hang-up.
    let served = async {
        while !ask(connect(&table).await).await.contains("served") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), served).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_finish_its_head_is_hung_up_on() {
    let table = lay(Places::new(1, 1));
    let mut slow = connect(&table).await;
    slow.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    let begun = tokio::time::Instant::now();
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).await.unwrap();
    assert!(begun.elapsed() >= HEAD_TIME_MAX);
}

#[tokio::test]
async fn the_end_hangs_up_on_idle_clients_and_takes_the_socket_away() {
    let table = lay(Places::new(2, 1));
    let mut idle = connect(&table).await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_ne!(idle.read(&mut [0; 512]).await.unwrap(), 0);
    table.closing.send_replace(true);
    table.accepting.await.unwrap();
    assert_eq!(idle.read(&mut [0; 512]).await.unwrap(), 0);
    assert!(!table.socket.exists());
}
