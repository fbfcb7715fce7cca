//! Restarts the attachments' actor after a bug, within the budget that every actor has; past it nothing can be put or
//! released, and the fleet goes on.

use super::{actor::Clerk, handle::Shared};
use crate::{exit, restart_budget::RestartBudget};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::{convert::Infallible, sync::Arc};
use tokio::time::Instant;

/// The supervisor of one [`Clerk`].
pub(super) struct Keeper {
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
        tracing::error!(?exit, "the attachments' actor failed");
        if budget.allows(Instant::now()) { self.spawn(&myself).await } else { Ok(()) }
    }
}

impl Keeper {
    async fn spawn(&self, myself: &ActorRef<()>) -> Result<(), ActorProcessingErr> {
        let clerk = Clerk { shared: Arc::clone(&self.shared) };
        let (actor, _join) = Actor::spawn_linked(None, clerk, (), myself.get_cell()).await?;
        self.shared.serve(actor);
        Ok(())
    }
}
