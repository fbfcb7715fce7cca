//! Who is where: the shared snapshot of all peers, read without waiting for any mailbox.

use super::message::PeerMsg;
use crate::{names::Identity, view::PeerView};
use dashmap::DashMap;
use ractor::ActorRef;
use std::sync::Arc;
use tokio::sync::watch;

/// One peer's entry.
#[derive(Clone)]
pub struct Entry {
    /// The actor that answers for it now; another one after a restart.
    pub actor: ActorRef<PeerMsg>,
    /// What it looks like, published by the actor after every decision; outlives a restart of the actor.
    pub view: Arc<watch::Sender<PeerView>>,
}

/// All peers. Clones share it.
#[derive(Clone, Default)]
pub struct Directory(Arc<DashMap<Identity, Entry>>);

impl Directory {
    /// One peer.
    pub fn get(&self, identity: &Identity) -> Option<Entry> {
        self.0.get(identity).map(|entry| entry.value().clone())
    }

    /// Every peer's view, by identity.
    pub fn views(&self) -> Vec<PeerView> {
        let mut views: Vec<_> = self.0.iter().map(|entry| entry.value().view.borrow().clone()).collect();
        views.sort_by(|a, b| a.identity.cmp(&b.identity));
        views
    }

    /// Every identity, in order.
    pub fn identities(&self) -> Vec<Identity> {
        let mut all: Vec<_> = self.0.iter().map(|entry| entry.key().clone()).collect();
        all.sort();
        all
    }

    pub(super) fn insert(&self, identity: Identity, entry: Entry) {
        self.0.insert(identity, entry);
    }

    /// Forgets everybody: their actors are gone.
    pub(crate) fn clear(&self) {
        self.0.clear();
    }

    pub(super) fn remove(&self, identity: &Identity) -> Option<Entry> {
        self.0.remove(identity).map(|(_, entry)| entry)
    }
}
