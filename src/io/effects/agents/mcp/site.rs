//! A server by an url: each message is a POST through the gate of all connections, whose answer is a message, or a stream of
//! them, or nothing.
//!
//! What fails ends the berth, and the next call begins anew, with another session of the server's. Streams that a server
//! opens of its own accord are not asked for: only what answers a call is of use.

use super::{events::Events, fault::Fault, wire::LINE_BYTES_MAX};
use crate::io::effects::net::{Answering, Limits, Named, Net, Sent};
use coalmine_actors::effects::{error::EffectError, origin::Target};
use hyper::{
    HeaderMap, Method, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue},
};
use rmcp::{
    RoleClient,
    model::{ClientJsonRpcMessage, JsonRpcMessage, ServerJsonRpcMessage, ServerResult},
    transport::Transport,
};
use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, mpsc};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// Messages that may wait to be taken.
const MESSAGES_MAX: usize = 64;
/// How long the server may take to be told that its session is over.
const FAREWELL_MAX: Duration = Duration::from_secs(5);
/// How much of what a server says of a failure is told, bytes.
const SAID_BYTES_MAX: usize = 4 * 1024;

/// The way to one server.
pub(super) struct Site {
    shared: Arc<Shared>,
    messages: mpsc::Receiver<ServerJsonRpcMessage>,
}

struct Shared {
    net: Net,
    target: Target,
    limits: Limits,
    /// What the server said with its first answer, and wants to hear since: its session, and the protocol's version.
    said: Mutex<HeaderMap>,
    messages: mpsc::Sender<ServerJsonRpcMessage>,
    fault: Fault,
    failed: Notify,
}

impl Site {
    /// The way to `target`, which the operator's policy names. No exchange takes longer than `longest`.
    pub(super) fn new(net: Net, target: Target, longest: Duration, fault: Fault) -> Self {
        // How long a tool takes is for its call to say: a server may well be silent until then.
        let limits = Limits {
            first_byte: longest,
            idle: longest,
            total: longest,
            body_bytes_max: LINE_BYTES_MAX,
            ..Limits::default()
        };
        let (sender, messages) = mpsc::channel(MESSAGES_MAX);
        let said = Mutex::default();
        let shared = Shared { net, target, limits, said, messages: sender, fault, failed: Notify::new() };
        Self { shared: Arc::new(shared), messages }
    }
}

impl Shared {
    fn sent(&self, method: Method, body: Vec<u8>) -> Sent {
        let mut headers = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Sent { method, target: self.target.clone(), named: Named::ByOperator, headers, body: body.into() }
    }

    /// Sends one message, and takes what answers it.
    async fn post(&self, body: Vec<u8>) -> Result<(), EffectError> {
        let answer = self.net.open(self.sent(Method::POST, body), self.limits).await?;
        if let Some(session) = answer.headers.get(&SESSION) {
            self.note(SESSION, session.clone());
        }
        match (answer.status, kind_of(&answer)) {
            (StatusCode::ACCEPTED | StatusCode::NO_CONTENT, _) => Ok(()),
            (status, Some("text/event-stream")) if status.is_success() => self.stream(answer).await,
            (status, Some("application/json")) if status.is_success() => {
                let answer = answer.whole().await?;
                self.take(&answer.body).await
            }
            (status, kind) if status.is_success() => Err(EffectError::Protocol {
                what: format!("the tool server answers with {} in place of a message", kind.unwrap_or("nothing")),
            }),
            (status, _) => {
                let body = answer.whole().await?.body;
                let body = String::from_utf8_lossy(&body[..body.len().min(SAID_BYTES_MAX)]).into_owned();
                Err(EffectError::Status { status: status.as_u16(), body })
            }
        }
    }

    async fn stream(&self, mut answer: Answering) -> Result<(), EffectError> {
        let mut events = Events::default();
        while let Some(chunk) = answer.chunk().await? {
            events.came(&chunk, LINE_BYTES_MAX)?;
            while let Some(data) = events.next() {
                self.take(&data).await?;
            }
        }
        Ok(())
    }

    async fn take(&self, text: &[u8]) -> Result<(), EffectError> {
        let no_message = |_| EffectError::Protocol { what: "the tool server says something that is no message".into() };
        let message: ServerJsonRpcMessage = serde_json::from_slice(text).map_err(no_message)?;
        if let JsonRpcMessage::Response(response) = &message
            && let ServerResult::InitializeResult(begun) = &response.result
            && let Ok(version) = HeaderValue::from_str(begun.protocol_version.as_str())
        {
            self.note(VERSION, version);
        }
        // What is announced is of no use: it would only be in the way of what answers.
        if !matches!(message, JsonRpcMessage::Notification(_)) {
            let _nobody_waits_any_more = self.messages.send(message).await;
        }
        Ok(())
    }

    fn note(&self, name: HeaderName, value: HeaderValue) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(name, value);
    }

    /// A tool that is slow is its call's to give up; everything else is the server's end.
    fn failed(&self, error: &EffectError) {
        let is_slow = matches!(error, EffectError::Timeout { phase } if *phase != "connect");
        if !is_slow {
            self.fault.tell(error.clone());
            self.failed.notify_one();
        }
    }
}

fn kind_of(answer: &Answering) -> Option<&str> {
    let kind = answer.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    kind.split(';').next().map(str::trim)
}

impl Transport<RoleClient> for Site {
    type Error = EffectError;

    fn send(
        &mut self,
        message: ClientJsonRpcMessage,
    ) -> impl Future<Output = Result<(), EffectError>> + Send + 'static {
        let body = serde_json::to_vec(&message).map_err(|error| EffectError::Internal(error.to_string()));
        let shared = Arc::clone(&self.shared);
        async move { shared.post(body?).await.inspect_err(|error| shared.failed(error)) }
    }

    /// The next message; nothing after a fault. Cancel-safe.
    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        tokio::select! {
            biased;
            message = self.messages.recv() => message,
            () = self.shared.failed.notified() => None,
        }
    }

    /// Tells the server that its session is over, where it has one.
    async fn close(&mut self) -> Result<(), EffectError> {
        let sent = self.shared.sent(Method::DELETE, Vec::new());
        if sent.headers.contains_key(&SESSION) && self.shared.fault.told().is_none() {
            let limits = Limits { total: FAREWELL_MAX, ..self.shared.limits };
            let _it_ends_by_itself_one_day = self.shared.net.exchange(sent, limits).await;
        }
        Ok(())
    }
}
