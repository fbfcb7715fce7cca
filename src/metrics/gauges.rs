//! How things stand at the moment of asking, from the shared snapshot.

use super::{attachments::Attachments, mail::Mail};
use coalmine_actors::view::{FleetStatus, PeerView, PhaseName};
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, info::Info},
    registry::{Registry, Unit},
};
use std::sync::atomic::Ordering;

/// Every state, so that one in which nobody is shows as 0 and not as nothing.
const PHASES: [PhaseName; 9] = [
    PhaseName::Asleep,
    PhaseName::Starting,
    PhaseName::Up,
    PhaseName::NeedsAttention,
    PhaseName::Stopping,
    PhaseName::Stopped,
    PhaseName::Backoff,
    PhaseName::Quarantined,
    PhaseName::Blocked,
];

/// What waits, and where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Queues {
    /// Events that are not in the journal's file yet.
    pub journal_events: usize,
    /// Changes of the registry that are waiting or in work.
    pub registry_changes: usize,
    /// Connections that are served now.
    pub api_connections: usize,
}

pub(super) type Of = [(&'static str, String); 1];

/// The gauges, and the counters that a peer's own actor keeps.
pub(super) struct Gauges {
    phases: Family<Of, Gauge>,
    up: Family<Of, Gauge>,
    restarts: Family<Of, Counter>,
    recent: Family<Of, Gauge>,
    unreachable: Gauge,
    unwatched: Gauge,
    owed: Gauge,
    attachments: Attachments,
    mail: Mail,
    unavailable: Family<Of, Gauge>,
    queues: Family<Of, Gauge>,
    events: Counter,
    started: Gauge,
}

impl Gauges {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let gauges = Self {
            phases: Family::default(),
            up: Family::default(),
            restarts: Family::default(),
            recent: Family::default(),
            unreachable: Gauge::default(),
            unwatched: Gauge::default(),
            owed: Gauge::default(),
            attachments: Attachments::register(registry),
            mail: Mail::register(registry),
            unavailable: Family::default(),
            queues: Family::default(),
            events: Counter::default(),
            started: Gauge::default(),
        };
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program that answers", version);
        registry.register("peers", "Identities in each state", gauges.phases.clone());
        registry.register("peer_up", "Whether an identity is up", gauges.up.clone());
        registry.register("peer_restarts", "Lives that followed a death", gauges.restarts.clone());
        registry.register("peer_deaths_recent", "Deaths that count towards quarantine", gauges.recent.clone());
        registry.register("peers_unreachable", "Servers that live and do not answer", gauges.unreachable.clone());
        registry.register("peers_unwatched", "Servers that live without a canary", gauges.unwatched.clone());
        registry.register("records_owed", "Records that could not be written yet", gauges.owed.clone());
        registry.register("store_unavailable", "Whether a store can not serve", gauges.unavailable.clone());
        registry.register("queue_length", "What waits or is in work", gauges.queues.clone());
        registry.register("journal_events", "Events in the journal, ever", gauges.events.clone());
        let since = "When this daemon started, since 1970";
        registry.register_with_unit("start_time", since, Unit::Seconds, gauges.started.clone());
        gauges
    }

    pub(super) fn set(&self, peers: &[PeerView], status: &FleetStatus, queues: Queues) {
        for phase in PHASES {
            let count = peers.iter().filter(|peer| peer.phase == phase).count();
            set(&self.phases, "state", phase, count);
        }
        // Who was removed is no series any more.
        self.up.clear();
        self.restarts.clear();
        self.recent.clear();
        for peer in peers {
            set(&self.up, "identity", &peer.identity, usize::from(peer.phase == PhaseName::Up));
            set(&self.recent, "identity", &peer.identity, peer.deaths_recent);
            self.restarts.get_or_create(&[("identity", peer.identity.to_string())]).inc_by(peer.restarts);
        }
        self.unreachable.set(number(peers.iter().filter(|peer| peer.unreachable).count()));
        self.unwatched.set(number(peers.iter().filter(|peer| peer.unwatched).count()));
        self.owed.set(number(status.records_owed));
        self.attachments.set(status.attachments.as_ref());
        self.mail.set(status.mail.as_ref(), jiff::Timestamp::now());
        for store in ["journal", "registry", "memory", "attachments", "effects", "mail"] {
            let is_down = status.unavailable.iter().any(|down| down.store == store);
            set(&self.unavailable, "store", store, usize::from(is_down));
        }
        set(&self.queues, "queue", "journal", queues.journal_events);
        set(&self.queues, "queue", "registry", queues.registry_changes);
        set(&self.queues, "queue", "api", queues.api_connections);
        // The journal's number only grows.
        self.events.inner().store(status.last_seq, Ordering::Relaxed);
        self.started.set(status.since.map_or(0, jiff::Timestamp::as_second));
    }
}

pub(super) fn set(family: &Family<Of, Gauge>, label: &'static str, of: impl ToString, value: usize) {
    family.get_or_create(&[(label, of.to_string())]).set(number(value));
}

fn number(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
