//! What an embedder, the API and the tests hold of a fleet.
use coalmine_actors::{
    error::FleetError,
    fleet::request::{CreatePeer, Created, Removed, Stopped},
    names::{Generation, Identity},
    view::{Event, FleetStatus, PeerView, Streamed},
};
use std::{path::Path, time::Duration};
use tokio_stream::Stream;

/// A running fleet. Clones share it; dropping the last one leaves the peers alone.
#[derive(Clone)]
pub struct FleetHandle {}

impl FleetHandle {
    /// The state root.
    pub fn root(&self) -> &Path {
        unimplemented!()
    }
    /// Makes a peer, or adds a runtime to one. With `start` set, returns once it is up, needs attention, or failed.
    ///
    /// # Errors
    /// Bad input; a store that can not serve.
    pub async fn create(&self, _peer: CreatePeer) -> Result<Created, FleetError> {
        unimplemented!()
    }
    /// Starts NAME (a personality's default runtime, or an identity) and waits until it is up or needs attention.
    ///
    /// # Errors
    /// Unknown, quarantined, blocked, failed, or not up within `wait`.
    pub async fn start(&self, _name: &str, _wait: Duration) -> Result<PeerView, FleetError> {
        unimplemented!()
    }
    /// Ends every identity that NAME means, and waits for it.
    ///
    /// # Errors
    /// Unknown name, or not ended within `wait`.
    pub async fn stop(&self, _name: &str, _wait: Duration) -> Result<Vec<Stopped>, FleetError> {
        unimplemented!()
    }
    /// Ends NAME and starts its next life.
    ///
    /// # Errors
    /// As `start`.
    pub async fn restart(&self, _name: &str, _wait: Duration) -> Result<PeerView, FleetError> {
        unimplemented!()
    }
    /// Forgives the deaths of NAME: a quarantined peer becomes stopped.
    ///
    /// # Errors
    /// Unknown name.
    pub async fn reset(&self, _name: &str) -> Result<Vec<PeerView>, FleetError> {
        unimplemented!()
    }
    /// Removes a peer with everything but its folder.
    ///
    /// # Errors
    /// It lives and `force` is not set.
    pub async fn remove(&self, _name: &str, _force: bool) -> Result<Removed, FleetError> {
        unimplemented!()
    }
    /// All peers, by identity; from the shared snapshot.
    pub fn list(&self) -> Vec<PeerView> {
        unimplemented!()
    }
    /// The identities that NAME means: one for an identity, all of a personality.
    ///
    /// # Errors
    /// Unknown name, with the nearest ones.
    pub fn show(&self, _name: &str) -> Result<Vec<PeerView>, FleetError> {
        unimplemented!()
    }
    /// The fleet as a whole.
    pub fn status(&self) -> FleetStatus {
        unimplemented!()
    }
    /// The text on a peer's screen, made harmless.
    ///
    /// # Errors
    /// Unknown, not live, or its server is silent.
    pub async fn capture(&self, _name: &str) -> Result<String, FleetError> {
        unimplemented!()
    }
    /// What a peer's own process says when it is ready (`coalmine ready`).
    ///
    /// # Errors
    /// Unknown identity.
    pub async fn ready(&self, _identity: &Identity, _generation: Generation) -> Result<(), FleetError> {
        unimplemented!()
    }
    /// Everything that happens from now on; slow readers get [`Streamed::Lagged`].
    pub fn events(&self) -> impl Stream<Item = Streamed> + Send + Unpin + use<> {
        tokio_stream::empty()
    }
    /// Events after `seq` that are still in the journal, oldest first, at most `limit`.
    ///
    /// # Errors
    /// The journal can not be read.
    pub async fn events_after(&self, _seq: u64, _limit: usize) -> Result<Vec<Event>, FleetError> {
        unimplemented!()
    }
    /// Ends the tree and leaves the peers running; returns how many still run.
    pub async fn shutdown(self) -> usize {
        unimplemented!()
    }
    /// Ends the peers too.
    pub async fn shutdown_all(self) -> Result<usize, FleetError> {
        unimplemented!()
    }
}
