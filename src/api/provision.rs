//! `/v1/memory-plugin`: sweeps the memory provider over peers; a sweep is begun, followed and called off.

use super::{
    Shared, closed,
    extract::{Body, Name, Params, Wait},
    wire::{ApiError, Envelope, SweepWanted},
};
use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use coalmine_actors::{error::FleetError, provisioner::view::SweepView};
use serde::Deserialize;

type Answer = Result<Envelope<SweepView>, ApiError>;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/v1/memory-plugin", post(begin)).route("/v1/memory-plugin/{id}", get(follow).delete(cancel))
}

/// `POST /v1/memory-plugin`: answers at once, with the id to follow.
async fn begin(State(shared): State<Shared>, Body(wanted): Body<SweepWanted>) -> Answer {
    let peer = match (wanted.peer, wanted.all) {
        (Some(peer), false) => Some(peer),
        (None, true) => None,
        _ => {
            let what = "either one peer or all of them are swept".into();
            return Err(FleetError::Usage { what, hint: "give either --peer NAME or --all".into() }.into());
        }
    };
    Ok(Envelope::new(shared.fleet.sweep_memory(wanted.direction, peer.as_deref()).await?))
}

/// `?known=`
#[derive(Deserialize)]
struct Known {
    #[serde(default)]
    known: usize,
}

/// `GET /v1/memory-plugin/{id}?known=&wait_ms=`: answers when there is more than the caller knows.
async fn follow(
    State(shared): State<Shared>,
    Name(id): Name,
    Params(Known { known }): Params<Known>,
    Params(wait): Params<Wait>,
) -> Answer {
    tokio::select! {
        view = shared.fleet.provisioning().follow(id_of(&id)?, known, wait.time()) => Ok(Envelope::new(view?)),
        () = closed(shared.closing) => Err(FleetError::ShuttingDown.into()),
    }
}

/// `DELETE /v1/memory-plugin/{id}`: what runs is being ended; who follows hears of its end.
async fn cancel(State(shared): State<Shared>, Name(id): Name) -> Result<Envelope<()>, ApiError> {
    shared.fleet.provisioning().cancel(id_of(&id)?)?;
    Ok(Envelope::new(()))
}

/// The `{id}` of a path.
fn id_of(text: &str) -> Result<u64, FleetError> {
    let what = || format!("{:?} is no sweep's id", text.chars().take(64).collect::<String>());
    text.parse().map_err(|_| FleetError::Usage { what: what(), hint: "give the number that its begin answered".into() })
}
