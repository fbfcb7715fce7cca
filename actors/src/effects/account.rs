//! What one peer may do and has used, shared by all its sessions.

use super::{
    ledger::Ledger,
    policy::Policy,
    port::{EffectHost, Opened},
};
use crate::names::Personality;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// A policy in force, with what it grants opened.
pub(super) struct Authority {
    pub(super) policy: Arc<Policy>,
    pub(super) opened: Opened,
}

impl Authority {
    /// Opens what the policy grants. Blocks.
    pub(super) fn open(host: &dyn EffectHost, policy: Arc<Policy>) -> Arc<Self> {
        let opened = host.open(&policy);
        Arc::new(Self { policy, opened })
    }
}

/// A peer's policy as it is now, and its ledger.
pub(super) struct Account {
    pub(super) peer: Personality,
    pub(super) ledger: Ledger,
    /// Held for as long as it is cloned or replaced.
    authority: RwLock<Arc<Authority>>,
}

impl Account {
    pub(super) fn new(peer: Personality, ledger: Ledger, authority: Arc<Authority>) -> Self {
        Self { peer, ledger, authority: RwLock::new(authority) }
    }

    pub(super) fn authority(&self) -> Arc<Authority> {
        Arc::clone(&self.authority.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From the next call on this holds, in every session.
    pub(super) fn replace(&self, authority: Arc<Authority>) {
        *self.authority.write().unwrap_or_else(PoisonError::into_inner) = authority;
    }
}

/// What a nested session shrinks its parent's authority to. Made anew when the parent's changes.
pub(super) struct Narrowed {
    by: Arc<Policy>,
    /// Of which authority it was made last, and what came of it.
    made: Mutex<Option<(Arc<Authority>, Arc<Authority>)>>,
}

impl Narrowed {
    pub(super) fn new(by: Arc<Policy>) -> Self {
        Self { by, made: Mutex::default() }
    }

    /// The same for another session.
    pub(super) fn again(&self) -> Self {
        Self::new(Arc::clone(&self.by))
    }

    /// A further session inside of this one: it shrinks once more.
    pub(super) fn further(&self, by: &Policy) -> Self {
        Self::new(Arc::new(self.by.meet(by)))
    }

    /// What is left of `whole`. Opens roots where that changed, and so may block.
    pub(super) fn of(&self, whole: Arc<Authority>, host: &dyn EffectHost) -> Arc<Authority> {
        if let Some((of, left)) = &*self.made.lock().unwrap_or_else(PoisonError::into_inner)
            && Arc::ptr_eq(of, &whole)
        {
            return Arc::clone(left);
        }
        // Not under the lock: opening looks at a disk. Two that come at once make the same.
        let left = Authority::open(host, Arc::new(whole.policy.meet(&self.by)));
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some((whole, Arc::clone(&left)));
        left
    }
}
