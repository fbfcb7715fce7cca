//! The journal's actor: messages in, [`Ledger`] decides, effects out through the port.

use super::{
    event,
    handle::{JournalStatus, Shared},
    ledger::{Effect, Input, Ledger},
    message::JournalMsg,
};
use crate::{
    error::FleetError,
    ports::{ForeignLines, JournalFile},
    repeats::Repeats,
};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use std::sync::{Arc, atomic::Ordering};
use tokio::{sync::oneshot, task::AbortHandle, time::Instant};

/// The only writer of lifecycle.log. The world's refusals are its phases; it fails only by a bug.
pub(super) struct Journal {
    pub(super) file: Arc<dyn JournalFile>,
    pub(super) shared: Arc<Shared>,
}

/// What the journal holds.
pub(super) struct JournalState {
    ledger: Ledger,
    /// The import that is not in the file yet: whom to tell when it is.
    importing: Option<oneshot::Sender<()>>,
    /// Those who wait until all is durable.
    flushes: Vec<RpcReplyPort<()>>,
    /// Hands the lines of exits.log in; runs from the first opening until this state is dropped.
    follower: Option<AbortHandle>,
    /// Told by our drop how many events went down with us; the next journal writes it.
    shared: Arc<Shared>,
}

impl Drop for JournalState {
    fn drop(&mut self) {
        if let Some(follower) = &self.follower {
            follower.abort();
        }
        self.shared.lost.fetch_add(self.ledger.at_stake(), Ordering::Relaxed);
    }
}

impl Actor for Journal {
    type Msg = JournalMsg;
    type State = JournalState;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<JournalMsg>, (): ()) -> Result<JournalState, ActorProcessingErr> {
        Ok(JournalState {
            ledger: Ledger::new(),
            importing: None,
            flushes: Vec::new(),
            follower: None,
            shared: Arc::clone(&self.shared),
        })
    }

    async fn post_start(
        &self,
        myself: ActorRef<JournalMsg>,
        state: &mut JournalState,
    ) -> Result<(), ActorProcessingErr> {
        self.perform(&myself, vec![Effect::Open], state);
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<JournalMsg>,
        message: JournalMsg,
        state: &mut JournalState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            JournalMsg::Record(draft, moment) => self.step(&myself, Input::Record(moment.wall, draft), state),
            JournalMsg::Import(lines, done) => {
                state.importing = Some(done);
                self.step(&myself, self.read(&lines), state);
            }
            JournalMsg::Opened(Ok(last_seq)) => {
                self.follow(&myself, state);
                self.step(&myself, Input::Opened(last_seq), state);
            }
            JournalMsg::Written(Ok(())) => {
                self.shared.rows.written.over();
                self.step(&myself, Input::Written, state);
            }
            JournalMsg::Opened(Err(error)) | JournalMsg::Written(Err(error)) => {
                if let Some(times) = self.shared.rows.written.failed() {
                    tracing::warn!(error = error.chain(), times, "the journal is unavailable");
                }
                self.step(&myself, Input::Failed(error.chain()), state);
            }
            JournalMsg::Retry => self.step(&myself, Input::Retry, state),
            JournalMsg::SyncDue => self.step(&myself, Input::SyncDue, state),
            JournalMsg::Flush(reply) => state.flushes.push(reply),
        }
        if state.ledger.is_settled() && !state.flushes.is_empty() {
            self.sync(std::mem::take(&mut state.flushes));
        }
        Ok(())
    }
}

impl Journal {
    fn step(&self, myself: &ActorRef<JournalMsg>, input: Input, state: &mut JournalState) {
        let now = Instant::now();
        let lost = self.shared.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let effects = state.ledger.step(Input::Lost(lost, self.shared.clock.now().wall), now);
            self.perform(myself, effects, state);
        }
        let effects = state.ledger.step(input, now);
        self.perform(myself, effects, state);
    }

    /// Carries out what the ledger decided; whatever takes time is spawned and reports back as a message.
    fn perform(&self, myself: &ActorRef<JournalMsg>, effects: Vec<Effect>, state: &mut JournalState) {
        self.publish_status(&state.ledger);
        for effect in effects {
            match effect {
                Effect::Open => report(myself, self.file.open(), JournalMsg::Opened),
                Effect::Append(lines) => report(myself, self.file.append(lines), JournalMsg::Written),
                Effect::Publish(events) => {
                    for event in events {
                        let _nobody_follows = self.shared.events.send(event);
                    }
                }
                Effect::Imported(up_to) => self.imported(up_to, state.importing.take()),
                Effect::RetryIn(wait) => drop(myself.send_after(wait, || JournalMsg::Retry)),
                Effect::SyncIn(wait) => drop(myself.send_after(wait, || JournalMsg::SyncDue)),
                Effect::Sync => self.sync(Vec::new()),
            }
        }
    }

    /// Before the events go out, so that who hears of an event finds at least its place here.
    fn publish_status(&self, ledger: &Ledger) {
        let status =
            JournalStatus { last_seq: ledger.last_seq(), waiting: ledger.waiting(), unavailable: ledger.outage() };
        self.shared.status.send_replace(status);
    }

    fn read(&self, lines: &ForeignLines) -> Input {
        let now = self.shared.clock.now().wall;
        Input::Import(lines.lines.iter().map(|line| event::import(line, now)).collect(), lines.up_to)
    }

    /// Starts to hand in the lines of exits.log, one import at a time, so that their file is their buffer.
    fn follow(&self, myself: &ActorRef<JournalMsg>, state: &mut JournalState) {
        if state.follower.is_some() {
            return;
        }
        let (mut foreign, myself) = (self.file.foreign_lines(), myself.clone());
        let follower = tokio::spawn(async move {
            while let Some(lines) = foreign.recv().await {
                let (done, wait) = oneshot::channel();
                if myself.cast(JournalMsg::Import(lines, done)).is_err() || wait.await.is_err() {
                    return; // the journal has ended
                }
            }
        });
        state.follower = Some(follower.abort_handle());
    }

    /// Notes how far the import went. Should that fail, the lines come again after a restart: twice beats never.
    fn imported(&self, up_to: u64, done: Option<oneshot::Sender<()>>) {
        let (noted, shared) = (self.file.imported(up_to), Arc::clone(&self.shared));
        tokio::spawn(async move {
            let noted = noted.await;
            tell(&shared.rows.noted, noted, "how far exits.log was imported could not be noted");
            done.map(|done| done.send(()))
        });
    }

    /// No decision rests on the journal, so a sync that fails is told and not repeated: the next write brings one.
    fn sync(&self, flushes: Vec<RpcReplyPort<()>>) {
        let (synced, shared) = (self.file.sync(), Arc::clone(&self.shared));
        tokio::spawn(async move {
            let synced = synced.await;
            tell(&shared.rows.synced, synced, "the journal could not be made durable");
            for reply in flushes {
                let _gave_up_waiting = reply.send(());
            }
        });
    }
}

/// What is not repeated at once, and fails every time while the disk is full.
fn tell(row: &Repeats, result: Result<(), FleetError>, what: &str) {
    match result.map_err(|error| (error, row.failed())) {
        Ok(()) => row.over(),
        Err((error, Some(times))) => tracing::warn!(error = error.chain(), times, "{what}"),
        Err((_, None)) => {}
    }
}

/// Runs `work` beside the actor and sends it the result.
fn report<T: Send + 'static>(
    myself: &ActorRef<JournalMsg>,
    work: crate::ports::Answer<T>,
    wrap: impl FnOnce(Result<T, FleetError>) -> JournalMsg + Send + 'static,
) {
    let myself = myself.clone();
    tokio::spawn(async move {
        let _the_journal_has_ended = myself.cast(wrap(work.await));
    });
}
