//! One thing at a time is done to an identity, whoever asks: a start, an end, a search, the arming of a canary.

use coalmine_actors::names::Identity;
use dashmap::DashMap;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The turns of all identities. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Turns(Arc<DashMap<Identity, Arc<Mutex<()>>>>);

impl Turns {
    /// Waits for its turn, which lasts until the guard is dropped.
    pub async fn of(&self, identity: &Identity) -> OwnedMutexGuard<()> {
        let turn = Arc::clone(self.0.entry(identity.clone()).or_default().value());
        turn.lock_owned().await
    }
}
