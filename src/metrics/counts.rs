//! What is counted as it happens, from the journal's events.

use coalmine_actors::view::Event;
use jiff::Timestamp;
use prometheus_client::{
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Deaths whose next life is awaited at once; a fleet has fewer identities.
const AWAITED_MAX: usize = 10_000;
/// Causes and witnesses are words of ours; a line that a stranger wrote into exits.log makes no new series.
const CAUSES: [&str; 6] = ["killed", "oom-killed", "crashed", "exited", "unwitnessed", "session-killed"];
const WITNESSES: [&str; 4] = ["canary", "daemon", "recovery", "hook"];

type DeathLabels = [(&'static str, &'static str); 3];

/// The counters.
pub(super) struct Counts {
    deaths: Family<DeathLabels, Counter>,
    quarantines: Counter,
    canaries: Counter,
    starts_failed: Counter,
    missed: Counter,
    start_seconds: Histogram,
    restart_seconds: Histogram,
    /// Identities that have died and are not up again, with the moment of their death.
    awaited: Mutex<HashMap<String, Timestamp>>,
}

/// 10 ms to 82 s.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.01, 2.0, 14))
}

impl Counts {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let counts = Self {
            deaths: Family::default(),
            quarantines: Counter::default(),
            canaries: Counter::default(),
            starts_failed: Counter::default(),
            missed: Counter::default(),
            start_seconds: seconds(),
            restart_seconds: seconds(),
            awaited: Mutex::default(),
        };
        registry.register("deaths", "Recorded deaths of servers and sessions", counts.deaths.clone());
        registry.register("quarantines", "Peers that died too often too fast", counts.quarantines.clone());
        registry.register("canaries_replaced", "Canaries that were armed anew", counts.canaries.clone());
        registry.register("starts_failed", "Lives that did not come up", counts.starts_failed.clone());
        registry.register("events_missed", "Events that could not be counted", counts.missed.clone());
        registry.register("start_seconds", "From the start of a life to ready", counts.start_seconds.clone());
        let restart = "From a server's death to its successor's being ready";
        registry.register("restart_seconds", restart, counts.restart_seconds.clone());
        counts
    }

    pub(super) fn missed(&self, events: u64) {
        self.missed.inc_by(events);
    }

    pub(super) fn take(&self, event: &Event) {
        match event.ev.as_str() {
            "server-exit" => self.died("server", event),
            "session-exit" => self.died("session", event),
            "quarantined" => {
                self.quarantines.inc();
            }
            "canary" if event.get("origin") == Some("retrofit") && event.get("state") == Some("spawned") => {
                self.canaries.inc();
            }
            "start-failed" => {
                self.starts_failed.inc();
            }
            "death" => self.await_life(event),
            "up" => self.came_up(event),
            // Whoever rests is not awaited any more.
            "stopped" | "asleep" | "removed" => {
                self.awaited().remove(event.get("identity").unwrap_or_default());
            }
            _ => {}
        }
    }

    fn died(&self, what: &'static str, event: &Event) {
        let one_of = |words: &[&'static str], key: &str, default: &str| {
            let word = event.get(key).unwrap_or(default);
            words.iter().find(|known| **known == word).copied().unwrap_or("other")
        };
        let (cause, witness) = (one_of(&CAUSES, "cause", ""), one_of(&WITNESSES, "witness", "hook"));
        self.deaths.get_or_create(&[("of", what), ("cause", cause), ("witness", witness)]).inc();
    }

    fn await_life(&self, event: &Event) {
        let mut awaited = self.awaited();
        if let (Some(identity), true) = (event.get("identity"), awaited.len() < AWAITED_MAX) {
            awaited.insert(identity.to_owned(), event.ts);
        }
    }

    fn came_up(&self, event: &Event) {
        if let Some(ms) = event.get("ms").and_then(|ms| ms.parse::<f64>().ok()) {
            self.start_seconds.observe(ms / 1000.0);
        }
        if let Some(died) = event.get("identity").and_then(|identity| self.awaited().remove(identity)) {
            self.restart_seconds.observe(event.ts.duration_since(died).as_secs_f64().max(0.0));
        }
    }

    fn awaited(&self) -> std::sync::MutexGuard<'_, HashMap<String, Timestamp>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
