//! The root supervisor. A store that fails is restarted within its budget, and left down when it has spent it;
//! without Journal, Registry or Peers there is no fleet: their end is the root's own failure.

use super::{conduct::Conductor, message::FleetMsg};
use crate::{
    backoff::backoff,
    error::FleetError,
    exit,
    journal::{Draft, JournalHandle},
    names::{Generation, Identity, Personality},
    peer::{
        config::FleetRules,
        directory::Directory,
        in_flight::InFlight,
        input::SessionExit,
        supervisor::{Peers, PeersMsg},
    },
    ports::Ports,
    provisioner::Provisioning,
    registry::RegistryHandle,
    restart_budget::RestartBudget,
    turns::Turns,
    view::Event,
};
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    sync::{broadcast::error::RecvError, watch},
    task::AbortHandle,
    time::Instant,
};

/// What the tree is made of.
pub struct FleetActor {
    /// What holds for every peer, now.
    pub rules: watch::Receiver<Arc<FleetRules>>,
    /// The world.
    pub ports: Ports,
    /// The way to the journal.
    pub journal: JournalHandle,
    /// The way to the registry.
    pub registry: RegistryHandle,
    /// The way to the memory provider.
    pub provisioning: Provisioning,
    /// The shared snapshot.
    pub directory: Directory,
}

/// How long one child may take to end with the fleet.
const CHILD_STOP_MAX: Duration = Duration::from_secs(2);

/// A child without which there is no fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Child {
    Journal,
    Registry,
    Peers,
}

/// Who is alive, and who waits.
pub struct FleetMemory {
    children: HashMap<ActorId, Child>,
    budgets: HashMap<Child, RestartBudget>,
    peers: ActorRef<PeersMsg>,
    in_flight: InFlight,
    /// One peer of a name is made at a time.
    births: Turns<Personality>,
    router: AbortHandle,
    boot: Boot,
    /// What an earlier daemon left half done is finished, or being finished.
    finished: bool,
}

/// How far the start is.
enum Boot {
    Loading(Vec<RpcReplyPort<Result<(), FleetError>>>),
    Failed { failures: u32, error: FleetError },
    Done,
}

impl Drop for FleetMemory {
    fn drop(&mut self) {
        self.router.abort();
    }
}

impl Actor for FleetActor {
    type Msg = FleetMsg;
    type State = FleetMemory;
    /// What the journal begins this fleet with: all that follows it there is the fleet's own doing.
    type Arguments = Draft;

    async fn pre_start(&self, myself: ActorRef<FleetMsg>, started: Draft) -> Result<FleetMemory, ActorProcessingErr> {
        let supervisor = myself.get_cell();
        let journal = self.journal.spawn(Arc::clone(&self.ports.journal), supervisor.clone()).await?;
        self.journal.record(started);
        let registry = self.registry.spawn(Arc::clone(&self.ports.registry), supervisor.clone()).await?;
        self.provisioning.spawn(Some(supervisor)).await?;
        let in_flight = InFlight::default();
        let peers = self.spawn_peers(&myself, &in_flight).await?;
        let children = HashMap::from([
            (journal.get_id(), Child::Journal),
            (registry.get_id(), Child::Registry),
            (peers.get_id(), Child::Peers),
        ]);
        let router = self.route_session_exits(&peers);
        self.boot(&myself, &peers, true);
        Ok(FleetMemory {
            children,
            budgets: HashMap::new(),
            peers,
            in_flight,
            births: Turns::default(),
            router,
            boot: Boot::Loading(Vec::new()),
            finished: false,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<FleetMsg>,
        message: FleetMsg,
        memory: &mut FleetMemory,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            FleetMsg::Booted(reply) => match &mut memory.boot {
                Boot::Loading(waiting) => waiting.push(reply),
                Boot::Failed { error, .. } => drop(reply.send(Err(error.clone()))),
                Boot::Done => drop(reply.send(Ok(()))),
            },
            FleetMsg::Boot => self.boot(&myself, &memory.peers, !memory.finished),
            FleetMsg::Loaded(result) => self.loaded(&myself, memory, result),
            FleetMsg::Create(spec, reply) => {
                let (conductor, journal) = (self.conductor(&memory.peers), self.journal.clone());
                let births = memory.births.clone();
                tokio::spawn(async move {
                    let name = spec.personality.clone();
                    let _turn = births.of(&name).await;
                    let created = conductor.create(*spec).await;
                    match created.as_ref().map(|born| &born.changes) {
                        Ok(changes) if changes.new => journal.record(Draft::new("created").with("personality", &name)),
                        Ok(changes) if !changes.parts.is_empty() => {
                            let parts = changes.parts.join(",");
                            journal.record(Draft::new("changed").with("personality", &name).with("parts", parts));
                        }
                        _ => {}
                    }
                    let _ = reply.send(created); // the peer is made, whoever still listens
                });
            }
            FleetMsg::Reload(reply) => {
                let conductor = self.conductor(&memory.peers);
                tokio::spawn(async move { reply.send(conductor.boot().await) });
            }
            FleetMsg::Remove(name, reply) => {
                let (conductor, journal) = (self.conductor(&memory.peers), self.journal.clone());
                tokio::spawn(async move {
                    let removed = conductor.remove(&name).await;
                    if removed.as_ref().is_ok_and(|removed| removed.existed) {
                        journal.record(Draft::new("removed").with("personality", &name));
                    }
                    let _ = reply.send(removed);
                });
            }
        }
        Ok(())
    }

    /// An orderly end: nothing is decided any more, then what was noted becomes durable. Peers' processes live on.
    async fn post_stop(&self, _myself: ActorRef<FleetMsg>, memory: &mut FleetMemory) -> Result<(), ActorProcessingErr> {
        let peers = memory.peers.get_cell();
        peers.stop(None);
        if peers.wait(Some(CHILD_STOP_MAX)).await.is_err() {
            peers.kill();
        }
        if let Err(error) = self.journal.flush(CHILD_STOP_MAX).await {
            tracing::warn!(error = error.chain(), "the journal's last events may be missing");
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<FleetMsg>,
        event: SupervisionEvent,
        memory: &mut FleetMemory,
    ) -> Result<(), ActorProcessingErr> {
        let Some((who, exit)) = exit::classify::<Infallible>(event) else { return Ok(()) };
        let Some(child) = memory.children.remove(&who) else { return Ok(()) };
        tracing::error!(?child, ?exit, "an actor failed");
        if !memory.budgets.entry(child).or_default().allows(Instant::now()) {
            return Err(format!("{child:?} failed too often: {exit:?}").into());
        }
        let supervisor = myself.get_cell();
        let successor = match child {
            Child::Journal => self.journal.spawn(Arc::clone(&self.ports.journal), supervisor).await?,
            Child::Registry => self.registry.spawn(Arc::clone(&self.ports.registry), supervisor).await?,
            Child::Peers => {
                // Every peer died with it; their successors find servers and canaries alive.
                self.directory.clear();
                memory.peers = self.spawn_peers(&myself, &memory.in_flight).await?;
                memory.router.abort();
                memory.router = self.route_session_exits(&memory.peers);
                self.boot(&myself, &memory.peers, !memory.finished);
                memory.peers.get_cell()
            }
        };
        memory.children.insert(successor.get_id(), child);
        self.journal.record(Draft::new("actor-failed").with("actor", format!("{child:?}").to_lowercase()));
        Ok(())
    }
}

impl FleetActor {
    async fn spawn_peers(
        &self,
        myself: &ActorRef<FleetMsg>,
        in_flight: &InFlight,
    ) -> Result<ActorRef<PeersMsg>, ActorProcessingErr> {
        let peers = Peers {
            rules: self.rules.clone(),
            ports: self.ports.clone(),
            journal: self.journal.clone(),
            directory: self.directory.clone(),
            in_flight: in_flight.clone(),
        };
        Ok(Actor::spawn_linked(None, peers, (), myself.get_cell()).await?.0)
    }

    fn conductor(&self, peers: &ActorRef<PeersMsg>) -> Conductor {
        Conductor {
            rules: Arc::clone(&self.rules.borrow()),
            ports: self.ports.clone(),
            registry: self.registry.clone(),
            provisioning: self.provisioning.clone(),
            peers: peers.clone(),
        }
    }

    fn boot(&self, myself: &ActorRef<FleetMsg>, peers: &ActorRef<PeersMsg>, is_first: bool) {
        let (conductor, myself) = (self.conductor(peers), myself.clone());
        tokio::spawn(async move {
            let ready = if is_first { conductor.forget_newborns().await } else { Ok(()) };
            let result = match ready {
                Ok(()) => conductor.boot().await,
                unready => unready,
            };
            let _ = myself.cast(FleetMsg::Loaded(result)); // the fleet has ended
        });
    }

    fn loaded(&self, myself: &ActorRef<FleetMsg>, memory: &mut FleetMemory, result: Result<(), FleetError>) {
        let after = match &result {
            Ok(()) => Boot::Done,
            Err(error) => {
                let before = if let Boot::Failed { failures, .. } = memory.boot { failures } else { 0 };
                let failures = before.saturating_add(1);
                myself.send_after(backoff(failures), || FleetMsg::Boot);
                Boot::Failed { failures, error: error.clone() }
            }
        };
        if let Boot::Loading(waiting) = std::mem::replace(&mut memory.boot, after) {
            for reply in waiting {
                let _ = reply.send(result.clone());
            }
        }
        // Not again when the peers' supervisor was restarted.
        if result.is_ok() && !std::mem::replace(&mut memory.finished, true) {
            let conductor = self.conductor(&memory.peers);
            tokio::spawn(async move { conductor.finish().await });
        }
    }

    /// Hands every session exit that the journal imports to the peer that it is about. One that finds no actor is
    /// not lost: whoever adopts the life sees that its program has left.
    fn route_session_exits(&self, peers: &ActorRef<PeersMsg>) -> AbortHandle {
        let (mut events, peers) = (self.journal.subscribe(), peers.clone());
        let route = async move {
            loop {
                match events.recv().await {
                    Ok(event) => {
                        if let Some((identity, generation, exit)) = session_exit(&event)
                            && peers.cast(PeersMsg::SessionExited(identity, generation, exit)).is_err()
                        {
                            return;
                        }
                    }
                    Err(RecvError::Lagged(missed)) => tracing::error!(missed, "session exits may have been missed"),
                    Err(RecvError::Closed) => return,
                }
            }
        };
        tokio::spawn(route).abort_handle()
    }
}

/// The session exit that an imported event tells of.
fn session_exit(event: &Event) -> Option<(Identity, Generation, SessionExit)> {
    if event.ev != "session-exit" {
        return None;
    }
    let identity = event.get("identity")?.parse().ok()?;
    let generation = Generation(event.get("gen")?.parse().ok()?);
    let number = |key| event.get(key).and_then(|value| value.parse().ok());
    let exit = match (event.get("cause"), number("dead_signal"), number("dead_status")) {
        (Some("session-killed"), ..) => SessionExit::Killed,
        (_, Some(signal), _) => SessionExit::Signal(signal),
        (_, None, Some(status)) => SessionExit::Status(status),
        // The hook could not tell: an end without a status is no content one.
        (_, None, None) => SessionExit::Killed,
    };
    Some((identity, generation, exit))
}
