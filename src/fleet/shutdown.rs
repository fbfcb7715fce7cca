//! The end of a fleet with all its peers.

use super::handle::{CONDUCT_DEADLINE, FleetHandle};
use coalmine_actors::error::FleetError;

impl FleetHandle {
    /// Ends the peers too; returns how many were ended.
    ///
    /// # Errors
    /// The first peer that could not be ended; the others were asked all the same, and the tree has ended.
    pub async fn shutdown_all(self) -> Result<usize, FleetError> {
        let live: Vec<_> = self.list().into_iter().filter(|view| view.phase.is_live()).collect();
        let ends = live.iter().map(|view| {
            let (this, identity) = (self.clone(), view.identity.clone());
            tokio::spawn(async move { this.bring_down(&[identity], "stop", CONDUCT_DEADLINE).await.map(|_| ()) })
        });
        let ends: Vec<_> = ends.collect();
        let mut failed = Ok(live.len());
        for end in ends {
            let end = end.await.unwrap_or_else(|join| Err(FleetError::Internal(join.to_string())));
            if let (Ok(_), Err(error)) = (&failed, end) {
                failed = Err(error);
            }
        }
        self.shutdown().await;
        failed
    }
}
