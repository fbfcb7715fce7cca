//! What people and programs are shown of the slot and of sweeps.

use super::{occasion::Direction, outcome::PeerReport, slot::Slot};
use crate::names::Personality;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

impl SweepView {
    /// The same without the first `known` reports.
    pub(super) fn after(&self, known: usize) -> Self {
        let Self { id, direction, ref peer, total, done, cancelled, finished, ref reports } = *self;
        let reports = reports.get(known..).unwrap_or_default().to_vec();
        Self { id, direction, peer: peer.clone(), total, done, cancelled, finished, reports }
    }
}

/// The memory slot as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotView {
    /// Who occupies it; nobody in an empty one.
    pub provider: Option<ProviderView>,
    /// Which part of the declaration was dropped, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

impl SlotView {
    /// The slot with its provider's sign of life, where there is one.
    pub fn of(slot: Slot, heartbeat_at: Option<Timestamp>) -> Self {
        let problems = slot.problems.iter().map(ToString::to_string).collect();
        let provider = slot.provider.map(|provider| ProviderView {
            name: provider.name,
            package: provider.package,
            version: provider.version,
            registered_at: provider.registered_at,
            heartbeat: provider.heartbeat.map(|path| HeartbeatView { path, at: heartbeat_at }),
        });
        Self { provider, problems }
    }
}

/// Who keeps the memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderView {
    /// Its name.
    pub name: String,
    /// The package that it came in.
    pub package: String,
    /// Its version.
    pub version: String,
    /// When it registered itself, in its own words; may be empty.
    pub registered_at: String,
    /// The file that it touches as long as it lives, where it names one.
    pub heartbeat: Option<HeartbeatView>,
}

/// A provider's sign of life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatView {
    /// The file.
    pub path: PathBuf,
    /// When it was touched last; nothing where it is not there.
    pub at: Option<Timestamp>,
}

/// A sweep over peers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepView {
    /// Its id in this daemon.
    pub id: u64,
    /// On or off.
    pub direction: Direction,
    /// The one peer that it is about; nothing for all.
    pub peer: Option<Personality>,
    /// How many peers it visits.
    pub total: usize,
    /// How many of them are done.
    pub done: usize,
    /// Somebody called it off.
    pub cancelled: bool,
    /// Nothing more will come.
    pub finished: bool,
    /// What became of those after the ones that the caller knew.
    pub reports: Vec<PeerReport>,
}
