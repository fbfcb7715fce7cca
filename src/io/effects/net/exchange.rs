//! One request and its answer, within their limits: to the address that was looked at, and to no other.
//!
//! ```text
//! open:  resolve ─▶ connect ─▶ (TLS) ─▶ send ─▶ head of the answer          whole: chunk ─▶ chunk ─▶ … ─▶ body
//!        └──────── connect ────────┘    └── first byte ──┘                         └ idle ┘
//!        └────────────────────────────────────────── total ─────────────────────────────────┘
//! ```
//!
//! A connection serves one exchange. Its task belongs to the answer: whoever drops that closes the connection.

use super::{
    Net,
    connect::{broken, connect},
    limits::{HEAD_BYTES_MAX, HEADERS_MAX, Limits, within},
    resolve::{Named, addresses},
};
use bytes::{Bytes, BytesMut};
use coalmine_actors::effects::{
    EffectError,
    origin::{Scheme, Target},
};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request, StatusCode,
    body::{Body, Incoming},
    client::conn::http1,
    header::{ACCEPT, HOST, HeaderValue, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use std::{error::Error, io};
use tokio::{task::JoinSet, time::Instant};
use url::Position;

/// What is sent.
#[derive(Debug, Clone)]
pub(in crate::io::effects) struct Sent {
    pub(in crate::io::effects) method: Method,
    pub(in crate::io::effects) target: Target,
    /// Who says so.
    pub(in crate::io::effects) named: Named,
    pub(in crate::io::effects) headers: HeaderMap,
    pub(in crate::io::effects) body: Bytes,
}

/// An answer that has begun.
#[derive(Debug)]
pub(in crate::io::effects) struct Answering {
    pub(in crate::io::effects) status: StatusCode,
    pub(in crate::io::effects) headers: HeaderMap,
    body: Incoming,
    limits: Limits,
    end: Instant,
    /// Drives the connection; it ends with this.
    _connection: JoinSet<()>,
}

/// An answer as a whole.
#[derive(Debug)]
pub(in crate::io::effects) struct Answer {
    pub(in crate::io::effects) status: StatusCode,
    pub(in crate::io::effects) headers: HeaderMap,
    pub(in crate::io::effects) body: Bytes,
}

impl Net {
    /// Sends `sent`, and waits for the head of its answer.
    pub(in crate::io::effects) async fn open(&self, sent: Sent, limits: Limits) -> Result<Answering, EffectError> {
        let end = Instant::now() + limits.total;
        // The host's authorities are read once, and that is nobody's slow connection.
        let tls = match sent.target.origin.scheme() {
            Scheme::Http => None,
            Scheme::Https => Some(self.tls.config().await?),
        };
        let connecting = async {
            let found = addresses(&*self.lookup, &sent.target.origin, sent.named).await?;
            connect(tls, &sent.target.origin, &found, limits.connect).await
        };
        let wire = within(end, limits.connect, "connect", connecting).await?;
        let mut connection = JoinSet::new();
        let answering = async {
            let mut builder = http1::Builder::new();
            builder.max_headers(HEADERS_MAX).max_header_size(HEAD_BYTES_MAX);
            let (mut sender, driver) = builder.handshake(TokioIo::new(wire)).await.map_err(|error| failed(&error))?;
            connection.spawn(async move {
                let _told_to_whoever_waits_for_the_answer = driver.await;
            });
            sender.send_request(request(sent)?).await.map_err(|error| failed(&error))
        };
        let response = within(end, limits.first_byte, "first byte", answering).await?;
        let (head, body) = response.into_parts();
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(EffectError::Protocol { what: "the other side speaks something else from now on".into() });
        }
        Ok(Answering { status: head.status, headers: head.headers, body, limits, end, _connection: connection })
    }

    /// Sends `sent`, and takes all of its answer.
    pub(in crate::io::effects) async fn exchange(&self, sent: Sent, limits: Limits) -> Result<Answer, EffectError> {
        self.open(sent, limits).await?.whole().await
    }
}

impl Answering {
    /// The next piece of the body; nothing at its end.
    pub(in crate::io::effects) async fn chunk(&mut self) -> Result<Option<Bytes>, EffectError> {
        let Self { body, limits, end, .. } = self;
        let next = async {
            while let Some(frame) = body.frame().await {
                // What stands behind a body is nothing that anybody asked for.
                if let Ok(data) = frame.map_err(|error| failed(&error))?.into_data() {
                    return Ok(Some(data));
                }
            }
            Ok(None)
        };
        within(*end, limits.idle, "idle", next).await
    }

    /// All of it; a body that is too long is an error, and never a shorter one.
    pub(in crate::io::effects) async fn whole(mut self) -> Result<Answer, EffectError> {
        let max = self.limits.body_bytes_max;
        let too_long = || EffectError::limit("body", max as u64);
        if self.body.size_hint().lower() > max as u64 {
            return Err(too_long());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if body.len() + chunk.len() > max {
                return Err(too_long());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: self.status, headers: self.headers, body: body.freeze() })
    }
}

/// In the form that stands on the wire.
fn request(sent: Sent) -> Result<Request<Full<Bytes>>, EffectError> {
    let url = &sent.target.url;
    let unfit = || EffectError::bad("url", "it can not be sent");
    let host = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort]).map_err(|_| unfit())?;
    let mut request = Request::new(Full::new(sent.body));
    *request.uri_mut() = url[Position::BeforePath..Position::AfterQuery].parse().map_err(|_| unfit())?;
    *request.method_mut() = sent.method;
    *request.headers_mut() = sent.headers;
    let headers = request.headers_mut();
    headers.insert(HOST, host);
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(concat!("coalmine/", env!("CARGO_PKG_VERSION"))));
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    Ok(request)
}

/// Why an exchange failed.
fn failed(error: &hyper::Error) -> EffectError {
    if error.is_parse_too_large() {
        return EffectError::limit("headers", HEAD_BYTES_MAX as u64);
    }
    if error.is_parse() {
        return EffectError::Protocol { what: "the answer is no HTTP/1".into() };
    }
    if error.is_incomplete_message() {
        return EffectError::Network { what: "the connection was closed before the answer was whole".into() };
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        match error.downcast_ref::<io::Error>() {
            // Its own reader of chunks says so by this kind, and by this one alone.
            Some(error)
                if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
                    && !is_tls(error) =>
            {
                return EffectError::Protocol { what: "the body is not sent as its headers say".into() };
            }
            Some(error) if error.kind() == io::ErrorKind::UnexpectedEof && !is_tls(error) => {
                return EffectError::Network { what: "the connection was closed before the answer was whole".into() };
            }
            Some(error) => return broken(error),
            None => cause = error.source(),
        }
    }
    EffectError::Network { what: "the connection was closed".into() }
}

fn is_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|within| within.is::<rustls::Error>())
}
