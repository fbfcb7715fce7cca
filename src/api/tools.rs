//! `/v1/tools`: what agents can call, for clients that speak MCP themselves (`coalmine mcp`).

use super::{
    Shared,
    extract::{Name, Params, json, token},
    wire::{ApiError, Envelope},
};
use crate::mcp::{FleetTools, MESSAGE_BYTES_MAX, Refusal, ToolSet, Toolbox};
use axum::{
    Router,
    extract::{Request, State},
    http::HeaderMap,
    routing::{get, post},
};
use rmcp::model::{CallToolResult, JsonObject, Tool};
use serde::Deserialize;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/v1/tools", get(list)).route("/v1/tools/{name}", post(call))
}

/// `?set=`
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    pub(super) set: ToolSet,
}

/// The tools for whoever asks.
pub(super) fn tools(shared: &Shared, headers: &HeaderMap, wanted: Wanted) -> Result<FleetTools, ApiError> {
    let caller = shared.fleet.caller(token(headers))?;
    Ok(FleetTools::new(shared.fleet.clone(), caller, wanted.set, shared.graph.clone()))
}

/// `GET /v1/tools?set=`: those that the caller may call.
async fn list(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Params(wanted): Params<Wanted>,
) -> Result<Envelope<Vec<Tool>>, ApiError> {
    Ok(Envelope::new(tools(&shared, &headers, wanted)?.list().await))
}

/// `POST /v1/tools/{name}?set=&wait_ms=`: the body is the arguments. That it was refused is an answer like every other;
/// whoever hangs up calls it off.
async fn call(
    State(shared): State<Shared>,
    Name(name): Name,
    Params(wanted): Params<Wanted>,
    request: Request,
) -> Result<Envelope<CallToolResult>, ApiError> {
    let tools = tools(&shared, request.headers(), wanted)?;
    let args: JsonObject = json(request, MESSAGE_BYTES_MAX).await?;
    Ok(Envelope::new(tools.call(name, args).await.unwrap_or_else(Refusal::into_result)))
}
