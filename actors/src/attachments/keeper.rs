//! What the attachments' keeper starts: the one actor that writes their manifest.

use super::{actor::Clerk, handle::Shared};
use crate::keeper::Kept;
use ractor::{Actor, ActorCell, SpawnErr};
use std::sync::Arc;

/// The attachments' clerk, kept alive.
pub(super) struct KeptClerk(pub(super) Arc<Shared>);

impl Kept for KeptClerk {
    const NAME: &'static str = "attachments";

    async fn spawn(&self, keeper: ActorCell) -> Result<(), SpawnErr> {
        let clerk = Clerk { shared: Arc::clone(&self.0) };
        let (actor, _join) = Actor::spawn_linked(None, clerk, (), keeper).await?;
        self.0.serve(actor);
        Ok(())
    }

    /// Nothing can be put or released any more, and whoever tries is told that the actor has failed.
    fn gave_up(&self) {}
}
