//! `/metrics`: the fleet for a monitoring system, as OpenMetrics text.

use super::{CONNECTIONS_MAX, Shared};
use crate::metrics::{CONTENT_TYPE, Queues};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

/// `GET /metrics`
pub(super) async fn show(State(shared): State<Shared>) -> Response {
    let (journal_events, registry_changes) = shared.fleet.queues();
    let api_connections = CONNECTIONS_MAX - shared.places.available_permits();
    let status = shared.fleet.status_with_attachments().await;
    let queues = Queues { journal_events, registry_changes, api_connections };
    let text = shared.metrics.render(&shared.fleet.list(), &status, queues);
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}
