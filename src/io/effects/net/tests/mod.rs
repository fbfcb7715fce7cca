//! Connections as sessions make them: decided by a policy, written down, and carried out against servers of the test.

mod answers;
mod limits;
mod property;
mod reach;
mod redirects;
mod secure;

use super::{Net, limits::Limits, resolve::Lookup, tls::Tls};
use crate::io::effects::testing::House;
use coalmine_actors::{
    effects::{
        EffectError, Policy,
        origin::Origin,
        port::{Call, EffectHost, Outcome},
        scope::Scope,
    },
    ports::BoxFuture,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Names that lead where a test says: what stands first is the answer to the first question, and the last one stays.
#[derive(Default)]
pub(super) struct Names {
    known: BTreeMap<&'static str, Vec<&'static [&'static str]>>,
    asked: AtomicUsize,
}

impl Names {
    fn of(known: &[(&'static str, &[&'static [&'static str]])]) -> Arc<Self> {
        let known = known.iter().map(|(name, answers)| (*name, answers.to_vec())).collect();
        Arc::new(Self { known, asked: AtomicUsize::new(0) })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Lookup for Names {
    fn lookup(&self, name: String) -> BoxFuture<io::Result<Vec<IpAddr>>> {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        let answers = self.known.get(name.as_str());
        let found = answers.map(|answers| answers[turn.min(answers.len() - 1)]);
        let found = found.map(|texts| texts.iter().map(|text| text.parse().unwrap()).collect());
        Box::pin(async move { found.ok_or(io::ErrorKind::NotFound.into()) })
    }
}

/// Connections that know only these names.
pub(super) fn net(names: Arc<Names>) -> Net {
    Net { lookup: names, tls: Tls::default(), limits: Limits::default() }
}

/// Connections that wait only so long in this phase.
fn hasty(phase: &str) -> Net {
    let (soon, mut limits) = (Duration::from_millis(300), Limits::default());
    match phase {
        "connect" => limits.connect = soon,
        "first byte" => limits.first_byte = soon,
        "idle" => limits.idle = soon,
        "total" => limits.total = soon,
        other => panic!("there is no phase {other}"),
    }
    Net { limits, ..net(Arc::default()) }
}

/// A host that has connections and nothing else.
struct Host(Net);

impl EffectHost for Host {
    fn net(&self, call: Call) -> BoxFuture<Outcome> {
        self.0.perform(call)
    }
}

/// A session that may connect to some places.
struct Session(House);

impl Deref for Session {
    type Target = House;
    fn deref(&self) -> &House {
        &self.0
    }
}

impl Session {
    /// Its policy grants these origins.
    async fn granting(origins: &[&str]) -> Self {
        Self::with(origins, net(Arc::default())).await
    }

    async fn with(origins: &[&str], net: Net) -> Self {
        Self::scoped(Scope::only(origins.iter().map(|origin| origin.parse().unwrap()).collect()), net).await
    }

    async fn scoped(net: Scope<Origin>, connections: Net) -> Self {
        let allow = ["net.connect".parse().unwrap()].into();
        Self(House::of(Arc::new(Host(connections)), Policy { allow, net, ..Policy::default() }).await)
    }

    async fn get(&self, url: &str) -> Result<Value, EffectError> {
        self.call("net.get", json!({ "url": url })).await
    }
}
