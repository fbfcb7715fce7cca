//! `Peers`: one actor an identity, restarted one for one. A peer whose actor fails is adopted by its successor;
//! its server and canary never notice.

use super::{
    actor::PeerActor,
    config::{FleetRules, PeerConfig},
    directory::{Directory, Entry},
    in_flight::InFlight,
    incident::{self, Pacer},
    message::PeerMsg,
    phase::PeerState,
    show::show,
};
use crate::{
    error::FleetError,
    exit::{self, Exit},
    journal::{Draft, JournalHandle},
    names::{Generation, Identity},
    peer::{file::PeerFile, input::Input, input::SessionExit},
    ports::Ports,
    restart_budget::RestartBudget,
    view::PeerView,
};
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent, rpc::CallResult};
use std::{collections::HashMap, convert::Infallible, sync::Arc};
use tokio::{sync::watch, time::Instant};

/// What `Peers` can be asked.
pub enum PeersMsg {
    /// Take these identities in; those that are here already go on, as they are described now.
    Spawn(Vec<PeerConfig>, RpcReplyPort<()>),
    /// End these identities and let them go once nothing of them is under way; answers with the highest generations
    /// of those that have an actor.
    Retire(Vec<Identity>, RpcReplyPort<Result<Vec<(Identity, Generation)>, FleetError>>),
    /// A peer has answered that it is at rest, and may end.
    AtRest(Identity),
    /// Somebody removed this identity's socket.
    SocketLost(Identity),
    /// A program left its session.
    SessionExited(Identity, Generation, SessionExit),
    /// Something happened that decides who may come back, and when.
    Pace(incident::Input),
}

/// The supervisor of all peers.
pub struct Peers {
    /// What holds for every peer, now.
    pub rules: watch::Receiver<Arc<FleetRules>>,
    /// The world.
    pub ports: Ports,
    /// The story.
    pub journal: JournalHandle,
    /// The shared snapshot.
    pub directory: Directory,
    /// What actors that have died may have left under way.
    pub in_flight: InFlight,
}

struct Child {
    identity: Identity,
    /// Outlives the actor; a changed one reaches whichever serves.
    config: watch::Sender<Arc<PeerConfig>>,
    view: Arc<watch::Sender<PeerView>>,
    budget: RestartBudget,
}

/// Who is who.
#[derive(Default)]
pub struct PeersMemory {
    children: HashMap<ActorId, Child>,
    /// Who died together, and comes back in turn.
    pub(super) pacer: Pacer,
}

impl PeersMemory {
    /// What changed is followed by the peer's next decision; its present life goes on as it is.
    fn configure(&self, entry: &Entry, config: PeerConfig) {
        let Some(child) = self.children.get(&entry.actor.get_id()) else { return };
        let changed = child.config.send_if_modified(|now| {
            let changed = **now != config;
            if changed {
                *now = Arc::new(config);
            }
            changed
        });
        if changed {
            let _ = entry.actor.cast(PeerMsg::Configured); // ended: its successor reads the new one
        }
    }
}

impl Actor for Peers {
    type Msg = PeersMsg;
    type State = PeersMemory;
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<PeersMsg>, (): ()) -> Result<PeersMemory, ActorProcessingErr> {
        let mut lost = self.ports.servers.lost_sockets();
        // Ends with the actor: the cast fails then.
        tokio::spawn(async move {
            while let Some(identity) = lost.recv().await {
                if myself.cast(PeersMsg::SocketLost(identity)).is_err() {
                    return;
                }
            }
        });
        Ok(PeersMemory::default())
    }

    async fn handle(
        &self,
        myself: ActorRef<PeersMsg>,
        message: PeersMsg,
        memory: &mut PeersMemory,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            PeersMsg::Spawn(configs, reply) => {
                for config in configs {
                    match self.directory.get(&config.rules.identity) {
                        Some(entry) => memory.configure(&entry, config),
                        None => self.spawn(&myself, memory, self.child(config)).await?,
                    }
                }
                let _ = reply.send(());
            }
            PeersMsg::Retire(identities, reply) => self.retire(&myself, identities, reply),
            PeersMsg::AtRest(identity) => {
                if let Some(entry) = self.directory.remove(&identity) {
                    memory.children.remove(&entry.actor.get_id());
                    entry.actor.stop(Some("removed".into()));
                }
            }
            PeersMsg::SocketLost(identity) => self.tell(&identity, Input::SocketLost),
            PeersMsg::SessionExited(identity, generation, exit) => {
                self.tell(&identity, Input::SessionExited(generation, exit));
            }
            PeersMsg::Pace(input) => self.pace(&myself, memory, input),
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<PeersMsg>,
        event: SupervisionEvent,
        memory: &mut PeersMemory,
    ) -> Result<(), ActorProcessingErr> {
        let Some((who, exit)) = exit::classify::<Infallible>(event) else { return Ok(()) };
        let Some(mut child) = memory.children.remove(&who) else { return Ok(()) };
        let why = match exit {
            Exit::Crashed(why) => why,
            Exit::Killed => "killed".into(),
            Exit::Clean { .. } => "stopped".into(),
        };
        let identity = &child.identity;
        self.journal.record(Draft::new("actor-failed").about(identity).with("reason", &why));
        if child.budget.allows(Instant::now()) {
            self.spawn(&myself, memory, child).await?;
        } else {
            // The server lives on, watched by its canary; a person has to look.
            self.journal.record(Draft::new("actor-down").about(identity).with("reason", &why));
            child.view.send_modify(|view| {
                view.phase = crate::view::PhaseName::Blocked;
                view.detail = format!("its actor failed too often: {why}");
            });
        }
        Ok(())
    }
}

impl Peers {
    /// A peer's `pre_start` only allocates and enters the directory, so this does not wait.
    async fn spawn(
        &self,
        myself: &ActorRef<PeersMsg>,
        memory: &mut PeersMemory,
        child: Child,
    ) -> Result<(), ActorProcessingErr> {
        let peer = PeerActor {
            identity: child.identity.clone(),
            config: child.config.subscribe(),
            ports: self.ports.clone(),
            journal: self.journal.clone(),
            directory: self.directory.clone(),
            view: Arc::clone(&child.view),
            flights: self.in_flight.of(&child.identity),
            peers: myself.clone(),
        };
        let (actor, _) = Actor::spawn_linked(None, peer, (), myself.get_cell()).await?;
        memory.children.insert(actor.get_id(), child);
        Ok(())
    }

    fn child(&self, config: PeerConfig) -> Child {
        let view = Arc::new(watch::Sender::new(self.first_view(&config)));
        let identity = config.rules.identity.clone();
        Child { identity, config: watch::Sender::new(Arc::new(config)), view, budget: RestartBudget::default() }
    }

    /// What is shown until the peer has read its file.
    fn first_view(&self, config: &PeerConfig) -> PeerView {
        let now = self.ports.clock.now();
        show(&PeerState::resting(PeerFile::default(), now.boot_ms), config, now)
    }

    pub(super) fn tell(&self, identity: &Identity, input: Input) {
        if let Some(entry) = self.directory.get(identity) {
            let _ = entry.actor.cast(PeerMsg::Happened(input)); // ended: its successor finds the truth
        }
    }

    fn retire(
        &self,
        myself: &ActorRef<PeersMsg>,
        identities: Vec<Identity>,
        reply: RpcReplyPort<Result<Vec<(Identity, Generation)>, FleetError>>,
    ) {
        let (directory, in_flight, myself) = (self.directory.clone(), self.in_flight.clone(), myself.clone());
        tokio::spawn(async move {
            let mut highest = Vec::with_capacity(identities.len());
            for identity in identities {
                let Some(entry) = directory.get(&identity) else { continue };
                // The caller's deadline bounds this: its port closes, and the call with it.
                match entry.actor.call(PeerMsg::Retire, None).await {
                    Ok(CallResult::Success(Ok(generation))) => {
                        let _ = myself.cast(PeersMsg::AtRest(identity.clone()));
                        // A save that is still in the air would come back after the purge.
                        in_flight.of(&identity).landed().await;
                        in_flight.forget(&identity);
                        highest.push((identity, generation));
                    }
                    Ok(CallResult::Success(Err(error))) => {
                        let _ = reply.send(Err(error));
                        return;
                    }
                    _ => return, // the port drops: the caller sees that it did not work
                }
                if reply.is_closed() {
                    return;
                }
            }
            let _ = reply.send(Ok(highest));
        });
    }
}
