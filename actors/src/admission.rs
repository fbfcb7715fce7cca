//! Bounds an actor's mailbox, which ractor does not: a request carries a permit that its handler drops.

use ractor::{ActorRef, Message};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A request, and the right to be in the mailbox.
#[derive(Debug)]
pub struct Admitted<T> {
    /// What was asked.
    pub request: T,
    /// Given back when the handler drops it, so the capacity counts what is queued *and* what is in work.
    _permit: OwnedSemaphorePermit,
}

/// Why a request did not enter.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    /// The mailbox is full.
    #[error("busy: {capacity} requests are in flight")]
    Busy {
        /// How many may be in flight at once.
        capacity: usize,
    },
    /// The actor has ended.
    #[error("the actor has ended")]
    Gone,
}

/// A sender that refuses instead of waiting, so that one stuck actor can not stall its callers.
pub struct Gate<M> {
    actor: ActorRef<M>,
    permits: Arc<Semaphore>,
    capacity: usize,
}

impl<M> Clone for Gate<M> {
    fn clone(&self) -> Self {
        Self { actor: self.actor.clone(), permits: Arc::clone(&self.permits), capacity: self.capacity }
    }
}

impl<M: Message> Gate<M> {
    /// A gate before `actor` with room for `capacity` requests.
    pub fn new(actor: ActorRef<M>, capacity: usize) -> Self {
        Self { actor, permits: Arc::new(Semaphore::new(capacity)), capacity }
    }

    /// Requests that are queued or in work now.
    pub fn in_flight(&self) -> usize {
        self.capacity - self.permits.available_permits()
    }

    /// Hands `request` in, or refuses at once.
    ///
    /// # Errors
    /// [`Refused::Busy`] when the mailbox is full, [`Refused::Gone`] when the actor has ended.
    pub fn offer<T>(&self, request: T, wrap: impl FnOnce(Admitted<T>) -> M) -> Result<(), Refused> {
        let permit =
            Arc::clone(&self.permits).try_acquire_owned().map_err(|_full| Refused::Busy { capacity: self.capacity })?;
        self.actor.cast(wrap(Admitted { request, _permit: permit })).map_err(|_ended| Refused::Gone)
    }
}
