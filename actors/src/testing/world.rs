//! A whole world of fakes: what a fleet can see, and what a test can do to it.

use super::{
    FakeClock, FakeDice, FakeJournalFile, FakePeerStore, FakeProviderHost, FakeRegistryFile, FakeServers, FakeWitness,
    Op, Script, lives::Lives,
};
use crate::{
    error::FleetError,
    names::{Generation, Identity},
    peer::input::SessionExit,
    ports::{FoundSession, LifeKey, Ports, ProcessEnd, ScreenSign},
    registry::document::Document,
};
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
};

/// SIGKILL's number.
const KILLED: ProcessEnd = ProcessEnd::Signaled { signal: 9, core: false };

/// All fakes, bound to one script. Clones share it.
#[derive(Clone)]
pub struct FakeWorld {
    /// What they were asked, and what they are to do.
    pub script: Script,
    /// `peers/`.
    pub store: FakePeerStore,
    /// `fleet.json`.
    pub registry: FakeRegistryFile,
    /// The journal.
    pub journal: FakeJournalFile,
    /// Chance.
    pub dice: FakeDice,
    /// The memory provider.
    pub provider: FakeProviderHost,
    clock: FakeClock,
    servers: FakeServers,
    witness: FakeWitness,
    lives: Lives,
}

impl FakeWorld {
    /// A world with nothing in it.
    #[allow(clippy::new_without_default, reason = "its clock starts now")]
    pub fn new() -> Self {
        Self::with(Document::default())
    }

    /// A world whose registry holds `document`.
    pub fn with(document: Document) -> Self {
        let (script, lives) = (Script::default(), Lives::default());
        let registry = FakeRegistryFile::new(document);
        let store = FakePeerStore::new(script.clone(), registry.clone());
        Self {
            servers: FakeServers {
                script: script.clone(),
                store: store.clone(),
                lives: lives.clone(),
                lost: Arc::new(Mutex::new(HashMap::new())),
                ready_at_once: Arc::new(Mutex::new(true)),
            },
            witness: FakeWitness { script: script.clone(), lives: lives.clone() },
            registry,
            journal: FakeJournalFile::new(),
            dice: FakeDice::default(),
            provider: FakeProviderHost::default(),
            clock: FakeClock::new(),
            script,
            store,
            lives,
        }
    }

    /// What the actors get of it.
    pub fn ports(&self) -> Ports {
        Ports {
            clock: Arc::new(self.clock),
            dice: Arc::new(self.dice.clone()),
            store: Arc::new(self.store.clone()),
            servers: Arc::new(self.servers.clone()),
            witness: Arc::new(self.witness.clone()),
            registry: Arc::new(self.registry.clone()),
            journal: Arc::new(self.journal.clone()),
        }
    }

    /// A failure of the world, where it does not matter which.
    pub fn broken() -> FleetError {
        FleetError::io("write", "/fake", io::ErrorKind::StorageFull.into())
    }

    /// The life of this identity whose server lives.
    pub fn alive(&self, identity: &Identity) -> Option<LifeKey> {
        self.lives.alive(identity)
    }

    /// SIGKILL for its server.
    ///
    /// # Panics
    /// When none lives.
    pub fn kill_server(&self, identity: &Identity) {
        let life = self.alive(identity).expect("a server to kill");
        let server = self.lives.server(&life).expect("it is alive");
        self.lives.processes.end(server, KILLED);
    }

    /// SIGKILL for its canary.
    ///
    /// # Panics
    /// When none lives.
    pub fn kill_canary(&self, identity: &Identity) {
        let life = self.alive(identity).expect("a server with a canary");
        let canary = self.lives.with(&life, |life| life.canary).expect("a canary to kill");
        self.lives.processes.end(canary, KILLED);
    }

    /// Whether a canary lives beside its server.
    pub fn watched(&self, identity: &Identity) -> bool {
        let canary = self.alive(identity).and_then(|life| self.lives.with(&life, |life| life.canary));
        canary.is_some_and(|canary| self.lives.processes.ended(canary).is_none())
    }

    /// Its program leaves its session; the hook writes its line where no claim stands.
    ///
    /// # Panics
    /// When no server lives.
    pub fn exit_session(&self, identity: &Identity, exit: SessionExit) {
        let life = self.alive(identity).expect("a session to leave");
        let claimed = self.lives.with(&life, |life| {
            life.session = Some(FoundSession::Exited(exit));
            life.claim.is_some()
        });
        if claimed {
            return;
        }
        let how = match exit {
            SessionExit::Status(status) => format!("dead_status={status} dead_signal=\"\" cause=exited"),
            SessionExit::Signal(signal) => format!("dead_status=\"\" dead_signal={signal} cause=signal"),
            SessionExit::Killed => "dead_status=\"\" dead_signal=\"\" cause=session-killed".into(),
        };
        let Generation(number) = life.generation;
        let line = format!("ts=2026-11-21T01:23:46Z ev=session-exit identity={identity} gen={number} {how}");
        self.journal.write_foreign(&[&line], 1);
    }

    /// Whether programs are ready as soon as they are looked at.
    pub fn ready_at_once(&self, ready: bool) {
        *self.servers.ready_at_once.lock().expect("nobody panics while holding the lock") = ready;
    }

    /// Something is seen on its screen.
    ///
    /// # Panics
    /// When nobody watches.
    pub fn show(&self, identity: &Identity, sign: ScreenSign) {
        let life = self.alive(identity).expect("a screen");
        let screen = self.lives.with(&life, |life| life.screen.clone()).expect("somebody watches it");
        screen.try_send(sign).expect("few signs are shown");
    }

    /// Nothing has been seen of its program for as long as somebody wanted to know.
    ///
    /// # Panics
    /// When nobody does.
    pub fn fall_idle(&self, identity: &Identity) {
        let life = self.alive(identity).expect("a program");
        let watch = self.lives.with(&life, |life| life.idle.clone()).expect("somebody watches it");
        watch.notify_one();
    }

    /// Somebody removes its socket file.
    pub fn lose_socket(&self, identity: &Identity) {
        let listeners = self.servers.lost.lock().expect("nobody panics while holding the lock");
        for listener in listeners.values() {
            let _ = listener.try_send(identity.clone()); // that listener is gone
        }
    }

    /// Its server stops answering, or answers again.
    pub fn silence(&self, life: &LifeKey, silent: bool) {
        self.lives.with(life, |life| life.silent = silent);
    }

    /// A stranger holds the lock of this life when it is looked for, or no more.
    pub fn block(&self, life: &LifeKey, why: Option<&str>) {
        self.lives.with(life, |life| life.blocked = why.map(ToOwned::to_owned));
    }

    /// The ends that were reported for the record of this life's death.
    pub fn notices(&self, life: &LifeKey) -> Vec<ProcessEnd> {
        self.lives.with(life, |life| life.notices.iter().map(|notice| notice.end).collect())
    }

    /// Whether the death of this life is on record.
    pub fn recorded(&self, life: &LifeKey) -> bool {
        self.lives.with(life, |life| life.recorded)
    }

    /// The words that the journal holds: `starting`, `up`, `death`, …
    pub fn told(&self) -> Vec<String> {
        let word = |line: &String| Some(line.split(" ev=").nth(1)?.split(' ').next()?.to_owned());
        self.journal.lines().iter().filter_map(word).collect()
    }

    /// Keeps the calls of `op` in the air; see [`Script::hold`].
    pub fn hold(&self, op: Op) {
        self.script.hold(op);
    }

    /// Lets them land.
    pub fn release(&self, op: Op) {
        self.script.release(op);
    }
}
