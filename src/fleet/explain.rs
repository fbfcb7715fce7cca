//! Why a peer is as it is: its view and its last record, joined.

use super::handle::FleetHandle;
use crate::{
    deaths,
    explain::{Explanation, explain},
};
use coalmine_actors::error::FleetError;
use jiff::Timestamp;

impl FleetHandle {
    /// Explains the identities that NAME means: one for an identity, all of a personality.
    ///
    /// # Errors
    /// Unknown name, with the nearest ones; the records can not be read.
    pub async fn explain(&self, name: &str) -> Result<Vec<Explanation>, FleetError> {
        let peers = self.show(name)?;
        let (journal, limit) = (self.paths().journal(), self.inner().rules.borrow().limit);
        // Files are read: off the threads that serve.
        let explained = tokio::task::spawn_blocking(move || {
            let explained = peers.into_iter().map(|peer| {
                let last = deaths::last(&journal, &peer.identity)?;
                Ok(explain(peer, last, limit, Timestamp::now()))
            });
            explained.collect()
        });
        explained.await.map_err(|panic| FleetError::Internal(panic.to_string()))?
    }
}
