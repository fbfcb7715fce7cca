//! `fleet.json` as a value: peers, retired generations, and whatever else a file holds, kept as it was.

use crate::{
    names::{Generation, Identity, Personality, Runtime},
    peer::{
        limits::Limits, one_task::WakePolicy, restart_knobs::RestartKnobs, restart_policy::RestartPolicy,
        sandbox::Sandbox,
    },
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, path::PathBuf};

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// The good records, in the file's order.
    pub peers: Vec<PeerSpec>,
    /// Records that can not be read: kept in the file, left out of the fleet.
    pub bad: Vec<BadRecord>,
    /// The highest generation of identities that were removed.
    pub retired: BTreeMap<Identity, Generation>,
    /// Entries of `retired` that can not be read: kept in the file.
    pub bad_retired: Map<String, Value>,
    /// Keys that this build does not know, kept as they are.
    pub extra: Map<String, Value>,
    /// Why this is not the file's own content but that of its backup; not stored.
    pub recovered: Option<String>,
}

impl Document {
    /// The peer of this name.
    pub fn peer(&self, name: &Personality) -> Option<&PeerSpec> {
        self.peers.iter().find(|peer| peer.personality == *name)
    }

    /// What somebody should look at, one text each.
    pub fn problems(&self) -> Vec<String> {
        let recovered = self.recovered.iter().cloned();
        let bad = self.bad.iter().map(|bad| format!("fleet.json: record {} is left out: {}", bad.index, bad.why));
        let retired = self.bad_retired.iter().map(|(key, value)| {
            format!("fleet.json: retired {key:?}: {value} is not `<runtime>-<personality>: generation`")
        });
        recovered.chain(bad).chain(retired).collect()
    }
}

/// A record that can not be read.
#[derive(Debug, Clone, PartialEq)]
pub struct BadRecord {
    /// Its place in the file's list, from 0.
    pub index: usize,
    /// The record as it stands.
    pub raw: Value,
    /// What is wrong with it.
    pub why: String,
}

/// One peer as the registry knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerSpec {
    /// Its name.
    pub personality: Personality,
    /// How it can be present; never empty.
    pub runtimes: Vec<Runtime>,
    /// The one that is meant when none is named; one of `runtimes`.
    pub default_runtime: Runtime,
    /// Its folder.
    pub cwd: PathBuf,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Who thinks there.
    #[serde(default)]
    pub intelligence: Intelligence,
    /// Program and arguments under the default runtime, where that runtime's own are not meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// The same under its other runtimes. Kept apart, so that every format that was ever written reads as it was meant.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub commands: BTreeMap<Runtime, Vec<String>>,
    /// Variables for the program.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// What happens after a death; the config's default where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<RestartPolicy>,
    /// How often it may die and how long it waits, where the fleet's own numbers do not serve it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_knobs: Option<RestartKnobs>,
    /// After how long without a sign of life it is put to sleep, 0 for never; its runtime's time where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_after: Option<SignedDuration>,
    /// Whether a life takes whatever comes, or one task; as its runtime says where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake_policy: Option<WakePolicy>,
    /// What it may use of the host; the config's default for what is absent.
    #[serde(default, skip_serializing_if = "Limits::is_none")]
    pub limits: Limits,
    /// The policy that governs its effects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Whether the kernel holds its program to that policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Sandbox>,
    /// Set while the peer is being made or removed; absent in a settled peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<RegistryPhase>,
    /// Keys that this build does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl PeerSpec {
    /// Whether it is being made, or was and could not be announced: nobody was told that it is there.
    pub fn is_newborn(&self) -> bool {
        self.phase == Some(RegistryPhase::Newborn)
    }

    /// The identities that this peer has.
    pub fn identities(&self) -> impl Iterator<Item = Identity> + '_ {
        self.runtimes.iter().map(|runtime| Identity::new(runtime.clone(), self.personality.clone()))
    }

    /// Program and arguments under `runtime`, where its own are not meant.
    pub fn command_of(&self, runtime: &Runtime) -> Option<&Vec<String>> {
        if *runtime == self.default_runtime { self.command.as_ref() } else { self.commands.get(runtime) }
    }

    /// Lets this program run under `runtime` in place of its own.
    pub fn set_command(&mut self, runtime: &Runtime, command: Vec<String>) {
        if *runtime == self.default_runtime {
            self.command = Some(command);
        } else {
            self.commands.insert(runtime.clone(), command);
        }
    }

    /// The identity that is meant by the bare name.
    pub fn default_identity(&self) -> Identity {
        Identity::new(self.default_runtime.clone(), self.personality.clone())
    }
}

/// Who thinks behind a peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intelligence {
    /// An AI agent.
    #[default]
    Artificial,
    /// A person.
    Natural,
    /// Nobody: a plain program.
    Absent,
}

/// A peer that is not whole yet, or not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegistryPhase {
    /// Its name is reserved; hidden from lists.
    Newborn,
    /// It is being removed.
    Leaving,
}
