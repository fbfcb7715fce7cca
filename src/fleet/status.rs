//! The fleet as a whole, and who in it wants a look.

use super::{handle::FleetHandle, wait::with_detail};
use crate::io::find::VERSION;
use coalmine_actors::{
    outage::Outage,
    view::{FleetStatus, PeerView, PhaseName, Unavailable},
};
use jiff::Timestamp;
use std::collections::BTreeMap;
use tokio::time::Instant;

impl FleetHandle {
    /// What waits or is in work: events for the journal's file, changes of the registry.
    pub fn queues(&self) -> (usize, usize) {
        (self.inner().journal.status().waiting, self.inner().registry.changes_in_flight())
    }

    /// The fleet as a whole.
    pub fn status(&self) -> FleetStatus {
        let views = self.list();
        let mut phases: BTreeMap<&str, (PhaseName, usize)> = BTreeMap::new();
        for view in &views {
            phases.entry(view.phase.as_str()).or_insert((view.phase, 0)).1 += 1;
        }
        let journal = self.inner().journal.status();
        let unavailable = [
            ("journal", journal.unavailable),
            ("registry", self.inner().registry.unavailable()),
            ("memory", self.memory().status().unavailable),
            ("mail", self.mail().unavailable()),
            ("effects", self.effects().unaudited().map(|why| Outage { why, retry_at: None })),
        ];
        FleetStatus {
            daemon_pid: Some(std::process::id()),
            since: Some(self.inner().since),
            version: VERSION.into(),
            root: self.root().to_owned(),
            phases: phases.into_values().collect(),
            attention: views.iter().filter_map(|view| Some((view.identity.clone(), concern(view)?))).collect(),
            last_seq: journal.last_seq,
            memory: Some(self.memory_view()),
            effects: Some(self.effects().view()),
            mail: Some(self.mail().status()),
            // Whoever wants to see these waits for a file: `status_with_attachments`, `memory_slot`.
            attachments: None,
            memory_slot: None,
            records_owed: views.iter().map(|view| view.records_owed).sum(),
            unavailable: unavailable.into_iter().filter_map(|(store, outage)| Some(told(store, outage?))).collect(),
            problems: self.inner().registry.problems(),
        }
    }
}

fn told(store: &str, Outage { why, retry_at }: Outage) -> Unavailable {
    let retry_at = retry_at.map(|at| Timestamp::now() + at.saturating_duration_since(Instant::now()));
    Unavailable { store: store.to_owned(), why, retry_at }
}

/// Why somebody should look at this peer.
fn concern(view: &PeerView) -> Option<String> {
    let mut why = Vec::new();
    match view.phase {
        PhaseName::NeedsAttention | PhaseName::Quarantined | PhaseName::Blocked | PhaseName::Backoff => {
            why.push(with_detail(view));
        }
        _ => {}
    }
    if view.unreachable {
        why.push("its server does not answer".into());
    }
    if view.unwatched {
        why.push("no canary watches it".into());
    }
    if view.records_owed > 0 {
        why.push(format!("{} records could not be written yet", view.records_owed));
    }
    (!why.is_empty()).then(|| why.join("; "))
}
