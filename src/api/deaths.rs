//! `/v1/deaths`: the records, newest first.

use super::{
    Shared,
    extract::Params,
    wire::{ApiError, Envelope},
};
use crate::deaths::{Death, read};
use axum::extract::State;
use coalmine_actors::error::FleetError;
use serde::Deserialize;

/// How many records are sent where the request does not say.
const DEATHS_DEFAULT: usize = 100;
/// Most records that are sent.
const DEATHS_MAX: usize = 10_000;

/// `?name=&limit=`
#[derive(Deserialize)]
pub(super) struct Which {
    name: Option<String>,
    limit: Option<usize>,
}

/// `GET /v1/deaths`
pub(super) async fn list(
    State(shared): State<Shared>,
    Params(which): Params<Which>,
) -> Result<Envelope<Vec<Death>>, ApiError> {
    let limit = which.limit.unwrap_or(DEATHS_DEFAULT).min(DEATHS_MAX);
    // A file is read: off the threads that serve.
    let records = tokio::task::spawn_blocking(move || read(&shared.journal, which.name.as_deref(), limit))
        .await
        .map_err(|panic| FleetError::Internal(panic.to_string()))??;
    Ok(Envelope::new(records))
}
