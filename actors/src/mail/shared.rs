//! What the mailroom's handles, its actor and its couriers share.

use super::{
    census::Census,
    desk::Input,
    id::MessageId,
    message::{MailMsg, Waiting},
    progress::{Progress, Record, State, Step},
    store::{Change, Changed, MailStore},
    terminal::{Recipients, Terminals},
    view::MailView,
};
use crate::{
    attachments::Attachments,
    backoff::backoff,
    error::FleetError,
    journal::{Draft, JournalHandle},
    names::Identity,
    ports::{Clock, Dice},
    registry::RegistryHandle,
};
use dashmap::DashMap;
use jiff::Timestamp;
use ractor::ActorRef;
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, oneshot, watch},
    time::sleep,
};

/// Changes that may wait to be written.
const WAITING_CHANGES_MAX: usize = 4_096;

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailRules {
    /// After how long it is told that a message still waits.
    pub queue_max: Duration,
    /// How long a message that is over is kept.
    pub keep: Duration,
}

impl Default for MailRules {
    /// Told after 120 s, kept for 30 days.
    fn default() -> Self {
        Self { queue_max: Duration::from_secs(120), keep: Duration::from_secs(30 * 24 * 3600) }
    }
}

/// What the mailroom is made of.
pub struct MailParts {
    /// Where messages are kept.
    pub store: Arc<dyn MailStore>,
    /// Where they are typed.
    pub terminals: Arc<dyn Terminals>,
    /// Whom they are for.
    pub recipients: Arc<dyn Recipients>,
    /// What names mean.
    pub registry: RegistryHandle,
    /// What goes with them.
    pub attachments: Attachments,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What tells ids apart.
    pub dice: Arc<dyn Dice>,
    /// Where to note what became of them.
    pub journal: Option<JournalHandle>,
    /// How long things may take.
    pub rules: MailRules,
}

/// See the module.
pub(super) struct Shared {
    pub(super) parts: MailParts,
    /// The actor that serves now; nothing before the first one.
    actor: RwLock<Option<ActorRef<MailMsg>>>,
    places: Arc<Semaphore>,
    /// Messages that somebody follows, and where they stand.
    followed: DashMap<MessageId, watch::Sender<Option<Progress>>>,
    /// What is in the way of the first message of each queue.
    obstacles: DashMap<Identity, String>,
    /// What is counted.
    pub(super) census: Census,
}

impl Shared {
    pub(super) fn new(parts: MailParts) -> Self {
        let places = Arc::new(Semaphore::new(WAITING_CHANGES_MAX));
        Self {
            parts,
            actor: RwLock::new(None),
            places,
            followed: DashMap::new(),
            obstacles: DashMap::new(),
            census: Census::default(),
        }
    }

    pub(super) fn serve(&self, actor: ActorRef<MailMsg>) {
        *self.actor.write().unwrap_or_else(PoisonError::into_inner) = Some(actor);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.parts.clock.now().wall
    }

    pub(super) fn now_boot_ms(&self) -> u64 {
        self.parts.clock.now().boot_ms
    }

    pub(super) fn note(&self, draft: Draft) {
        if let Some(journal) = &self.parts.journal {
            journal.record(draft);
        }
    }

    /// Has a change written, and waits until it is.
    pub(super) async fn ask(&self, change: Change) -> Result<Changed, FleetError> {
        let full = |_full| FleetError::Busy { what: format!("{WAITING_CHANGES_MAX} changes wait for the mailroom") };
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(full)?;
        let (reply, answer) = oneshot::channel();
        let asked = MailMsg::Desk(Input::Ask(change, Waiting { reply: Some(reply), _place: Some(place) }));
        let actor = self.actor.read().unwrap_or_else(PoisonError::into_inner).clone();
        actor.and_then(|actor| actor.cast(asked).ok()).ok_or_else(actor_failed)?;
        answer.await.map_err(|_ended| actor_failed())?
    }

    /// Has a step written; where the message stands then.
    pub(super) async fn step(&self, id: MessageId, step: Step) -> Result<Progress, FleetError> {
        match self.ask(Change::Step { id, step, at: self.now() }).await? {
            Changed::Stands(progress) => Ok(progress),
            other => Err(FleetError::Internal(format!("a step came to {other:?}"))),
        }
    }

    /// Has a step written, however long that takes, unless it does not follow any more: what the terminal took must not
    /// be typed again.
    pub(super) async fn insist(&self, id: MessageId, step: &Step) {
        let mut failures = 0;
        loop {
            match self.step(id, step.clone()).await {
                Ok(_) | Err(FleetError::Mail(_)) => return,
                Err(error) => {
                    failures += 1;
                    tracing::warn!(%id, error = error.chain(), "what became of a message can not be written down yet");
                    sleep(backoff(failures)).await;
                }
            }
        }
    }

    /// Says what is in the way of the first message for this recipient; nothing once nothing is.
    pub(super) fn obstacle(&self, identity: &Identity, why: Option<String>) {
        match why {
            Some(why) => drop(self.obstacles.insert(identity.clone(), why)),
            None => drop(self.obstacles.remove(identity)),
        }
    }

    /// What is in the way of the first message for this recipient.
    pub(super) fn obstacle_of(&self, identity: &Identity) -> Option<String> {
        self.obstacles.get(identity).map(|why| why.clone())
    }

    /// A message as people see it.
    pub(super) fn view(&self, record: Record) -> MailView {
        let waits = record.progress.state.is_open();
        let obstacle = self.obstacle_of(&record.message.to).filter(|_| waits);
        MailView::new(record, obstacle)
    }

    /// Tells whoever follows a message where it stands.
    pub(super) fn stands(&self, id: MessageId, progress: &Progress) {
        if let Some(followers) = self.followed.get(&id) {
            followers.send_replace(Some(progress.clone()));
        }
    }

    /// Where a message stands, each time that changes.
    pub(super) fn follow(&self, id: MessageId) -> watch::Receiver<Option<Progress>> {
        self.followed.entry(id).or_insert_with(|| watch::Sender::new(None)).subscribe()
    }

    /// Somebody follows a message no longer.
    pub(super) fn unfollow(&self, id: MessageId, follower: watch::Receiver<Option<Progress>>) {
        drop(follower);
        self.followed.remove_if(&id, |_, followers| followers.receiver_count() == 0);
    }

    /// Notes in the journal what became of a message.
    pub(super) fn tell(&self, record: &Record) {
        let Record { message, progress } = record;
        if !progress.state.has_landed() && progress.ended_at.is_none() {
            return;
        }
        self.census.ended(progress.state);
        let ev = format!("mail-{}", progress.state);
        let mut draft = Draft::new(ev).about(&message.to).with("id", message.id).with("from", &message.from);
        if progress.state == State::Submitted {
            let waited_ms = progress.since().duration_since(progress.queued_at).as_millis();
            draft = draft.with("waited_ms", waited_ms);
        }
        for (mark, key) in [(progress.woke, "woke"), (progress.redelivered, "redelivered")] {
            if mark {
                draft = draft.with(key, true);
            }
        }
        if let Some(generation) = progress.generation {
            draft = draft.with("gen", generation);
        }
        if let Some(reason) = &progress.reason {
            draft = draft.with("reason", &reason.code);
        }
        self.note(draft);
    }
}

/// Nobody serves, for the moment.
fn actor_failed() -> FleetError {
    FleetError::Unavailable { store: "mailroom", why: "its actor is being restarted".into() }
}
