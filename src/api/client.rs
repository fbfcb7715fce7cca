//! A typed client of the API: one method a route, one connection a request.

use super::wire::{Envelope, ErrorBody, ErrorEnvelope, Ready, Screen, ShutDown, Shutdown};
use crate::{Goal, deaths::Death, explain::Explanation, fleet::plan::Plan, io::lock, paths::Paths};
use axum::{
    body::{Body, Bytes},
    http::{Method, Request, StatusCode, header},
};
use coalmine_actors::{
    fleet::request::{CreatePeer, Created, Removed, Stopped},
    names::{Generation, Identity},
    view::{FleetStatus, PeerView},
};
use http_body_util::{BodyExt, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use std::{io, path::PathBuf, pin::pin, time::Duration};
use tokio::{
    net::UnixStream,
    time::{Instant, sleep, timeout},
};

mod attachments;
mod effects;
mod mail;
mod memory;
mod provision;
mod stream;
mod tools;
pub use attachments::{Download, PutAs};
pub use mail::Follow;
pub use stream::EventStream;

/// Largest answer that is taken, bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Longest a request without a wait of its own may take; the server's own deadline comes first.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(35);
/// How long an answer may take before the daemon is asked for a sign of life, and how long that may take.
const SIGN_TIME_MAX: Duration = Duration::from_secs(3);
/// How long a full queue of the socket is tried again.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);
/// Between two such tries.
const CONNECT_PAUSE: Duration = Duration::from_millis(5);

/// Why there is no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No daemon listens.
    #[error("no daemon answers at {}", socket.display())]
    Unreachable {
        /// Where.
        socket: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A daemon runs, by its lock, but nobody listens at its socket.
    #[error("{holder} runs the fleet, but nobody listens at {}", socket.display())]
    Deaf {
        /// Where.
        socket: PathBuf,
        /// Who holds the lock: `pid 4242 (coalmine)`.
        holder: String,
    },
    /// Somebody listens, and does not begin to answer.
    #[error("the daemon at {} ({holder}) does not answer within {after:?}", socket.display())]
    Stuck {
        /// Where.
        socket: PathBuf,
        /// Who holds the fleet's lock.
        holder: String,
        /// How long was waited for the least sign.
        after: Duration,
    },
    /// The daemon refused.
    #[error("{}", .0.message)]
    Refused(ErrorBody),
    /// The daemon hung up before it answered: it is ending, or has died.
    #[error("the daemon hung up before it answered")]
    HungUp,
    /// What came is not this API.
    #[error("the daemon's answer can not be used: {0}")]
    Broken(String),
    /// No answer came in time.
    #[error("the daemon did not answer within {after:?}")]
    Silent {
        /// How long was waited.
        after: Duration,
    },
}

impl ClientError {
    /// Whether no daemon runs, so that files may be read, or a daemon started, instead.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Whether one runs and does not listen, so that it has heard nothing of the request.
    pub fn is_deaf(&self) -> bool {
        matches!(self, Self::Deaf { .. })
    }

    /// Whether one runs and gives no sign, so that files may be read instead.
    pub fn is_mute(&self) -> bool {
        matches!(self, Self::Deaf { .. } | Self::Stuck { .. })
    }
}

/// What hyper says of a connection that ended too early, and of everything else.
fn cut(error: hyper::Error) -> ClientError {
    let reset = std::error::Error::source(&error).and_then(|why| why.downcast_ref::<io::Error>());
    let is_reset =
        reset.is_some_and(|why| matches!(why.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe));
    if is_reset || error.is_closed() || error.is_canceled() || error.is_incomplete_message() {
        ClientError::HungUp
    } else {
        broken(error)
    }
}

fn broken(why: impl ToString) -> ClientError {
    ClientError::Broken(why.to_string())
}

/// Speaks to the daemon at one socket. Cheap to clone; holds no connection.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
    /// Says whether a daemon runs that can not be reached; nothing where only a socket is known.
    lock: Option<PathBuf>,
    /// What proves that a peer's session asks; nothing where a person does.
    token: Option<String>,
}

impl Client {
    /// A client of the daemon at `socket`.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into(), lock: None, token: None }
    }

    /// Asks with what proves who asks.
    #[must_use]
    pub fn with_token(mut self, token: Option<String>) -> Self {
        self.token = token;
        self
    }

    /// A client of the daemon of this fleet.
    pub fn of(paths: &Paths) -> Self {
        Self { socket: paths.daemon_socket(), lock: Some(paths.daemon_lock()), token: None }
    }

    /// Where it asks.
    pub fn socket(&self) -> &std::path::Path {
        &self.socket
    }

    /// Whether somebody listens; nothing is asked.
    ///
    /// # Errors
    /// Nobody does, or takes nobody in.
    pub async fn is_there(&self) -> Result<(), ClientError> {
        self.connect().await.map(drop)
    }

    /// `GET /v1/status`
    pub async fn status(&self) -> Result<FleetStatus, ClientError> {
        self.get("/v1/status").await
    }

    /// `GET /v1/peers`
    pub async fn list(&self) -> Result<Vec<PeerView>, ClientError> {
        self.get("/v1/peers").await
    }

    /// `GET /v1/peers/{name}`
    pub async fn show(&self, name: &str) -> Result<Vec<PeerView>, ClientError> {
        self.get(&peer(name, "")).await
    }

    /// `GET /v1/peers/{name}/explain`
    pub async fn explain(&self, name: &str) -> Result<Vec<Explanation>, ClientError> {
        self.get(&peer(name, "/explain")).await
    }

    /// `GET /v1/peers/{name}/capture`
    pub async fn capture(&self, name: &str) -> Result<String, ClientError> {
        self.get(&peer(name, "/capture")).await.map(|screen: Screen| screen.text)
    }

    /// `GET /v1/deaths`
    pub async fn deaths(&self, name: Option<&str>, limit: usize) -> Result<Vec<Death>, ClientError> {
        let name = name.map_or(String::new(), |name| format!("&name={}", encoded(name)));
        self.get(&format!("/v1/deaths?limit={limit}{name}")).await
    }

    /// `POST /v1/peers`, waiting at most `wait` where it is to be started.
    pub async fn create(&self, new: &CreatePeer, wait: Duration) -> Result<Created, ClientError> {
        self.act(&format!("/v1/peers?wait_ms={}", wait.as_millis()), new, wait).await
    }

    /// `POST /v1/plan`: what making all of these would change.
    pub async fn plan(&self, declared: &[CreatePeer]) -> Result<Plan, ClientError> {
        self.act("/v1/plan", &declared, Duration::ZERO).await
    }

    /// `POST /v1/peers/{name}/start`
    pub async fn start(&self, name: &str, wait: Duration) -> Result<PeerView, ClientError> {
        self.lifecycle(name, "start", wait).await
    }

    /// `POST /v1/peers/{name}/stop`
    pub async fn stop(&self, name: &str, wait: Duration) -> Result<Vec<Stopped>, ClientError> {
        self.lifecycle(name, "stop", wait).await
    }

    /// `POST /v1/peers/{name}/restart`
    pub async fn restart(&self, name: &str, wait: Duration) -> Result<PeerView, ClientError> {
        self.lifecycle(name, "restart", wait).await
    }

    /// `POST /v1/peers/{name}/refresh`
    pub async fn refresh(&self, name: &str, wait: Duration) -> Result<PeerView, ClientError> {
        self.lifecycle(name, "refresh", wait).await
    }

    /// `POST /v1/peers/{name}/reset`
    pub async fn reset(&self, name: &str) -> Result<Vec<PeerView>, ClientError> {
        self.act(&peer(name, "/reset"), &(), Duration::ZERO).await
    }

    /// `DELETE /v1/peers/{name}`; the wait is for the memory provider, which is called before the peer is gone.
    pub async fn remove(&self, name: &str, force: bool, wait: Duration) -> Result<Removed, ClientError> {
        let target = peer(name, &format!("?force={force}&wait_ms={}", wait.as_millis()));
        self.ask(Method::DELETE, &target, Bytes::new(), wait).await
    }

    /// `POST /v1/peers/{identity}/ready`
    pub async fn ready(&self, identity: &Identity, generation: Generation) -> Result<(), ClientError> {
        self.act(&peer(&identity.to_string(), "/ready"), &Ready { generation }, Duration::ZERO).await
    }

    /// `GET /v1/peers/{name}/wait`, which answers when the peer has become `goal`, or after `wait`.
    pub async fn wait(&self, name: &str, goal: Goal, wait: Duration) -> Result<PeerView, ClientError> {
        let target = peer(name, &format!("/wait?for={goal}&wait_ms={}", wait.as_millis()));
        self.ask(Method::GET, &target, Bytes::new(), wait).await
    }

    /// `POST /v1/shutdown`
    pub async fn shutdown(&self, peers: bool, wait: Duration) -> Result<ShutDown, ClientError> {
        self.act(&format!("/v1/shutdown?wait_ms={}", wait.as_millis()), &Shutdown { peers }, wait).await
    }

    /// `GET /v1/events`: everything after `after`, then, with `follow`, what happens.
    pub async fn events(&self, after: Option<u64>, follow: bool) -> Result<EventStream, ClientError> {
        let after = after.map_or(String::new(), |seq| format!("&after={seq}"));
        let target = format!("/v1/events?follow={follow}{after}");
        let answer = self.while_it_lives(self.send(Method::GET, &target, Bytes::new()));
        let answer = within(ANSWER_TIME_MAX, answer).await?;
        if answer.status() == StatusCode::OK {
            Ok(EventStream::new(answer.into_body()))
        } else {
            Err(refused(answer).await)
        }
    }

    async fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, ClientError> {
        self.ask(Method::GET, target, Bytes::new(), Duration::ZERO).await
    }

    async fn lifecycle<T: DeserializeOwned>(&self, name: &str, verb: &str, wait: Duration) -> Result<T, ClientError> {
        self.act(&peer(name, &format!("/{verb}?wait_ms={}", wait.as_millis())), &(), wait).await
    }

    async fn act<B: Serialize, T: DeserializeOwned>(
        &self,
        target: &str,
        body: &B,
        wait: Duration,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(broken)?;
        self.ask(Method::POST, target, body.into(), wait).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        target: &str,
        body: Bytes,
        wait: Duration,
    ) -> Result<T, ClientError> {
        let answer = self.while_it_lives(async {
            let answer = self.send(method, target, body).await?;
            if answer.status() != StatusCode::OK {
                return Err(refused(answer).await);
            }
            let bytes = collect(answer.into_body()).await?;
            serde_json::from_slice(&bytes).map(|envelope: Envelope<T>| envelope.data).map_err(broken)
        });
        within(ANSWER_TIME_MAX + wait, answer).await
    }

    /// Waits for an answer as long as the daemon gives signs of life: one that was stopped accepts, by its kernel, and
    /// says nothing. Whenever the answer is slow it is asked something that it can say at once.
    async fn while_it_lives<T>(&self, answer: impl Future<Output = Result<T, ClientError>>) -> Result<T, ClientError> {
        let mut answer = pin!(answer);
        loop {
            if let Ok(answered) = timeout(SIGN_TIME_MAX, &mut answer).await {
                return answered;
            }
            // Refused or not: somebody did something.
            let sign = timeout(SIGN_TIME_MAX, self.send(Method::GET, "/v1/status", Bytes::new()));
            tokio::select! {
                biased;
                answered = &mut answer => return answered,
                sign = sign => if sign.is_err() {
                    return Err(self.stuck(SIGN_TIME_MAX * 2));
                },
            }
        }
    }

    fn stuck(&self, after: Duration) -> ClientError {
        ClientError::Stuck { socket: self.socket.clone(), holder: self.holder(), after }
    }

    /// Nobody listens: no daemon runs, or one that lost its socket, is starting or ending.
    fn nobody_listens(&self, source: io::Error) -> ClientError {
        let socket = self.socket.clone();
        match &self.lock {
            Some(lock) if lock::is_held(lock) => ClientError::Deaf { socket, holder: self.holder() },
            _ => ClientError::Unreachable { socket, source },
        }
    }

    fn holder(&self) -> String {
        self.lock.as_deref().map_or_else(|| "its pid is not known".into(), lock::holder)
    }

    async fn send(&self, method: Method, target: &str, body: Bytes) -> Result<hyper::Response<Incoming>, ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(header::HOST, "coalmine")
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        self.send_request(request.body(Body::from(body)).map_err(broken)?).await
    }

    async fn send_request(&self, request: Request<Body>) -> Result<hyper::Response<Incoming>, ClientError> {
        let stream = self.connect().await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(cut)?;
        // Ends with the connection: when the answer has been read or dropped.
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(cut)
    }

    /// A socket whose queue is full answers `EAGAIN`: a daemon is there, and busy.
    async fn connect(&self) -> Result<UnixStream, ClientError> {
        let until = Instant::now() + CONNECT_TIME_MAX;
        loop {
            match UnixStream::connect(&self.socket).await {
                Ok(stream) => return Ok(stream),
                Err(full) if full.kind() == io::ErrorKind::WouldBlock && Instant::now() < until => {
                    sleep(CONNECT_PAUSE).await;
                }
                // A queue that stays full is that of somebody who takes nobody from it.
                Err(full) if full.kind() == io::ErrorKind::WouldBlock => return Err(self.stuck(CONNECT_TIME_MAX)),
                Err(source) => return Err(self.nobody_listens(source)),
            }
        }
    }
}

async fn within<T>(after: Duration, answer: impl Future<Output = Result<T, ClientError>>) -> Result<T, ClientError> {
    timeout(after, answer).await.unwrap_or(Err(ClientError::Silent { after }))
}

async fn collect(body: Incoming) -> Result<Bytes, ClientError> {
    Limited::new(body, ANSWER_BYTES_MAX).collect().await.map(http_body_util::Collected::to_bytes).map_err(broken)
}

async fn refused(answer: hyper::Response<Incoming>) -> ClientError {
    let status = answer.status();
    match collect(answer.into_body()).await {
        Err(error) => error,
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(ErrorEnvelope { error, .. }) => ClientError::Refused(error),
            Err(_) => broken(format!("HTTP {status} without an error document")),
        },
    }
}

/// `/v1/peers/<name><rest>`. The name goes as it is, encoded: whether it is one, the fleet judges.
fn peer(name: &str, rest: &str) -> String {
    format!("/v1/peers/{}{rest}", encoded(name))
}

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
