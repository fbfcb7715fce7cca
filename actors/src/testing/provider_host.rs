//! A provider that does what a test says, and remembers what it was asked.

use crate::{
    error::FleetError,
    ports::{Answer, BoxFuture, ProcessEnd},
    provisioner::{
        ProvisionOutcome,
        errand::{Edit, ProvisionCommand},
        outcome::State,
        port::{Deadlines, HostPlugins, ProviderHost},
        slot::{SlotFile, Stamp},
    },
};
use jiff::Timestamp;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::sync::watch;

/// The fake; clones share it.
#[derive(Clone, Default)]
pub struct FakeProviderHost(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    slot: Option<(String, u64)>,
    /// What was done, in order: `run a b`, `end a b`, `set key`.
    done: Vec<String>,
    running: usize,
    running_max: usize,
    takes: Duration,
    /// Runs whose line holds this word exit with status 1.
    fails: Option<String>,
    panics: bool,
    plugins: HostPlugins,
}

impl FakeProviderHost {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("nobody panics while holding the lock")
    }

    /// Writes the declaration.
    pub fn declare(&self, text: impl Into<String>) {
        let mut inner = self.inner();
        let version = inner.slot.as_ref().map_or(0, |(_, version)| version + 1);
        inner.slot = Some((text.into(), version));
    }

    /// How long each run takes from now on.
    pub fn takes(&self, time: Duration) {
        self.inner().takes = time;
    }

    /// Runs that name this fail from now on.
    pub fn fails(&self, word: &str) {
        self.inner().fails = Some(word.into());
    }

    /// Runs are faults of the fleet from now on, or no more.
    pub fn panics(&self, panics: bool) {
        self.inner().panics = panics;
    }

    /// What was done, in order.
    pub fn done(&self) -> Vec<String> {
        self.inner().done.clone()
    }

    /// How many ran at once, at most.
    pub fn running_max(&self) -> usize {
        self.inner().running_max
    }
}

impl ProviderHost for FakeProviderHost {
    fn slot(&self) -> BoxFuture<SlotFile> {
        let file = match &self.inner().slot {
            None => SlotFile::Missing,
            Some((text, version)) => {
                SlotFile::Found(text.clone().into(), Stamp { inode: *version, ..Stamp::default() })
            }
        };
        Box::pin(async move { file })
    }

    fn touched(&self, _path: PathBuf) -> BoxFuture<Option<Timestamp>> {
        Box::pin(async { Some(Timestamp::UNIX_EPOCH) })
    }

    fn run(
        &self,
        command: ProvisionCommand,
        limits: Deadlines,
        mut cancel: watch::Receiver<bool>,
    ) -> BoxFuture<ProvisionOutcome> {
        let this = self.clone();
        Box::pin(async move {
            let argv = command.argv();
            let line = argv[1..].join(" ");
            let (takes, fails) = {
                let mut inner = this.inner();
                inner.done.push(format!("run {line}"));
                inner.running += 1;
                inner.running_max = inner.running_max.max(inner.running);
                (inner.takes, inner.fails.as_ref().is_some_and(|word| line.contains(word.as_str())))
            };
            let is_broken = this.inner().panics;
            assert!(!is_broken, "a fault of the fleet");
            let outcome = tokio::select! {
                () = tokio::time::sleep(takes.min(limits.total)) => match (takes > limits.total, fails) {
                    (true, _) => ProvisionOutcome::stopped(State::Timeout, argv, "timed out", b"", Vec::new()),
                    (_, true) => ProvisionOutcome::ended(argv, ProcessEnd::Exited(1), None, b"no disk"),
                    _ => ProvisionOutcome::ended(argv, ProcessEnd::Exited(0), None, b""),
                },
                _ = cancel.wait_for(|called_off| *called_off) => {
                    ProvisionOutcome::stopped(State::Cancelled, argv, "called off", b"", Vec::new())
                }
            };
            let mut inner = this.inner();
            inner.running -= 1;
            inner.done.push(format!("end {line}"));
            outcome
        })
    }

    fn set(&self, edit: Edit) -> Answer<()> {
        let key = edit.key.join(".");
        self.inner().done.push(format!("set {key}"));
        let broken = key.contains("broken");
        let error = || FleetError::Damaged { path: edit.file.into(), why: "it is damaged".into(), hint: String::new() };
        let answer = if broken { Err(error()) } else { Ok(()) };
        Box::pin(async move { answer })
    }

    fn host_plugins(&self) -> Answer<HostPlugins> {
        let plugins = self.inner().plugins.clone();
        Box::pin(async move { Ok(plugins) })
    }

    fn save_host_plugins(&self, plugins: HostPlugins) -> Answer<()> {
        self.inner().plugins = plugins;
        Box::pin(async { Ok(()) })
    }
}
