//! The provisioner's port: the slot's file, providers' commands, and the settings of runtimes.
//!
//! ```text
//! run.rs  the run of one command: start ─▶ drain ─▶ its end, a deadline, or a call-off ─▶ outcome
//!   child.rs   started by posix_spawn; what becomes of it then is in `io::child`
//! ```

mod child;
mod host_plugins;
mod run;
mod settings;
mod slot_file;
#[cfg(test)]
mod tests;

use super::{blocking, child::Marks};
use crate::paths::Paths;
use coalmine_actors::{
    error::FleetError,
    ports::{Answer, BoxFuture},
    provisioner::{
        ProvisionOutcome,
        errand::{Edit, ProvisionCommand},
        port::{Deadlines, HostPlugins, ProviderHost},
        slot::{Slot, SlotFile},
    },
};
use jiff::Timestamp;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};
use tokio::sync::watch;

/// What passes from this process's environment to providers where nobody says.
pub const ENV_PASSED: [&str; 5] = ["PATH", "HOME", "LANG", "TMPDIR", "USER"];
const PATH_DEFAULT: &str = "/usr/local/bin:/usr/bin:/bin";

/// Runs providers' commands on this host. Clones share it.
#[derive(Debug, Clone)]
pub struct Providers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    paths: Paths,
    env: RwLock<Env>,
    marks: Marks,
}

/// A provider's environment, but for the mark of its run.
#[derive(Debug, Clone)]
struct Env(Vec<(String, String)>);

impl Env {
    /// These variables of this process, and a PATH in any case.
    fn passed<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let value = |name: S| Some((name.as_ref().to_owned(), std::env::var(name.as_ref()).ok()?));
        let mut env: Vec<_> = names.into_iter().filter_map(value).collect();
        if !env.iter().any(|(name, _)| name == "PATH") {
            env.push(("PATH".into(), PATH_DEFAULT.into()));
        }
        Self(env)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Shared {
    fn env(&self) -> Env {
        self.env.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn mark(&self) -> String {
        self.marks.next(&self.paths.root_hash(), "provision")
    }
}

impl Providers {
    /// Providers of the fleet at `paths`, which get these variables of this process.
    pub fn new(paths: Paths, pass: &[String]) -> Self {
        let env = RwLock::new(Env::passed(pass));
        Self(Arc::new(Shared { paths, env, marks: Marks::default() }))
    }

    /// Passes these variables from now on.
    pub fn pass_env(&self, names: &[String]) {
        *self.0.env.write().unwrap_or_else(PoisonError::into_inner) = Env::passed(names);
    }
}

/// The slot by its file, for whoever has no fleet to ask. Blocks.
pub fn read_slot(paths: &Paths) -> Slot {
    Slot::of(&slot_file::read(&paths.memory_provider()))
}

/// When a file was touched last; nothing where it is not there. Blocks.
pub fn touched(path: &Path) -> Option<Timestamp> {
    path.metadata().ok()?.modified().ok()?.try_into().ok()
}

impl ProviderHost for Providers {
    fn slot(&self) -> BoxFuture<SlotFile> {
        let path = self.0.paths.memory_provider();
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || slot_file::read(&path)).await;
            read.unwrap_or_else(|ended| SlotFile::Unusable(ended.to_string(), Default::default()))
        })
    }

    fn touched(&self, path: PathBuf) -> BoxFuture<Option<Timestamp>> {
        Box::pin(async move { tokio::task::spawn_blocking(move || touched(&path)).await.ok().flatten() })
    }

    fn run(
        &self,
        command: ProvisionCommand,
        deadlines: Deadlines,
        cancel: watch::Receiver<bool>,
    ) -> BoxFuture<ProvisionOutcome> {
        let (env, mark) = (self.0.env(), self.0.mark());
        let other_folder = self.0.paths.root().to_owned();
        Box::pin(run::run(run::Order { command, env, mark, other_folder }, deadlines, cancel))
    }

    fn set(&self, edit: Edit) -> Answer<()> {
        let home = self.0.env().get("HOME").map(PathBuf::from);
        blocking::answer(move || settings::set(&edit, home.as_deref()))
    }

    fn host_plugins(&self) -> Answer<HostPlugins> {
        let path = self.0.paths.host_plugins();
        blocking::answer(move || host_plugins::load(&path))
    }

    fn save_host_plugins(&self, plugins: HostPlugins) -> Answer<()> {
        let path = self.0.paths.host_plugins();
        blocking::answer(move || host_plugins::save(&path, &plugins))
    }
}

/// A settings file that can not be understood is left as it is.
fn damaged(path: PathBuf, why: impl ToString) -> FleetError {
    FleetError::Damaged { path, why: why.to_string(), hint: "mend it by hand, or put it aside".into() }
}
