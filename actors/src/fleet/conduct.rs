//! Conducts what concerns several actors: a peer's birth, its removal, and the finishing of both after a restart.
//!
//! Each is one task with the handles that it needs. Every step is durable before the next, so that whoever comes
//! after a crash sees in the registry how far it went.

use super::{message::Born, request::Removed};
use crate::{
    error::FleetError,
    names::{Generation, Identity, Personality, Runtime},
    peer::{
        config::{self, FleetRules},
        supervisor::PeersMsg,
    },
    ports::Ports,
    provisioner::{Provisioning, occasion::Occasion, outcome::RuntimeReport},
    registry::{
        RegistryHandle,
        document::{PeerSpec, RegistryPhase},
    },
};
use ractor::{ActorRef, rpc::CallResult};
use std::{sync::Arc, time::Duration};

/// How long a leaving peer may take until nothing of it is under way: the ladder of an end, and the record.
const RETIRE_DEADLINE: Duration = Duration::from_secs(30);
const SPAWN_DEADLINE: Duration = Duration::from_secs(5);

/// The handles that a piece is conducted with.
#[derive(Clone)]
pub(super) struct Conductor {
    pub(super) rules: Arc<FleetRules>,
    pub(super) ports: Ports,
    pub(super) registry: RegistryHandle,
    pub(super) provisioning: Provisioning,
    pub(super) peers: ActorRef<PeersMsg>,
}

impl Conductor {
    /// Every settled peer gets its actor.
    pub(super) async fn boot(&self) -> Result<(), FleetError> {
        let document = self.registry.ready().await?;
        for spec in document.peers.iter().filter(|spec| spec.phase.is_none()) {
            self.spawn(spec).await?;
        }
        Ok(())
    }

    /// Forgets what an earlier daemon had half made: its maker never heard that it was made, so the name is free
    /// again. Before anybody can be told that the fleet is there, so that it meets none that is being made now.
    pub(super) async fn forget_newborns(&self) -> Result<(), FleetError> {
        let document = self.registry.ready().await?;
        for spec in document.peers.iter().filter(|spec| PeerSpec::is_newborn(spec)) {
            if let Err(error) = self.registry.forget(&spec.personality, Vec::new()).await {
                tracing::warn!(peer = %spec.personality, error = error.chain(), "left half made");
            }
        }
        Ok(())
    }

    /// Finishes what an earlier daemon had half removed. Once a daemon; beside the fleet's start, since a removal
    /// takes as long as its peer's end; and each on its own, so that one which fails hides nobody.
    pub(super) async fn finish(&self) {
        let document = self.registry.snapshot();
        for spec in &document.peers {
            let finished = match spec.phase {
                // A newborn of now is being made by somebody.
                None | Some(RegistryPhase::Newborn) => Ok(()),
                Some(RegistryPhase::Leaving) => self.leave(spec).await.map(drop),
            };
            if let Err(error) = finished {
                tracing::warn!(peer = %spec.personality, error = error.chain(), "left half removed");
            }
        }
    }

    /// Reserves the name, has its memory provisioned, then announces it: a crash in between leaves no half-made peer.
    /// Nobody else makes one of this name meanwhile, so a newborn that is there already is one whose announcement
    /// failed: its maker was told so, and nothing of it is inherited.
    pub(super) async fn create(&self, spec: PeerSpec) -> Result<Born, FleetError> {
        let (name, wanted) = (spec.personality.clone(), spec.runtimes.clone());
        let known = self.registry.snapshot();
        if known.peer(&name).is_some_and(PeerSpec::is_newborn) {
            self.registry.forget(&name, Vec::new()).await?;
        }
        let reserved = self.registry.reserve(spec).await?;
        let (changes, spec) = (reserved.changes, reserved.spec);
        let mut provision = Vec::new();
        if changes.new || changes.parts.contains(&"runtime") {
            provision = self.call_provider(&spec, &wanted, Occasion::Birth).await?;
        }
        self.registry.announce(&name).await?;
        self.spawn(&spec).await?;
        Ok(Born { changes, provision })
    }

    /// Calls the memory provider for those of the runtimes that are agents. Whatever becomes of it is told, and hinders
    /// nothing; an error says that the fleet ends.
    async fn call_provider(
        &self,
        spec: &PeerSpec,
        runtimes: &[Runtime],
        occasion: Occasion,
    ) -> Result<Vec<RuntimeReport>, FleetError> {
        self.provisioning.joint(self.rules.subject(spec, runtimes), occasion).await
    }

    /// A peer that was told to stop before is let go: state purged, name free, generations kept.
    pub(super) async fn remove(&self, name: &Personality) -> Result<Removed, FleetError> {
        let document = self.registry.snapshot();
        let Some(spec) = document.peers.iter().find(|spec| spec.personality == *name) else {
            return Ok(Removed { name: name.to_string(), existed: false, kept_folder: None, unprovision: Vec::new() });
        };
        self.registry.leaving(name).await?;
        let unprovision = self.leave(spec).await?;
        Ok(Removed { name: name.to_string(), existed: true, kept_folder: Some(spec.cwd.clone()), unprovision })
    }

    /// May be asked for again after any of its steps.
    async fn leave(&self, spec: &PeerSpec) -> Result<Vec<RuntimeReport>, FleetError> {
        self.spawn(spec).await?; // an earlier try may have let some of its identities go
        let identities: Vec<Identity> = spec.identities().collect();
        let mut retired = self.retire(&identities).await?;
        for identity in &identities {
            if retired.iter().all(|(known, _)| known != identity) {
                retired.push((identity.clone(), self.highest_without_actor(identity).await?));
            }
        }
        // Durable before the purge: a namesake's lives must not repeat a number, whenever the daemon dies.
        self.registry.retire(retired).await?;
        // Nothing of it runs any more, and all that it was is still there for the provider to see.
        let unprovision = self.call_provider(spec, &spec.runtimes, Occasion::Remove).await?;
        for identity in &identities {
            self.ports.store.purge(identity).await?;
        }
        self.registry.forget(&spec.personality, Vec::new()).await?;
        Ok(unprovision)
    }

    /// An identity whose runtime is not defined any more has no actor that could end it.
    async fn highest_without_actor(&self, identity: &Identity) -> Result<Generation, FleetError> {
        let file = self.ports.store.load(identity).await?;
        if file.lives.is_empty() {
            return Ok(file.highest);
        }
        Err(FleetError::WrongPhase {
            identity: identity.clone(),
            phase: "not settled, and its runtime is not defined".into(),
            hint: format!("define [runtime.{}] again, then `coalmine remove {identity}`", identity.runtime()),
        })
    }

    async fn retire(&self, identities: &[Identity]) -> Result<Vec<(Identity, Generation)>, FleetError> {
        let asked = identities.to_vec();
        match self.peers.call(|reply| PeersMsg::Retire(asked, reply), Some(RETIRE_DEADLINE)).await {
            Ok(CallResult::Success(retired)) => retired,
            Ok(CallResult::Timeout) => {
                Err(FleetError::TimedOut { what: "the end of a leaving peer".into(), after: RETIRE_DEADLINE })
            }
            Ok(CallResult::SenderError) | Err(_) => {
                Err(FleetError::Unavailable { store: "peers", why: "their actor is being restarted".into() })
            }
        }
    }

    async fn spawn(&self, spec: &PeerSpec) -> Result<(), FleetError> {
        let mut configs = Vec::with_capacity(spec.runtimes.len());
        let document = self.registry.snapshot();
        for runtime in &spec.runtimes {
            let identity = Identity::new(runtime.clone(), spec.personality.clone());
            let retired = document.retired.get(&identity).copied().unwrap_or_default();
            match config::join(spec, runtime, &self.rules, retired) {
                Some(config) => configs.push(config),
                None => tracing::warn!(peer = %spec.personality, %runtime, "this runtime is not defined any more"),
            }
        }
        match self.peers.call(|reply| PeersMsg::Spawn(configs, reply), Some(SPAWN_DEADLINE)).await {
            Ok(CallResult::Success(())) => Ok(()),
            _ => Err(FleetError::Unavailable { store: "peers", why: "their actor does not answer".into() }),
        }
    }
}
