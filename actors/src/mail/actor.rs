//! The mailroom's actor: messages in, [`Desk`] decides, effects out through the ports and the couriers.

use super::{
    courier,
    desk::{Desk, Effect, Input},
    id::MessageId,
    message::{MailMsg, Waiting},
    progress::{Record, State, Step},
    shared::Shared,
    store::{Change, MailQuery},
    sweep,
    watch::Watches,
};
use crate::{backoff::backoff, names::Identity, outage::Outage};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};
use tokio::{task::AbortHandle, time::Instant};

/// How often what was kept long enough is looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// How long a message rests whose courier has failed.
const LOST_PAUSE: Duration = Duration::from_secs(1);

/// The only writer of the mailroom's store.
pub(super) struct Mailroom {
    pub(super) shared: Arc<Shared>,
}

/// What the actor holds.
#[derive(Default)]
pub(super) struct MailroomState {
    desk: Desk<Waiting>,
    /// Who is out, for whom. Ended with this state: the terminals remember how far each one was.
    couriers: HashMap<Identity, AbortHandle>,
    /// Who awaits what was submitted in the transcripts of its recipients; ended with this state too.
    watches: Watches,
    /// Who removes what nobody needs; ended with this state too.
    sweeper: Option<AbortHandle>,
    /// How often the store could not be read, in a row.
    failures: u32,
}

impl MailroomState {
    fn is_out(&self, identity: &Identity) -> bool {
        self.couriers.get(identity).is_some_and(|courier| !courier.is_finished())
    }
}

impl Drop for MailroomState {
    fn drop(&mut self) {
        self.couriers.values().chain(&self.sweeper).for_each(AbortHandle::abort);
    }
}

impl Actor for Mailroom {
    type Msg = MailMsg;
    type State = MailroomState;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<MailMsg>, (): ()) -> Result<MailroomState, ActorProcessingErr> {
        Ok(MailroomState::default())
    }

    async fn post_start(&self, myself: ActorRef<MailMsg>, _: &mut MailroomState) -> Result<(), ActorProcessingErr> {
        self.load(&myself);
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<MailMsg>,
        message: MailMsg,
        state: &mut MailroomState,
    ) -> Result<(), ActorProcessingErr> {
        let input = match message {
            // Another one is out with it already.
            MailMsg::Desk(Input::Lost(identity, _)) if state.is_out(&identity) => return Ok(()),
            MailMsg::Desk(input) => input,
            MailMsg::Load => {
                self.load(&myself);
                return Ok(());
            }
            MailMsg::Expired(id) => {
                let expire = Change::Step { id, step: Step::Expire, at: self.shared.now() };
                // One that is being typed, or is over, does not expire: so be it.
                Input::Ask(expire, Waiting::nobody())
            }
            MailMsg::Submitted(records) => {
                records.iter().for_each(|record| state.watches.submitted(&self.shared, record));
                return Ok(());
            }
            MailMsg::SweepDue => {
                self.sweep(&myself, state);
                return Ok(());
            }
            MailMsg::Back(identity, id) => {
                if state.desk.is_first(&identity, id) {
                    myself.send_after(LOST_PAUSE, move || MailMsg::Desk(Input::Lost(identity, id)));
                }
                return Ok(());
            }
        };
        self.heed(&myself, &input, state);
        for effect in state.desk.step(input) {
            self.perform(&myself, effect, state);
        }
        Ok(())
    }
}

impl Mailroom {
    /// Takes note of what an input says of the store.
    fn heed(&self, myself: &ActorRef<MailMsg>, input: &Input<Waiting>, state: &mut MailroomState) {
        match input {
            Input::NotLoaded(error) => {
                state.failures = state.failures.saturating_add(1);
                tracing::warn!(error = error.chain(), "the mailroom's store can not be read");
                let pause = backoff(state.failures);
                let retry_at = Some(Instant::now() + pause);
                self.shared.census.serves(Some(Outage { why: error.chain(), retry_at }));
                myself.send_after(pause, || MailMsg::Load);
            }
            Input::Loaded(_) => {
                state.failures = 0;
                self.shared.census.begins();
                self.sweep(myself, state);
                self.take_up(myself);
            }
            // Whoever asks next tries again.
            Input::Applied(Err(error)) => {
                self.shared.census.serves(Some(Outage { why: error.chain(), retry_at: None }));
            }
            Input::Applied(Ok(_)) => self.shared.census.serves(None),
            Input::Ask(..) | Input::Lost(..) => {}
        }
    }

    fn load(&self, myself: &ActorRef<MailMsg>) {
        let shared = Arc::clone(&self.shared);
        report(myself, async move { sweep::open(&shared).await.map_or_else(Input::NotLoaded, Input::Loaded) });
    }

    /// Goes on awaiting what was submitted a moment ago.
    fn take_up(&self, myself: &ActorRef<MailMsg>) {
        let submitted = MailQuery { state: Some(State::Submitted), ..MailQuery::default() };
        let (left, myself) = (self.shared.parts.store.list(submitted), myself.clone());
        tokio::spawn(async move {
            match left.await {
                Ok(records) => drop(myself.cast(MailMsg::Submitted(records))),
                Err(error) => tracing::warn!(error = error.chain(), "what was submitted before is not awaited"),
            }
        });
    }

    /// Carries out what the desk decided; whatever takes time is spawned and reports back as a message.
    fn perform(&self, myself: &ActorRef<MailMsg>, effect: Effect<Waiting>, state: &mut MailroomState) {
        match effect {
            Effect::Apply(changes) => {
                let work = self.shared.parts.store.apply(changes);
                report(myself, async move { Input::Applied(work.await) });
            }
            Effect::Answer(waiting, result) => {
                if let Some(reply) = waiting.reply {
                    let _gave_up_waiting = reply.send(result);
                }
            }
            Effect::Stands(id, progress) => {
                self.shared.stands(id, &progress);
                if progress.state == State::Seen {
                    state.watches.seen(id);
                }
            }
            Effect::Over(record) => {
                self.shared.tell(&record);
                state.watches.submitted(&self.shared, &record);
                self.shared.obstacle(&record.message.to, None);
            }
            Effect::Waits(identity, waits) => self.shared.census.waits(identity, waits),
            Effect::Send(record) => self.send(myself, *record, state),
            Effect::Recall(identity) => {
                if let Some(courier) = state.couriers.remove(&identity) {
                    courier.abort();
                }
            }
            Effect::ExpireAt(id, at) => {
                let left = at.duration_since(self.shared.now());
                myself.send_after(left.try_into().unwrap_or(Duration::ZERO), move || MailMsg::Expired(id));
            }
        }
    }

    fn send(&self, myself: &ActorRef<MailMsg>, record: Record, state: &mut MailroomState) {
        let identity = record.message.to.clone();
        let out = Out { desk: myself.clone(), identity: identity.clone(), id: record.message.id };
        let shared = Arc::clone(&self.shared);
        let courier = tokio::spawn(async move {
            let _back = out;
            courier::carry(&shared, record).await;
        });
        if let Some(former) = state.couriers.insert(identity, courier.abort_handle()) {
            former.abort();
        }
    }

    /// Removes what nobody needs any more, and comes back for more.
    fn sweep(&self, myself: &ActorRef<MailMsg>, state: &mut MailroomState) {
        drop(myself.send_after(SWEEP_EVERY, || MailMsg::SweepDue));
        let shared = Arc::clone(&self.shared);
        let sweeper = tokio::spawn(async move {
            if let Err(error) = sweep::sweep(&shared).await {
                tracing::warn!(error = error.chain(), "old messages are removed with the next sweep");
            }
        });
        state.sweeper = Some(sweeper.abort_handle());
    }
}

/// A courier that is out. Dropped with it: should its message still be the first then, another one is sent.
struct Out {
    desk: ActorRef<MailMsg>,
    identity: Identity,
    id: MessageId,
}

impl Drop for Out {
    fn drop(&mut self) {
        let (identity, id) = (self.identity.clone(), self.id);
        let _the_actor_has_ended = self.desk.cast(MailMsg::Back(identity, id));
    }
}

/// Runs `work` beside the actor and sends it the result.
fn report(myself: &ActorRef<MailMsg>, work: impl Future<Output = Input<Waiting>> + Send + 'static) {
    let myself = myself.clone();
    tokio::spawn(async move {
        let _the_actor_has_ended = myself.cast(MailMsg::Desk(work.await));
    });
}
