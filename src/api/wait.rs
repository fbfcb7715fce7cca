//! `/v1/peers/{name}/wait`: answers when a peer has become what it is waited for to become.

use super::{
    Shared, closed,
    extract::{Name, Params, Wait},
    wire::{ApiError, Envelope},
};
use crate::Goal;
use axum::extract::State;
use coalmine_actors::{error::FleetError, view::PeerView};
use serde::Deserialize;

/// `?for=`, beside `wait_ms`.
#[derive(Deserialize)]
pub(super) struct What {
    #[serde(rename = "for")]
    goal: Goal,
}

/// `GET /v1/peers/{name}/wait?for=&wait_ms=`
pub(super) async fn until(
    State(shared): State<Shared>,
    Name(name): Name,
    Params(What { goal }): Params<What>,
    Params(wait): Params<Wait>,
) -> Result<Envelope<PeerView>, ApiError> {
    // Whichever comes first: a wait changes nothing, so it can be dropped, and the daemon's end must not wait for it.
    tokio::select! {
        reached = shared.fleet.wait(&name, goal, wait.time()) => Ok(Envelope::new(reached?)),
        () = closed(shared.closing) => Err(FleetError::ShuttingDown.into()),
    }
}
