//! `peers/<identity>/state.json`: the lives of an identity that are not settled, and what must outlive the daemon.

use super::{
    beginning::Wanted,
    phase::{Next, Rest},
};
use crate::{names::Generation, ports::ProcessId, view::LastDeath};
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
    /// Deaths that counted since a life was last up for long: the more, the longer the wait for the next life.
    #[serde(default)]
    pub deaths_in_a_row: u32,
    /// Lives that followed a death, since the peer was made.
    #[serde(default)]
    pub restarts: u64,
    /// The last life whose end counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_death: Option<LastDeath>,
    /// Before this instant no next life begins by itself, milliseconds since boot; set while one is to begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try_boot_ms: Option<u64>,
    /// The boot in which the deaths were counted, and of which `next_try_boot_ms` speaks.
    #[serde(default)]
    pub boot_id: String,
    /// Its last session was ended on purpose, so that the next life can go on with it. Taken back once one is up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resume: bool,
    /// What its present or last session heard about, the latest last; at most
    /// [`TOPICS_MAX`](super::beginning::TOPICS_MAX).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
    /// Why its next life is wanted, until that one is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Wanted>,
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
            deaths_in_a_row: 0,
            restarts: 0,
            last_death: None,
            next_try_boot_ms: None,
            boot_id: String::new(),
            resume: false,
            topics: Vec::new(),
            wanted: None,
            revision: 0,
        }
    }
}

impl PeerFile {
    /// Notes what is to come.
    pub fn plan(&mut self, next: Next) {
        (self.desired, self.next_try_boot_ms) = match next {
            Next::Start => (Desired::Up, None),
            Next::Rearm { at_boot_ms } => (Desired::Up, Some(at_boot_ms)),
            Next::Rest(rest) => (rest.into(), None),
        };
    }

    /// What was to come, as whoever reads this in the boot `boot_id` understands it.
    pub fn planned(&self, boot_id: &str) -> Next {
        match (self.desired, self.next_try_boot_ms) {
            (Desired::Up, None) => Next::Start,
            (Desired::Up, Some(at_boot_ms)) if self.boot_id == boot_id => Next::Rearm { at_boot_ms },
            // Milliseconds since boot mean nothing across boots.
            (Desired::Up, Some(_)) => Next::Rearm { at_boot_ms: 0 },
            (Desired::Asleep, _) => Next::Rest(Rest::Asleep),
            (Desired::Stopped, _) => Next::Rest(Rest::Stopped),
            (Desired::Quarantined, _) => Next::Rest(Rest::Quarantined),
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
    /// When its program was ready, milliseconds since boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_boot_ms: Option<u64>,
    /// What its program was started as, but for what makes it go on; empty before, and in files of an older build.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// By what its program is held: `landlock-abi7`, `none`; empty in files of an older build.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub held_by: String,
    /// Its program was told to go on with the last conversation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resumed: bool,
    /// It has sent a message since it was given its task; kept only where it has one task.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replied: bool,
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
