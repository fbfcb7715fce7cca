//! What a runtime is: data, not code. The built-in definitions are TOML files of the root package.

use crate::{
    mail::{Composer, Transcript},
    peer::one_task::WakePolicy,
    provisioner::recipe::MemoryRecipe,
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// After how long an agent is put to sleep whose runtime does not say.
const IDLE_AFTER: Duration = Duration::from_secs(3600);
/// Longest wait before something quiet is put to sleep, seconds.
const IDLE_AFTER_SECONDS_MAX: i64 = 30 * 24 * 3600;

/// How one kind of program is started, recognised as ready, and ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeDef {
    /// An agent, or any other program.
    pub kind: RuntimeKind,
    /// Program and arguments; empty where the peer must name its own command.
    #[serde(default)]
    pub argv: Vec<String>,
    /// Variables for the program.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// When a starting peer counts as up.
    #[serde(default)]
    pub readiness: Readiness,
    /// Screens on which it waits for a person.
    #[serde(default)]
    pub attention: Vec<Attention>,
    /// Arguments that make it go on with its last conversation.
    #[serde(default)]
    pub resume_args: Vec<String>,
    /// Arguments that give it its hooks for one life, right behind the program's name, so that what its person says
    /// there too comes later and wins. Only where the command is this runtime's program.
    #[serde(default)]
    pub hook_args: Vec<String>,
    /// How long a start may take before somebody should look; default 60 s.
    #[serde(default = "default_boot_deadline")]
    pub boot_deadline: SignedDuration,
    /// After how long without output, input or delivery it is put to sleep; `"0s"` is never. Without it an agent sleeps
    /// after an hour, and any other program never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_after: Option<SignedDuration>,
    /// Whether a life takes whatever comes, or one task; what comes where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake_policy: Option<WakePolicy>,
    /// How it is asked to end.
    #[serde(default)]
    pub stop: StopRecipe,
    /// How something is typed into it; without it no mail is: a shell would run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub composer: Option<Composer>,
    /// Where it writes what it was told: there it is seen that a message was read. Without it only its hooks say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<Transcript>,
    /// What it needs so that a memory can be provisioned for it.
    #[serde(default, skip_serializing_if = "MemoryRecipe::is_empty")]
    pub memory: MemoryRecipe,
}

fn default_boot_deadline() -> SignedDuration {
    SignedDuration::from_secs(60)
}

impl RuntimeDef {
    /// After how long a peer is put to sleep that says `own` of itself; nothing where it never is.
    pub fn idle_after(&self, own: Option<SignedDuration>) -> Option<Duration> {
        let after = match (own.or(self.idle_after), self.kind) {
            (Some(after), _) => after.try_into().unwrap_or_default(),
            (None, RuntimeKind::Agent) => IDLE_AFTER,
            (None, RuntimeKind::Program) => Duration::ZERO,
        };
        (!after.is_zero()).then_some(after)
    }

    /// The boot deadline, never negative.
    pub fn boot_deadline(&self) -> Duration {
        self.boot_deadline.try_into().unwrap_or_default()
    }
}

/// Whether something may be put to sleep after this time.
///
/// # Errors
/// What the time may be.
pub fn check_idle_after(after: Option<SignedDuration>) -> Result<(), &'static str> {
    match after {
        Some(after) if after.is_negative() || after.as_secs() > IDLE_AFTER_SECONDS_MAX => {
            Err("must be 0 (never) to 30 days")
        }
        _ => Ok(()),
    }
}

/// Whether a runtime is an AI agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuntimeKind {
    /// An agent: gets memory, mail and effects.
    Agent,
    /// Any other terminal program.
    Program,
}

/// When a starting peer counts as up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readiness {
    /// As soon as its session is open.
    #[default]
    None,
    /// At its first output.
    Output,
    /// When this regular expression matches the bottom lines of its screen.
    Screen(String),
    /// When it calls `coalmine ready`.
    Notify,
}

/// A screen on which a program waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attention {
    /// What the peer needs, one word: `sign-in`, `trust`, `update`.
    pub what: String,
    /// A regular expression over the screen.
    pub screen: String,
    /// What is pressed there while the program starts; without it nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<DialogAnswer>,
}

/// How a dialog is answered in place of a person, who has said so in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DialogAnswer {
    /// A regular expression over the screen: that the dialog's cursor sits on the line that is meant.
    pub at: String,
    /// The keys that take that line, in tmux's names.
    pub keys: Vec<String>,
}

/// How a program is asked to end before its server is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopRecipe {
    /// Keys to press, in tmux's names (`C-c`, `Enter`); none where a signal serves.
    #[serde(default)]
    pub keys: Vec<String>,
    /// A signal for the pane's process, by name (`SIGTERM`).
    #[serde(default)]
    pub signal: Option<String>,
    /// How long it may take; 0 skips this rung.
    #[serde(default)]
    pub grace: SignedDuration,
}

impl StopRecipe {
    /// The grace period, never negative.
    pub fn grace(&self) -> Duration {
        self.grace.try_into().unwrap_or_default()
    }
}
