//! What an embedder, the API and the tests hold of a fleet.

use super::{admit, builder::rules, wait};
use crate::{config::Config, io::servers::TmuxServers, paths::Paths};
use coalmine_actors::{
    error::FleetError,
    fleet::{
        message::FleetMsg,
        request::{CreatePeer, Created, Removed, Stopped},
        resolve,
    },
    journal::{Draft, JournalHandle},
    memory::Memory,
    names::{Generation, Identity},
    peer::{
        config::FleetRules,
        directory::{Directory, Entry},
        input::{Accepted, Input},
        message::{PeerMsg, Reply},
    },
    ports::{LifeKey, Ports},
    registry::RegistryHandle,
    view::{Event, PeerView, Streamed},
};
use jiff::Timestamp;
use ractor::{ActorRef, rpc::CallResult};
use std::{os::fd::OwnedFd, path::Path, sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_stream::{
    Stream, StreamExt,
    wrappers::{BroadcastStream, errors::BroadcastStreamRecvError},
};

/// How long a peer may take to accept or refuse a request; carrying it out is another matter.
const ASK_DEADLINE: Duration = Duration::from_secs(5);
/// How long `create` waits for the start that it was asked for where nobody says, and `remove --force` for the end.
const CONDUCT_DEADLINE: Duration = Duration::from_secs(60);
/// How long the tree may take to end.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(5);

/// A running fleet. Clones share it; dropping the last one ends the tree and leaves the peers alone.
#[derive(Clone)]
pub struct FleetHandle(Arc<Inner>);

pub(super) struct Inner {
    pub(super) paths: Paths,
    pub(super) rules: watch::Sender<Arc<FleetRules>>,
    pub(super) ports: Ports,
    pub(super) servers: TmuxServers,
    pub(super) journal: JournalHandle,
    pub(super) registry: RegistryHandle,
    pub(super) directory: Directory,
    pub(super) fleet: ActorRef<FleetMsg>,
    pub(super) memory: Memory,
    pub(super) since: Timestamp,
    /// `daemon.lock`: held as long as anybody holds this fleet.
    #[expect(dead_code, reason = "held, not read")]
    pub(super) lock: OwnedFd,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.fleet.stop(None);
    }
}

impl std::fmt::Debug for FleetHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FleetHandle").field("root", &self.root()).finish_non_exhaustive()
    }
}

impl FleetHandle {
    pub(super) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.0
    }

    pub(super) fn fleet(&self) -> &ActorRef<FleetMsg> {
        &self.0.fleet
    }

    /// Waits until every peer knows its lives, or could not read its file; at most `patience`.
    pub(super) async fn know(&self, patience: Duration) {
        let asked = self.0.directory.identities().into_iter().filter_map(|identity| self.0.directory.get(&identity));
        let asked: Vec<_> = asked
            .map(|entry| tokio::spawn(async move { entry.actor.call(PeerMsg::Known, Some(patience)).await }))
            .collect();
        for answer in asked {
            let _ = answer.await; // one that does not know yet shows so in its view, sooner or later
        }
    }

    /// The state root.
    pub fn root(&self) -> &Path {
        self.0.paths.root()
    }

    /// Where everything of this fleet lies.
    pub fn paths(&self) -> &Paths {
        &self.0.paths
    }

    /// Makes a peer, or adds a runtime to one. With `start` set, returns once it is up, needs attention, or failed.
    ///
    /// # Errors
    /// Bad input, of which nothing is left behind; a store that can not serve; a start that failed.
    pub async fn create(&self, peer: CreatePeer) -> Result<Created, FleetError> {
        self.create_within(peer, CONDUCT_DEADLINE).await
    }

    /// The same, with a wait of its own for the start.
    ///
    /// # Errors
    /// As `create`, or not up within `patience`: the peer is made and its start goes on.
    pub async fn create_within(&self, peer: CreatePeer, patience: Duration) -> Result<Created, FleetError> {
        let (start, name) = (peer.start, peer.name.clone());
        let (spec, identity) = admit::spec(peer, &self.0.rules.borrow().clone())?;
        self.0.servers.limited_by(&spec.limits)?;
        let created = self.0.fleet.call(|reply| FleetMsg::Create(Box::new(spec), reply), Some(CONDUCT_DEADLINE)).await;
        let new = answered("create", &name, CONDUCT_DEADLINE, created)??;
        let peer = if start {
            self.start(&identity.to_string(), patience).await?
        } else {
            self.entry(&identity)?.view.borrow().clone()
        };
        Ok(Created { peer, new })
    }

    /// Starts NAME (a personality's default runtime, or an identity) and waits until it is up or needs attention.
    /// A program that has ended by then with status 0 is no failure: the view says `stopped`.
    ///
    /// # Errors
    /// Unknown, quarantined, blocked, failed, or not up within `patience`.
    pub async fn start(&self, name: &str, patience: Duration) -> Result<PeerView, FleetError> {
        let entry = self.entry(&resolve::one(&self.0.registry.snapshot(), name)?)?;
        self.can_limit(&entry)?;
        let accepted = self.ask(&entry, PeerMsg::Start).await?;
        wait::until_up(&entry.view, accepted.generation, patience).await
    }

    /// Refuses at once what every start of this peer would fail with, later each time.
    fn can_limit(&self, entry: &Entry) -> Result<(), FleetError> {
        let view = entry.view.borrow();
        if view.phase.is_live() { Ok(()) } else { self.0.servers.limited_by(&view.limits).map(drop) }
    }

    /// The same for what sleeps or comes back by itself: what was stopped stays down, for a stop wins over a wake. A
    /// peer that was put to sleep goes on with its last conversation.
    ///
    /// # Errors
    /// As `start`, or it was stopped.
    pub async fn wake(&self, name: &str, patience: Duration) -> Result<PeerView, FleetError> {
        let entry = self.entry(&resolve::one(&self.0.registry.snapshot(), name)?)?;
        let accepted = self.ask(&entry, PeerMsg::Wake).await?;
        wait::until_up(&entry.view, accepted.generation, patience).await
    }

    /// Ends every identity that NAME means, and waits for it.
    ///
    /// # Errors
    /// Unknown name, blocked, or not ended within `patience`.
    pub async fn stop(&self, name: &str, patience: Duration) -> Result<Vec<Stopped>, FleetError> {
        self.stop_because("stop", name, patience).await
    }

    async fn stop_because(
        &self,
        why: &'static str,
        name: &str,
        patience: Duration,
    ) -> Result<Vec<Stopped>, FleetError> {
        let mut asked = Vec::new();
        for identity in resolve::all(&self.0.registry.snapshot(), name)? {
            let entry = self.entry(&identity)?;
            let accepted = self.ask(&entry, |reply| PeerMsg::Stop(why, reply)).await?;
            asked.push((identity, entry, accepted));
        }
        let mut stopped = Vec::with_capacity(asked.len());
        for (identity, entry, accepted) in asked {
            let view = wait::until_down(&entry.view, patience).await?;
            let report = view.last_end.filter(|_| accepted.was.is_live());
            stopped.push(Stopped { identity, report });
        }
        Ok(stopped)
    }

    /// Ends NAME and starts its next life.
    ///
    /// # Errors
    /// As `start`.
    pub async fn restart(&self, name: &str, patience: Duration) -> Result<PeerView, FleetError> {
        let entry = self.entry(&resolve::one(&self.0.registry.snapshot(), name)?)?;
        let accepted = self.ask(&entry, PeerMsg::Restart).await?;
        wait::until_up(&entry.view, accepted.generation, patience).await
    }

    /// Forgives the deaths of NAME: a quarantined peer becomes stopped.
    ///
    /// # Errors
    /// Unknown name.
    pub async fn reset(&self, name: &str) -> Result<Vec<PeerView>, FleetError> {
        let mut views = Vec::new();
        for identity in resolve::all(&self.0.registry.snapshot(), name)? {
            let entry = self.entry(&identity)?;
            self.ask(&entry, PeerMsg::Reset).await?;
            views.push(entry.view.borrow().clone());
        }
        Ok(views)
    }

    /// Removes a peer with all its runtimes and everything but its folder. A name that no peer has is a success
    /// that says so.
    ///
    /// # Errors
    /// It lives and `force` is not set; its end took too long; the name is one runtime of several.
    pub async fn remove(&self, name: &str, force: bool) -> Result<Removed, FleetError> {
        let document = self.0.registry.snapshot();
        let Some(spec) = resolve::spec(&document, name) else {
            return Ok(Removed { name: name.chars().take(64).collect(), existed: false, kept_folder: None });
        };
        let personality = spec.personality.clone();
        if personality.as_str() != name && spec.runtimes.len() > 1 {
            return Err(FleetError::Usage {
                what: format!("{name} is one of several runtimes of {personality}, which are removed together"),
                hint: format!("`coalmine remove {personality}` removes all of them"),
            });
        }
        for identity in spec.identities() {
            let Ok(entry) = self.entry(&identity) else { continue };
            let phase = entry.view.borrow().phase;
            if phase.is_live() && !force {
                let hint = format!("`coalmine stop {personality}` first, or add --force");
                return Err(FleetError::WrongPhase { identity, phase: phase.to_string(), hint });
            }
        }
        self.stop_because("remove", personality.as_str(), CONDUCT_DEADLINE).await?;
        let removed = self.0.fleet.call(|reply| FleetMsg::Remove(personality, reply), Some(CONDUCT_DEADLINE)).await;
        answered("remove", name, CONDUCT_DEADLINE, removed)?
    }

    /// All peers, by identity; from the shared snapshot, without waiting for anybody.
    pub fn list(&self) -> Vec<PeerView> {
        self.0.directory.views()
    }

    /// The identities that NAME means: one for an identity, all of a personality.
    ///
    /// # Errors
    /// Unknown name, with the nearest ones.
    pub fn show(&self, name: &str) -> Result<Vec<PeerView>, FleetError> {
        let mut identities = resolve::all(&self.0.registry.snapshot(), name)?;
        identities.sort();
        identities.iter().map(|identity| Ok(self.entry(identity)?.view.borrow().clone())).collect()
    }

    /// The text on a peer's screen, made harmless.
    ///
    /// # Errors
    /// Unknown, not live, or its server is silent (which is no death, and kills nothing).
    pub async fn capture(&self, name: &str) -> Result<String, FleetError> {
        let identity = resolve::one(&self.0.registry.snapshot(), name)?;
        let entry = self.entry(&identity)?;
        let view = entry.view.borrow().clone();
        if view.server_pid.is_none() {
            let hint = format!("`coalmine start {identity}` starts it");
            return Err(FleetError::WrongPhase { identity, phase: view.phase.to_string(), hint });
        }
        let life = LifeKey { identity, generation: view.generation };
        let screen = self.0.ports.servers.capture(&life).await;
        let answers = !matches!(screen, Err(FleetError::ServerSilent { .. }));
        if answers == view.unreachable {
            let _ = entry.actor.cast(PeerMsg::Happened(Input::Reachable(life.generation, answers)));
        }
        screen
    }

    /// What a peer's own process says when it is ready (`coalmine ready`).
    ///
    /// # Errors
    /// Unknown identity.
    pub async fn ready(&self, identity: &Identity, generation: Generation) -> Result<(), FleetError> {
        let entry = self.entry(identity)?;
        entry.actor.cast(PeerMsg::Happened(Input::Ready(generation))).map_err(|_ended| restarting(identity))
    }

    /// Something was delivered to this life: it is not idle, whatever its screen shows.
    ///
    /// # Errors
    /// Unknown identity.
    pub fn delivered(&self, identity: &Identity, generation: Generation) -> Result<(), FleetError> {
        let entry = self.entry(identity)?;
        entry.actor.cast(PeerMsg::Happened(Input::Delivered(generation))).map_err(|_ended| restarting(identity))
    }

    /// Everything that happens from now on; a slow reader gets [`Streamed::Lagged`].
    pub fn events(&self) -> impl Stream<Item = Streamed> + Send + Unpin + use<> {
        BroadcastStream::new(self.0.journal.subscribe()).map(|item| match item {
            Ok(event) => Streamed::Event(Arc::unwrap_or_clone(event)),
            Err(BroadcastStreamRecvError::Lagged(lagged)) => Streamed::Lagged { lagged },
        })
    }

    /// Events after `seq` that are still in the journal, oldest first, at most `limit`.
    ///
    /// # Errors
    /// The journal can not be read.
    pub async fn events_after(&self, seq: u64, limit: usize) -> Result<Vec<Event>, FleetError> {
        let journal = self.0.paths.journal();
        let read = {
            let journal = journal.clone();
            tokio::task::spawn_blocking(move || crate::io::journal::read_events(&journal, seq, limit)).await
        };
        read.map_err(|join| FleetError::Internal(join.to_string()))?
            .map_err(|source| FleetError::io("read", journal, source))
    }

    /// Follows another configuration: what changes is followed by every peer's next decision and next life.
    ///
    /// # Errors
    /// The registry can not be read now.
    pub async fn reload(&self, config: &Config) -> Result<(), FleetError> {
        self.0.rules.send_replace(Arc::new(rules(config)?));
        self.0.servers.pass_env(&config.pass_env);
        let reloaded = self.0.fleet.call(FleetMsg::Reload, Some(CONDUCT_DEADLINE)).await;
        answered("reload", "fleet", CONDUCT_DEADLINE, reloaded)??;
        self.0.journal.record(Draft::new("reloaded"));
        Ok(())
    }

    /// Resolves when the tree has ended: by `shutdown`, or because an actor without which there is no fleet failed
    /// too often. Whoever serves this fleet should end then.
    pub async fn ended(&self) {
        // An error says that it has ended already.
        let _ = self.0.fleet.get_cell().wait(None).await;
    }

    /// Ends the tree and leaves the peers running; returns how many still run.
    pub async fn shutdown(self) -> usize {
        let running = self.list().iter().filter(|view| view.server_pid.is_some()).count();
        self.0.journal.record(Draft::new("daemon-stopping").with("running", running));
        self.close_memory().await;
        let fleet = self.0.fleet.get_cell();
        fleet.stop(None);
        if fleet.wait(Some(SHUTDOWN_DEADLINE)).await.is_err() {
            fleet.kill();
        }
        running
    }

    /// Ends the peers too; returns how many were ended.
    ///
    /// # Errors
    /// The first peer that could not be ended; the others were asked all the same, and the tree has ended.
    pub async fn shutdown_all(self) -> Result<usize, FleetError> {
        let live: Vec<_> = self.list().into_iter().filter(|view| view.phase.is_live()).collect();
        let ends = live.iter().map(|view| {
            let (this, name) = (self.clone(), view.identity.to_string());
            tokio::spawn(async move { this.stop(&name, CONDUCT_DEADLINE).await.map(|_| ()) })
        });
        let ends: Vec<_> = ends.collect();
        let mut failed = Ok(live.len());
        for end in ends {
            let end = end.await.unwrap_or_else(|join| Err(FleetError::Internal(join.to_string())));
            if let (Ok(_), Err(error)) = (&failed, end) {
                failed = Err(error);
            }
        }
        self.shutdown().await;
        failed
    }

    /// The one identity that NAME means: a personality's default runtime, or the identity itself.
    ///
    /// # Errors
    /// Unknown name, with the nearest ones.
    pub fn identity(&self, name: &str) -> Result<Identity, FleetError> {
        resolve::one(&self.0.registry.snapshot(), name)
    }

    pub(super) fn entry(&self, identity: &Identity) -> Result<Entry, FleetError> {
        self.0.directory.get(identity).ok_or_else(|| restarting(identity))
    }

    async fn ask(&self, entry: &Entry, message: impl FnOnce(Reply) -> PeerMsg) -> Result<Accepted, FleetError> {
        let identity = entry.view.borrow().identity.clone();
        let answer = entry.actor.call(message, Some(ASK_DEADLINE)).await;
        answered("ask", &identity.to_string(), ASK_DEADLINE, answer)?
    }
}

fn restarting(identity: &Identity) -> FleetError {
    FleetError::Unavailable { store: "peer", why: format!("the actor of {identity} is being restarted") }
}

fn answered<T, M>(
    op: &str,
    name: &str,
    after: Duration,
    answer: Result<CallResult<T>, ractor::MessagingErr<M>>,
) -> Result<T, FleetError> {
    match answer {
        Ok(CallResult::Success(value)) => Ok(value),
        Ok(CallResult::Timeout) => Err(FleetError::TimedOut { what: format!("{op} {name}"), after }),
        Ok(CallResult::SenderError) | Err(_) => {
            Err(FleetError::Unavailable { store: "fleet", why: "an actor is being restarted".into() })
        }
    }
}
