//! The provisioner's port: the slot's file, providers' commands, and the settings of runtimes.
//!
//! ```text
//! run.rs  the run of one command: start ─▶ drain ─▶ its end, a deadline, or a call-off ─▶ outcome
//!   child.rs   started by posix_spawn; what becomes of it then is in `io::child`
//!   under_way.rs   noted as long as it runs, for the daemon that follows one that was killed
//! ```

mod child;
mod host_plugins;
mod run;
mod settings;
mod slot_file;
#[cfg(test)]
mod tests;
mod under_way;

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
    io,
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

    /// The mark of the next run.
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

    /// Ends what an earlier daemon that was killed left running.
    pub async fn end_leftovers(&self) {
        let paths = self.0.paths.clone();
        let ended = tokio::task::spawn_blocking(move || under_way::end_all(paths.run(), &paths.root_hash())).await;
        match ended.map_err(io::Error::other).and_then(|ended| ended) {
            Ok(0) => {}
            Ok(runs) => {
                tracing::warn!(runs, "commands of the memory provider outlived an earlier daemon, and were ended")
            }
            Err(error) => {
                tracing::warn!(%error, "what an earlier daemon left of the memory provider was not looked for")
            }
        }
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
        let (other_folder, notes) = (self.0.paths.root().to_owned(), self.0.paths.run().to_owned());
        Box::pin(run::run(run::Order { command, env, mark, other_folder, notes }, deadlines, cancel))
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
