//! What the mailroom's keeper starts: the one actor that writes its store and sends couriers.

use super::{actor::Mailroom, shared::Shared};
use crate::{journal::Draft, keeper::Kept, outage::Outage};
use ractor::{Actor, ActorCell, SpawnErr};
use std::sync::Arc;

/// The mailroom, kept alive.
pub(super) struct KeptMailroom(pub(super) Arc<Shared>);

impl Kept for KeptMailroom {
    const NAME: &'static str = "mailroom";

    async fn spawn(&self, keeper: ActorCell) -> Result<(), SpawnErr> {
        let mailroom = Mailroom { shared: Arc::clone(&self.0) };
        let (actor, _join) = Actor::spawn_linked(None, mailroom, (), keeper).await?;
        self.0.serve(actor);
        Ok(())
    }

    /// Nothing is accepted and nothing delivered any more; what was accepted is on disk, and the next daemon has it.
    fn gave_up(&self) {
        self.0.census.serves(Some(Outage { why: "its actor failed too often".into(), retry_at: None }));
        self.0.note(Draft::new("mailroom-down").with("why", "its actor failed too often"));
    }
}
