//! What an embedder, the API and the tests hold of a fleet.

use super::{shutdown::Gate, start::rules};
use crate::{
    config::{Config, models},
    io::{provisioner::Providers, servers::TmuxServers},
    paths::Paths,
};
use coalmine_actors::{
    attachments::Attachments,
    effects::Effects,
    error::FleetError,
    fleet::{message::FleetMsg, resolve},
    journal::{Draft, JournalHandle},
    mail::Mail,
    memory::Memory,
    names::{Generation, Identity},
    peer::{
        config::FleetRules,
        directory::{Directory, Entry},
        input::{Accepted, Input},
        message::{PeerMsg, Reply},
    },
    ports::{LifeKey, Ports},
    provisioner::Provisioning,
    registry::{RegistryHandle, document::Document},
    view::{Event, PeerView, Streamed},
};
use jiff::Timestamp;
use ractor::{ActorCell, ActorRef, rpc::CallResult};
use std::{os::fd::OwnedFd, path::Path, sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_stream::{
    Stream, StreamExt,
    wrappers::{BroadcastStream, errors::BroadcastStreamRecvError},
};

/// How long a peer may take to accept or refuse a request; carrying it out is another matter.
const ASK_DEADLINE: Duration = Duration::from_secs(5);
/// How long what concerns several actors may take: a birth, a removal, another configuration.
pub(super) const CONDUCT_DEADLINE: Duration = Duration::from_secs(60);
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
    pub(super) provisioning: Provisioning,
    pub(super) providers: Providers,
    pub(super) attachments: Attachments,
    pub(super) effects: Effects,
    /// Models that effects may ask; they follow it.
    pub(super) models: watch::Sender<Arc<models::Providers>>,
    pub(super) mail: Mail,
    pub(super) since: Timestamp,
    /// Shut once the fleet ends with its peers.
    pub(super) gate: Gate,
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

    /// Since when it runs.
    pub fn since(&self) -> Timestamp {
        self.0.since
    }

    /// Who belongs to the fleet, and what is declared of each.
    pub fn registry(&self) -> Arc<Document> {
        self.0.registry.snapshot()
    }

    /// All peers, by identity; from the shared snapshot, without waiting for anybody.
    pub fn list(&self) -> Vec<PeerView> {
        self.0.directory.views().into_iter().map(|view| self.with_mail(view)).collect()
    }

    /// A peer as its actor shows it, with what waits for it.
    fn with_mail(&self, view: PeerView) -> PeerView {
        PeerView { mail: self.0.mail.waiting_for(&view.identity), ..view }
    }

    /// The identities that NAME means: one for an identity, all of a personality.
    ///
    /// # Errors
    /// Unknown name, with the nearest ones.
    pub fn show(&self, name: &str) -> Result<Vec<PeerView>, FleetError> {
        let mut identities = resolve::all(&self.0.registry.snapshot(), name)?;
        identities.sort();
        let view = |identity| Ok(self.with_mail(self.entry(identity)?.view.borrow().clone()));
        identities.iter().map(view).collect()
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
        self.0.providers.pass_env(&config.provision.env);
        self.0.models.send_replace(Arc::new(config.providers.clone()));
        // Whether a policy can be used depends on where keys are.
        self.0.effects.policies_changed();
        self.0.provisioning.configure(config.provision.rules);
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
        self.close_providers().await;
        tokio::join!(self.close_effects(), self.close_memory(), self.flush_attachments());
        end_tree(&self.0.fleet.get_cell()).await;
        self.0.servers.release_limits().await;
        running
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
}

/// Ends the supervision tree; the peers' processes live on.
pub(super) async fn end_tree(fleet: &ActorCell) {
    fleet.stop(None);
    if fleet.wait(Some(SHUTDOWN_DEADLINE)).await.is_err() {
        fleet.kill();
    }
}

/// Asks a peer for something; it accepts or refuses at once.
pub(super) async fn ask(entry: &Entry, message: impl FnOnce(Reply) -> PeerMsg) -> Result<Accepted, FleetError> {
    let identity = entry.view.borrow().identity.clone();
    let answer = entry.actor.call(message, Some(ASK_DEADLINE)).await;
    answered("ask", &identity.to_string(), ASK_DEADLINE, answer)?
}

pub(super) fn restarting(identity: &Identity) -> FleetError {
    FleetError::Unavailable { store: "peer", why: format!("the actor of {identity} is being restarted") }
}

pub(super) fn answered<T, M>(
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
