//! What tests of families share: a session under one policy, over a host of the test, with a real audit log.

pub(super) mod server;

use super::{AuditLog, HostEnvironment, OsChance, PeerSinks};
use crate::io::clock::HostClock;
use coalmine_actors::{
    effects::{
        EffectError, EffectSession, Effects, EffectsParts, Policy,
        output::Output,
        port::{EffectHost, PolicySource},
    },
    names::{Identity, Personality},
    ports::Answer,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// One policy, for everybody, which never changes.
struct Granted {
    policy: Arc<Policy>,
    _never_told: mpsc::Sender<()>,
    changes: Mutex<Option<mpsc::Receiver<()>>>,
}

impl PolicySource for Granted {
    fn name_of(&self, _: &Personality) -> Option<String> {
        Some(self.policy.name.clone())
    }

    fn load(&self, _: String) -> Answer<Arc<Policy>> {
        let policy = Arc::clone(&self.policy);
        Box::pin(async move { Ok(policy) })
    }

    fn changes(&self) -> mpsc::Receiver<()> {
        self.changes.lock().unwrap().take().expect("the broker asks once")
    }
}

/// Whose session it is.
pub(super) fn bob() -> Identity {
    "claude-bob".parse().unwrap()
}

/// A session, and the log of what it did.
pub(super) struct House {
    folder: TempDir,
    pub(super) session: EffectSession,
    _effects: Effects,
}

impl House {
    pub(super) async fn of(host: Arc<dyn EffectHost>, policy: Policy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (never_told, changes) = mpsc::channel(1);
        let policy = Arc::new(Policy { name: "test".into(), ..policy });
        let parts = EffectsParts {
            host,
            source: Arc::new(Granted { policy, _never_told: never_told, changes: Mutex::new(Some(changes)) }),
            audit: Arc::new(AuditLog::new(folder.path().into())),
            clock: Arc::new(HostClock),
            chance: Arc::new(OsChance),
            environment: Arc::new(HostEnvironment),
            sinks: Arc::new(PeerSinks::new(folder.path().into())),
            added: BTreeMap::new(),
            journal: None,
        };
        let effects = Effects::start(parts, None).await.unwrap();
        let session = effects.session(&bob()).await.unwrap();
        Self { folder, session, _effects: effects }
    }

    pub(super) async fn call(&self, op: &str, args: Value) -> Result<Value, EffectError> {
        self.session.call_named(op, args).await.map(Output::into_json)
    }

    /// How a call is refused.
    pub(super) async fn code(&self, op: &str, args: Value) -> &'static str {
        match self.call(op, args.clone()).await {
            Ok(value) => panic!("{op} {args} gave {value}"),
            Err(error) => error.code(),
        }
    }

    /// The audit log.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("audit.log")).unwrap()
    }

    /// Verdict and resource of each decision, in their order.
    pub(super) fn decisions(&self) -> Vec<(String, String)> {
        let text = self.log();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let word = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
        let decisions = lines.filter(|line| line["ev"] == "decision");
        decisions.map(|line| (word(&line, "verdict"), word(&line, "resource"))).collect()
    }
}
