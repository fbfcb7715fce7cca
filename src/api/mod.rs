//! The API of a running fleet: HTTP/1.1 and JSON over one Unix socket, one file a resource.
//!
//! ```text
//! accept ─ uid check ─ a place among 1,024? ─┬─ yes: router ─ deadline ─ handler ─ FleetHandle
//!                                            └─ no:  503 busy
//! ```
//!
//! Every answer is `{"schema_version":1,"data":…}` or `{"schema_version":1,"error":{…}}`; what refuses before a
//! handler is reached (no such route, a body that is too long, JSON that is none) answers in the same shape. Other
//! shapes have `/v1/events` (server-sent events), `/v1/attachments/{id}` (the bytes), `/mcp`, `/v1/openapi.json` and `/metrics`.

mod attachments;
mod bind;
pub mod client;
mod deaths;
mod effects;
mod events;
mod extract;
mod follow;
mod guard;
mod mail;
mod mcp;
mod memory;
mod metrics;
mod openapi;
mod peers;
mod provision;
mod range;
mod serve;
mod status;
mod tools;
mod wait;
pub mod wire;

pub use serve::{ApiServer, ShutdownRequest, serve, serve_on};

use crate::{FleetHandle, metrics::Metrics};
use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
    routing::{get, post},
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::{Mutex, Semaphore, mpsc, watch};
use wire::ApiError;

/// Longest request body, bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Most connections that are served at once.
pub const CONNECTIONS_MAX: usize = 1024;
/// Longest a request may take beyond the wait that it asks for.
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);
/// Longest wait that a request may ask for.
pub const WAIT_TIME_MAX: Duration = Duration::from_secs(600);

/// What every handler shares.
#[derive(Clone)]
struct Shared {
    fleet: FleetHandle,
    /// The journal's folder, for the records of deaths.
    journal: PathBuf,
    /// Turns true once, when the server stops: streams end then.
    closing: watch::Receiver<bool>,
    /// Where `POST /v1/shutdown` goes; the daemon listens.
    shutdown: mpsc::Sender<ShutdownRequest>,
    /// What is counted of this fleet.
    metrics: Arc<Metrics>,
    /// The places at the table that are free.
    places: Arc<Semaphore>,
    /// Held by whoever changes the knowledge graph by a tool.
    graph: Arc<Mutex<()>>,
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/v1/status", get(status::show))
        .route("/v1/shutdown", post(status::shutdown))
        .route("/v1/peers", get(peers::list).post(peers::create))
        .route("/v1/plan", post(peers::plan))
        .route("/v1/peers/{name}", get(peers::show).delete(peers::remove))
        .route("/v1/peers/{name}/start", post(peers::start))
        .route("/v1/peers/{name}/stop", post(peers::stop))
        .route("/v1/peers/{name}/restart", post(peers::restart))
        .route("/v1/peers/{name}/refresh", post(peers::refresh))
        .route("/v1/peers/{name}/reset", post(peers::reset))
        .route("/v1/peers/{name}/capture", get(peers::capture))
        .route("/v1/peers/{name}/ready", post(peers::ready))
        .route("/v1/peers/{name}/wait", get(wait::until))
        .route("/v1/peers/{name}/explain", get(peers::explain))
        .route("/v1/events", get(events::stream))
        .route("/v1/deaths", get(deaths::list))
        .merge(attachments::routes())
        .merge(effects::routes())
        .merge(mail::routes())
        .merge(mcp::routes())
        .merge(memory::routes())
        .merge(provision::routes())
        .merge(tools::routes())
        .route("/v1/openapi.json", get(openapi::show))
        .route("/metrics", get(metrics::show))
        .fallback(|| async { ApiError::NoRoute })
        .method_not_allowed_fallback(|| async { ApiError::BadMethod })
        .layer(from_fn(deadline))
        .with_state(shared)
}

/// Ends a request that takes too long; a slow body counts.
async fn deadline(request: Request, next: Next) -> Result<Response, ApiError> {
    let asked = || REQUEST_TIME_MAX + extract::wait_of(request.uri().query().unwrap_or_default());
    let after = mcp::patience(request.uri().path()).unwrap_or_else(asked);
    tokio::time::timeout(after, next.run(request)).await.map_err(|_| ApiError::Deadline { after })
}

/// Resolves once the server stops; a server that is gone has stopped.
async fn closed(mut closing: watch::Receiver<bool>) {
    let _gone = closing.wait_for(|closing| *closing).await;
}

#[cfg(test)]
mod tests;
