//! `/v1/status` and `/v1/shutdown`: the fleet as a whole.

use super::{
    Shared, ShutdownRequest,
    extract::Body,
    wire::{ApiError, Envelope, ShutDown, Shutdown},
};
use axum::extract::State;
use coalmine_actors::view::FleetStatus;

/// `GET /v1/status`
pub(super) async fn show(State(shared): State<Shared>) -> Envelope<FleetStatus> {
    Envelope::new(shared.fleet.status())
}

/// `POST /v1/shutdown`: the peers are ended before the answer, the daemon after it.
pub(super) async fn shutdown(
    State(shared): State<Shared>,
    Body(Shutdown { peers }): Body<Shutdown>,
) -> Result<Envelope<ShutDown>, ApiError> {
    let done = if peers {
        ShutDown { ended: shared.fleet.clone().shutdown_all().await?, running: 0 }
    } else {
        let running = shared.fleet.list().iter().filter(|peer| peer.phase.is_live()).count();
        ShutDown { ended: 0, running }
    };
    // A full queue means that somebody else has asked already.
    let _asked = shared.shutdown.try_send(ShutdownRequest { peers });
    Ok(Envelope::new(done))
}
