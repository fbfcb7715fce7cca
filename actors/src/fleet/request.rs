//! What a fleet can be asked to do with its peers, and what it answers: plain values, shared with the API.

use crate::{
    names::Identity,
    peer::{
        limits::Limits, one_task::WakePolicy, restart_knobs::RestartKnobs, restart_policy::RestartPolicy,
        sandbox::Sandbox,
    },
    ports::EndReport,
    provisioner::outcome::RuntimeReport,
    view::{PeerView, PhaseName},
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// A peer to be made, or a runtime to be added to one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreatePeer {
    /// Its name, unchecked.
    pub name: String,
    /// How it is present; where absent: `shell` with a command, else the one agent found in PATH.
    #[serde(default)]
    pub runtime: Option<String>,
    /// Its folder, absolute.
    pub cwd: PathBuf,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Program and arguments; empty for the runtime's own.
    #[serde(default)]
    pub command: Vec<String>,
    /// Variables for the program.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What happens after a death.
    #[serde(default)]
    pub restart: Option<RestartPolicy>,
    /// How often it may die and how long it waits, where the fleet's own numbers do not serve it.
    #[serde(default)]
    pub restart_knobs: Option<RestartKnobs>,
    /// After how long without a sign of life it is put to sleep, 0 for never; its runtime's time where absent.
    #[serde(default)]
    pub idle_after: Option<SignedDuration>,
    /// Whether a life takes whatever comes, or one task; as its runtime says where absent.
    #[serde(default)]
    pub wake_policy: Option<WakePolicy>,
    /// What it may use of the host; the config's default for what is absent.
    #[serde(default)]
    pub limits: Limits,
    /// The policy that governs its effects.
    #[serde(default)]
    pub policy: Option<String>,
    /// Whether the kernel holds its program to that policy; as it was, and at first not, where absent.
    #[serde(default)]
    pub sandbox: Option<Sandbox>,
    /// Whether it is started at once.
    #[serde(default)]
    pub start: bool,
}

/// What `create` did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Created {
    /// The peer as it stands now.
    pub peer: PeerView,
    /// Whether the name is new.
    pub new: bool,
    /// Which parts of a peer that was there are others now: `runtime`, `command`, `env`, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// It runs as it was, and what has changed holds from its next life on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_next_life: bool,
    /// What the memory provider did for its new runtimes. The peer is made, whatever that was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provision: Vec<RuntimeReport>,
}

/// What `stop` did with one identity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stopped {
    /// Which one.
    pub identity: Identity,
    /// Its state before.
    pub was: PhaseName,
    /// Its state now: a quarantined peer stays so.
    pub phase: PhaseName,
    /// How its end went; nothing where it did not run, or its server was dead already.
    pub report: Option<EndReport>,
}

/// What `remove` did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Removed {
    /// The name that was asked for.
    pub name: String,
    /// Whether there was such a peer.
    pub existed: bool,
    /// The peer's folder, which is kept.
    pub kept_folder: Option<PathBuf>,
    /// What the memory provider did. The peer is removed, whatever that was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unprovision: Vec<RuntimeReport>,
}
