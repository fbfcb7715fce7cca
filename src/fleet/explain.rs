//! Why a peer is as it is: its view and its last record, joined.

use super::handle::FleetHandle;
use crate::{
    deaths,
    explain::{Explanation, explain},
    io::servers::TmuxServers,
};
use coalmine_actors::{error::FleetError, peer::limits::Limits};
use jiff::Timestamp;

impl FleetHandle {
    /// Explains the identities that NAME means: one for an identity, all of a personality.
    ///
    /// # Errors
    /// Unknown name, with the nearest ones; the records can not be read.
    pub async fn explain(&self, name: &str) -> Result<Vec<Explanation>, FleetError> {
        let peers = self.show(name)?;
        let journal = self.paths().journal();
        let servers = self.inner().servers.clone();
        // Files are read: off the threads that serve.
        let explained = tokio::task::spawn_blocking(move || {
            let explained = peers.into_iter().map(|peer| {
                let last = deaths::last(&journal, &peer.identity)?;
                let limits = told(&servers, &peer.limits);
                let mut explained = explain(peer, last, Timestamp::now());
                explained.besides.extend(limits);
                Ok(explained)
            });
            explained.collect()
        });
        explained.await.map_err(|panic| FleetError::Internal(panic.to_string()))?
    }
}

/// By what a peer is limited here: one sentence; nothing where it is not.
fn told(servers: &TmuxServers, limits: &Limits) -> Option<String> {
    match servers.limited_by(limits) {
        Ok(mechanism) => mechanism.map(|mechanism| format!("it is limited to {limits} by {mechanism}")),
        Err(error) => Some(format!("it can not be started with its limits ({limits}): {error}; {}", error.hint())),
    }
}
