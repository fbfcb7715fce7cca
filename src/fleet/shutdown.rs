//! The end of a fleet with all its peers: first nothing more is begun, then everything is ended that lives, again
//! and again until nothing does or nothing more can be ended.

use super::{
    handle::{CONDUCT_DEADLINE, FleetHandle},
    wait::rests,
};
use coalmine_actors::{error::FleetError, names::Identity};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::{
    sync::{RwLock, RwLockReadGuard},
    task::JoinSet,
};

/// How long a peer may take until it knows which of its lives live.
const KNOW_TIME_MAX: Duration = Duration::from_secs(5);

/// Whether anything may still be begun. Held for reading while a peer is asked to begin something, so that whoever
/// closes it finds, in the views, all that was begun before.
/// Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate(Arc<RwLock<Closed>>);

#[derive(Debug, Default, PartialEq, Eq)]
struct Closed(bool);

/// What was ended, and what could not be.
#[derive(Debug, Clone, Default)]
pub struct EndOfAll {
    /// Peers that were ended.
    pub ended: usize,
    /// Those that could not be, each with the reason.
    pub failed: Vec<(Identity, FleetError)>,
}

/// Something may be begun as long as this is held.
pub(super) struct Open<'f>(#[expect(dead_code, reason = "held, not read")] RwLockReadGuard<'f, Closed>);

impl Gate {
    /// Lets something be begun, unless the fleet is ending with its peers.
    pub(super) async fn open(&self) -> Result<Open<'_>, FleetError> {
        let gate = self.0.read().await;
        if gate.0 { Err(FleetError::ShuttingDown) } else { Ok(Open(gate)) }
    }
}

impl FleetHandle {
    /// Lets something be begun, unless the fleet is ending with its peers.
    pub(super) async fn open(&self) -> Result<Open<'_>, FleetError> {
        self.inner().gate.open().await
    }

    /// Ends every peer and begins none from now on: `create`, `start` and `wake` are refused. The tree lives on until
    /// it is shut down.
    pub async fn end_all(&self) -> EndOfAll {
        self.inner().gate.0.write().await.0 = true;
        // One that has not read its file yet looks as if it rested.
        self.know(KNOW_TIME_MAX).await;
        let mut ended = BTreeSet::new();
        loop {
            let mut failed = Vec::new();
            let mut progress = false;
            for (identity, end) in self.end_round().await {
                match end {
                    Ok(()) => progress |= ended.insert(identity),
                    Err(error) => failed.push((identity, error)),
                }
            }
            // Once more also after success: an actor that failed meanwhile may have found a life again.
            if !progress {
                return EndOfAll { ended: ended.len(), failed };
            }
        }
    }

    /// Ends all that lives or would come back by itself, all at once.
    async fn end_round(&self) -> Vec<(Identity, Result<(), FleetError>)> {
        let mut ends = JoinSet::new();
        for view in self.list().into_iter().filter(|view| !rests(view)) {
            let this = self.clone();
            ends.spawn(async move {
                let one = std::slice::from_ref(&view.identity);
                let end = this.bring_down(one, "stop", CONDUCT_DEADLINE).await.map(drop);
                (view.identity, end)
            });
        }
        ends.join_all().await
    }

    /// Ends the peers too, and then the tree; returns how many were ended.
    ///
    /// # Errors
    /// The fleet has ended, and some peers could not be: the first one's reason.
    pub async fn shutdown_all(self) -> Result<usize, FleetError> {
        let EndOfAll { ended, failed } = self.end_all().await;
        self.shutdown().await;
        failed.into_iter().next().map_or(Ok(ended), |(_, why)| Err(why))
    }
}
