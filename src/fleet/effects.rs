//! The effects of a running fleet.

use super::{caller::Caller, handle::FleetHandle};
use crate::{
    config::models::Providers,
    io::{
        blocking,
        effects::{AuditLog, Functions, Host, HostEnvironment, Keys, OsChance, PeerSinks, Policies, agents::a2a::Post},
    },
    paths::Paths,
};
use coalmine_actors::{
    attachments::Attachments,
    effects::{
        EffectError, EffectSession, Effects, EffectsParts,
        output::Output,
        port::{Added, EffectHost, PolicySource},
    },
    error::FleetError,
    fleet::resolve,
    journal::JournalHandle,
    names::{Generation, Identity, Personality},
    ports::Clock,
};
use ractor::ActorCell;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::{broadcast::error::RecvError, watch};

/// How long what is used may take to be written when the fleet ends.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

/// What an embedder says of the effects.
#[derive(Default)]
pub(super) struct Said {
    /// Who carries them out, in place of this host.
    pub(super) host: Option<Arc<dyn EffectHost>>,
    /// Operations beside those of the table.
    pub(super) added: BTreeMap<String, Arc<dyn Added>>,
    /// Functions that answer at servers.
    pub(super) functions: Functions,
}

/// What they are wired to.
pub(super) struct Wiring {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) journal: JournalHandle,
    pub(super) policies: Arc<dyn PolicySource>,
    pub(super) post: Arc<dyn Post>,
    pub(super) models: watch::Receiver<Arc<Providers>>,
    pub(super) attachments: Attachments,
}

/// Starts them below the fleet's root actor. Nothing is read before somebody calls something.
pub(super) async fn start(said: Said, paths: &Paths, wiring: Wiring, fleet: ActorCell) -> Result<Effects, FleetError> {
    let Wiring { clock, journal, policies, post, models, attachments } = wiring;
    let host: Arc<dyn EffectHost> = match said.host {
        Some(host) => host,
        None => {
            let (root_hash, functions) = (paths.root_hash(), said.functions);
            let host = move || {
                let host = Host::new(root_hash).answering(functions).posting(post);
                Ok(Arc::new(host.asking(models, attachments)))
            };
            blocking::answer(host).await?
        }
    };
    let parts = EffectsParts {
        host,
        source: policies,
        audit: Arc::new(AuditLog::new(paths.effects())),
        clock,
        chance: Arc::new(OsChance),
        environment: Arc::new(HostEnvironment),
        sinks: Arc::new(PeerSinks::new(paths.effects())),
        added: said.added,
        journal: Some(journal.clone()),
    };
    let effects = Effects::start(parts, Some(fleet)).await?;
    tokio::spawn(follow_lives(journal, effects.downgrade()));
    Ok(effects)
}

/// Ends the session of every life that ends. One of which this was missed ends with the peer's next call.
async fn follow_lives(journal: JournalHandle, effects: coalmine_actors::effects::WeakEffects) {
    let mut events = journal.subscribe();
    drop(journal); // or its own channel would never close
    loop {
        match events.recv().await {
            Ok(event) if matches!(event.ev.as_str(), "death" | "ended") => {
                let Some(effects) = effects.upgrade() else { return };
                let identity = event.get("identity").and_then(|text| text.parse::<Identity>().ok());
                let generation = event.get("gen").and_then(|text| text.parse().ok()).map(Generation);
                if let (Some(identity), Some(generation)) = (identity, generation) {
                    effects.life_ended(&identity, generation);
                }
            }
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

impl FleetHandle {
    /// What peers may do to the world.
    pub fn effects(&self) -> &Effects {
        &self.inner().effects
    }

    /// Calls an effect as the peer NAME, in the session that its life has.
    ///
    /// # Errors
    /// Outside: no such peer, not one that `caller` may be, or its policy can not be read. Inside: what the effect itself
    /// fails with.
    pub async fn effect(
        &self,
        caller: &Caller,
        name: &str,
        op: &str,
        args: Value,
    ) -> Result<Result<Output, EffectError>, FleetError> {
        let identity = resolve::one(&self.inner().registry.snapshot(), name)?;
        caller.may_be(&identity)?;
        Ok(self.effect_session(&identity).await?.call_named(op, args).await)
    }

    /// The session that the present life of a peer has.
    ///
    /// # Errors
    /// It is being restarted, or its policy can not be read.
    pub async fn effect_session(&self, identity: &Identity) -> Result<EffectSession, FleetError> {
        let generation = self.entry(identity)?.view.borrow().generation;
        self.effects().standing(identity, generation).await
    }

    /// The policies that there are.
    pub(super) fn policies(&self) -> Policies {
        Policies::new(&self.inner().paths).keeping(Keys::following(self.inner().models.subscribe()))
    }

    /// Ends what a removed peer had open. What can not be forgotten now is forgotten by nobody: a namesake then finds
    /// that its budget is used in part.
    pub(super) async fn forget_effects(&self, peer: &Personality) {
        if let Err(error) = self.effects().forget(peer).await {
            tracing::warn!(%peer, error = error.chain(), "what a removed peer used of its budget is not forgotten");
        }
    }

    /// Ends all sessions, and has what is used written.
    pub(super) async fn close_effects(&self) {
        if let Err(error) = self.effects().close(CLOSE_DEADLINE).await {
            tracing::warn!(error = error.chain(), "the audit log's last lines may be lost with the machine");
        }
    }
}
