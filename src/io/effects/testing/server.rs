//! A server that answers as a test says, well or badly, and notes what it was asked.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// How long a test waits for something that happens on this host.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pause between two bytes of a server that drips: shorter than any deadline between two pieces.
const DRIP: Duration = Duration::from_millis(20);

/// What follows a server's answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::io::effects) enum Then {
    /// It closes.
    Close,
    /// It says nothing more, and does not close either.
    Hold,
    /// The same line, for as long as somebody reads.
    Repeat(&'static str),
    /// One byte of a body now and then.
    Drip,
}

pub(in crate::io::effects) struct Server {
    pub(in crate::io::effects) port: u16,
    /// What it was asked, whole; one entry a connection.
    seen: Arc<Mutex<Vec<String>>>,
    /// One permit a connection that its other side has closed.
    left: Arc<Semaphore>,
    _serving: JoinSet<()>,
}

impl Server {
    /// Answers each request with this, and closes.
    pub(in crate::io::effects) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        Self::then(answer, Then::Close).await
    }

    pub(in crate::io::effects) async fn then(answer: impl Into<Vec<u8>>, then: Then) -> Self {
        Self::over(None, answer, then).await
    }

    /// The same, over TLS where there is an acceptor.
    pub(in crate::io::effects) async fn over(tls: Option<TlsAcceptor>, answer: impl Into<Vec<u8>>, then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, seen, left) = (listener.local_addr().unwrap().port(), Arc::default(), Arc::new(Semaphore::new(0)));
        let (answer, noted, leaving) = (answer.into(), Arc::clone(&seen), Arc::clone(&left));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (tls, answer, noted, leaving) =
                    (tls.clone(), answer.clone(), Arc::clone(&noted), Arc::clone(&leaving));
                connections.spawn(async move {
                    match tls {
                        None => serve(stream, answer, then, &noted).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, answer, then, &noted).await,
                            Err(_the_other_side_does_not_trust_us) => {}
                        },
                    }
                    leaving.add_permits(1);
                });
            }
        });
        Self { port, seen, left, _serving: serving }
    }

    pub(in crate::io::effects) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(in crate::io::effects) fn url(&self, rest: &str) -> String {
        format!("{}{rest}", self.origin())
    }

    pub(in crate::io::effects) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// Resolves once so many connections are gone.
    pub(in crate::io::effects) async fn left(&self, connections: u32) {
        timeout(PATIENCE, self.left.acquire_many(connections))
            .await
            .expect("the connection stays open")
            .unwrap()
            .forget();
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: Vec<u8>,
    then: Then,
    noted: &Mutex<Vec<String>>,
) {
    let asked = asked(&mut stream).await;
    noted.lock().unwrap().push(asked);
    if stream.write_all(&answer).await.is_err() {
        return;
    }
    match then {
        Then::Hold => {
            let mut rest = Vec::new();
            let _until_it_is_closed = stream.read_to_end(&mut rest).await;
        }
        Then::Repeat(line) => while stream.write_all(line.as_bytes()).await.is_ok() {},
        Then::Close => {
            let _it_may_be_gone = stream.shutdown().await;
        }
        Then::Drip => {
            while stream.write_all(b"b").await.is_ok() {
                tokio::time::sleep(DRIP).await;
            }
        }
    }
}

/// Head and body of a request.
async fn asked(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4_096]);
    loop {
        let read = stream.read(&mut piece).await.unwrap_or(0);
        bytes.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if read == 0 {
                return text;
            }
            continue;
        };
        let len = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if read == 0 || body.len() >= len.map_or(0, |len| len.parse().unwrap()) {
            return text;
        }
    }
}

/// An answer with this body.
pub(in crate::io::effects) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// An answer in pieces that say how long they are.
pub(in crate::io::effects) fn chunked(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

/// An answer that leads on.
pub(in crate::io::effects) fn redirect(status: u16, to: &str) -> String {
    format!("HTTP/1.1 {status} Elsewhere\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
}
