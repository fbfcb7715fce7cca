//! What a peer's actor has set going in the world and that has not landed yet.
//!
//! An actor that dies leaves its actions under way: a server that is being started, a state that is being saved.
//! Its successor waits until they have landed before it reads the file and looks for lives; else it would read
//! the state before them, and give out their generation again. So every such action holds a share of its
//! identity's lock, and who must find nothing under way takes the whole of it for a moment.

use crate::names::Identity;
use dashmap::DashMap;
use std::{sync::Arc, time::Duration};
use tokio::sync::{OwnedRwLockReadGuard, RwLock};

/// Longest wait for actions to land; longer than every port's own deadlines, so that a hang is a fault of ours.
pub const LANDING_MAX: Duration = Duration::from_secs(30);

/// The actions under way of all peers. Clones share it; it outlives every actor but the root.
#[derive(Clone, Default)]
pub struct InFlight(Arc<DashMap<Identity, Flights>>);

/// Those of one peer.
#[derive(Clone, Default)]
pub(super) struct Flights(Arc<RwLock<()>>);

impl InFlight {
    pub(super) fn of(&self, identity: &Identity) -> Flights {
        self.0.entry(identity.clone()).or_default().clone()
    }

    /// A removed peer leaves nothing behind.
    pub(super) fn forget(&self, identity: &Identity) {
        self.0.remove(identity);
    }
}

impl Flights {
    /// Held by an action until it has landed. Nothing where somebody waits for the landing already: an actor
    /// whose successor is there sets nothing going any more.
    pub(super) fn depart(&self) -> Option<OwnedRwLockReadGuard<()>> {
        Arc::clone(&self.0).try_read_owned().ok()
    }

    /// Waits until nothing is under way.
    pub(super) async fn landed(&self) {
        if tokio::time::timeout(LANDING_MAX, self.0.write()).await.is_err() {
            tracing::error!("an action of a peer did not land in {LANDING_MAX:?}; going on without it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_successor_waits_for_what_is_under_way_and_nothing_more_departs() {
        let (flights, started) = (Flights::default(), tokio::time::Instant::now());
        let (first, second) = (flights.depart().unwrap(), flights.depart().unwrap());
        let waiting = tokio::spawn({
            let flights = flights.clone();
            async move { flights.landed().await }
        });
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(flights.depart().is_none());
        drop((first, second));
        waiting.await.unwrap();
        assert_eq!(started.elapsed(), Duration::from_secs(3));
        assert!(flights.depart().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_hang_does_not_keep_a_peer_away_for_good() {
        let flights = Flights::default();
        let _hangs = flights.depart().unwrap();
        let started = tokio::time::Instant::now();
        flights.landed().await;
        assert!(started.elapsed() >= LANDING_MAX);
    }
}
