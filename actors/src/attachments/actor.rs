//! The attachments' actor: messages in, [`Desk`] decides, effects out through the ports.

use super::{
    desk::{Desk, Effect, Input},
    handle::Shared,
    id::AttachmentId,
    message::{AttachmentsMsg, SweepReply, Waiting},
    recover,
    sweep::{self, SweepOptions},
};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{
    sync::RwLock,
    task::{AbortHandle, JoinSet},
};

/// How long a change that nobody waits for may wait for company.
const DUE_AFTER: Duration = Duration::from_secs(1);
/// Blobs that are unlinked at once.
const UNLINKS_AT_ONCE_MAX: usize = 64;

/// The only writer of the manifest.
pub(super) struct Clerk {
    pub(super) shared: Arc<Shared>,
}

/// What the actor holds.
pub(super) struct ClerkState {
    desk: Desk<Waiting, SweepReply>,
    /// Held by whoever unlinks. An actor that failed may have left somebody at it, of whom this desk knows nothing:
    /// its first transaction waits for them.
    before: Option<Arc<RwLock<()>>>,
    /// The sweep that it began by itself, ended with this state.
    sweep: Option<AbortHandle>,
}

impl Drop for ClerkState {
    fn drop(&mut self) {
        if let Some(sweep) = &self.sweep {
            sweep.abort();
        }
    }
}

impl Actor for Clerk {
    type Msg = AttachmentsMsg;
    type State = ClerkState;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<AttachmentsMsg>, (): ()) -> Result<ClerkState, ActorProcessingErr> {
        Ok(ClerkState { desk: Desk::default(), before: Some(Arc::clone(&self.shared.unlinking)), sweep: None })
    }

    async fn post_start(
        &self,
        myself: ActorRef<AttachmentsMsg>,
        state: &mut ClerkState,
    ) -> Result<(), ActorProcessingErr> {
        self.sweep_later(&myself);
        let shared = Arc::clone(&self.shared);
        let recovery = async move {
            if let Err(error) = recover::finish(&shared).await {
                tracing::warn!(error = error.chain(), "what was left half stored is looked at again by the next sweep");
            }
        };
        state.sweep = Some(tokio::spawn(recovery).abort_handle());
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<AttachmentsMsg>,
        message: AttachmentsMsg,
        state: &mut ClerkState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            AttachmentsMsg::Desk(input) => {
                for effect in state.desk.step(input) {
                    self.perform(&myself, effect, state);
                }
            }
            AttachmentsMsg::SweepDue => {
                self.sweep_later(&myself);
                let shared = Arc::clone(&self.shared);
                let options = SweepOptions { grace: shared.grace, dry_run: false };
                let sweep = async move {
                    if let Err(error) = sweep::sweep(&shared, options).await {
                        tracing::warn!(error = error.chain(), "the attachments could not be swept");
                    }
                };
                state.sweep = Some(tokio::spawn(sweep).abort_handle());
            }
        }
        Ok(())
    }
}

impl Clerk {
    fn sweep_later(&self, myself: &ActorRef<AttachmentsMsg>) {
        if let Some(every) = self.shared.sweep_every {
            drop(myself.send_after(every, || AttachmentsMsg::SweepDue));
        }
    }

    /// Carries out what the desk decided; whatever takes time is spawned and reports back as a message.
    fn perform(&self, myself: &ActorRef<AttachmentsMsg>, effect: Effect<Waiting, SweepReply>, state: &mut ClerkState) {
        match effect {
            Effect::Apply(changes) => {
                let (work, before) = (self.shared.manifest.apply(changes), state.before.take());
                report(myself, async move {
                    if let Some(unlinking) = before {
                        drop(unlinking.write().await);
                    }
                    Input::Applied(work.await)
                });
            }
            Effect::Unlink(sweep, ids) => {
                let (shared, unlinking) = (Arc::clone(&self.shared), Arc::clone(&self.shared.unlinking));
                report(myself, async move {
                    let _until_they_are_gone = unlinking.read().await;
                    Input::Unlinked(sweep, unlink(&shared, ids).await)
                });
            }
            Effect::Answer(waiting, result) => drop(waiting.reply.send(result)), // gave up waiting, it may be
            Effect::Swept(reply, result) => drop(reply.send(result)),
            Effect::DueSoon => drop(myself.send_after(DUE_AFTER, || AttachmentsMsg::Desk(Input::Due))),
        }
    }
}

/// Removes the bytes of these; those of which they are gone.
async fn unlink(shared: &Arc<Shared>, ids: Vec<AttachmentId>) -> Vec<AttachmentId> {
    let mut gone = Vec::with_capacity(ids.len());
    for some in ids.chunks(UNLINKS_AT_ONCE_MAX) {
        let mut deletes = JoinSet::new();
        for id in some {
            let (id, delete) = (*id, shared.store.delete(*id));
            deletes.spawn(async move { (id, delete.await) });
        }
        for (id, deleted) in deletes.join_all().await {
            match deleted {
                Ok(_it_may_have_been_gone) => gone.push(id),
                Err(error) => tracing::warn!(%id, error = error.chain(), "a condemned attachment stays"),
            }
        }
    }
    gone
}

/// Runs `work` beside the actor and sends it the result.
fn report(myself: &ActorRef<AttachmentsMsg>, work: impl Future<Output = Input<Waiting, SweepReply>> + Send + 'static) {
    let myself = myself.clone();
    tokio::spawn(async move {
        let _the_actor_has_ended = myself.cast(AttachmentsMsg::Desk(work.await));
    });
}
