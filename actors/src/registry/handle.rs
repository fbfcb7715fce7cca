//! What everybody else holds of the registry: reads from a snapshot, changes with a deadline.

use super::{
    actor::Registry,
    changes::Changes,
    document::{Document, PeerSpec},
    message::{Changed, RegistryMsg},
    mutation::Mutation,
};
use crate::{
    admission::{Gate, Refused},
    error::FleetError,
    names::{Generation, Identity, Personality},
    outage::Outage,
    ports::RegistryFile,
};
use ractor::{Actor, ActorCell, SpawnErr};
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// Changes that may be in the mailbox and in work at once.
pub const CHANGES_IN_FLIGHT_MAX: usize = 256;
/// How long a change may take; a slow disk's fsync takes seconds.
pub const CHANGE_DEADLINE: Duration = Duration::from_secs(15);

/// What `reserve` did.
#[derive(Debug, Clone, PartialEq)]
pub struct Reserved {
    /// What this reservation changed; another one at the same time may have changed more.
    pub changes: Changes,
    /// The peer as it stands now.
    pub spec: PeerSpec,
}

/// The way to the registry. Clones share it, and it outlives the actor: a restarted one takes its place.
#[derive(Clone)]
pub struct RegistryHandle {
    shared: Arc<Shared>,
}

/// What handles and the actor share.
pub(super) struct Shared {
    /// The actor that serves now; nothing before the first one.
    gate: RwLock<Option<Gate<RegistryMsg>>>,
    served: watch::Sender<Snapshot>,
}

/// What readers see.
#[derive(Default)]
struct Snapshot {
    /// The last document that was durable; empty before the first.
    document: Arc<Document>,
    /// How the last reading of the file went; nothing while the first one is under way.
    reading: Option<Result<(), (FleetError, Instant)>>,
}

/// What the actor has to offer.
pub(super) enum Served {
    /// This document is durable and in force.
    Document(Arc<Document>),
    /// The file can not be read.
    Nothing {
        /// Why.
        why: FleetError,
        /// When it is read again.
        retry_at: Instant,
    },
}

impl Shared {
    pub(super) fn publish(&self, served: Served) {
        self.served.send_modify(|snapshot| match served {
            Served::Document(document) => *snapshot = Snapshot { document, reading: Some(Ok(())) },
            Served::Nothing { why, retry_at } => snapshot.reading = Some(Err((why, retry_at))),
        });
    }
}

impl RegistryHandle {
    /// A handle without a registry; [`RegistryHandle::spawn`] gives it one.
    #[allow(clippy::new_without_default, reason = "a handle that leads nowhere is no useful default")]
    pub fn new() -> Self {
        let shared = Shared { gate: RwLock::new(None), served: watch::Sender::new(Snapshot::default()) };
        Self { shared: Arc::new(shared) }
    }

    /// Starts the actor, linked to `supervisor`, and leads this handle and all its clones to it. Called again
    /// by the supervisor after the actor has failed.
    ///
    /// # Errors
    /// When the supervisor is stopping.
    pub async fn spawn(&self, file: Arc<dyn RegistryFile>, supervisor: ActorCell) -> Result<ActorCell, SpawnErr> {
        let registry = Registry { file, shared: Arc::clone(&self.shared) };
        let (actor, _join) = Actor::spawn_linked(None, registry, (), supervisor).await?;
        let cell = actor.get_cell();
        let gate = Gate::new(actor, CHANGES_IN_FLIGHT_MAX);
        *self.shared.gate.write().unwrap_or_else(PoisonError::into_inner) = Some(gate);
        Ok(cell)
    }

    /// Waits until the file has been read for the first time, well or not.
    ///
    /// # Errors
    /// Why it could not be read; the actor goes on trying. [`FleetError::TimedOut`] after [`CHANGE_DEADLINE`].
    pub async fn ready(&self) -> Result<Arc<Document>, FleetError> {
        let mut served = self.shared.served.subscribe();
        let read = tokio::time::timeout(CHANGE_DEADLINE, served.wait_for(|snapshot| snapshot.reading.is_some()));
        let snapshot = read.await.map_err(|_| timed_out())?.map_err(|_| FleetError::ShuttingDown)?;
        match &snapshot.reading {
            Some(Err((why, _))) => Err(why.clone()),
            _ => Ok(Arc::clone(&snapshot.document)),
        }
    }

    /// The registry as it is on disk; does not wait for the actor. Empty before the first reading.
    pub fn snapshot(&self) -> Arc<Document> {
        Arc::clone(&self.shared.served.borrow().document)
    }

    /// Whether the snapshot is what the file says: before the first reading, and after a failed one, an absence in it
    /// proves nothing.
    pub fn is_read(&self) -> bool {
        matches!(self.shared.served.borrow().reading, Some(Ok(())))
    }

    /// Why the file can not be read, while it can not, and when it is read again.
    pub fn unavailable(&self) -> Option<Outage> {
        match &self.shared.served.borrow().reading {
            Some(Err((why, retry_at))) => Some(Outage { why: why.chain(), retry_at: Some(*retry_at) }),
            _ => None,
        }
    }

    /// Changes that are in the mailbox or in work now.
    pub fn changes_in_flight(&self) -> usize {
        self.shared.gate.read().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, Gate::in_flight)
    }

    /// What somebody should look at: bad records, a backup that had to stand in.
    pub fn problems(&self) -> Vec<String> {
        self.snapshot().problems()
    }

    /// Takes the name for a new peer (hidden until [`RegistryHandle::announce`]), or merges into the one that has
    /// it. Durable on return.
    ///
    /// # Errors
    /// The name is taken, the peer can not be stored, or the store can not serve.
    pub async fn reserve(&self, wanted: PeerSpec) -> Result<Reserved, FleetError> {
        let name = wanted.personality.clone();
        let (document, changes) = self.change(Mutation::Reserve(Box::new(wanted))).await?;
        let gone = || FleetError::UnknownPeer { name: name.to_string(), nearest: Vec::new() };
        let spec = document.peer(&name).ok_or_else(gone)?.clone();
        Ok(Reserved { changes, spec })
    }

    /// A newborn is whole now and shown.
    ///
    /// # Errors
    /// No such peer, it is being removed, or the store can not serve.
    pub async fn announce(&self, name: &Personality) -> Result<(), FleetError> {
        self.change(Mutation::Announce(name.clone())).await.map(drop)
    }

    /// Its removal has begun: should the daemon die now, the next one finishes it.
    ///
    /// # Errors
    /// No such peer, or the store can not serve.
    pub async fn leaving(&self, name: &Personality) -> Result<(), FleetError> {
        self.change(Mutation::Leaving(name.clone())).await.map(drop)
    }

    /// Notes generations that were given out, before anything that could say so is purged.
    ///
    /// # Errors
    /// The store can not serve.
    pub async fn retire(&self, retired: Vec<(Identity, Generation)>) -> Result<(), FleetError> {
        self.change(Mutation::Retire(retired)).await.map(drop)
    }

    /// Drops a peer's entry and keeps the last generations of its identities, so that a namesake starts after them.
    ///
    /// # Errors
    /// The store can not serve. A peer that is not there is no error.
    pub async fn forget(&self, name: &Personality, retired: Vec<(Identity, Generation)>) -> Result<(), FleetError> {
        self.change(Mutation::Forget(name.clone(), retired)).await.map(drop)
    }

    async fn change(&self, mutation: Mutation) -> Changed {
        let gate = self.shared.gate.read().unwrap_or_else(PoisonError::into_inner).clone();
        let (reply, answer) = ractor::concurrency::oneshot();
        gate.ok_or(FleetError::ShuttingDown)?
            .offer(mutation, |admitted| RegistryMsg::Change(admitted, reply.into()))
            .map_err(|refused| match refused {
            Refused::Busy { .. } => FleetError::Busy { what: "the registry".into() },
            Refused::Gone => FleetError::ShuttingDown,
        })?;
        let answered = tokio::time::timeout(CHANGE_DEADLINE, answer).await.map_err(|_| timed_out())?;
        answered.map_err(|_the_actor_died| FleetError::Unavailable {
            store: "the registry",
            why: "it failed while the change was made".into(),
        })?
    }
}

fn timed_out() -> FleetError {
    FleetError::TimedOut { what: "the registry".into(), after: CHANGE_DEADLINE }
}
