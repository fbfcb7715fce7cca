//! Carries a peer's decisions out: every action becomes a call of a port on a task of its own, and its result
//! comes back as a message. Nothing here waits, and nothing here decides.

use super::{
    actor::PeerActor,
    incident,
    input::{Action, Alarm, Input},
    message::{PeerMsg, Reply},
    supervisor::PeersMsg,
};
use crate::{
    error::FleetError,
    names::Generation,
    ports::{DeathNotice, IdleRules, LifeKey},
};
use ractor::ActorRef;
use std::{future::Future, time::Duration};
use tokio::{sync::watch, task::AbortHandle};

/// First and longest wait before a record that could not be written is tried again.
const RECORD_RETRY: Duration = Duration::from_millis(500);
const RECORD_RETRY_MAX: Duration = Duration::from_secs(30);
/// First and longest wait between two looks at a server that does not answer.
const PROBE: Duration = Duration::from_millis(500);
const PROBE_MAX: Duration = Duration::from_secs(10);

/// What carrying out one action leaves with the actor.
#[derive(Default)]
pub(super) struct Performed {
    /// The answer for the request in hand.
    pub(super) answer: Option<Result<super::input::Accepted, FleetError>>,
    /// Turns true when the state that this decision made durable is on disk. Closed: it could not be written.
    pub(super) saved: Option<watch::Receiver<bool>>,
    /// A probe that runs until the server answers, or its life ends.
    pub(super) probe: Option<AbortHandle>,
    /// A look at the screen that lasts until the program is ready, or its life ends.
    pub(super) screen: Option<AbortHandle>,
    /// A look-out for signs of life that lasts as long as the program is up.
    pub(super) idle: Option<AbortHandle>,
}

/// Sees to it that every action is reported: one that panicked would be waited for without end.
pub(super) struct Landing(Option<ActorRef<PeerMsg>>);

impl Landing {
    pub(super) fn new(actor: &ActorRef<PeerMsg>) -> Self {
        Self(Some(actor.clone()))
    }

    pub(super) fn report(mut self, message: PeerMsg) {
        if let Some(actor) = self.0.take() {
            let _ = actor.cast(message); // the actor has died meanwhile
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if let Some(actor) = self.0.take() {
            let _ = actor.cast(PeerMsg::Lost); // dead already
        }
    }
}

impl PeerActor {
    /// Runs `work` beside the actor and sends what it gives back. A successor of this actor waits until it has
    /// landed, and finds in the files and in the world what it did.
    fn report<T: Send + 'static>(
        &self,
        myself: &ActorRef<PeerMsg>,
        work: impl Future<Output = T> + Send + 'static,
        message: impl FnOnce(T) -> PeerMsg + Send + 'static,
    ) {
        let Some(flight) = self.flights.depart() else { return };
        let landing = Landing::new(myself);
        tokio::spawn(async move {
            let result = work.await;
            drop(flight);
            landing.report(message(result));
        });
    }

    fn life(&self, generation: Generation) -> LifeKey {
        LifeKey { identity: self.identity.clone(), generation }
    }

    /// Carries out one action.
    pub(super) fn perform(&self, myself: &ActorRef<PeerMsg>, action: Action, done: &mut Performed) {
        let ports = &self.ports;
        match action {
            Action::Answer(answer) => done.answer = Some(answer),
            Action::Tell(draft) => self.journal.record(draft),
            Action::Save(file) => {
                let Some(flight) = self.flights.depart() else { return };
                let save = ports.store.save(&self.identity, file);
                let (landed, saved) = watch::channel(false);
                done.saved = Some(saved);
                tokio::spawn(async move {
                    let _flight = flight;
                    match save.await {
                        Ok(()) => drop(landed.send(true)), // nobody may wait
                        // Not durable yet is not lost: every later save holds the same, and a start waits for its own.
                        Err(error) => tracing::warn!(error = error.chain(), "a peer's state could not be saved"),
                    }
                });
            }
            Action::StartServer(generation, file) => {
                let start = ports.servers.start(&self.life(generation), file, self.config().limits);
                self.report(myself, start, move |result| PeerMsg::Server(generation, result));
            }
            Action::Find(known) => {
                let generation = known.generation;
                let find = ports.servers.find(&self.life(generation), &known);
                self.report(myself, find, move |found| PeerMsg::Found(generation, found));
            }
            Action::ArmCanary(generation, server) => {
                let arm = ports.witness.arm(&self.life(generation), server);
                self.report(myself, arm, move |result| PeerMsg::Canary(generation, result));
            }
            Action::Alarm(alarm) => {
                let who = self.identity.clone();
                self.pace(match alarm {
                    Alarm::Died => incident::Input::Died(who),
                    Alarm::HostRestarted => incident::Input::HostRestarted(who),
                });
            }
            Action::AskToStart(generation) => {
                self.pace(incident::Input::Asks(self.identity.clone(), generation));
            }
            Action::OpenSession { generation, resume } => {
                let open = ports.servers.open_session(&self.life(generation), self.config().launch(resume));
                self.report(myself, open, move |result| {
                    PeerMsg::Happened(match result {
                        Ok(()) => Input::SessionOpened(generation),
                        Err(error) => Input::StartFailed(generation, error),
                    })
                });
            }
            Action::WatchScreen(generation) => done.screen = Some(self.watch_screen(myself, generation)),
            Action::WatchIdle { generation, after_ms } => {
                let rules = IdleRules { after: Duration::from_millis(after_ms), busy: self.config().busy.clone() };
                let idle = ports.servers.idle(&self.life(generation), rules);
                let myself = myself.clone();
                let watch = tokio::spawn(async move {
                    idle.await;
                    let _ = myself.cast(PeerMsg::Happened(Input::Idle(generation))); // the actor has died
                });
                done.idle = Some(watch.abort_handle());
            }
            Action::EndLife(generation, claim) => {
                let end = ports.servers.end(&self.life(generation), claim, self.config().stop.clone());
                let saved = done.saved.clone();
                // The plan first: whoever finds the claim must find in the file what is to follow it.
                let end = async move {
                    landed(saved).await;
                    end.await
                };
                self.report(myself, end, move |result| PeerMsg::Happened(Input::Ended(generation, result)));
            }
            Action::LookAtSession(generation) => {
                let look = ports.servers.session(&self.life(generation));
                self.report(myself, look, move |seen| PeerMsg::Happened(Input::SessionSeen(generation, seen)));
            }
            Action::Sweep(generation) => {
                let sweep = ports.servers.sweep(&self.life(generation));
                self.report(myself, sweep, move |report| PeerMsg::Happened(Input::Swept(generation, report)));
            }
            Action::Settle { generation, server, canary, end, started_boot_ms } => {
                let life = self.life(generation);
                self.settle(myself, DeathNotice { life, server, end, started_boot_ms, canary });
            }
            Action::ProbeUntilReachable(generation) => done.probe = Some(self.probe(myself, generation)),
            Action::HealSocket(generation) => {
                let heal = ports.servers.heal_socket(&self.life(generation));
                let myself = myself.clone();
                tokio::spawn(async move {
                    match heal.await {
                        Ok(true) => {
                            let _ = myself.cast(PeerMsg::Happened(Input::SocketHealed(generation)));
                        }
                        Ok(false) => {}
                        Err(error) => tracing::warn!(error = error.chain(), "a socket could not be made again"),
                    }
                });
            }
            Action::WakeAt { until_boot_ms } => {
                let wait = until_boot_ms.saturating_sub(ports.clock.now().boot_ms);
                myself.send_after(Duration::from_millis(wait), move || PeerMsg::Happened(Input::Due { until_boot_ms }));
            }
        }
    }

    /// Tells whoever paces restarts; where it has died, so have we.
    pub(super) fn pace(&self, input: incident::Input) {
        let _ = self.peers.cast(PeersMsg::Pace(input));
    }

    fn watch_screen(&self, myself: &ActorRef<PeerMsg>, generation: Generation) -> AbortHandle {
        use crate::ports::ScreenSign;
        let mut signs = self.ports.servers.watch_screen(&self.life(generation), self.config().screen.clone());
        let myself = myself.clone();
        // Ends with the channel: the port drops its sender when the program is ready or its server is gone.
        tokio::spawn(async move {
            while let Some(sign) = signs.recv().await {
                let input = match sign {
                    ScreenSign::Ready => Input::Ready(generation),
                    ScreenSign::Attention(what) => Input::Attention(generation, what),
                    ScreenSign::Answered(what) => Input::Answered(generation, what),
                };
                if myself.cast(PeerMsg::Happened(input)).is_err() {
                    return;
                }
            }
        })
        .abort_handle()
    }

    /// A record that can not be written is owed: tried again, later each time, until it is on disk.
    fn settle(&self, myself: &ActorRef<PeerMsg>, notice: DeathNotice) {
        let (witness, myself) = (self.ports.witness.clone(), myself.clone());
        tokio::spawn(async move {
            let generation = notice.life.generation;
            let mut wait = RECORD_RETRY;
            loop {
                match witness.settle(notice.clone()).await {
                    Ok(settlement) => {
                        let _ = myself.cast(PeerMsg::Happened(Input::Settled(generation, settlement)));
                        return;
                    }
                    Err(error) => {
                        let owed = Input::RecordOwed(generation, error.chain());
                        if myself.cast(PeerMsg::Happened(owed)).is_err() {
                            return; // the life is still in the file: the next actor settles it
                        }
                    }
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(RECORD_RETRY_MAX);
            }
        });
    }

    fn probe(&self, myself: &ActorRef<PeerMsg>, generation: Generation) -> AbortHandle {
        let (servers, life) = (self.ports.servers.clone(), self.life(generation));
        let answers = async move {
            let mut wait = PROBE;
            loop {
                tokio::time::sleep(wait).await;
                if servers.answers(&life).await {
                    return;
                }
                wait = (wait * 2).min(PROBE_MAX);
            }
        };
        let myself = myself.clone();
        tokio::spawn(async move {
            answers.await;
            let _ = myself.cast(PeerMsg::Happened(Input::Reachable(generation, true))); // the actor has died
        })
        .abort_handle()
    }
}

/// Waits until a state is on disk, or can not be brought there.
async fn landed(saved: Option<watch::Receiver<bool>>) {
    if let Some(mut saved) = saved {
        let _closed = saved.wait_for(|saved| *saved).await.is_err();
    }
}

/// Answers a request, if its caller still waits; what was accepted is on disk by then.
pub(super) fn answer(
    reply: Reply,
    answer: Option<Result<super::input::Accepted, FleetError>>,
    saved: Option<watch::Receiver<bool>>,
) {
    let Some(answer) = answer else { return };
    if saved.is_none() {
        let _ = reply.send(answer);
        return;
    }
    tokio::spawn(async move {
        landed(saved).await;
        let _ = reply.send(answer);
    });
}
