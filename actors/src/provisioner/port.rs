//! What the provisioner needs from the world. `src/io/provisioner` of the root package implements it.

use super::{
    errand::{Edit, ProvisionCommand},
    outcome::ProvisionOutcome,
    slot::SlotFile,
};
use crate::{
    names::Personality,
    ports::{Answer, BoxFuture},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};
use tokio::sync::watch;

/// How long a command may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// In all.
    pub total: Duration,
    /// Without a word on stdout or stderr; nothing is no limit.
    pub idle: Option<Duration>,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { total: Duration::from_secs(120), idle: None }
    }
}

/// The slot's file, the providers' commands, and the settings of runtimes.
pub trait ProviderHost: Send + Sync + 'static {
    /// The declaration as it is now.
    fn slot(&self) -> BoxFuture<SlotFile>;
    /// When this file was touched last; nothing where it is not there.
    fn touched(&self, path: PathBuf) -> BoxFuture<Option<Timestamp>>;
    /// Runs a command until it has ended, or was ended: at a deadline, or when `cancel` turns true. Every failure is
    /// an outcome. Dropping the future ends the command.
    fn run(
        &self,
        command: ProvisionCommand,
        deadlines: Deadlines,
        cancel: watch::Receiver<bool>,
    ) -> BoxFuture<ProvisionOutcome>;
    /// Sets a value in a settings file; one that has it already is not written.
    fn set(&self, edit: Edit) -> Answer<()>;
    /// Who uses what is installed once for the whole host.
    fn host_plugins(&self) -> Answer<HostPlugins>;
    /// Replaces that, durably.
    fn save_host_plugins(&self, plugins: HostPlugins) -> Answer<()>;
}

/// What is installed once for the whole host (v1.1), each with the peers that use it: `<runtime>:<plugin>@<marketplace>`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPlugins {
    /// Users by installation; an installation without users is none.
    #[serde(default)]
    pub users: BTreeMap<String, BTreeSet<Personality>>,
}
