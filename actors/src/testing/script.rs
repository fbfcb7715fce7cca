//! What the fakes of one world are to do, and what they were asked: one log for all of them, in order.

use crate::{error::FleetError, ports::Answer};
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::sync::watch;

/// A method of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is named like its method")]
pub enum Op {
    Load,
    Save,
    Purge,
    Start,
    OpenSession,
    WatchScreen,
    Idle,
    End,
    Sweep,
    Find,
    Answers,
    HealSocket,
    Capture,
    Arm,
    Settle,
}

/// What is to happen to one call.
enum Fate {
    Fail(FleetError),
    Panic,
    PanicLater,
}

/// Clones share it.
#[derive(Clone)]
pub struct Script {
    inner: Arc<Mutex<Inner>>,
    held: watch::Sender<BTreeSet<Op>>,
}

#[derive(Default)]
struct Inner {
    calls: Vec<String>,
    fates: HashMap<Op, VecDeque<Fate>>,
    always: HashMap<Op, FleetError>,
}

impl Default for Script {
    fn default() -> Self {
        Self { inner: Arc::default(), held: watch::Sender::new(BTreeSet::new()) }
    }
}

impl Script {
    /// The next call of `op` fails.
    pub fn fail(&self, op: Op, error: FleetError) {
        self.lock().fates.entry(op).or_default().push_back(Fate::Fail(error));
    }

    /// Every call of `op` fails, or none does any more.
    pub fn fail_always(&self, op: Op, error: Option<FleetError>) {
        match error {
            Some(error) => self.lock().always.insert(op, error),
            None => self.lock().always.remove(&op),
        };
    }

    /// The next call of `op` panics in the actor that makes it.
    pub fn panic(&self, op: Op) {
        self.lock().fates.entry(op).or_default().push_back(Fate::Panic);
    }

    /// The next call of `op` panics while it is carried out.
    pub fn panic_later(&self, op: Op) {
        self.lock().fates.entry(op).or_default().push_back(Fate::PanicLater);
    }

    /// Keeps every call of `op` in the air until [`Script::release`].
    pub fn hold(&self, op: Op) {
        self.held.send_if_modified(|held| held.insert(op));
    }

    /// Lets them land.
    pub fn release(&self, op: Op) {
        self.held.send_if_modified(|held| held.remove(&op));
    }

    /// Everything that was asked and done, in order: `save claude-bob r1`, `start claude-bob-g1`, …
    pub fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    /// How many calls begin with `prefix`.
    pub fn count(&self, prefix: &str) -> usize {
        self.lock().calls.iter().filter(|call| call.starts_with(prefix)).count()
    }

    /// Where the first call that begins with `prefix` stands.
    ///
    /// # Panics
    /// When there is none.
    pub fn place(&self, prefix: &str) -> usize {
        let calls = self.calls();
        calls.iter().position(|call| call.starts_with(prefix)).unwrap_or_else(|| panic!("no {prefix:?} in {calls:#?}"))
    }

    /// Notes something that was done.
    pub(super) fn note(&self, what: impl Into<String>) {
        self.lock().calls.push(what.into());
    }

    /// Notes a call and lets its fate come to it: at once, or when the future is awaited.
    pub(super) fn call(&self, op: Op, what: impl Into<String>) -> Answer<()> {
        self.note(what);
        let fate = self.lock().fates.get_mut(&op).and_then(VecDeque::pop_front);
        assert!(!matches!(fate, Some(Fate::Panic)), "as ordered: {op:?} panics");
        let (script, mut held) = (self.clone(), self.held.subscribe());
        Box::pin(async move {
            held.wait_for(|held| !held.contains(&op)).await.expect("the sender is in `script`");
            match fate {
                Some(Fate::Fail(error)) => Err(error),
                Some(Fate::PanicLater) => panic!("as ordered: {op:?} panics while it is carried out"),
                _ => script.lock().always.get(&op).map_or(Ok(()), |error| Err(error.clone())),
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panics while holding the lock")
    }
}
