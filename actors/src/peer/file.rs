//! `peers/<identity>/state.json`: the lives of an identity that are not settled, and what must outlive the daemon.

use crate::{names::Generation, ports::ProcessId};
use serde::{Deserialize, Serialize};

/// The format that this build writes.
pub const PEER_FILE_VERSION: u32 = 1;

/// What a peer is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerFile {
    /// The format's version.
    pub version: u32,
    /// The highest generation ever given out.
    pub highest: Generation,
    /// Lives whose server may live, or whose death is not settled yet; oldest first.
    #[serde(default)]
    pub lives: Vec<Life>,
    /// What a person or a policy wants of this peer.
    #[serde(default)]
    pub desired: Desired,
    /// Deaths that count, milliseconds since boot, oldest first; only those within the window are kept.
    #[serde(default)]
    pub deaths_boot_ms: Vec<u64>,
    /// The boot in which `deaths_boot_ms` was counted.
    #[serde(default)]
    pub boot_id: String,
    /// Counts the saves within one daemon; a save never overwrites a later one. Not stored.
    #[serde(skip)]
    pub revision: u64,
}

impl Default for PeerFile {
    fn default() -> Self {
        Self {
            version: PEER_FILE_VERSION,
            highest: Generation::default(),
            lives: Vec::new(),
            desired: Desired::default(),
            deaths_boot_ms: Vec::new(),
            boot_id: String::new(),
            revision: 0,
        }
    }
}

/// One life that is not settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// Which life.
    #[serde(rename = "gen")]
    pub generation: Generation,
    /// The boot in which it began.
    pub boot_id: String,
    /// How far it came.
    pub phase: LifePhase,
    /// When it began, milliseconds since boot.
    pub started_boot_ms: u64,
    /// Its server, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ProcessId>,
    /// Its canary, once armed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<ProcessId>,
}

/// How far a life came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LifePhase {
    /// Its server is being started, or its program is not ready.
    Starting,
    /// Ready.
    Up,
    /// It waits for a person.
    NeedsAttention,
    /// It is being ended on purpose.
    Stopping,
    /// Its server is gone; its record is being made.
    Dead,
}

/// What is wanted of a peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Desired {
    /// Not started yet, or asleep: a wake starts it.
    #[default]
    Asleep,
    /// It should run.
    Up,
    /// A person, or its own end, stopped it.
    Stopped,
    /// It died too often too fast; only `reset` changes this.
    Quarantined,
}
