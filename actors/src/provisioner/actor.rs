//! The provisioner's actor: it says who is visited when, and waits for no command. The visits themselves run beside it.

use super::{
    errand::Subject,
    handle::Shared,
    message::{Joint, ProvisionerMsg, SweepRequest},
    occasion::Occasion,
    outcome::{PeerReport, RuntimeReport, failed},
    schedule::{Schedule, Ticket},
    slot::Slot,
    visit::{Visit, cancelled},
};
use crate::error::FleetError;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::{collections::HashMap, sync::Arc};
use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
};

/// The only one who has providers' commands run.
pub(super) struct Provisioner {
    pub(super) shared: Arc<Shared>,
}

/// What the actor holds.
pub(super) struct ProvisionerState {
    schedule: Schedule<Order>,
    running: HashMap<Ticket, Running>,
    /// Who waits until nothing runs; somebody once the fleet ends.
    closing: Vec<oneshot::Sender<()>>,
}

/// A visit that was asked for.
struct Order {
    subject: Subject,
    occasion: Occasion,
    cause: Cause,
}

/// Who asked for it.
enum Cause {
    Joint(Joint),
    Sweep(u64, Arc<Slot>),
}

impl Order {
    fn is_of(&self, sweep: u64) -> bool {
        matches!(self.cause, Cause::Sweep(id, _) if id == sweep)
    }
}

/// A visit under way. Dropped when it is over, or with the actor: then its command is ended.
struct Running {
    order: Order,
    cancel: watch::Sender<bool>,
    _task: JoinSet<()>,
}

impl Actor for Provisioner {
    type Msg = ProvisionerMsg;
    type State = ProvisionerState;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<ProvisionerMsg>, (): ()) -> Result<ProvisionerState, ActorProcessingErr> {
        self.shared.board.abandon();
        Ok(ProvisionerState {
            schedule: Schedule::new(self.shared.rules().parallel),
            running: HashMap::new(),
            closing: Vec::new(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<ProvisionerMsg>,
        message: ProvisionerMsg,
        state: &mut ProvisionerState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ProvisionerMsg::Run(subject, occasion, joint) => {
                let peer = subject.personality.clone();
                state.schedule.submit(&peer, true, Order { subject, occasion, cause: Cause::Joint(joint) });
            }
            ProvisionerMsg::Sweep(request, reply) => {
                let begun = self.sweep(request, state);
                let _gave_up_waiting = reply.send(begun);
            }
            ProvisionerMsg::Cancel(id) => self.cancel(id, state),
            ProvisionerMsg::Parallel(parallel) => state.schedule.set_parallel(parallel),
            ProvisionerMsg::Close(reply) => state.closing.push(reply),
            ProvisionerMsg::Ended(ticket, reports) => {
                if let Some(Running { order, .. }) = state.running.remove(&ticket) {
                    state.schedule.ended(&order.subject.personality, ticket);
                    self.answer(order, reports);
                }
            }
        }
        if !state.closing.is_empty() {
            self.close(state);
        }
        while let Some((ticket, order)) = state.schedule.begin() {
            let running = self.begin(&myself, ticket, order);
            state.running.insert(ticket, running);
        }
        Ok(())
    }
}

impl Provisioner {
    fn begin(&self, myself: &ActorRef<ProvisionerMsg>, ticket: Ticket, order: Order) -> Running {
        let (cancel, cancelled) = watch::channel(false);
        let slot = match &order.cause {
            Cause::Sweep(_, slot) => Some(Arc::clone(slot)),
            Cause::Joint(_) => None,
        };
        let visit = Visit {
            shared: Arc::clone(&self.shared),
            subject: order.subject.clone(),
            occasion: order.occasion,
            cancel: cancelled,
        };
        let (myself, mut task) = (myself.clone(), JoinSet::new());
        task.spawn(async move {
            // A task within the task: a visit that panics is over too, and somebody waits for it.
            let mut making = JoinSet::new();
            making.spawn(visit.make(slot));
            let reports = match making.join_next().await {
                Some(Ok(reports)) => reports,
                _ => vec![RuntimeReport { runtime: None, outcome: failed("an internal fault ended the visit") }],
            };
            let _the_actor_has_ended = myself.cast(ProvisionerMsg::Ended(ticket, reports));
        });
        Running { order, cancel, _task: task }
    }

    fn sweep(&self, request: SweepRequest, state: &mut ProvisionerState) -> Result<u64, FleetError> {
        let occasion = request.occasion();
        let SweepRequest { direction, peer, subjects, slot } = request;
        let id = self.shared.board.begin(direction, peer, subjects.len())?;
        for subject in subjects {
            let (peer, cause) = (subject.personality.clone(), Cause::Sweep(id, Arc::clone(&slot)));
            state.schedule.submit(&peer, false, Order { subject, occasion, cause });
        }
        Ok(id)
    }

    /// What runs is ended by its own visit, which reports; what waits is reported here.
    fn cancel(&self, id: u64, state: &mut ProvisionerState) {
        self.shared.board.cancelled(id);
        for running in state.running.values().filter(|running| running.order.is_of(id)) {
            running.cancel.send_replace(true);
        }
        for order in state.schedule.withdraw(|order| order.is_of(id)) {
            self.call_off(order);
        }
    }

    /// Nothing is begun any more, what runs is called off, and whoever waits for that hears of it.
    fn close(&self, state: &mut ProvisionerState) {
        for order in state.schedule.withdraw(|_| true) {
            self.call_off(order);
        }
        for running in state.running.values() {
            running.cancel.send_replace(true);
        }
        if state.running.is_empty() {
            for reply in state.closing.drain(..) {
                let _gave_up_waiting = reply.send(());
            }
        }
    }

    /// Reports a visit that was never begun.
    fn call_off(&self, order: Order) {
        let agents = order.subject.agents.iter();
        let reports =
            agents.map(|agent| RuntimeReport { runtime: Some(agent.runtime.clone()), outcome: cancelled() }).collect();
        self.answer(order, reports);
    }

    fn answer(&self, order: Order, reports: Vec<RuntimeReport>) {
        match order.cause {
            // Not told that its provider was called off: the next daemon does it anew, or forgets it.
            Cause::Joint(_) if self.shared.is_closing() => {}
            Cause::Joint(joint) => {
                let _gave_up_waiting = joint.reply.send(reports);
            }
            Cause::Sweep(id, _) => {
                let personality = order.subject.personality;
                self.shared.board.report(id, PeerReport { personality, runtimes: reports });
            }
        }
    }
}
