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
    registry::RegistryHandle,
};
use ractor::ActorCell;
use std::{sync::Arc, time::Duration};

/// How long what is still to be noted may take when the fleet ends. A part that is missing is found out again.
const FLUSH_DEADLINE: Duration = Duration::from_secs(5);

/// What the attachments need of the rest of the fleet.
pub(super) struct Wiring {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) journal: JournalHandle,
    pub(super) registry: RegistryHandle,
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

/// Starts them below the fleet's root actor.
pub(super) async fn start(
    store: Arc<dyn AttachmentStore>,
    paths: &Paths,
    config: &AttachmentsConfig,
    wiring: Wiring,
    fleet: ActorCell,
) -> Result<Attachments, FleetError> {
    let Wiring { clock, journal, registry } = wiring;
    let manifest: Arc<dyn Manifest> = match store.persistence() {
        Persistence::Ephemeral => Arc::new(MemoryManifest::default()),
        Persistence::Durable => {
            private_dir::ensure(&paths.attachments())?;
            Arc::new(SqliteManifest::new(paths.attachments_manifest()))
        }
    };
    let parts = AttachmentsParts {
        store,
        manifest,
        owners: Arc::new(Registered { registry, since_ms: clock.now().wall.as_millisecond() }),
        clock,
        journal: Some(journal),
        quotas: config.quotas,
        grace: config.grace,
        sweep_every: Some(config.sweep_every),
    };
    Attachments::start(parts, Some(fleet)).await
}

/// A session lives as long as the registry knows its identity. The operator's requests live no longer than the daemon.
struct Registered {
    registry: RegistryHandle,
    /// Since when this fleet runs, milliseconds since the epoch.
    since_ms: i64,
}

impl Owners for Registered {
    fn lives(&self, intent: &Intent) -> bool {
        let session = &intent.session_id;
        if *session == Session::operator() {
            return intent.intent_at_epoch_ms >= self.since_ms;
        }
        // Unknown is not dead: a registry that was not read proves nothing.
        if !self.registry.is_read() {
            return true;
        }
        let document = self.registry.snapshot();
        let mut identities = document.peers.iter().flat_map(|spec| spec.identities());
        identities.any(|identity| identity.to_string() == session.as_str())
    }
}

impl FleetHandle {
    /// What the fleet passes on by reference.
    pub fn attachments(&self) -> &Attachments {
        &self.inner().attachments
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
