//! What a monitoring system asks: counts since this daemon started, and how things stand at the moment of asking.
//!
//! ```text
//! journal ─ events ─▶ Counts ─┐
//!                             ├─▶ registry ─ /metrics ─▶ OpenMetrics text
//! FleetHandle ─ snapshot ─▶ Gauges ─┘
//! ```
//!
//! Counting follows the journal and asks nobody, so a fleet in which nothing happens wakes nothing here.

mod attachments;
mod counts;
mod gauges;
mod mail;

pub use gauges::Queues;

use crate::io::journal;
use coalmine_actors::view::{Event, FleetStatus, PeerView, Streamed};
use counts::Counts;
use gauges::Gauges;
use jiff::Timestamp;
use prometheus_client::{encoding::text, registry::Registry};
use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};
use tokio_stream::{Stream, StreamExt};

/// The type of [`Metrics::render`]'s text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Most events of this daemon that are counted from the files at its start.
const PAST_EVENTS_MAX: usize = 100_000;

/// Everything that is counted and measured of one fleet.
pub struct Metrics {
    counts: Counts,
    /// Locked while the values of one moment are set and written, so that two who ask do not mix theirs.
    shown: Mutex<(Registry, Gauges)>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("coalmine");
        let counts = Counts::register(&mut registry);
        let gauges = Gauges::register(&mut registry);
        Self { counts, shown: Mutex::new((registry, gauges)) }
    }
}

impl Metrics {
    /// Counts what the daemon that runs `since` then has seen so far and then what happens, until the stream ends.
    /// `events` was subscribed to before the call, so nothing falls between the two.
    pub async fn follow(&self, folder: &Path, since: Timestamp, mut events: impl Stream<Item = Streamed> + Unpin) {
        let folder = folder.to_owned();
        let past = tokio::task::spawn_blocking(move || past(&folder, since)).await;
        let mut last = 0;
        // A journal that can not be read has no past; what happens now is counted all the same.
        for event in past.into_iter().flatten().flatten() {
            last = event.seq;
            self.counts.take(&event);
        }
        while let Some(item) = events.next().await {
            match item {
                Streamed::Event(event) if event.seq > last => self.counts.take(&event),
                Streamed::Event(_) => {}
                Streamed::Lagged { lagged } => self.counts.missed(lagged),
            }
        }
    }

    /// All of it as OpenMetrics text, which Prometheus reads.
    pub fn render(&self, peers: &[PeerView], status: &FleetStatus, queues: Queues) -> String {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let (registry, gauges) = &*shown;
        gauges.set(peers, status, queues);
        let mut text = String::new();
        text::encode(&mut text, registry).expect("a string can be written");
        text
    }
}

/// The events of this daemon that are in the files by now. Its own start may not be: then none is.
fn past(folder: &Path, since: Timestamp) -> std::io::Result<Vec<Event>> {
    let started = journal::read_events_of(folder, "daemon-started", 1)?;
    if started.last().is_none_or(|event| event.ts.as_microsecond() < since.as_microsecond()) {
        return Ok(Vec::new());
    }
    journal::read_events(folder, started.last().map_or(0, |event| event.seq), PAST_EVENTS_MAX)
}

#[cfg(test)]
mod tests;
