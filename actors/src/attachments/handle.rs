//! What everybody else holds of the attachments. Bytes go between the caller and the store; the actor only writes
//! down who refers to what.

use super::{
    actor_failed,
    change::{Change, Changed, Quotas, Scope},
    claim::{Intent, Owner, Session},
    desk::{Input, Swept},
    error::AttachmentError,
    id::AttachmentId,
    keeper::KeptClerk,
    manifest::{Manifest, Totals},
    message::{AttachmentsMsg, SweepReply, Waiting},
    meta::Meta,
    recover,
    session::SessionStore,
    store::{AttachmentStore, ByteRange, Page, Reading},
    sweep::{self, SweepOptions, SweepReport},
    tier::DurabilityTier,
    verify,
};
use crate::{
    error::FleetError,
    journal::{Draft, JournalHandle},
    keeper::Keeper,
    ports::Clock,
    view::{AttachmentsView, LastSweep},
};
use jiff::Timestamp;
use ractor::{Actor, ActorCell, ActorRef};
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::sync::{Mutex, OwnedSemaphorePermit, RwLock as AsyncRwLock, Semaphore, oneshot};

pub use verify::Verified;

/// Changes that may wait to be written.
const WAITING_CHANGES_MAX: usize = 16_384;

/// Who knows whether somebody still stands for an intent.
pub trait Owners: Send + Sync + 'static {
    /// Whether somebody does; also where that can not be said.
    fn lives(&self, intent: &Intent) -> bool;
}

/// What the attachments are made of.
pub struct AttachmentsParts {
    /// Where the bytes are.
    pub store: Arc<dyn AttachmentStore>,
    /// Who refers to them.
    pub manifest: Arc<dyn Manifest>,
    /// Who still lives.
    pub owners: Arc<dyn Owners>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where to note what goes.
    pub journal: Option<JournalHandle>,
    /// How much may be stored.
    pub quotas: Quotas,
    /// How old an intent must be before it may be dropped.
    pub grace: Duration,
    /// How often is swept; never where nothing is said.
    pub sweep_every: Option<Duration>,
}

/// What handles and the actor share.
pub(super) struct Shared {
    pub(super) store: Arc<dyn AttachmentStore>,
    pub(super) manifest: Arc<dyn Manifest>,
    pub(super) owners: Arc<dyn Owners>,
    clock: Arc<dyn Clock>,
    journal: Option<JournalHandle>,
    pub(super) quotas: Quotas,
    pub(super) grace: Duration,
    pub(super) sweep_every: Option<Duration>,
    places: Arc<Semaphore>,
    /// The actor that serves now; nothing before the first one.
    actor: RwLock<Option<ActorRef<AttachmentsMsg>>>,
    /// Held for reading by whoever unlinks.
    pub(super) unlinking: Arc<AsyncRwLock<()>>,
    /// One sweep at a time.
    pub(super) sweeping: Mutex<()>,
    /// How the last one went.
    last_sweep: RwLock<Option<LastSweep>>,
}

impl Shared {
    pub(super) fn serve(&self, actor: ActorRef<AttachmentsMsg>) {
        *self.actor.write().unwrap_or_else(PoisonError::into_inner) = Some(actor);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now().wall
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.now().as_millisecond()
    }

    pub(super) fn set_last_sweep(&self, last: LastSweep) {
        *self.last_sweep.write().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }

    pub(super) fn note(&self, draft: Draft) {
        if let Some(journal) = &self.journal {
            journal.record(draft);
        }
    }

    /// Tells the desk something that it does not answer.
    pub(super) fn tell(&self, input: Input<Waiting, SweepReply>) {
        let _an_actor_that_ended_is_followed_by_one_that_looks_at_the_bytes = self.cast(input);
    }

    fn cast(&self, input: Input<Waiting, SweepReply>) -> Result<(), FleetError> {
        let actor = self.actor.read().unwrap_or_else(PoisonError::into_inner);
        actor.as_ref().and_then(|actor| actor.cast(AttachmentsMsg::Desk(input)).ok()).ok_or_else(actor_failed)
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, FleetError> {
        let full = |_full| FleetError::Busy { what: format!("{WAITING_CHANGES_MAX} changes wait for the manifest") };
        Arc::clone(&self.places).try_acquire_owned().map_err(full)
    }

    /// Asks the desk, and waits for its answer.
    pub(super) async fn ask(
        &self,
        input: impl FnOnce(Waiting) -> Input<Waiting, SweepReply>,
    ) -> Result<Changed, FleetError> {
        let (reply, answer) = oneshot::channel();
        self.cast(input(Waiting { reply, _place: self.place()? }))?;
        answer.await.map_err(|_ended| actor_failed())?
    }

    pub(super) async fn change(&self, change: Change) -> Result<u64, FleetError> {
        match self.ask(|waiting| Input::Ask(change, waiting)).await? {
            Changed::References(count) => Ok(count),
            _ => Ok(0),
        }
    }

    /// Has what nobody waits for written.
    pub(super) async fn flush(&self) -> Result<(), FleetError> {
        self.change(Change::Gone(Vec::new())).await.map(drop)
    }

    pub(super) async fn sweep(&self, ids: Vec<AttachmentId>, delete: bool) -> Result<Swept, FleetError> {
        let (reply, answer) = oneshot::channel();
        self.cast(Input::Sweep(ids, delete, reply))?;
        answer.await.map_err(|_ended| actor_failed())?
    }

    /// Opens an attachment for whoever may read it; damage is noted.
    pub(super) async fn open(
        self: &Arc<Self>,
        id: AttachmentId,
        range: Option<ByteRange>,
    ) -> Result<Reading, FleetError> {
        let shared = Arc::clone(self);
        match self.store.open(id, range).await {
            Ok(opened) => Ok(opened.with_alarm(move |error| shared.heard(id, error))),
            Err(error) => {
                self.heard(id, &error);
                Err(self.or_lost(id, error).await)
            }
        }
    }

    /// What is known of it.
    pub(super) async fn stat(&self, id: AttachmentId) -> Result<Meta, FleetError> {
        match self.store.stat(id).await {
            Err(error) => Err(self.or_lost(id, error).await),
            found => found,
        }
    }

    /// Bytes that somebody counts on and that are not there are lost, which is more than that there are none.
    async fn or_lost(&self, id: AttachmentId, error: FleetError) -> FleetError {
        let absent = matches!(error, FleetError::Attachment(AttachmentError::NotFound(_)));
        match absent && self.manifest.owes(id).await.unwrap_or(false) {
            true => AttachmentError::Lost(id).into(),
            false => error,
        }
    }

    /// Notes that bytes are lost, so that the next put of them writes them again.
    pub(super) fn heard(&self, id: AttachmentId, error: &FleetError) {
        if let FleetError::Attachment(AttachmentError::Corrupt { found, .. }) = error {
            self.note(Draft::new("attachment-corrupt").with("id", id).with("found", found));
            self.tell(Input::Lost(id));
        }
    }
}

/// The attachments of a fleet, as their operator sees them. Clones share them, and they outlive their actor: a
/// restarted one takes its place. With the last clone, and the last session's store, the actor ends.
#[derive(Clone)]
pub struct Attachments {
    pub(super) shared: Arc<Shared>,
    _life: Arc<Life>,
}

/// Ends the keeper, and with it the actor, when it is dropped.
struct Life(ActorCell);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.stop(None);
    }
}

impl Attachments {
    /// Starts them, linked to `supervisor` where there is one. What was left half stored is finished by itself.
    ///
    /// # Errors
    /// The supervisor is stopping.
    pub async fn start(parts: AttachmentsParts, supervisor: Option<ActorCell>) -> Result<Self, FleetError> {
        let AttachmentsParts { store, manifest, owners, clock, journal, quotas, grace, sweep_every } = parts;
        let shared = Arc::new(Shared {
            store,
            manifest,
            owners,
            clock,
            journal,
            quotas,
            grace,
            sweep_every,
            places: Arc::new(Semaphore::new(WAITING_CHANGES_MAX)),
            actor: RwLock::new(None),
            unlinking: Arc::default(),
            sweeping: Mutex::default(),
            last_sweep: RwLock::default(),
        });
        let keeper = Keeper(KeptClerk(Arc::clone(&shared)));
        let started = match supervisor {
            Some(supervisor) => Actor::spawn_linked(None, keeper, (), supervisor).await,
            None => Actor::spawn(None, keeper, ()).await,
        };
        let (keeper, _join) =
            started.map_err(|error| FleetError::Internal(format!("the attachments did not start: {error}")))?;
        Ok(Self { shared, _life: Arc::new(Life(keeper.get_cell())) })
    }

    /// The store as one owner in a session sees it.
    pub fn session(&self, session: Session, owner: Owner) -> SessionStore {
        SessionStore { attachments: self.clone(), session, owner }
    }

    /// Whether they outlive the process.
    pub fn tier(&self) -> DurabilityTier {
        self.shared.store.persistence().into()
    }

    /// Longest attachment, bytes.
    pub fn bytes_max(&self) -> u64 {
        self.shared.store.bytes_max()
    }

    /// How old an intent must be before it may be dropped, where nobody says.
    pub fn grace(&self) -> Duration {
        self.shared.grace
    }

    /// Reads any attachment, or a part of it.
    ///
    /// # Errors
    /// There is none, or it can not be read.
    pub async fn open(&self, id: AttachmentId, range: Option<ByteRange>) -> Result<Reading, FleetError> {
        self.shared.open(id, range).await
    }

    /// What is known of any attachment.
    ///
    /// # Errors
    /// There is none, or it can not be read.
    pub async fn stat(&self, id: AttachmentId) -> Result<Meta, FleetError> {
        self.shared.stat(id).await
    }

    /// All of them in a few numbers.
    ///
    /// # Errors
    /// The manifest can not be read.
    pub async fn overview(&self) -> Result<AttachmentsView, FleetError> {
        let Totals { count, bytes, lost } = self.shared.manifest.totals().await?;
        let last_sweep = self.shared.last_sweep.read().unwrap_or_else(PoisonError::into_inner).clone();
        let total_bytes_max = self.shared.quotas.total_bytes_max;
        Ok(AttachmentsView { count, bytes, total_bytes_max, damaged: lost, last_sweep })
    }

    /// Records by id: of one session, or of all.
    ///
    /// # Errors
    /// The manifest can not be read.
    pub async fn list(
        &self,
        session: Option<Session>,
        after: Option<AttachmentId>,
        limit: usize,
    ) -> Result<Page, FleetError> {
        self.shared.flush().await?;
        self.shared.manifest.list(session, after, limit).await
    }

    /// These references are meant to last; all of them or none.
    ///
    /// # Errors
    /// [`AttachmentError::UnknownBlob`] for one that the session did not put; the manifest can not be written.
    pub async fn commit(&self, session: Session, owner: Owner, ids: Vec<AttachmentId>) -> Result<(), FleetError> {
        let at_ms = self.shared.now_ms();
        self.claim(Change::Commit { session, owner, ids: ids.clone(), at_ms }, &ids).await
    }

    /// Has another session refer for good to what `from` refers to; all of them or none.
    ///
    /// # Errors
    /// [`AttachmentError::UnknownBlob`] for one that `from` did not put; [`AttachmentError::OverQuota`] where the other
    /// session would hold more than it may; the manifest can not be written.
    pub async fn lend(
        &self,
        from: Session,
        to: Session,
        owner: Owner,
        ids: Vec<AttachmentId>,
    ) -> Result<(), FleetError> {
        let at_ms = self.shared.now_ms();
        let quotas = self.shared.quotas;
        self.claim(Change::Lend { from, to, owner, ids: ids.clone(), at_ms, quotas }, &ids).await
    }

    /// Has references written that are meant to last.
    async fn claim(&self, change: Change, ids: &[AttachmentId]) -> Result<(), FleetError> {
        match self.shared.change(change.clone()).await {
            // An actor that failed may have taken it along that they have landed: the bytes say so themselves.
            Err(FleetError::Attachment(AttachmentError::UnknownBlob { .. })) => {
                recover::look_again(&self.shared, ids).await?;
                self.shared.change(change).await.map(drop)
            }
            done => done.map(drop),
        }
    }

    /// These references end; how many there were.
    ///
    /// # Errors
    /// The manifest can not be written.
    pub async fn release(&self, scope: Scope) -> Result<u64, FleetError> {
        self.shared.change(Change::Release(scope)).await
    }

    /// Ends the references to one attachment, a session's or everybody's; how many there were.
    ///
    /// # Errors
    /// [`AttachmentError::NotFound`] where the session refers to no such attachment, or nobody knows of one; the manifest
    /// can not be written.
    pub async fn forget(&self, id: AttachmentId, session: Option<Session>) -> Result<u64, FleetError> {
        // What nobody refers to any more is there until it is swept: then there is nothing to end, and nothing wrong.
        let may_be_none = session.is_none() && self.shared.manifest.row(id).await?.is_some();
        let scope = session.map_or(Scope::Everywhere(id), |session| Scope::One(session, id));
        match self.release(scope).await? {
            0 if !may_be_none => Err(AttachmentError::NotFound(id).into()),
            ended => Ok(ended),
        }
    }

    /// A fork refers to all that its parent refers to; how many references that added.
    ///
    /// # Errors
    /// The manifest can not be written.
    pub async fn adopt(&self, parent: Session, child: Session) -> Result<u64, FleetError> {
        self.shared.change(Change::Adopt { parent, child }).await
    }

    /// Intents that are older than this and were not committed, the oldest first.
    ///
    /// # Errors
    /// The manifest can not be read.
    pub async fn uncommitted(&self, older_than: Duration, limit: usize) -> Result<Vec<Intent>, FleetError> {
        self.shared.manifest.uncommitted(sweep::before(self.shared.now_ms(), older_than), 0, limit).await
    }

    /// Removes what nobody refers to.
    ///
    /// # Errors
    /// The manifest or the store can not be used. What was removed until then stays removed.
    pub async fn sweep(&self, options: SweepOptions) -> Result<SweepReport, FleetError> {
        sweep::sweep(&self.shared, options).await
    }

    /// Reads every attachment.
    ///
    /// # Errors
    /// The store can not be listed.
    pub async fn verify(&self) -> Result<Verified, FleetError> {
        verify::verify(&self.shared).await
    }

    /// Has everything written that was said so far.
    ///
    /// # Errors
    /// [`FleetError::TimedOut`] after `deadline`; the manifest can not be written.
    pub async fn flush(&self, deadline: Duration) -> Result<(), FleetError> {
        let late = |_| FleetError::TimedOut { what: "writing the attachments' manifest".into(), after: deadline };
        tokio::time::timeout(deadline, self.shared.flush()).await.map_err(late)?
    }
}
