//! `/v1/status` and `/v1/shutdown`: the fleet as a whole.

use super::{
    Shared, ShutdownRequest,
    extract::Body,
    wire::{ApiError, Envelope, NotEnded, ShutDown, Shutdown},
};
use crate::fleet::EndOfAll;
use axum::extract::State;
use coalmine_actors::{error::FleetError, view::FleetStatus};
use std::time::Duration;

/// How long the provider's declaration may take to be read: this answer is also the daemon's sign of life.
const SLOT_TIME_MAX: Duration = Duration::from_secs(1);

/// `GET /v1/status`
pub(super) async fn show(State(shared): State<Shared>) -> Envelope<FleetStatus> {
    let (slot, status) = tokio::join!(shared.fleet.memory_slot(SLOT_TIME_MAX), shared.fleet.status_with_attachments());
    Envelope::new(FleetStatus { memory_slot: Some(slot), ..status })
}

/// `POST /v1/shutdown`: the peers are ended before the answer, the daemon after it.
pub(super) async fn shutdown(
    State(shared): State<Shared>,
    Body(Shutdown { peers }): Body<Shutdown>,
) -> Result<Envelope<ShutDown>, ApiError> {
    // On a task of its own: a client that leaves half-way does not leave a fleet behind that is half ended.
    let ending = tokio::spawn(async move {
        let end = if peers { shared.fleet.end_all().await } else { EndOfAll::default() };
        let running = shared.fleet.list().iter().filter(|peer| peer.phase.is_live()).count();
        // A full queue means that somebody else has asked already.
        let _asked = shared.shutdown.try_send(ShutdownRequest { peers });
        let failed = end.failed.iter().map(|(who, why)| NotEnded { identity: who.clone(), error: why.into() });
        ShutDown { ended: end.ended, running, failed: failed.collect() }
    });
    let done = ending.await.map_err(|panic| FleetError::Internal(panic.to_string()))?;
    Ok(Envelope::new(done))
}
