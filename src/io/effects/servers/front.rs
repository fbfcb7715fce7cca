//! One request: within its limits, answered by whoever answers, and never with more of a failure than its number.

use super::{
    Speech,
    answer::{Answerer, answer},
    door::Place,
    limits::Limits,
    rooms::Rooms,
    talk,
};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header, request::Parts},
};
use bytes::Bytes;
use coalmine_actors::effects::{
    port::Seat,
    served::{Answered, Asked},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use serde_json::{Value, json};
use std::{net::SocketAddr, sync::Arc};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// What all connections of a server share.
pub(super) struct House {
    pub(super) seat: Arc<Seat>,
    pub(super) answerer: Answerer,
    pub(super) speech: Speech,
    pub(super) rooms: Arc<Rooms>,
    pub(super) address: SocketAddr,
    pub(super) limits: Limits,
    pub(super) closing: CancellationToken,
    /// Those who are being answered.
    pub(super) turns: Semaphore,
}

/// Answers one request, or lets it become a room's connection, which has the place from then on.
pub(super) async fn receive(house: Arc<House>, place: Place, request: Request<Incoming>) -> Response<Body> {
    match house.speech {
        Speech::Rooms => talk::enter(house, place, request).await,
        Speech::Http(_) => exchange(&house, request).await,
    }
}

async fn exchange(house: &House, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = match whole(body, house.limits.body_bytes).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let Ok(_turn) = house.turns.try_acquire() else {
        let mut busy = refusal(StatusCode::SERVICE_UNAVAILABLE, "busy", "too many requests are being answered");
        busy.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        return busy;
    };
    match answer(house, asked(&parts, "", body)).await {
        Ok(answered) => response(answered),
        Err(id) => failure(&id),
    }
}

/// A request as whoever answers is given it. `method` where it is none of HTTP's.
pub(super) fn asked(parts: &Parts, method: &str, body: Bytes) -> Asked {
    Asked {
        method: if method.is_empty() { parts.method.as_str() } else { method }.to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(ToOwned::to_owned),
        headers: pairs(&parts.headers),
        body,
        connection: None,
    }
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

async fn whole(body: Incoming, bytes_max: usize) -> Result<Bytes, Response<Body>> {
    let too_large = || {
        let why = format!("a body has at most {bytes_max} bytes");
        refusal(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", &why)
    };
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    match Limited::new(body, bytes_max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_cut_short) => Err(refusal(StatusCode::BAD_REQUEST, "bad-body", "the body can not be read")),
    }
}

fn response(answered: Answered) -> Response<Body> {
    let mut response = Response::new(Body::from(answered.body));
    *response.status_mut() = StatusCode::from_u16(answered.status).expect("an answer's status was checked");
    for (name, value) in answered.headers {
        // Of a program's they are well made; a function's that are not are left out.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

/// Why a request was not answered, where whoever asks can do something about it.
pub(super) fn refusal(status: StatusCode, code: &str, why: &str) -> Response<Body> {
    error(status, &json!({ "code": code, "message": why }))
}

fn failure(id: &str) -> Response<Body> {
    error(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "id": id }))
}

fn error(status: StatusCode, error: &Value) -> Response<Body> {
    response(Answered::json(status.as_u16(), &json!({ "error": error })))
}
