//! Effects with everything around them faked.

use super::memory_log::MemoryLog;
use crate::{
    effects::{
        EffectError, EffectSession, Effects, EffectsParts, Op, Policy,
        handles::HandleKind,
        op::Request,
        output::Output,
        policy_file::parse,
        port::{Added, Call, Chance, EffectHost, Environment, Outcome, PolicySource, Seat, Sink, Sinks},
    },
    error::FleetError,
    journal::JournalHandle,
    names::{Identity, Personality},
    ports::{Answer, BoxFuture},
    testing::FakeClock,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::mpsc;

/// Effects, and what surrounds them.
pub(super) struct House {
    pub(super) effects: Effects,
    pub(super) log: Arc<MemoryLog>,
    pub(super) host: Arc<FakeHost>,
    pub(super) source: Arc<FakeSource>,
    pub(super) lines: Arc<Lines>,
    /// A journal that no actor writes yet.
    pub(super) journal: JournalHandle,
}

impl House {
    /// The peer `claude-bob` has this policy.
    pub(super) async fn of(policy: &str) -> Self {
        let house = Self::on(Arc::new(MemoryLog::new(usize::MAX))).await;
        house.source.set("bob", Some(policy));
        house
    }

    /// Effects that go on with this log.
    pub(super) async fn on(log: Arc<MemoryLog>) -> Self {
        let (host, source, lines) = (Arc::new(FakeHost::default()), Arc::new(FakeSource::default()), Arc::default());
        let journal = JournalHandle::new(Arc::new(FakeClock::new()));
        let added: BTreeMap<String, Arc<dyn Added>> = BTreeMap::from([("shop.order".into(), Arc::new(Shop) as _)]);
        let parts = EffectsParts {
            host: Arc::clone(&host) as Arc<dyn EffectHost>,
            source: Arc::clone(&source) as Arc<dyn PolicySource>,
            audit: Arc::clone(&log) as _,
            clock: Arc::new(FakeClock::new()),
            chance: Arc::new(Counter::default()),
            environment: Arc::new(Everything),
            sinks: Arc::new(OneSink(Arc::clone(&lines))),
            added,
            journal: Some(journal.clone()),
        };
        Self { effects: Effects::start(parts, None).await.unwrap(), log, host, source, lines, journal }
    }

    pub(super) async fn session(&self) -> EffectSession {
        self.effects.session(&bob()).await.unwrap()
    }
}

pub(super) fn bob() -> Identity {
    "claude-bob".parse().unwrap()
}

/// Calls an operation that gives JSON.
pub(super) async fn call(session: &EffectSession, op: Op, args: Value) -> Result<Value, EffectError> {
    session.call(op, args).await.map(Output::into_json)
}

/// Notes what reaches it; keeps stores; answers nothing of the net.
#[derive(Default)]
pub(super) struct FakeHost {
    pub(super) reached: Mutex<Vec<Op>>,
    /// Calls of the net that were dropped before they were answered.
    pub(super) dropped: Arc<AtomicU64>,
    pub(super) begun: Arc<tokio::sync::Notify>,
}

struct Count(Arc<AtomicU64>);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl FakeHost {
    fn note(&self, call: &Call) {
        self.reached.lock().unwrap().push(call.request.op());
    }
}

impl EffectHost for FakeHost {
    fn files(&self, call: Call) -> Outcome {
        self.note(&call);
        match call.request {
            Request::FsExists { .. } => Ok(Output::Bool(true).into()),
            Request::IoRead { .. } => Err(EffectError::NotFound),
            Request::FsStat { path } if path.0.ends_with("panic") => panic!("on purpose"),
            other => Err(EffectError::unsupported(other.op().name())),
        }
    }

    fn net(&self, call: Call) -> BoxFuture<Outcome> {
        self.note(&call);
        let (begun, count) = (Arc::clone(&self.begun), Count(Arc::clone(&self.dropped)));
        Box::pin(async move {
            let _until_it_is_dropped = count;
            begun.notify_one();
            std::future::pending().await
        })
    }

    fn stores(&self, call: Call) -> BoxFuture<Outcome> {
        self.note(&call);
        Box::pin(async move {
            match call.request {
                Request::KvOpen { .. } => {
                    let id = call.seat.keep(HandleKind::Kv, Arc::new(String::from("kept")))?;
                    Ok(Output::Handle(id).into())
                }
                Request::KvGet { handle, .. } => {
                    let held = call.seat.held::<String>(handle, HandleKind::Kv)?;
                    Ok(Output::Text((*held).clone()).into())
                }
                Request::KvClose { handle } => {
                    drop(call.seat.close(handle, HandleKind::Kv)?);
                    Ok(Output::Null.into())
                }
                Request::SqlClose { handle } => {
                    drop(call.seat.held::<String>(handle, HandleKind::Sql)?);
                    Ok(Output::Null.into())
                }
                other => Err(EffectError::unsupported(other.op().name())),
            }
        })
    }
}

/// Policies by peer, as text.
#[derive(Default)]
pub(super) struct FakeSource {
    policies: Mutex<BTreeMap<String, Result<String, FleetError>>>,
    told: Mutex<Option<mpsc::Sender<()>>>,
}

impl FakeSource {
    /// The peer has this policy from now on, or one that is not there.
    pub(super) fn set(&self, peer: &str, text: Option<&str>) {
        let gone = || FleetError::UnknownPolicy { name: peer.into(), nearest: Vec::new() };
        self.put(peer, text.map(str::to_owned).ok_or_else(gone));
    }

    /// It can not be read from now on.
    pub(super) fn damage(&self, peer: &str) {
        self.put(peer, Err(FleetError::BadPolicy { path: "/p".into(), why: "line 1: on purpose".into() }));
    }

    fn put(&self, peer: &str, policy: Result<String, FleetError>) {
        self.policies.lock().unwrap().insert(peer.into(), policy);
        if let Some(told) = &*self.told.lock().unwrap() {
            let _told_already = told.try_send(());
        }
    }
}

impl PolicySource for FakeSource {
    fn name_of(&self, peer: &Personality) -> Option<String> {
        self.policies.lock().unwrap().contains_key(peer.as_str()).then(|| peer.to_string())
    }

    fn load(&self, name: String) -> Answer<Arc<Policy>> {
        let found = self.policies.lock().unwrap()[&name].clone();
        Box::pin(async move { Ok(Arc::new(parse(&name, &found?).unwrap())) })
    }

    fn changes(&self) -> mpsc::Receiver<()> {
        let (sender, receiver) = mpsc::channel(1);
        *self.told.lock().unwrap() = Some(sender);
        receiver
    }
}

/// What was printed and logged.
#[derive(Default)]
pub(super) struct Lines(pub(super) Mutex<Vec<String>>);

impl Sink for Lines {
    fn line(&self, line: &str) -> Result<(), EffectError> {
        self.0.lock().unwrap().push(line.into());
        Ok(())
    }
}

struct OneSink(Arc<Lines>);

impl Sinks for OneSink {
    fn print(&self, _: &Identity) -> Arc<dyn Sink> {
        Arc::clone(&self.0) as _
    }

    fn log(&self, _: &Identity) -> Arc<dyn Sink> {
        Arc::clone(&self.0) as _
    }
}

/// Counts: no two draws are the same.
#[derive(Default)]
struct Counter(AtomicU64);

impl Chance for Counter {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EffectError> {
        let drawn = (self.0.fetch_add(1, Ordering::Relaxed) + 1).to_le_bytes();
        bytes.iter_mut().zip(drawn.into_iter().cycle()).for_each(|(byte, drawn)| *byte = drawn);
        Ok(())
    }
}

/// Every variable is set.
struct Everything;

impl Environment for Everything {
    fn get(&self, name: &str) -> Option<String> {
        Some(format!("the value of {name}"))
    }
}

/// An operation that an embedder adds: allowed where something is bought.
struct Shop;

impl Added for Shop {
    fn allows(&self, policy: &Policy, args: &Value) -> bool {
        policy.name == "bob" && args["item"].is_string()
    }

    fn perform(&self, _: Arc<Seat>, args: Value) -> BoxFuture<Result<Output, EffectError>> {
        Box::pin(async move { Ok(Output::Json(json!({ "ordered": args["item"] }))) })
    }

    fn cost(&self) -> u64 {
        5
    }
}
