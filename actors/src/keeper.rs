//! Restarts one actor after a bug, within the budget that every actor has. Past it the actor stays down, and the fleet
//! goes on without.

use crate::{exit, restart_budget::RestartBudget};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use std::{convert::Infallible, future::Future};
use tokio::time::Instant;

/// An actor without which there is still a fleet.
pub(crate) trait Kept: Send + Sync + 'static {
    /// Its name in notes: `memory`.
    const NAME: &'static str;
    /// Starts it, linked to its keeper, and leads everybody's handles to it.
    fn spawn(&self, keeper: ActorCell) -> impl Future<Output = Result<(), SpawnErr>> + Send;
    /// It failed too often and stays down.
    fn gave_up(&self);
}

/// The supervisor of one actor.
pub(crate) struct Keeper<K>(pub(crate) K);

impl<K: Kept> Actor for Keeper<K> {
    type Msg = ();
    type State = RestartBudget;
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<()>, (): ()) -> Result<RestartBudget, ActorProcessingErr> {
        self.0.spawn(myself.get_cell()).await?;
        Ok(RestartBudget::default())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<()>,
        event: SupervisionEvent,
        budget: &mut RestartBudget,
    ) -> Result<(), ActorProcessingErr> {
        let Some((_, exit)) = exit::classify::<Infallible>(event) else { return Ok(()) };
        tracing::error!(actor = K::NAME, ?exit, "an actor failed");
        if budget.allows(Instant::now()) {
            self.0.spawn(myself.get_cell()).await?;
        } else {
            self.0.gave_up();
        }
        Ok(())
    }
}
