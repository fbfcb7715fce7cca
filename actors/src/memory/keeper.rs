//! Restarts the memory's actor after a bug, within the budget that every actor has; past it the memory stays
//! unavailable, and the fleet goes on without.

use super::{actor::Store, handle::Shared, ledger::Durability};
use crate::{error::FleetError, exit, restart_budget::RestartBudget};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::{convert::Infallible, sync::Arc};
use tokio::time::Instant;

/// The supervisor of one [`Store`].
pub(super) struct Keeper {
    pub(super) durability: Durability,
    pub(super) shared: Arc<Shared>,
}

impl Actor for Keeper {
    type Msg = ();
    type State = RestartBudget;
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<()>, (): ()) -> Result<RestartBudget, ActorProcessingErr> {
        self.spawn(&myself).await?;
        Ok(RestartBudget::default())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<()>,
        event: SupervisionEvent,
        budget: &mut RestartBudget,
    ) -> Result<(), ActorProcessingErr> {
        let Some((_, exit)) = exit::classify::<Infallible>(event) else { return Ok(()) };
        tracing::error!(?exit, "the memory's actor failed");
        if budget.allows(Instant::now()) {
            return self.spawn(&myself).await;
        }
        self.shared.failed(FleetError::Internal("the memory's actor failed too often".into()));
        Ok(())
    }
}

impl Keeper {
    async fn spawn(&self, myself: &ActorRef<()>) -> Result<(), ActorProcessingErr> {
        let store = Store { durability: self.durability, shared: Arc::clone(&self.shared) };
        let (actor, _join) = Actor::spawn_linked(None, store, (), myself.get_cell()).await?;
        self.shared.serve(actor);
        Ok(())
    }
}
