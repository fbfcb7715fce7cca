//! What everybody else holds of the journal: it notes, it follows, it never waits.

use super::{actor::Journal, event::Draft, message::JournalMsg};
use crate::{
    error::FleetError,
    outage::Outage,
    ports::{Clock, JournalFile},
    repeats::Repeats,
    view::Event,
};
use ractor::{Actor, ActorCell, ActorRef, SpawnErr};
use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{broadcast, watch};

/// Events that a follower may be behind before it misses some.
pub const FOLLOWERS_LAG_EVENTS_MAX: usize = 4_096;

/// The journal as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JournalStatus {
    /// The last place in the file.
    pub last_seq: u64,
    /// Events that are not in the file yet.
    pub waiting: usize,
    /// Why nothing can be written now.
    pub unavailable: Option<Outage>,
}

/// The way to the journal. Clones share it, and it outlives the actor: a restarted one takes its place.
#[derive(Clone)]
pub struct JournalHandle {
    shared: Arc<Shared>,
}

/// What handles and the actor share.
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    /// The actor that serves now; nothing before the first one.
    actor: RwLock<Option<ActorRef<JournalMsg>>>,
    /// Events that found no actor; the next one takes note of how many.
    pub(super) lost: AtomicU64,
    pub(super) events: broadcast::Sender<Arc<Event>>,
    pub(super) status: watch::Sender<JournalStatus>,
    pub(super) rows: Rows,
}

/// What may fail again and again while a disk is full.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) written: Repeats,
    pub(super) noted: Repeats,
    pub(super) synced: Repeats,
}

impl JournalHandle {
    /// A handle without a journal; [`JournalHandle::spawn`] gives it one.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            clock,
            actor: RwLock::new(None),
            lost: AtomicU64::new(0),
            events: broadcast::Sender::new(FOLLOWERS_LAG_EVENTS_MAX),
            status: watch::Sender::new(JournalStatus::default()),
            rows: Rows::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Starts the actor, linked to `supervisor`, and leads this handle and all its clones to it. Called again
    /// by the supervisor after the actor has failed.
    ///
    /// # Errors
    /// When the supervisor is stopping.
    pub async fn spawn(&self, file: Arc<dyn JournalFile>, supervisor: ActorCell) -> Result<ActorCell, SpawnErr> {
        let journal = Journal { file, shared: Arc::clone(&self.shared) };
        let (actor, _join) = Actor::spawn_linked(None, journal, (), supervisor).await?;
        let cell = actor.get_cell();
        *self.shared.actor.write().unwrap_or_else(PoisonError::into_inner) = Some(actor);
        Ok(cell)
    }

    /// Takes note, with the time of now. Costs the caller microseconds; what finds no journal is counted.
    pub fn record(&self, draft: Draft) {
        let moment = self.shared.clock.now();
        if self.cast(JournalMsg::Record(draft, moment)).is_err() {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Everything that is written from now on. A follower that is more than [`FOLLOWERS_LAG_EVENTS_MAX`] behind
    /// is told how many it missed; they are in the file.
    ///
    /// An event is sent only once it is in the file: who subscribes first, reads the file second and then drops
    /// what it has read already (by `seq`) has neither a gap nor a double.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.shared.events.subscribe()
    }

    /// The last place in the file, 0 before it is open.
    pub fn last_seq(&self) -> u64 {
        self.shared.status.borrow().last_seq
    }

    /// The journal as it is now; does not wait for the actor.
    pub fn status(&self) -> JournalStatus {
        self.shared.status.borrow().clone()
    }

    /// Waits until everything that was recorded before is durable: the last thing before the actor is stopped.
    ///
    /// # Errors
    /// [`FleetError::TimedOut`] after `deadline`; [`FleetError::ShuttingDown`] when the actor has ended.
    pub async fn flush(&self, deadline: Duration) -> Result<(), FleetError> {
        let (reply, done) = ractor::concurrency::oneshot();
        self.cast(JournalMsg::Flush(reply.into()))?;
        let waited = tokio::time::timeout(deadline, done).await;
        let ended = waited.map_err(|_| FleetError::TimedOut { what: "writing the journal".into(), after: deadline })?;
        ended.map_err(|_| FleetError::ShuttingDown)
    }

    fn cast(&self, message: JournalMsg) -> Result<(), FleetError> {
        let actor = self.shared.actor.read().unwrap_or_else(PoisonError::into_inner);
        actor.as_ref().and_then(|actor| actor.cast(message).ok()).ok_or(FleetError::ShuttingDown)
    }
}
