//! What the memory's keeper starts: the one actor that writes.

use super::{actor::Store, handle::Shared, ledger::Durability};
use crate::{error::FleetError, keeper::Kept};
use ractor::{Actor, ActorCell, SpawnErr};
use std::sync::Arc;

/// The memory, kept alive.
pub(super) struct KeptStore {
    pub(super) durability: Durability,
    pub(super) shared: Arc<Shared>,
}

impl Kept for KeptStore {
    const NAME: &'static str = "memory";

    async fn spawn(&self, keeper: ActorCell) -> Result<(), SpawnErr> {
        let store = Store { durability: self.durability, shared: Arc::clone(&self.shared) };
        let (actor, _join) = Actor::spawn_linked(None, store, (), keeper).await?;
        self.shared.serve(actor);
        Ok(())
    }

    fn gave_up(&self) {
        self.shared.failed(FleetError::Internal("the memory's actor failed too often".into()));
    }
}
