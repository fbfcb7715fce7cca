//! What everybody else holds of the mailroom: send, look, cancel, follow.

use super::{
    courier,
    error::MailError,
    id::MessageId,
    keeper::KeptMailroom,
    letter::{Message, NewMessage, Sender, owner_of},
    progress::{Progress, Reason, Record, State, Step},
    shared::{MailParts, Shared},
    store::{Change, Changed, MailQuery},
    sweep::session_of,
    view::{MailView, MailroomView, Waits},
};
use crate::{
    attachments::{AttachmentId, AttachmentRef, Session, change::Scope},
    error::FleetError,
    fleet::resolve,
    keeper::Keeper,
    names::Identity,
    outage::Outage,
    view::PhaseName,
};
use jiff::Timestamp;
use ractor::{Actor, ActorCell};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// The mailroom of a fleet. Clones share it, and they outlive its actor: a restarted one takes its place. With the last
/// clone the actor ends.
#[derive(Clone)]
pub struct Mail {
    shared: Arc<Shared>,
    _life: Arc<Life>,
}

/// Ends the keeper, and with it the actor and its couriers, when it is dropped.
struct Life(ActorCell);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.stop(None);
    }
}

impl Mail {
    /// Starts it, linked to `supervisor` where there is one. What an earlier one left undelivered is delivered.
    ///
    /// # Errors
    /// The supervisor is stopping.
    pub async fn start(parts: MailParts, supervisor: Option<ActorCell>) -> Result<Self, FleetError> {
        let shared = Arc::new(Shared::new(parts));
        let keeper = Keeper(KeptMailroom(Arc::clone(&shared)));
        let started = match supervisor {
            Some(supervisor) => Actor::spawn_linked(None, keeper, (), supervisor).await,
            None => Actor::spawn(None, keeper, ()).await,
        };
        let (keeper, _join) =
            started.map_err(|error| FleetError::Internal(format!("the mailroom did not start: {error}")))?;
        Ok(Self { shared, _life: Arc::new(Life(keeper.get_cell())) })
    }

    /// After how long a sender is told that a message still waits.
    pub fn queue_max(&self) -> Duration {
        self.shared.parts.rules.queue_max
    }

    /// Sends a message. It is on disk when this returns; where it was refused it says so, and why. `session` is whose
    /// attachments the sender may send.
    ///
    /// # Errors
    /// Something is over a limit, nobody has that name, an attachment is not the sender's, too much waits, or the store
    /// can not serve: nothing was accepted.
    pub async fn send(&self, sender: Sender, session: Session, new: NewMessage) -> Result<MailView, FleetError> {
        let shared = Arc::clone(&self.shared);
        // Carried through, whoever waits: a message must not stay half accepted.
        let sent = tokio::spawn(async move {
            let record = accept(&shared, sender, session, new).await?;
            if let (Ok(sender), false) = (record.message.from.parse(), record.progress.state == State::Refused) {
                shared.parts.recipients.replied(&sender);
            }
            Ok(shared.view(record))
        });
        sent.await.map_err(|panic| FleetError::Internal(panic.to_string()))?
    }

    /// The mailroom in a few numbers.
    pub fn status(&self) -> MailroomView {
        self.shared.census.view()
    }

    /// Why it can not serve now, where it can not.
    pub fn unavailable(&self) -> Option<Outage> {
        self.shared.census.outage()
    }

    /// What waits for this peer.
    pub fn waiting_for(&self, identity: &Identity) -> Option<Waits> {
        self.shared.census.waiting_for(identity)
    }

    /// One message.
    ///
    /// # Errors
    /// There is none, or the store can not be read.
    pub async fn get(&self, id: MessageId) -> Result<MailView, FleetError> {
        let record = self.shared.parts.store.get(id).await?;
        Ok(self.shared.view(record.ok_or(MailError::NotFound(id))?))
    }

    /// Some messages, newest first.
    ///
    /// # Errors
    /// The store can not be read.
    pub async fn list(&self, query: MailQuery) -> Result<Vec<MailView>, FleetError> {
        let records = self.shared.parts.store.list(query).await?;
        Ok(records.into_iter().map(|record| self.shared.view(record)).collect())
    }

    /// Lets a message that still waits not be delivered.
    ///
    /// # Errors
    /// There is none, or it does not wait any more.
    pub async fn cancel(&self, id: MessageId) -> Result<MailView, FleetError> {
        self.shared.step(id, Step::Cancel).await?;
        self.get(id).await
    }

    /// The recipient says that it has it.
    ///
    /// # Errors
    /// There is none, or it was not delivered.
    pub async fn seen(&self, id: MessageId) -> Result<MailView, FleetError> {
        self.shared.step(id, Step::See).await?;
        self.get(id).await
    }

    /// A message once it has landed (with `seen`: once the recipient said so), or will not; or as it stands after
    /// `patience`.
    ///
    /// # Errors
    /// There is none, or the store can not be read.
    pub async fn follow(&self, id: MessageId, seen: bool, patience: Duration) -> Result<MailView, FleetError> {
        // Before it is looked at, so that nothing falls between the two.
        let mut stands = self.shared.follow(id);
        let is_over = |progress: &Progress| match progress.state {
            State::Submitted => !seen,
            state => !state.is_open() && state != State::Accepting,
        };
        let now = self.get(id).await;
        if now.as_ref().is_ok_and(|view| !is_over(&view.progress)) {
            let over = stands.wait_for(|progress| progress.as_ref().is_some_and(is_over));
            // Nothing new is no failure.
            drop(tokio::time::timeout(patience, over).await);
            self.shared.unfollow(id, stands);
            return self.get(id).await;
        }
        self.shared.unfollow(id, stands);
        now
    }

    /// These peers are gone: what waits for them will not be delivered, also not to a namesake.
    pub async fn removed(&self, identities: &[Identity]) {
        for (identity, state) in identities.iter().flat_map(|one| [(one, State::Queued), (one, State::Typed)]) {
            if let Err(error) = self.give_up(identity, state).await {
                tracing::warn!(%identity, error = error.chain(), "its courier gives up what still waits");
            }
        }
    }

    /// Gives up all messages for a peer that stand there.
    async fn give_up(&self, identity: &Identity, state: State) -> Result<(), FleetError> {
        let mut query = MailQuery { to: vec![identity.clone()], state: Some(state), ..MailQuery::default() };
        loop {
            let page = self.shared.parts.store.list(query.clone()).await?;
            let Some(last) = page.last() else { return Ok(()) };
            query.before = Some(last.message.id);
            for record in page {
                match self.shared.step(record.message.id, Step::Fail(courier::removed(identity))).await {
                    // Somebody else has told what became of it.
                    Ok(_) | Err(FleetError::Mail(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}

/// Takes a message in.
async fn accept(shared: &Shared, sender: Sender, session: Session, new: NewMessage) -> Result<Record, FleetError> {
    let now = shared.now();
    new.check(now)?;
    attested(shared, &sender, new.from.as_deref())?;
    let to = recipient(shared, &new)?;
    let attachments = references(shared, &new.attachments).await?;
    let message = Message {
        id: new_id(shared, now),
        from: sender.name,
        from_kind: sender.kind,
        to,
        body: new.body,
        topic: new.topic,
        attachments,
        idempotency_key: new.idempotency_key,
        sent_at: now,
        expires_at: new.expires_at,
    };
    let progress = match refusal(shared, &message).await? {
        Some(reason) => Progress::refused(reason, now),
        None if message.attachments.is_empty() => Progress::begin(State::Queued, now),
        None => Progress::begin(State::Accepting, now),
    };
    let record = Record { message, progress };
    match shared.ask(Change::Insert(Box::new(record.clone()))).await? {
        Changed::Known(first) if first.progress.state == State::Accepting => {
            return Err(FleetError::Busy { what: "the first message with this key is being accepted".into() });
        }
        Changed::Known(first) => return Ok(*first),
        _ if record.progress.state == State::Refused => shared.tell(&record),
        _ => {}
    }
    if record.progress.state == State::Accepting { hand_over(shared, session, record).await } else { Ok(record) }
}

/// Whether the sender is who it says.
fn attested(shared: &Shared, sender: &Sender, claimed: Option<&str>) -> Result<(), FleetError> {
    let Some(claimed) = claimed.filter(|claimed| *claimed != sender.name) else { return Ok(()) };
    let meant = resolve::all(&shared.parts.registry.snapshot(), claimed).unwrap_or_default();
    if meant.iter().any(|identity| identity.to_string() == sender.name) {
        return Ok(());
    }
    Err(MailError::NotAttested { claimed: claimed.chars().take(64).collect() }.into())
}

/// The recipient that is meant.
fn recipient(shared: &Shared, new: &NewMessage) -> Result<Identity, FleetError> {
    let document = shared.parts.registry.snapshot();
    match &new.runtime {
        None => resolve::one(&document, &new.to),
        Some(runtime) => resolve::one(&document, &format!("{runtime}-{}", new.to)),
    }
}

fn new_id(shared: &Shared, now: Timestamp) -> MessageId {
    let dice = &shared.parts.dice;
    MessageId::at(now.as_millisecond(), u128::from(dice.roll()) << 64 | u128::from(dice.roll()))
}

/// What is said of attachments in messages; one that is named twice goes once.
async fn references(shared: &Shared, ids: &[AttachmentId]) -> Result<Vec<AttachmentRef>, FleetError> {
    let (mut known, mut references) = (BTreeSet::new(), Vec::with_capacity(ids.len()));
    for id in ids.iter().filter(|id| known.insert(**id)) {
        references.push(shared.parts.attachments.stat(*id).await?.into_ref());
    }
    Ok(references)
}

/// Why the recipient gets no mail now, where it does not. Whether what looks stopped stays so, only its actor knows.
async fn refusal(shared: &Shared, message: &Message) -> Result<Option<Reason>, FleetError> {
    let to = &message.to;
    let recipients = &shared.parts.recipients;
    if recipients.typing(to).is_none() {
        return Ok(Some(courier::no_composer(to)));
    }
    let phase = || recipients.view(to).map(|view| view.borrow().phase);
    if !matches!(phase(), Some(PhaseName::Stopped | PhaseName::Quarantined)) {
        return Ok(None);
    }
    match recipients.wake(to, message.wanted()).await {
        Err(error @ FleetError::WrongPhase { .. }) => {
            Ok(courier::refusal(phase().unwrap_or(PhaseName::Stopped), &error))
        }
        // What can not be said now is found out on the way.
        _ => Ok(None),
    }
}

/// Makes its attachments the recipient's, and only then accepts it.
async fn hand_over(shared: &Shared, session: Session, record: Record) -> Result<Record, FleetError> {
    let id = record.message.id;
    let to = session_of(&record).expect("it has attachments");
    let attachments: Vec<_> = record.message.attachments.iter().map(|attachment| attachment.id).collect();
    if let Err(refused) = shared.parts.attachments.lend(session, to.clone(), owner_of(id), attachments).await {
        // Where it can not be forgotten now, the next mailroom takes it back: it was never accepted.
        let _later = shared.ask(Change::Forget(vec![id])).await;
        return Err(refused);
    }
    match shared.ask(Change::Admit(Box::new(record.clone()), shared.now())).await {
        Ok(Changed::Stands(progress)) => Ok(Record { progress, ..record }),
        Ok(other) => Err(FleetError::Internal(format!("accepting a message came to {other:?}"))),
        Err(refused) => {
            // A mailroom that was restarted meanwhile has taken it back already, and knew of no references.
            if matches!(refused, FleetError::Mail(MailError::NotFound(_))) {
                shared.parts.attachments.release(Scope::Owner(to, owner_of(id))).await?;
            }
            Err(refused)
        }
    }
}
