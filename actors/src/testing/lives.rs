//! What the fakes of servers and of the witness know of every life: its processes, its claim, its record.

use super::processes::Processes;
use crate::{
    names::Identity,
    ports::{Claim, DeathNotice, FoundSession, LifeKey, ProcessId, ScreenSign},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::sync::{Notify, mpsc};

/// Clones share it.
#[derive(Clone, Default)]
pub(super) struct Lives {
    pub(super) processes: Processes,
    inner: Arc<Mutex<HashMap<LifeKey, FakeLife>>>,
}

#[derive(Default)]
pub(super) struct FakeLife {
    pub(super) server: Option<ProcessId>,
    pub(super) canary: Option<ProcessId>,
    pub(super) session: Option<FoundSession>,
    pub(super) claim: Option<Claim>,
    pub(super) notices: Vec<DeathNotice>,
    pub(super) recorded: bool,
    pub(super) screen: Option<mpsc::Sender<ScreenSign>>,
    /// Whoever waits until nothing is seen of its program.
    pub(super) idle: Option<Arc<Notify>>,
    /// Its server does not answer.
    pub(super) silent: bool,
    /// Somebody is in the way, and this is what is said of him.
    pub(super) blocked: Option<String>,
}

impl Lives {
    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<LifeKey, FakeLife>> {
        self.inner.lock().expect("nobody panics while holding the lock")
    }

    pub(super) fn with<T>(&self, life: &LifeKey, look: impl FnOnce(&mut FakeLife) -> T) -> T {
        look(self.lock().entry(life.clone()).or_default())
    }

    /// The server of this life, if it lives.
    pub(super) fn server(&self, life: &LifeKey) -> Option<ProcessId> {
        self.with(life, |life| life.server).filter(|&server| self.processes.ended(server).is_none())
    }

    /// The life of this identity whose server lives.
    pub(super) fn alive(&self, identity: &Identity) -> Option<LifeKey> {
        let of_identity: Vec<LifeKey> = self.lock().keys().filter(|life| life.identity == *identity).cloned().collect();
        let mut alive = of_identity.into_iter().filter(|life| self.server(life).is_some());
        let one = alive.next();
        assert!(alive.next().is_none(), "two servers of {identity} live at once");
        one
    }
}
