//! What the broker's keeper starts.

use super::{actor::Broker, handle::Shared};
use crate::{journal::Draft, keeper::Kept};
use ractor::{Actor, ActorCell, SpawnErr};
use std::sync::Arc;

/// The broker, kept alive.
pub(super) struct KeptBroker(pub(super) Arc<Shared>);

impl Kept for KeptBroker {
    const NAME: &'static str = "effects";

    async fn spawn(&self, keeper: ActorCell) -> Result<(), SpawnErr> {
        let broker = Broker { shared: Arc::clone(&self.0) };
        let (actor, _join) = Actor::spawn_linked(None, broker, (), keeper).await?;
        self.0.serve(actor);
        Ok(())
    }

    /// No session opens any more; those that are open go on by the policy that they have.
    fn gave_up(&self) {
        self.0.note(Draft::new("effects-down").with("why", "their actor failed too often"));
    }
}
