//! Starts a fleet: checks the host, takes the lock, wires the adapters to the actors.
use super::FleetHandle;
use coalmine_actors::{
    error::FleetError,
    names::Runtime,
    peer::restart_policy::{RestartLimit, RestartPolicy},
    runtime::RuntimeDef,
};
use std::{collections::BTreeMap, path::PathBuf};

/// The entry to everything: see [`Fleet::builder`].
pub struct Fleet;

impl Fleet {
    /// Describes a fleet to be started.
    pub fn builder() -> FleetBuilder {
        FleetBuilder::default()
    }
}

/// What a fleet is to be like.
#[derive(Debug, Default)]
pub struct FleetBuilder {
    root: Option<PathBuf>,
    helper: Option<PathBuf>,
    runtimes: BTreeMap<Runtime, RuntimeDef>,
    restart: Option<RestartPolicy>,
    limit: Option<RestartLimit>,
    pass_env: Vec<String>,
}

impl FleetBuilder {
    /// The state root.
    #[must_use]
    pub fn root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = Some(root.into());
        self
    }
    /// The helper's path.
    #[must_use]
    pub fn helper(mut self, helper: impl Into<PathBuf>) -> Self {
        self.helper = Some(helper.into());
        self
    }
    /// Defines a runtime, or replaces one.
    #[must_use]
    pub fn runtime(mut self, name: Runtime, def: RuntimeDef) -> Self {
        self.runtimes.insert(name, def);
        self
    }
    /// What happens after a death where a peer does not say.
    #[must_use]
    pub fn restart(mut self, policy: RestartPolicy) -> Self {
        self.restart = Some(policy);
        self
    }
    /// How many deaths a window may hold.
    #[must_use]
    pub fn restart_limit(mut self, limit: RestartLimit) -> Self {
        self.limit = Some(limit);
        self
    }
    /// Variables of this process that peers' servers get besides the default ones.
    #[must_use]
    pub fn pass_env(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.pass_env.extend(names);
        self
    }
    /// Starts it.
    ///
    /// # Errors
    /// Whatever the host refuses.
    pub async fn start(self) -> Result<FleetHandle, FleetError> {
        Err(FleetError::Internal("not built".into()))
    }
}
