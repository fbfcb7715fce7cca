//! The attachments of a running fleet.

use super::handle::FleetHandle;
use crate::{
    config::{Config, attachments::AttachmentsConfig},
    io::{
        attachments::{Disk, InMemory, SqliteManifest},
        blocking,
        clock::HostClock,
        private_dir,
    },
    paths::Paths,
};
use coalmine_actors::{
    attachments::{
        AttachmentStore, Attachments, AttachmentsParts, Intent, Owners, Session,
        change::Scope,
        manifest::{Manifest, MemoryManifest},
        tier::{DurabilityTier, Persistence, check_tiers},
    },
    error::FleetError,
    journal::JournalHandle,
    names::Identity,
    ports::Clock,
    registry::{RegistryHandle, document::Document},
    view::{FleetStatus, Unavailable},
};
use ractor::ActorCell;
use std::{sync::Arc, time::Duration};

/// How long what is still to be noted may take when the fleet ends. A part that is missing is found out again.
const FLUSH_DEADLINE: Duration = Duration::from_secs(5);
/// How long their manifest may take to say how much it knows: a daemon's status is also its sign of life.
const VIEW_TIME_MAX: Duration = Duration::from_secs(1);

/// What the attachments need of the rest of the fleet.
pub(super) struct Wiring {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) journal: Option<JournalHandle>,
    pub(super) peers: Peers,
    /// The fleet's root actor.
    pub(super) supervisor: Option<ActorCell>,
}

/// Who belongs to the fleet; nothing where that was not read.
pub(super) type Peers = Box<dyn Fn() -> Option<Arc<Document>> + Send + Sync>;

/// The peers of a registry.
pub(super) fn peers_of(registry: RegistryHandle) -> Peers {
    Box::new(move || registry.is_read().then(|| registry.snapshot()))
}

/// The store that was given, or the one that the configuration describes; refused where the fleet must last and the
/// store does not.
pub(super) async fn store(
    given: Option<Arc<dyn AttachmentStore>>,
    paths: &Paths,
    config: &Config,
) -> Result<Arc<dyn AttachmentStore>, FleetError> {
    let AttachmentsConfig { persistence, bytes_max, .. } = config.attachments;
    let planned = given.as_ref().map_or(persistence, |store| store.persistence());
    // The files of registry, journal and memory are the only way to have these.
    let durable = ["registry", "journal", "memory"].map(|facet| (facet, DurabilityTier::Durable));
    check_tiers(config.tier, &[&durable[..], &[("attachments", planned.into())]].concat())?;
    match (given, persistence) {
        (Some(store), _) => Ok(store),
        (None, Persistence::Ephemeral) => Ok(Arc::new(InMemory::new(Arc::new(HostClock), bytes_max))),
        (None, Persistence::Durable) => {
            let folder = paths.attachments();
            blocking::answer(move || {
                Ok(Arc::new(Disk::open(&folder, Arc::new(HostClock), bytes_max)?) as Arc<dyn AttachmentStore>)
            })
            .await
        }
    }
}

/// The attachments without a fleet, for whoever holds its lock. `document` says who belongs to it, where it could be read.
pub(crate) async fn alone(
    paths: &Paths,
    config: &Config,
    document: Option<Document>,
) -> Result<Attachments, FleetError> {
    let store = store(None, paths, config).await?;
    let document = document.map(Arc::new);
    let peers: Peers = Box::new(move || document.clone());
    let wiring = Wiring { clock: Arc::new(HostClock), journal: None, peers, supervisor: None };
    start(store, paths, &config.attachments, wiring).await
}

/// The attachments of a fleet that never had any.
pub(crate) async fn none() -> Result<Attachments, FleetError> {
    let store = Arc::new(InMemory::new(Arc::new(HostClock), 0));
    let wiring = Wiring { clock: Arc::new(HostClock), journal: None, peers: Box::new(|| None), supervisor: None };
    wired(store, Arc::new(MemoryManifest::default()), &AttachmentsConfig::default(), wiring).await
}

/// Starts them below the fleet's root actor, where there is one.
pub(super) async fn start(
    store: Arc<dyn AttachmentStore>,
    paths: &Paths,
    config: &AttachmentsConfig,
    wiring: Wiring,
) -> Result<Attachments, FleetError> {
    let manifest: Arc<dyn Manifest> = match store.persistence() {
        Persistence::Ephemeral => Arc::new(MemoryManifest::default()),
        Persistence::Durable => {
            private_dir::ensure(&paths.attachments())?;
            let path = paths.attachments_manifest();
            if !path.exists() && !store.list(None, 1).await?.items.is_empty() {
                tracing::warn!(
                    path = %path.display(),
                    "the attachments' manifest is gone, and a new one begins: `coalmine attachment verify` lists those that \
                     nobody refers to now; none of them is removed"
                );
            }
            Arc::new(SqliteManifest::new(path))
        }
    };
    wired(store, manifest, config, wiring).await
}

async fn wired(
    store: Arc<dyn AttachmentStore>,
    manifest: Arc<dyn Manifest>,
    config: &AttachmentsConfig,
    wiring: Wiring,
) -> Result<Attachments, FleetError> {
    let Wiring { clock, journal, peers, supervisor } = wiring;
    let parts = AttachmentsParts {
        store,
        manifest,
        owners: Arc::new(Registered { peers, since_ms: clock.now().wall.as_millisecond() }),
        clock,
        journal,
        quotas: config.quotas,
        grace: config.grace,
        sweep_every: Some(config.sweep_every),
    };
    Attachments::start(parts, supervisor).await
}

/// A session lives as long as the registry knows its identity. The operator's requests live no longer than the process
/// that holds the fleet.
struct Registered {
    peers: Peers,
    /// Since when it does, milliseconds since the epoch.
    since_ms: i64,
}

impl Owners for Registered {
    fn lives(&self, intent: &Intent) -> bool {
        let session = &intent.session_id;
        if *session == Session::operator() {
            return intent.intent_at_epoch_ms >= self.since_ms;
        }
        // Unknown is not dead: a registry that was not read proves nothing.
        let Some(document) = (self.peers)() else { return true };
        let mut identities = document.peers.iter().flat_map(|spec| spec.identities());
        identities.any(|identity| identity.to_string() == session.as_str())
    }
}

impl FleetHandle {
    /// What the fleet passes on by reference.
    pub fn attachments(&self) -> &Attachments {
        &self.inner().attachments
    }

    /// The fleet as a whole with its attachments in a few numbers, for which their manifest is asked. One that can not
    /// be read in time is told as unavailable.
    pub async fn status_with_attachments(&self) -> FleetStatus {
        let view = match tokio::time::timeout(VIEW_TIME_MAX, self.attachments().overview()).await {
            Ok(view) => view.map_err(|error| error.chain()),
            Err(_) => Err(format!("no answer within {VIEW_TIME_MAX:?}")),
        };
        let mut status = self.status();
        match view {
            Ok(view) => status.attachments = Some(view),
            Err(why) => {
                status.unavailable.push(Unavailable { store: "attachments".into(), why, retry_at: None });
            }
        }
        status
    }

    /// Ends the references of peers that are gone. What can not be ended now ends with a sweep: their sessions are
    /// unknown to the registry.
    pub(super) async fn release_attachments(&self, identities: &[Identity]) {
        for identity in identities {
            let Ok(session) = identity.to_string().parse::<Session>() else { continue };
            if let Err(error) = self.attachments().release(Scope::Session(session)).await {
                tracing::warn!(%identity, error = error.chain(), "attachments of a removed peer are not released yet");
            }
        }
    }

    /// Has everything noted that was said so far.
    pub(super) async fn flush_attachments(&self) {
        if let Err(error) = self.attachments().flush(FLUSH_DEADLINE).await {
            tracing::warn!(error = error.chain(), "the next start looks again at what was stored last");
        }
    }
}
