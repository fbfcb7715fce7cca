//! What everybody else holds of the provisioner.
//!
//! A birth or a removal gets an answer whatever happens: every failure is an outcome. A sweep is begun, and then
//! followed on the board. The slot is read afresh each time, beside the actor.

use super::{
    board::Board,
    errand::Subject,
    error::ProvisionError,
    keeper::KeptProvisioner,
    message::{Joint, ProvisionerMsg, SweepRequest},
    occasion::{Direction, Occasion},
    outcome::{RuntimeReport, failed},
    port::{Deadlines, ProviderHost},
    slot::{Slot, SlotFile, Stamp},
    view::{SlotView, SweepView},
};
use crate::{
    error::FleetError,
    journal::{Draft, JournalHandle},
    keeper::Keeper,
    names::Personality,
};
use ractor::{Actor, ActorCell, ActorRef};
use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Semaphore, oneshot};

/// Births and removals that may wait for a provider at once.
pub const JOINTS_WAITING_MAX: usize = 1_024;
/// Most commands at once that somebody may ask for.
pub const PARALLEL_MAX: usize = 64;
/// How long the end of a command that did not end by itself may take.
const ENDING_MAX: Duration = Duration::from_secs(10);

/// What commands are run by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProvisionRules {
    /// How many at once.
    pub parallel: usize,
    /// How long each may take.
    pub deadlines: Deadlines,
}

impl Default for ProvisionRules {
    fn default() -> Self {
        Self { parallel: 4, deadlines: Deadlines::default() }
    }
}

/// The provisioner. Clones share it, and it outlives its actor: a restarted one takes its place.
#[derive(Clone)]
pub struct Provisioning {
    shared: Arc<Shared>,
}

/// What handles, the actor and its visits share.
pub(super) struct Shared {
    pub(super) host: Arc<dyn ProviderHost>,
    journal: Option<JournalHandle>,
    rules: RwLock<ProvisionRules>,
    /// The actor that serves now; nothing before the first one, or after the last.
    actor: RwLock<Option<ActorRef<ProvisionerMsg>>>,
    room: Arc<Semaphore>,
    pub(super) board: Board,
    /// Held by whoever changes what serves the whole host.
    pub(super) host_turn: tokio::sync::Mutex<()>,
    /// The fleet ends: who is being born or removed is left as it is.
    closing: AtomicBool,
    /// The declaration whose problems were told last.
    told: Mutex<Option<Stamp>>,
}

impl Shared {
    pub(super) fn serve(&self, actor: Option<ActorRef<ProvisionerMsg>>) {
        *self.actor.write().unwrap_or_else(PoisonError::into_inner) = actor;
    }

    pub(super) fn note(&self, draft: Draft) {
        if let Some(journal) = &self.journal {
            journal.record(draft);
        }
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    pub(super) fn rules(&self) -> ProvisionRules {
        *self.rules.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slot as it is now. What had to be dropped is told once for each version of the file.
    pub(super) async fn slot(&self) -> Slot {
        let file = self.host.slot().await;
        let slot = Slot::of(&file);
        let stamp = match file {
            SlotFile::Missing => None,
            SlotFile::Found(_, stamp) | SlotFile::Unusable(_, stamp) => Some(stamp),
        };
        let is_new = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *told, stamp) != stamp
        };
        if is_new && !slot.problems.is_empty() {
            let problems: Vec<_> = slot.problems.iter().map(ToString::to_string).collect();
            let name = slot.provider.as_ref().map_or("", |provider| provider.name.as_str());
            tracing::warn!(provider = name, problems = problems.join("; "), "the memory provider's declaration");
            self.note(Draft::new("memory-slot").with("provider", name).with("problems", problems.join("; ")));
        }
        slot
    }

    fn cast(&self, message: ProvisionerMsg) -> Result<(), FleetError> {
        let actor = self.actor.read().unwrap_or_else(PoisonError::into_inner);
        actor.as_ref().and_then(|actor| actor.cast(message).ok()).ok_or_else(down)
    }
}

fn down() -> FleetError {
    FleetError::Unavailable { store: "provisioner", why: "its actor is being restarted".into() }
}

impl Provisioning {
    /// A handle without an actor; [`Provisioning::spawn`] gives it one.
    pub fn new(host: Arc<dyn ProviderHost>, journal: Option<JournalHandle>, rules: ProvisionRules) -> Self {
        let shared = Shared {
            host,
            journal,
            rules: RwLock::new(rules),
            actor: RwLock::new(None),
            room: Arc::new(Semaphore::new(JOINTS_WAITING_MAX)),
            board: Board::default(),
            host_turn: tokio::sync::Mutex::new(()),
            closing: AtomicBool::new(false),
            told: Mutex::new(None),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Starts the actor, linked to `supervisor` where there is one, and leads this handle and all its clones to it.
    ///
    /// # Errors
    /// The supervisor is stopping.
    pub async fn spawn(&self, supervisor: Option<ActorCell>) -> Result<(), FleetError> {
        let keeper = Keeper(KeptProvisioner(Arc::clone(&self.shared)));
        let started = match supervisor {
            Some(supervisor) => Actor::spawn_linked(None, keeper, (), supervisor).await,
            None => Actor::spawn(None, keeper, ()).await,
        };
        started.map(drop).map_err(|error| FleetError::Internal(format!("the provisioner did not start: {error}")))
    }

    /// Calls the provider for a peer that is born or removed, and waits until it is done. Nothing for an empty slot.
    ///
    /// # Errors
    /// [`FleetError::ShuttingDown`] alone: the peer is to be left as it is.
    pub async fn joint(&self, subject: Subject, occasion: Occasion) -> Result<Vec<RuntimeReport>, FleetError> {
        let not_seen_to = |why: &str| match self.shared.is_closing() {
            true => Err(FleetError::ShuttingDown),
            false => Ok(vec![RuntimeReport { runtime: None, outcome: failed(why) }]),
        };
        let Ok(room) = Arc::clone(&self.shared.room).try_acquire_owned() else {
            return not_seen_to(&format!("busy: {JOINTS_WAITING_MAX} births and removals wait for the provider"));
        };
        let (reply, answer) = oneshot::channel();
        match self.shared.cast(ProvisionerMsg::Run(subject, occasion, Joint { reply, _room: room })) {
            Ok(()) => match answer.await {
                Ok(reports) => Ok(reports),
                Err(_ended) => not_seen_to("the provisioner's actor failed meanwhile"),
            },
            Err(error) => not_seen_to(&error.to_string()),
        }
    }

    /// How long a joint of a peer with so many agents may take: one command that runs now goes before it.
    pub fn patience(&self, agents: usize) -> Duration {
        let each = self.shared.rules().deadlines.total + ENDING_MAX;
        each.saturating_mul(u32::try_from(agents + 1).unwrap_or(u32::MAX))
    }

    /// Begins to call the provider for all of these; `peer` says that it is about that one alone. Its id.
    ///
    /// # Errors
    /// The slot is empty, the provider has no such direction, or the same sweep runs.
    pub async fn sweep(
        &self,
        direction: Direction,
        peer: Option<Personality>,
        subjects: Vec<Subject>,
    ) -> Result<u64, FleetError> {
        let slot = Arc::new(self.shared.slot().await);
        ProvisionError::refused_by(&slot, direction)?;
        let (reply, answer) = oneshot::channel();
        self.shared.cast(ProvisionerMsg::Sweep(SweepRequest { direction, peer, subjects, slot }, reply))?;
        answer.await.map_err(|_ended| down())?
    }

    /// A sweep, once it has more to tell than `known` peers, or `patience` is over.
    ///
    /// # Errors
    /// No such sweep.
    pub async fn follow(&self, id: u64, known: usize, patience: Duration) -> Result<SweepView, FleetError> {
        let mut sweep = self.shared.board.follow(id)?;
        let news = sweep.wait_for(|sweep| sweep.done > known || sweep.finished);
        // Nothing new is no failure; a sweep that is not remembered any more is finished.
        let _ = tokio::time::timeout(patience, news).await;
        Ok(sweep.borrow().after(known))
    }

    /// Calls a sweep off: what runs is ended, what waits is never begun. One that is over stays as it is.
    ///
    /// # Errors
    /// No such sweep.
    pub fn cancel(&self, id: u64) -> Result<(), FleetError> {
        self.shared.board.follow(id)?;
        self.shared.cast(ProvisionerMsg::Cancel(id))
    }

    /// Runs by other rules from now on; what runs goes on by the old ones.
    pub fn configure(&self, rules: ProvisionRules) {
        *self.shared.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
        let _a_new_actor_begins_with_it = self.shared.cast(ProvisionerMsg::Parallel(rules.parallel));
    }

    /// Ends what runs and begins nothing more; waits until nothing runs, at most `patience`.
    ///
    /// # Errors
    /// Something still runs.
    pub async fn close(&self, patience: Duration) -> Result<(), FleetError> {
        self.shared.closing.store(true, Ordering::Relaxed);
        let (reply, closed) = oneshot::channel();
        if self.shared.cast(ProvisionerMsg::Close(reply)).is_err() {
            return Ok(()); // its commands ended with it
        }
        let what = || "the end of a provider's command".into();
        let closed = tokio::time::timeout(patience, closed).await;
        closed.map(drop).map_err(|_elapsed| FleetError::TimedOut { what: what(), after: patience })
    }

    /// The slot as it is now.
    pub async fn slot(&self) -> SlotView {
        let slot = self.shared.slot().await;
        let heartbeat = slot.provider.as_ref().and_then(|provider| provider.heartbeat.clone());
        let at = match heartbeat {
            Some(path) => self.shared.host.touched(path).await,
            None => None,
        };
        SlotView::of(slot, at)
    }
}
