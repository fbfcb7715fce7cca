//! One thing at a time, whoever asks: a start or an end of an identity, the birth of a peer of some name.

use dashmap::DashMap;
use std::{hash::Hash, sync::Arc};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The turns of all who have some. Clones share them.
#[derive(Debug)]
pub struct Turns<Of: Eq + Hash>(Arc<DashMap<Of, Arc<Mutex<()>>>>);

impl<Of: Eq + Hash> Clone for Turns<Of> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Of: Eq + Hash> Default for Turns<Of> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<Of: Eq + Hash + Clone> Turns<Of> {
    /// Waits for its turn, which lasts until the guard is dropped.
    pub async fn of(&self, whom: &Of) -> OwnedMutexGuard<()> {
        let turn = Arc::clone(self.0.entry(whom.clone()).or_default().value());
        turn.lock_owned().await
    }
}
