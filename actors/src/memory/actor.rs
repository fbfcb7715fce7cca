//! The memory's actor: messages in, [`Ledger`] decides, effects out through the port.

use super::{
    compact::{CompactOptions, Compacted, plan},
    handle::{Change, Shared},
    index::Index,
    ledger::{Durability, Effect, Input, Ledger},
    line::{self, Line},
    message::{MemoryMsg, Waiting},
    port::{AppendFailed, Opened, Replacement},
    scan,
};
use crate::{error::FleetError, journal::Draft};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::{future::Future, sync::Arc};
use tokio::{
    sync::{Notify, oneshot},
    task::AbortHandle,
    time::Instant,
};

/// The only writer of memory.jsonl in this process. The world's refusals are its phases; it fails only by a bug.
pub(super) struct Store {
    pub(super) durability: Durability,
    pub(super) shared: Arc<Shared>,
}

/// What the actor holds.
pub(super) struct StoreState {
    ledger: Ledger<Waiting>,
    compacting: Option<(CompactOptions, oneshot::Sender<Result<Compacted, FleetError>>)>,
    closing: Vec<oneshot::Sender<()>>,
    /// Tells the indexer that there is something new; several words are one.
    news: Arc<Notify>,
    /// Keeps the cache up to date, until this state is dropped.
    indexer: Option<AbortHandle>,
    /// Hears of a removed file, until this state is dropped.
    watch: Option<AbortHandle>,
}

impl Drop for StoreState {
    fn drop(&mut self) {
        for task in self.indexer.iter().chain(&self.watch) {
            task.abort();
        }
    }
}

impl Actor for Store {
    type Msg = MemoryMsg;
    type State = StoreState;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<MemoryMsg>, (): ()) -> Result<StoreState, ActorProcessingErr> {
        Ok(StoreState {
            ledger: Ledger::new(self.durability),
            compacting: None,
            closing: Vec::new(),
            news: Arc::default(),
            indexer: None,
            watch: None,
        })
    }

    async fn post_start(&self, myself: ActorRef<MemoryMsg>, state: &mut StoreState) -> Result<(), ActorProcessingErr> {
        self.perform(&myself, vec![Effect::Open], state);
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<MemoryMsg>,
        message: MemoryMsg,
        state: &mut StoreState,
    ) -> Result<(), ActorProcessingErr> {
        let input = match message {
            MemoryMsg::Ask(ask, waiting) => Input::Ask(ask, waiting),
            MemoryMsg::Compact(_, reply) if state.compacting.is_some() => {
                let _gave_up = reply.send(Err(FleetError::Busy { what: "the memory is being compacted".into() }));
                return Ok(());
            }
            MemoryMsg::Compact(options, reply) => {
                state.compacting = Some((options, reply));
                Input::Compact
            }
            MemoryMsg::Close(reply) => {
                state.closing.push(reply);
                Input::Close
            }
            MemoryMsg::Opened(Ok(opened)) => {
                self.watch(&myself, state);
                self.opened(opened, state)
            }
            MemoryMsg::Opened(Err(error)) => {
                self.shared.failed(error.clone());
                Input::NotOpened(error)
            }
            MemoryMsg::Synced(Ok(())) => return Ok(()),
            MemoryMsg::Landed(number, result) => {
                if let Err(failed) = &result {
                    self.failed(failed);
                }
                Input::Landed(number, result)
            }
            MemoryMsg::Synced(Err(failed)) => {
                tracing::warn!(?failed, "the memory could not be made durable");
                Input::NotSynced(failed)
            }
            MemoryMsg::Compacted(result) => self.compacted(result, state),
            MemoryMsg::Removed => Input::Removed,
            MemoryMsg::Retry => Input::Retry,
            MemoryMsg::SyncDue => Input::SyncDue,
            MemoryMsg::Closed => {
                for reply in state.closing.drain(..) {
                    let _gave_up = reply.send(());
                }
                return Ok(());
            }
        };
        let effects = state.ledger.step(input, Instant::now());
        let (answers, effects) = effects.into_iter().partition(|effect| matches!(effect, Effect::Answer(..)));
        self.perform(&myself, effects, state);
        let now_ms = self.shared.clock.now().wall.as_millisecond();
        let effects = state.ledger.go_on(&self.shared.shelf.read(), now_ms);
        self.perform(&myself, effects, state);
        // The disk works on the next batch while those of the last one are told.
        self.perform(&myself, answers, state);
        self.publish(&state.ledger);
        Ok(())
    }
}

impl Store {
    /// Carries out what the ledger decided; whatever takes time is spawned and reports back as a message.
    fn perform(&self, myself: &ActorRef<MemoryMsg>, effects: Vec<Effect<Waiting>>, state: &mut StoreState) {
        let shared = &self.shared;
        for effect in effects {
            match effect {
                Effect::Open => report(myself, shared.file.open(), MemoryMsg::Opened),
                Effect::Append { number, at, batch } => {
                    let written = shared.file.append(at, batch, state.ledger.commits());
                    report(myself, written, move |result| MemoryMsg::Landed(number, result));
                }
                Effect::Apply(lines) => {
                    shared.shelf.write().append(&lines);
                    state.news.notify_one();
                    self.tell(&lines);
                }
                Effect::Answer(waiting, result) => {
                    let _gave_up_waiting = waiting.reply.send(result);
                }
                Effect::Compact => self.compact(myself, state),
                Effect::RefuseCompact(error) => {
                    if let Some((_, reply)) = state.compacting.take() {
                        let _gave_up_waiting = reply.send(Err(error));
                    }
                }
                Effect::RetryIn(wait) => drop(myself.send_after(wait, || MemoryMsg::Retry)),
                Effect::SyncIn(wait) => drop(myself.send_after(wait, || MemoryMsg::SyncDue)),
                Effect::Sync => report(myself, shared.file.sync(), MemoryMsg::Synced),
                Effect::Close => report(myself, shared.file.close(), |_let_go_in_any_case| MemoryMsg::Closed),
            }
        }
    }

    /// Says what an append met; of those behind it nothing is to be said.
    fn failed(&self, failed: &AppendFailed) {
        if matches!(failed, AppendFailed::Behind) {
            return;
        }
        tracing::warn!(?failed, "the memory could not be written");
        if matches!(failed, AppendFailed::Restored) {
            self.shared.note(Draft::new("memory-restored"));
        }
    }

    fn opened(&self, opened: Opened, state: &mut StoreState) -> Input<Waiting> {
        let Opened { mut index, torn, torn_now, restored } = opened;
        let missing = index.succeed(&self.shared.shelf.read());
        if !missing.is_empty() {
            self.keep(missing);
        }
        if restored {
            self.shared.note(Draft::new("memory-restored"));
        }
        if let Some((path, bytes)) = torn_now {
            let note = Draft::new("memory-torn").with("bytes", bytes).with("kept", path.display());
            self.shared.note(note);
        }
        let (length, items, bad) = (index.text().len(), index.active(), index.bad_count());
        self.shared.note(Draft::new("memory-opened").with("items", items).with("bad_lines", bad));
        *self.shared.shelf.write() = index;
        self.shared.opened(torn);
        self.keep_index(state);
        state.news.notify_one();
        Input::Opened(length)
    }

    /// Saves what a stranger took out of the file: nowhere else is it any more.
    fn keep(&self, lines: Vec<u8>) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let items = memchr::memchr_iter(b'\n', &lines).count();
            match shared.file.keep(lines).await {
                Ok(place) => {
                    shared.note(Draft::new("memory-cut").with("items", items).with("kept", place.display()));
                }
                Err(error) => tracing::warn!(error = error.chain(), items, "what was cut from the memory is lost"),
            }
        });
    }

    /// Starts to keep the cache up to date, where somebody will search often enough for it to pay.
    fn keep_index(&self, state: &mut StoreState) {
        let Some(search) = self.shared.search.clone().filter(|_| self.shared.index_eagerly) else { return };
        if state.indexer.is_some() {
            return;
        }
        let (news, shelf) = (Arc::clone(&state.news), self.shared.shelf.clone());
        let indexer = tokio::spawn(async move {
            loop {
                news.notified().await;
                match search.catch_up(shelf.clone()).await {
                    Ok(()) => {}
                    Err(FleetError::ShuttingDown) => break,
                    Err(error) => {
                        tracing::warn!(error = error.chain(), "the memory's index is behind; a search tries again");
                    }
                }
            }
        });
        state.indexer = Some(indexer.abort_handle());
    }

    /// Starts to hear of removals, once.
    fn watch(&self, myself: &ActorRef<MemoryMsg>, state: &mut StoreState) {
        if state.watch.is_some() {
            return;
        }
        let memory = myself.clone();
        let removals = self.shared.file.removals(Box::new(move || drop(memory.cast(MemoryMsg::Removed))));
        let watch = tokio::spawn(async move {
            if let Err(error) = removals.await {
                tracing::warn!(error = error.chain(), "the memory's file is missed only at the next write");
            }
        });
        state.watch = Some(watch.abort_handle());
    }

    /// Tells followers what was written.
    fn tell(&self, lines: &[u8]) {
        if self.shared.changes.receiver_count() == 0 {
            return;
        }
        scan::walk(lines, 0, &mut |piece| {
            let change = match piece.what {
                Ok(Line::Item(line::Head { id, .. })) => Change::Added { id },
                Ok(Line::Tombstone { target, .. }) => Change::Forgotten { id: target },
                _ => return,
            };
            let _nobody_follows = self.shared.changes.send(change);
        });
    }

    fn compact(&self, myself: &ActorRef<MemoryMsg>, state: &StoreState) {
        let options = state.compacting.as_ref().map(|(options, _)| *options).unwrap_or_default();
        let shared = Arc::clone(&self.shared);
        report(myself, async move { compact(&shared, options).await }, MemoryMsg::Compacted);
    }

    fn compacted(
        &self,
        result: Result<(Compacted, Option<Index>), FleetError>,
        state: &mut StoreState,
    ) -> Input<Waiting> {
        let (report, input) = match result {
            Ok((report, Some(index))) => {
                let length = index.text().len();
                *self.shared.shelf.write() = index;
                self.shared
                    .note(Draft::new("memory-compacted").with("removed", report.removed).with("kept", report.kept));
                (Ok(report), Input::Compacted(length))
            }
            Ok((report, None)) => (Ok(report), Input::NotCompacted),
            Err(error) => (Err(error), Input::NotCompacted),
        };
        if let Some((_, reply)) = state.compacting.take() {
            let _gave_up_waiting = reply.send(report);
        }
        input
    }

    fn publish(&self, ledger: &Ledger<Waiting>) {
        self.shared.status.send_modify(|status| {
            status.waiting = ledger.waiting();
            status.unavailable = ledger.outage();
            if status.unavailable.is_none() {
                status.error = None;
            }
        });
    }
}

/// Plans the new file beside the actor, which writes nothing meanwhile, and puts it in place.
async fn compact(shared: &Shared, options: CompactOptions) -> Result<(Compacted, Option<Index>), FleetError> {
    let (shelf, now_ms) = (shared.shelf.clone(), shared.clock.now().wall.as_millisecond());
    let planned = tokio::task::spawn_blocking(move || {
        let index = shelf.read();
        plan(&index, now_ms).map(|plan| (plan, index.text().len()))
    });
    let (plan, bytes_before) = planned.await.map_err(|panic| FleetError::Internal(panic.to_string()))??;
    let mut report = Compacted {
        kept: plan.items,
        removed: plan.lines_removed,
        bytes_before,
        bytes_after: plan.kept.len() as u64,
        backup: None,
        done: false,
    };
    if options.dry_run {
        return Ok((report, None));
    }
    let new = Replacement { expected: bytes_before, kept: plan.kept, removed: plan.removed, purge: options.purge };
    report.backup = shared.file.replace(new).await?;
    report.done = true;
    if let Some(search) = shared.search.as_ref().filter(|_| options.purge) {
        search.discard().await?;
    }
    Ok((report, Some(plan.index)))
}

/// Runs `work` beside the actor and sends it the result.
fn report<T: Send + 'static>(
    myself: &ActorRef<MemoryMsg>,
    work: impl Future<Output = T> + Send + 'static,
    wrap: impl FnOnce(T) -> MemoryMsg + Send + 'static,
) {
    let myself = myself.clone();
    tokio::spawn(async move {
        let _the_memory_has_ended = myself.cast(wrap(work.await));
    });
}
