//! The registry's actor: one change after the other, each durable before it is answered or seen.
//!
//! ```text
//!               Loaded            changes wait
//!  Loading ──────────────▶ Serving ───────────▶ Saving ── Saved: publish and answer, or answer the error
//!    ▲  │ failed              ▲                    │
//!    │  ▼                     └────────────────────┘
//!  Unavailable: changes are refused, nothing is written
//! ```

use super::{
    changes::Changes,
    document::Document,
    handle::{Served, Shared},
    message::{Changed, RegistryMsg},
    mutation::Mutation,
};
use crate::{admission::Admitted, backoff::backoff, error::FleetError, ports::RegistryFile};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use std::{collections::VecDeque, sync::Arc};
use tokio::time::Instant;

/// The only writer of `fleet.json`. The world's refusals are its phases; it fails only by a bug.
pub(super) struct Registry {
    pub(super) file: Arc<dyn RegistryFile>,
    pub(super) shared: Arc<Shared>,
}

/// What the registry holds.
pub(super) struct RegistryState {
    /// The document in force: the last one that is known to be durable.
    document: Arc<Document>,
    phase: Phase,
    /// Changes that wait for the one in the air. The gate before the actor bounds it.
    waiting: VecDeque<Request>,
}

enum Phase {
    Loading { failures: u32 },
    Serving,
    Saving { next: Arc<Document>, decided: Vec<Decided> },
    Unavailable { failures: u32, error: FleetError },
}

/// A change, and who asked for it.
struct Request {
    mutation: Admitted<Mutation>,
    reply: RpcReplyPort<Changed>,
}

/// A change of the batch in the air, and whether the rules allow it. Answered when the batch is saved: a refusal,
/// too, may rest on a change beside it.
struct Decided {
    request: Request,
    verdict: Result<Changes, FleetError>,
}

impl Decided {
    /// The permit goes only now, so that the gate counts what is in work too.
    fn answer(self, saved: Result<Arc<Document>, FleetError>) {
        let answer = self.verdict.and_then(|changes| Ok((saved?, changes)));
        let _gave_up_waiting = self.request.reply.send(answer);
    }
}

impl Actor for Registry {
    type Msg = RegistryMsg;
    type State = RegistryState;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<RegistryMsg>, (): ()) -> Result<RegistryState, ActorProcessingErr> {
        Ok(RegistryState { document: Arc::default(), phase: Phase::Loading { failures: 0 }, waiting: VecDeque::new() })
    }

    async fn post_start(&self, myself: ActorRef<RegistryMsg>, _: &mut RegistryState) -> Result<(), ActorProcessingErr> {
        self.load(&myself);
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<RegistryMsg>,
        message: RegistryMsg,
        state: &mut RegistryState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            RegistryMsg::Change(mutation, reply) => match &state.phase {
                Phase::Unavailable { error, .. } => {
                    let _gave_up_waiting = reply.send(Err(unavailable(error)));
                }
                _ => state.waiting.push_back(Request { mutation, reply }),
            },
            RegistryMsg::Loaded(result) => self.loaded(&myself, result, state),
            RegistryMsg::Saved(result) => self.saved(result, state),
            RegistryMsg::Retry => {
                if let Phase::Unavailable { failures, .. } = state.phase {
                    state.phase = Phase::Loading { failures };
                    self.load(&myself);
                }
            }
        }
        self.save_waiting(&myself, state);
        Ok(())
    }
}

impl Registry {
    fn load(&self, myself: &ActorRef<RegistryMsg>) {
        let (load, myself) = (self.file.load(), myself.clone());
        tokio::spawn(async move {
            let _the_registry_has_ended = myself.cast(RegistryMsg::Loaded(load.await));
        });
    }

    fn loaded(&self, myself: &ActorRef<RegistryMsg>, result: Result<Document, FleetError>, state: &mut RegistryState) {
        let Phase::Loading { failures } = state.phase else { return };
        match result {
            Ok(document) => {
                for problem in document.problems() {
                    tracing::warn!(problem, "the registry needs a look");
                }
                state.document = Arc::new(document);
                state.phase = Phase::Serving;
                self.shared.publish(Served::Document(Arc::clone(&state.document)));
            }
            Err(error) => {
                // Once: each further try would say the same, and `status` says it as long as it is so.
                if failures == 0 {
                    tracing::error!(error = error.chain(), "the registry is unavailable");
                }
                for request in state.waiting.drain(..) {
                    let _gave_up_waiting = request.reply.send(Err(unavailable(&error)));
                }
                let failures = failures.saturating_add(1);
                let wait = backoff(failures);
                self.shared.publish(Served::Nothing { why: error.clone(), retry_at: Instant::now() + wait });
                state.phase = Phase::Unavailable { failures, error };
                drop(myself.send_after(wait, || RegistryMsg::Retry));
            }
        }
    }

    /// Applies all changes that wait to one document and saves it once.
    fn save_waiting(&self, myself: &ActorRef<RegistryMsg>, state: &mut RegistryState) {
        if !matches!(state.phase, Phase::Serving) || state.waiting.is_empty() {
            return;
        }
        let mut next = Document::clone(&state.document);
        let mut decided = Vec::new();
        for request in state.waiting.drain(..) {
            if request.reply.is_closed() {
                continue; // who asked has given up; a change nobody heard of must not appear later
            }
            let mutation = &request.mutation.request;
            let verdict = mutation.apply(&next).map(|after| {
                let changes = mutation.changes(&next, &after);
                next = after;
                changes
            });
            decided.push(Decided { request, verdict });
        }
        if next == *state.document {
            for change in decided {
                change.answer(Ok(Arc::clone(&state.document)));
            }
            return;
        }
        let (save, myself) = (self.file.save(next.clone()), myself.clone());
        state.phase = Phase::Saving { next: Arc::new(next), decided };
        tokio::spawn(async move {
            let _the_registry_has_ended = myself.cast(RegistryMsg::Saved(save.await));
        });
    }

    fn saved(&self, result: Result<(), FleetError>, state: &mut RegistryState) {
        let Phase::Saving { next, decided } = std::mem::replace(&mut state.phase, Phase::Serving) else { return };
        if result.is_ok() {
            state.document = Arc::clone(&next);
            // Published first: who hears that the change is made also finds it in the snapshot.
            self.shared.publish(Served::Document(Arc::clone(&next)));
        }
        for change in decided {
            change.answer(result.clone().map(|()| Arc::clone(&next)));
        }
    }
}

fn unavailable(error: &FleetError) -> FleetError {
    FleetError::Unavailable { store: "the registry", why: error.chain() }
}
