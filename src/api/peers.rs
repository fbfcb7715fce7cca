//! `/v1/peers`: what can be asked of peers.

use super::{
    Shared,
    extract::{Body, Name, Params, Wait},
    wire::{ApiError, Envelope, Ready, Screen},
};
use crate::{explain::Explanation, fleet::plan::Plan};
use axum::extract::State;
use coalmine_actors::{
    error::FleetError,
    fleet::request::{CreatePeer, Created, Removed, Stopped},
    names::Identity,
    view::PeerView,
};
use serde::Deserialize;

type Answer<T> = Result<Envelope<T>, ApiError>;

fn answer<T, E: Into<ApiError>>(result: Result<T, E>) -> Answer<T> {
    result.map(Envelope::new).map_err(Into::into)
}

/// `GET /v1/peers`
pub(super) async fn list(State(shared): State<Shared>) -> Envelope<Vec<PeerView>> {
    Envelope::new(shared.fleet.list())
}

/// `POST /v1/peers?wait_ms=`; the wait is for the start, where one is asked for.
pub(super) async fn create(
    State(shared): State<Shared>,
    Params(wait): Params<Wait>,
    Body(peer): Body<CreatePeer>,
) -> Answer<Created> {
    answer(shared.fleet.create_within(peer, wait.time()).await)
}

/// `POST /v1/plan`: what making all of these would change.
pub(super) async fn plan(State(shared): State<Shared>, Body(declared): Body<Vec<CreatePeer>>) -> Answer<Plan> {
    // Folders and programs are looked at: off the threads that serve.
    let planned = tokio::task::spawn_blocking(move || shared.fleet.plan(declared)).await;
    answer(planned.map_err(|panic| FleetError::Internal(panic.to_string())))
}

/// `GET /v1/peers/{name}`
pub(super) async fn show(State(shared): State<Shared>, Name(name): Name) -> Answer<Vec<PeerView>> {
    answer(shared.fleet.show(&name))
}

/// `GET /v1/peers/{name}/explain`
pub(super) async fn explain(State(shared): State<Shared>, Name(name): Name) -> Answer<Vec<Explanation>> {
    answer(shared.fleet.explain(&name).await)
}

/// `POST /v1/peers/{name}/start?wait_ms=`
pub(super) async fn start(
    State(shared): State<Shared>,
    Name(name): Name,
    Params(wait): Params<Wait>,
) -> Answer<PeerView> {
    answer(shared.fleet.start(&name, wait.time()).await)
}

/// `POST /v1/peers/{name}/stop?wait_ms=`
pub(super) async fn stop(
    State(shared): State<Shared>,
    Name(name): Name,
    Params(wait): Params<Wait>,
) -> Answer<Vec<Stopped>> {
    answer(shared.fleet.stop(&name, wait.time()).await)
}

/// `POST /v1/peers/{name}/restart?wait_ms=`
pub(super) async fn restart(
    State(shared): State<Shared>,
    Name(name): Name,
    Params(wait): Params<Wait>,
) -> Answer<PeerView> {
    answer(shared.fleet.restart(&name, wait.time()).await)
}

/// `POST /v1/peers/{name}/refresh?wait_ms=`
pub(super) async fn refresh(
    State(shared): State<Shared>,
    Name(name): Name,
    Params(wait): Params<Wait>,
) -> Answer<PeerView> {
    answer(shared.fleet.refresh(&name, wait.time()).await)
}

/// `POST /v1/peers/{name}/reset`
pub(super) async fn reset(State(shared): State<Shared>, Name(name): Name) -> Answer<Vec<PeerView>> {
    answer(shared.fleet.reset(&name).await)
}

/// `?force=`
#[derive(Deserialize)]
pub(super) struct Force {
    #[serde(default)]
    force: bool,
}

/// `DELETE /v1/peers/{name}?force=`
pub(super) async fn remove(
    State(shared): State<Shared>,
    Name(name): Name,
    Params(Force { force }): Params<Force>,
) -> Answer<Removed> {
    answer(shared.fleet.remove(&name, force).await)
}

/// `GET /v1/peers/{name}/capture`
pub(super) async fn capture(State(shared): State<Shared>, Name(name): Name) -> Answer<Screen> {
    answer(shared.fleet.capture(&name).await.map(|text| Screen { text }))
}

/// `POST /v1/peers/{identity}/ready`
pub(super) async fn ready(State(shared): State<Shared>, Name(identity): Name, Body(body): Body<Ready>) -> Answer<()> {
    let identity: Identity = identity.parse().map_err(FleetError::from)?;
    answer(shared.fleet.ready(&identity, body.generation).await)
}
