//! What a fleet is to be like, said before it is started.

use super::{effects, handle::FleetHandle, start};
use crate::{config::Config, io::limits::LimitsHost};
use coalmine_actors::{
    attachments::AttachmentStore,
    effects::port::{Added, Answers, EffectHost},
    error::FleetError,
    names::Runtime,
    peer::restart_policy::{RestartLimit, RestartPolicy},
    runtime::RuntimeDef,
};
use std::{path::PathBuf, sync::Arc};

/// The entry to everything: see [`Fleet::builder`].
pub struct Fleet;

impl Fleet {
    /// Describes a fleet to be started.
    pub fn builder() -> FleetBuilder {
        FleetBuilder::default()
    }
}

/// What a fleet is to be like.
#[derive(Default)]
pub struct FleetBuilder {
    pub(super) root: Option<PathBuf>,
    pub(super) helper: Option<PathBuf>,
    pub(super) config: Config,
    pub(super) limits_host: LimitsHost,
    pub(super) attachments: Option<Arc<dyn AttachmentStore>>,
    pub(super) effects: effects::Said,
}

impl std::fmt::Debug for FleetBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FleetBuilder").field("root", &self.root).field("config", &self.config).finish_non_exhaustive()
    }
}

impl FleetBuilder {
    /// The state root; made 0700 where it is missing. Without it, the one that the command line uses.
    #[must_use]
    pub fn root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = Some(root.into());
        self
    }

    /// The helper's path. Without it: beside the current executable, else in PATH.
    #[must_use]
    pub fn helper(mut self, helper: impl Into<PathBuf>) -> Self {
        self.helper = Some(helper.into());
        self
    }

    /// Everything that a configuration file can say, in place of what was said so far.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Defines a runtime, or replaces a built-in one.
    #[must_use]
    pub fn runtime(mut self, name: Runtime, def: RuntimeDef) -> Self {
        self.config.runtimes.insert(name, def);
        self
    }

    /// What happens after a death where a peer does not say; `on-failure` by default.
    #[must_use]
    pub fn restart(mut self, policy: RestartPolicy) -> Self {
        self.config.restart = policy;
        self
    }

    /// How often a peer may die, and how long it waits between its lives; see [`RestartLimit`] for the defaults.
    #[must_use]
    pub fn restart_limit(mut self, limit: RestartLimit) -> Self {
        self.config.limit = limit;
        self
    }

    /// How many peers may be coming back at once after a mass death; 8 by default.
    #[must_use]
    pub fn restart_parallel(mut self, peers: usize) -> Self {
        self.config.parallel = peers;
        self
    }

    /// Variables of this process that peers get besides PATH, HOME, LANG and the like.
    #[must_use]
    pub fn pass_env(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.config.pass_env.extend(names);
        self
    }

    /// Where limits of memory and tasks are applied, in place of this host's own cgroup file systems.
    #[must_use]
    pub fn limits_host(mut self, host: LimitsHost) -> Self {
        self.limits_host = host;
        self
    }

    /// Where attachments are kept, in place of what the configuration says.
    #[must_use]
    pub fn attachments(mut self, store: Arc<dyn AttachmentStore>) -> Self {
        self.attachments = Some(store);
        self
    }

    /// Who carries effects out, in place of this host.
    #[must_use]
    pub fn effect_host(mut self, host: Arc<dyn EffectHost>) -> Self {
        self.effects.host = Some(host);
        self
    }

    /// An operation that peers can call beside those of the table, by a name of its own: `shop.order`.
    #[must_use]
    pub fn effect(mut self, name: impl Into<String>, operation: Arc<dyn Added>) -> Self {
        self.effects.added.insert(name.into(), operation);
        self
    }

    /// A function that answers at servers of peers: `{"function": name}`. Another host has functions of its own.
    #[must_use]
    pub fn answerer(mut self, name: impl Into<String>, function: Arc<dyn Answers>) -> Self {
        self.effects.functions.insert(name.into(), function);
        self
    }

    /// Starts it, on the current tokio runtime (multi-thread, with I/O and time).
    ///
    /// # Errors
    /// tmux or the helper is missing or of the wrong version; the root can not be used, or another fleet runs there.
    pub async fn start(self) -> Result<FleetHandle, FleetError> {
        start::start(self).await
    }
}
