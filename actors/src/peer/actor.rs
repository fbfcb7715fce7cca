//! The actor of one peer: turns messages into inputs, lets the pure step decide, and has the actions carried out.
//!
//! Its children are watches, one a process. When it dies they die with it and the processes live on; its
//! successor reads the file, finds the processes again, and goes on.

use super::{
    config::PeerConfig,
    directory::{Directory, Entry},
    in_flight::Flights,
    incident,
    input::{FoundLife, Input},
    message::{PeerMsg, Reply},
    perform::{self, Performed},
    phase::{PeerState, Stage},
    show::show,
    step::step,
    supervisor::PeersMsg,
    vigil::Vigil,
    watch::{ProcessEnded, ProcessWatch},
};
use crate::{
    error::FleetError,
    exit::{self, Exit},
    journal::JournalHandle,
    names::{Generation, Identity},
    ports::{Found, Ports, Process},
    view::PeerView,
};
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::watch as view_channel;

/// Requests that may wait while the file is being read.
const WAITING_MAX: usize = 64;

/// What a peer works with.
pub(crate) struct PeerActor {
    pub(super) identity: Identity,
    /// What it is now; what changes here is followed by the next decision, and by the next life.
    pub(super) config: view_channel::Receiver<Arc<PeerConfig>>,
    pub(super) ports: Ports,
    pub(super) journal: JournalHandle,
    pub(super) directory: Directory,
    pub(super) view: Arc<view_channel::Sender<PeerView>>,
    pub(super) flights: Flights,
    /// Our supervisor: it hears of deaths, and says who may come back when.
    pub(super) peers: ActorRef<PeersMsg>,
}

/// What a watch stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watched {
    Server(Generation),
    Canary(Generation),
}

/// The actor's memory: the decisions' state, and what only the carrying out needs.
pub(crate) struct PeerMemory {
    /// `None` until the file was read.
    pub(super) state: Option<PeerState>,
    /// The file is being read.
    pub(super) reading: bool,
    /// How often it could not be read, in a row.
    pub(super) boot_failures: u32,
    /// Messages that came before that, in order.
    pub(super) waiting: Vec<PeerMsg>,
    watches: HashMap<ActorId, Watched>,
    /// The task that asks a silent server; aborted when its life ends.
    probe: Vigil,
    /// The task that judges the screen of a starting peer; aborted when nobody waits for it any more.
    screen: Vigil,
    /// The task that looks for signs of life of a ready peer; aborted when its life is not up any more.
    idle: Vigil,
    /// Once it is being removed: who waits until nothing is under way.
    retiring: Option<Vec<RpcReplyPort<Result<Generation, FleetError>>>>,
}

impl Actor for PeerActor {
    type Msg = PeerMsg;
    type State = PeerMemory;
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<PeerMsg>, (): ()) -> Result<PeerMemory, ActorProcessingErr> {
        let entry = Entry { actor: myself.clone(), view: Arc::clone(&self.view) };
        self.directory.insert(self.identity.clone(), entry);
        myself.cast(PeerMsg::Boot)?;
        Ok(PeerMemory {
            state: None,
            reading: false,
            boot_failures: 0,
            waiting: Vec::new(),
            watches: HashMap::new(),
            probe: Vigil::default(),
            screen: Vigil::default(),
            idle: Vigil::default(),
            retiring: None,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<PeerMsg>,
        message: PeerMsg,
        memory: &mut PeerMemory,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            PeerMsg::Configured => self.publish(memory),
            PeerMsg::Boot => self.boot(&myself, memory),
            PeerMsg::Booted(Ok((file, found))) => self.booted(&myself, memory, file, found).await?,
            PeerMsg::Booted(Err(error)) => {
                self.unavailable(&myself, memory, &error);
            }
            PeerMsg::Lost => return Err("an action panicked".into()),
            PeerMsg::Found(generation, found) => self.found(&myself, memory, generation, found).await?,
            PeerMsg::Server(generation, result) => {
                let input = match result {
                    Ok(server) => {
                        let id = server.id();
                        self.watch(&myself, memory, Watched::Server(generation), server).await?;
                        Input::ServerStarted(generation, id)
                    }
                    Err(error) => Input::StartFailed(generation, error),
                };
                self.turn(&myself, memory, input, None);
            }
            PeerMsg::Canary(generation, result) => {
                let input = match result {
                    Ok(canary) => {
                        let id = canary.id();
                        self.watch(&myself, memory, Watched::Canary(generation), canary).await?;
                        Input::CanaryArmed(generation, id)
                    }
                    Err(error) => Input::CanaryFailed(generation, error),
                };
                self.turn(&myself, memory, input, None);
            }
            // What asks for a decision waits until there is something to decide on.
            message if memory.state.is_none() => {
                if memory.waiting.len() < WAITING_MAX {
                    memory.waiting.push(message); // beyond that its reply port closes, which its caller sees
                }
                // Who asks need not wait until the file is read again by itself.
                self.boot(&myself, memory);
            }
            message => self.decide(&myself, memory, message),
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<PeerMsg>,
        event: SupervisionEvent,
        memory: &mut PeerMemory,
    ) -> Result<(), ActorProcessingErr> {
        let Some((who, exit)) = exit::classify::<ProcessEnded>(event) else { return Ok(()) };
        let Some(watched) = memory.watches.remove(&who) else { return Ok(()) };
        let end = match exit {
            Exit::Failed(ended) => ended.end,
            // A fault of ours, not of the process: fail, and let the successor find the process again.
            Exit::Crashed(why) => return Err(format!("the watch of {watched:?} failed: {why}").into()),
            Exit::Clean { .. } | Exit::Killed => return Err(format!("the watch of {watched:?} was stopped").into()),
        };
        let input = match watched {
            Watched::Server(generation) => Input::ServerEnded(generation, end),
            Watched::Canary(generation) => Input::CanaryEnded(generation),
        };
        self.turn(&myself, memory, input, None);
        Ok(())
    }
}

impl PeerActor {
    pub(super) fn config(&self) -> Arc<PeerConfig> {
        Arc::clone(&self.config.borrow())
    }

    /// Answers, or takes in, what needs nothing but a decision.
    pub(super) fn decide(&self, myself: &ActorRef<PeerMsg>, memory: &mut PeerMemory, message: PeerMsg) {
        let (input, reply) = match message {
            PeerMsg::Start(reply) => (Input::Start, Some(reply)),
            PeerMsg::Wake(wanted, reply) => (Input::Wake(wanted), Some(reply)),
            PeerMsg::Stop(why, reply) => (Input::Stop { why }, Some(reply)),
            PeerMsg::Restart(reply) => (Input::Restart, Some(reply)),
            PeerMsg::Refresh(reply) => (Input::Refresh, Some(reply)),
            PeerMsg::Done(life, reply) => (Input::Done(life), Some(reply)),
            PeerMsg::Reset(reply) => (Input::Reset, Some(reply)),
            PeerMsg::Happened(input) => (input, None),
            PeerMsg::Known(reply) => {
                let _ = reply.send(());
                return;
            }
            PeerMsg::Retire(reply) => {
                memory.retiring.get_or_insert_default().push(reply);
                (Input::Stop { why: "remove" }, None)
            }
            _ => return, // the others have handlers of their own
        };
        match reply {
            Some(reply) if memory.retiring.is_some() && input.wants_life() => {
                let identity = self.identity.clone();
                let hint = format!("wait until it is gone, then `coalmine create {}`", identity.personality());
                let phase = "being removed".into();
                let _ = reply.send(Err(FleetError::WrongPhase { identity, phase, hint }));
            }
            reply => self.turn(myself, memory, input, reply),
        }
    }

    pub(super) async fn found(
        &self,
        myself: &ActorRef<PeerMsg>,
        memory: &mut PeerMemory,
        generation: Generation,
        found: Found,
    ) -> Result<(), ActorProcessingErr> {
        let found = match found {
            Found::Alive { server, canary, session, lock_lost } => {
                let ids = (server.id(), canary.as_ref().map(|canary| canary.id()));
                self.watch(myself, memory, Watched::Server(generation), server).await?;
                if let Some(canary) = canary {
                    self.watch(myself, memory, Watched::Canary(generation), canary).await?;
                }
                FoundLife::Alive { server: ids.0, canary: ids.1, session, lock_lost }
            }
            Found::Dead(end) => FoundLife::Dead(end),
            Found::NeverLived => FoundLife::NeverLived,
            Found::Blocked(why) => FoundLife::Blocked(why),
        };
        self.turn(myself, memory, Input::Found(generation, found), None);
        Ok(())
    }

    async fn watch(
        &self,
        myself: &ActorRef<PeerMsg>,
        memory: &mut PeerMemory,
        watched: Watched,
        process: Box<dyn Process>,
    ) -> Result<(), ActorProcessingErr> {
        // A watch's `pre_start` only allocates, so this does not wait.
        let (watch, _) = Actor::spawn_linked(None, ProcessWatch, process, myself.get_cell()).await?;
        memory.watches.insert(watch.get_id(), watched);
        Ok(())
    }

    /// One decision and everything that follows from it.
    pub(super) fn turn(&self, myself: &ActorRef<PeerMsg>, memory: &mut PeerMemory, input: Input, reply: Option<Reply>) {
        let Some(before) = memory.state.take() else { return };
        let was = before.phase.name();
        let (now, chance) = (self.ports.clock.now(), self.ports.dice.roll());
        let (state, actions) = step(before, input, now, chance, &self.config().rules);
        let is = state.phase.name();
        memory.state = Some(state);
        // Published first: whoever is answered finds the state that the answer speaks of.
        self.publish(memory);
        let mut done = Performed::default();
        for action in actions {
            self.perform(myself, action, &mut done);
        }
        if is != was {
            // After what was done: whoever paces restarts hears of a death before it hears where that led.
            self.pace(incident::Input::Stands(self.identity.clone(), is));
        }
        Self::keep_vigils(memory, &mut done);
        let refused = done.answer.as_ref().and_then(|answer| answer.as_ref().err().cloned());
        match reply {
            None => Self::retire(memory, refused),
            Some(reply) => {
                perform::answer(reply, done.answer, done.saved);
                Self::retire(memory, None);
            }
        }
    }

    pub(super) fn publish(&self, memory: &PeerMemory) {
        if let Some(state) = &memory.state {
            let view = show(state, &self.config(), self.ports.clock.now());
            self.view.send_if_modified(|before| {
                // `since` is computed from the clock and may differ by its grain.
                let changed = PeerView { since: before.since, ..view.clone() } != *before;
                if changed {
                    *before = view;
                }
                changed
            });
        }
    }

    /// Ends what watches for a reason that has passed.
    fn keep_vigils(memory: &mut PeerMemory, done: &mut Performed) {
        let live = memory.state.as_ref().and_then(PeerState::live);
        let silent = live.filter(|live| live.unreachable).map(|live| live.generation);
        let judged = live.filter(|live| live.awaits_its_program()).map(|live| live.generation);
        let ready = live.filter(|live| live.stage == Stage::Up).map(|live| live.generation);
        memory.probe.keep(silent, done.probe.take());
        memory.screen.keep(judged, done.screen.take());
        memory.idle.keep(ready, done.idle.take());
    }

    /// Answers who waits for a removal: it is at rest, or `refused` to be ended.
    fn retire(memory: &mut PeerMemory, refused: Option<FleetError>) {
        let (Some(state), Some(retiring)) = (&memory.state, &mut memory.retiring) else { return };
        let answer = match refused {
            _ if state.at_rest() => Ok(state.file.highest),
            Some(error) => Err(error),
            None => return,
        };
        for reply in retiring.drain(..) {
            let _ = reply.send(answer.clone());
        }
    }
}
