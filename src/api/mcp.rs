//! `/mcp`: the fleet's tools by streamable HTTP.
//!
//! Every request stands alone, as the protocol has it since 2026-07-28 and allows it before: there is no session to be
//! kept, stolen or lost, and who asks is proved with each.

use super::{
    REQUEST_TIME_MAX, Shared, WAIT_TIME_MAX, closed,
    extract::Params,
    tools::{Wanted, tools},
    wire::ApiError,
};
use crate::mcp::{MESSAGE_BYTES_MAX, Server};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use coalmine_actors::error::FleetError;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};
use std::{sync::Arc, time::Duration};

/// Where it is.
const PATH: &str = "/mcp";
/// Names by which clients of a Unix socket call its host.
const HOSTS: [&str; 4] = ["localhost", "127.0.0.1", "::1", "coalmine"];

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/mcp", post(serve))
}

/// How long a request of this path may take: a tool may wait, and its client does not say for how long.
pub(super) fn patience(path: &str) -> Option<Duration> {
    (path == PATH).then_some(REQUEST_TIME_MAX + WAIT_TIME_MAX)
}

/// `POST /mcp?set=`: one message of the protocol.
async fn serve(State(shared): State<Shared>, Params(wanted): Params<Wanted>, request: Request) -> Response {
    let tools = match tools(&shared, request.headers(), wanted) {
        Ok(tools) => tools,
        Err(refusal) => return unproved(refusal),
    };
    // A browser's page has no business here, whichever proxy let it in.
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_allowed_hosts(HOSTS)
        .enforce_origin_validation()
        .with_max_request_body_bytes(MESSAGE_BYTES_MAX);
    let server = move || Ok(Server::new(tools.clone(), wanted.set));
    let service = StreamableHttpService::new(server, Arc::new(NeverSessionManager::default()), config);
    tokio::select! {
        answer = service.handle(request) => answer.map(Body::new),
        () = closed(shared.closing) => ApiError::from(FleetError::ShuttingDown).into_response(),
    }
}

/// A token that proves nothing.
fn unproved(refusal: ApiError) -> Response {
    let mut response = refusal.into_response();
    if response.status() == StatusCode::FORBIDDEN {
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
