//! What the provisioner's keeper starts.

use super::{actor::Provisioner, handle::Shared};
use crate::{journal::Draft, keeper::Kept};
use ractor::{Actor, ActorCell, SpawnErr};
use std::sync::Arc;

/// The provisioner, kept alive.
pub(super) struct KeptProvisioner(pub(super) Arc<Shared>);

impl Kept for KeptProvisioner {
    const NAME: &'static str = "provisioner";

    async fn spawn(&self, keeper: ActorCell) -> Result<(), SpawnErr> {
        let provisioner = Provisioner { shared: Arc::clone(&self.0) };
        let (actor, _join) = Actor::spawn_linked(None, provisioner, (), keeper).await?;
        self.0.serve(Some(actor));
        Ok(())
    }

    /// Peers are born and removed as before; each of them is told that its memory was not seen to.
    fn gave_up(&self) {
        self.0.serve(None);
        self.0.board.abandon();
        self.0.note(Draft::new("provisioner-down").with("why", "its actor failed too often"));
    }
}
