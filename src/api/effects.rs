//! `/v1/peers/{name}/effects/{op}`: what peers do to the world.

use super::{
    Shared,
    extract::{Names, json, token},
    wire::{ApiError, Called, Envelope},
};
use axum::{
    Router,
    extract::{Request, State},
    routing::post,
};
use serde_json::Value;

/// Longest body of a call, bytes: contents of 16 MiB in base64, and the rest.
const CALL_BYTES_MAX: usize = 24 * 1024 * 1024;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/v1/peers/{name}/effects/{op}", post(call))
}

/// `POST /v1/peers/{name}/effects/{op}?wait_ms=`: by a peer's own session, or by the operator. That it was refused, or failed, is an answer like every other; whoever
/// hangs up calls it off.
async fn call(
    State(shared): State<Shared>,
    Names(name, op): Names,
    request: Request,
) -> Result<Envelope<Called>, ApiError> {
    let caller = shared.fleet.caller(token(request.headers()))?;
    let args: Value = json(request, CALL_BYTES_MAX).await?;
    Ok(Envelope::new(shared.fleet.effect(&caller, &name, &op, args).await?.into()))
}
