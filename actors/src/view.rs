//! What people and programs are shown: plain values, the same in the API, in `--json` and in the terminal.

use crate::{
    effects::view::EffectsView,
    error::FleetError,
    mail::{MailroomView, Waits},
    names::{Generation, Identity, Personality, Runtime},
    peer::{
        limits::Limits,
        one_task::WakePolicy,
        restart_policy::{RestartLimit, RestartPolicy},
        sandbox::SandboxView,
    },
    ports::EndReport,
    provisioner::view::SlotView,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A peer's state, one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhaseName {
    /// Not running; a wake starts it.
    Asleep,
    /// Its server and program are being started.
    Starting,
    /// Running and ready.
    Up,
    /// Alive, and waits for a person.
    NeedsAttention,
    /// Being ended on purpose.
    Stopping,
    /// Ended on purpose.
    Stopped,
    /// Dead; waits until it is started again.
    Backoff,
    /// Died too often too fast; `reset` is the way out.
    Quarantined,
    /// Something that can not be proved to be ours is in the way.
    Blocked,
}

impl PhaseName {
    /// The word, as lists and journals write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asleep => "asleep",
            Self::Starting => "starting",
            Self::Up => "up",
            Self::NeedsAttention => "needs-attention",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Backoff => "backoff",
            Self::Quarantined => "quarantined",
            Self::Blocked => "blocked",
        }
    }

    /// Whether a server lives, or may, in this state.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Starting | Self::Up | Self::NeedsAttention | Self::Stopping | Self::Blocked)
    }
}

impl std::fmt::Display for PhaseName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// One identity as the fleet sees it now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerView {
    /// `<runtime>-<personality>`.
    pub identity: Identity,
    /// Its name.
    pub personality: Personality,
    /// How it is present.
    pub runtime: Runtime,
    /// Its state.
    pub phase: PhaseName,
    /// What it waits for, why it is blocked, when it is started again: one short text, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Its present or last life; 0 before the first.
    #[serde(rename = "gen")]
    pub generation: Generation,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// Its server's process, while one lives.
    pub server_pid: Option<i32>,
    /// Its canary's process, while one lives.
    pub canary_pid: Option<i32>,
    /// The server lives and does not answer.
    pub unreachable: bool,
    /// The server lives and no canary watches it.
    pub unwatched: bool,
    /// Deaths that count towards quarantine.
    pub deaths_recent: usize,
    /// Lives that followed a death, since it was made.
    pub restarts: u64,
    /// When it is tried again by itself, and not before: its next life, or to read what is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try: Option<Timestamp>,
    /// The last life whose end counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_death: Option<LastDeath>,
    /// How its last deliberate end went, since this daemon started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_end: Option<EndReport>,
    /// Records that could not be written yet.
    pub records_owed: usize,
    /// What happens after a death.
    pub restart: RestartPolicy,
    /// How often it may die, and how long it waits between its lives.
    #[serde(default)]
    pub restart_limit: RestartLimit,
    /// After how long without a sign of life it is put to sleep, milliseconds; nothing where it never is.
    #[serde(default)]
    pub idle_after_ms: Option<u64>,
    /// Whether a life takes whatever comes, or one task.
    #[serde(default, skip_serializing_if = "WakePolicy::is_persistent")]
    pub wake_policy: WakePolicy,
    /// Messages that wait for it, where it was asked of a fleet that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Waits>,
    /// What it may use of the host.
    #[serde(default, skip_serializing_if = "Limits::is_none")]
    pub limits: Limits,
    /// By what the kernel holds its program, and why where by nothing.
    #[serde(default)]
    pub sandbox: SandboxView,
    /// Its folder.
    pub cwd: PathBuf,
    /// What runs in its pane.
    pub command: Vec<String>,
    /// What runs there in its next life, where that is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_command: Option<Vec<String>>,
    /// The policy that governs its effects.
    pub policy: Option<String>,
    /// The version of the helper that watches it.
    pub helper_version: String,
    /// What was asked of it last, for whoever waits for an answer inside this process.
    #[serde(skip)]
    pub wish: Wish,
}

/// The last request that a peer accepted. Whoever waits for an earlier one sees here that it was overruled, and
/// whoever waits for this one, that it failed.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Counts the requests that were accepted; 0 before the first.
    pub number: u64,
    /// `start`, `wake`, `restart`, `stop`, `remove`.
    pub verb: &'static str,
    /// Why it could not be carried out, once that is known.
    pub failed: Option<FleetError>,
}

impl Wish {
    /// Whether the peer is to be down.
    pub fn is_an_end(&self) -> bool {
        matches!(self.verb, "stop" | "remove")
    }
}

/// A wish fails once, so that it failed says as much as with what.
impl PartialEq for Wish {
    fn eq(&self, other: &Self) -> bool {
        (self.number, self.verb, self.failed.is_some()) == (other.number, other.verb, other.failed.is_some())
    }
}

impl PeerView {
    /// Its state, and when that ends by itself: `backoff, in 4 s`.
    pub fn state(&self, now: Timestamp) -> String {
        match self.next_try {
            None => self.phase.to_string(),
            Some(at) if self.phase == PhaseName::Backoff => format!("{}, {}", self.phase, in_seconds(at, now)),
            Some(at) => format!("{}, tried again {}", self.phase, in_seconds(at, now)),
        }
    }
}

/// How long it is until then, for people: `in 4 s`.
pub fn in_seconds(then: Timestamp, now: Timestamp) -> String {
    let wait_ms = then.duration_since(now).as_millis().max(0);
    format!("in {} s", (wait_ms + 999) / 1000)
}

/// An end that counted: of a life, and what it died of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastDeath {
    /// Which life.
    #[serde(rename = "gen")]
    pub generation: Generation,
    /// One short text: `its program exited with status 7`.
    pub why: String,
}

/// One event of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened.
    pub ts: Timestamp,
    /// Its place in the journal: strictly increasing, without a gap.
    pub seq: u64,
    /// What happened: `up`, `server-exit`, `stopped`, …
    pub ev: String,
    /// The rest, in order.
    pub fields: Vec<(String, String)>,
}

impl Event {
    /// The value of a field.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// An item of the event stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Streamed {
    /// The next event.
    Event(Event),
    /// The reader was too slow: this many events are missing here. They are in the journal.
    Lagged {
        /// How many.
        lagged: u64,
    },
}

/// The memory in a few numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryView {
    /// Items that are remembered.
    pub active: u64,
    /// Items that were forgotten and are still in the file.
    pub forgotten: u64,
    /// The file's length, bytes.
    pub bytes: u64,
    /// Lines that are none.
    pub bad_lines: u64,
    /// Ends of the file that were no whole line.
    pub torn: u64,
    /// Records that are not in the file yet.
    pub waiting: u64,
}

/// The attachments in a few numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentsView {
    /// Attachments that are known.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many bytes all of them may have; nothing where there is no quota.
    pub total_bytes_max: Option<u64>,
    /// Those that somebody refers to for good and whose bytes are lost: damaged and put aside, or gone.
    pub damaged: u64,
    /// The last sweep of this daemon; nothing before the first.
    pub last_sweep: Option<LastSweep>,
}

/// How a sweep of the attachments went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSweep {
    /// When it ended.
    pub at: Timestamp,
    /// Attachments that went.
    pub removed: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Strange files and bad rows, which `gc` names.
    pub named: u64,
    /// Why it could not be finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// The fleet as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FleetStatus {
    /// The daemon's process, or nothing when files were read without one.
    pub daemon_pid: Option<u32>,
    /// Since when it runs.
    pub since: Option<Timestamp>,
    /// The version of the program.
    pub version: String,
    /// The state root.
    pub root: PathBuf,
    /// How many identities are in each state.
    pub phases: Vec<(PhaseName, usize)>,
    /// Identities that somebody should look at, with the reason.
    pub attention: Vec<(Identity, String)>,
    /// The journal's last sequence number.
    pub last_seq: u64,
    /// The memory, where it was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryView>,
    /// What peers do to the world, where a daemon runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<EffectsView>,
    /// The attachments, where they were looked at and their manifest can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachments: Option<AttachmentsView>,
    /// The mailroom, where a daemon runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailroomView>,
    /// The memory provider, where its declaration was looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_slot: Option<SlotView>,
    /// Records that could not be written yet.
    pub records_owed: usize,
    /// Stores that can not serve now.
    pub unavailable: Vec<Unavailable>,
    /// Bad records of `fleet.json` and the like.
    pub problems: Vec<String>,
}

/// A store that can not serve now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unavailable {
    /// Which: `journal`, `registry`, `memory`, `attachments`, `effects`, `mail`.
    pub store: String,
    /// Why.
    pub why: String,
    /// When it is tried again by itself; nothing while it is being tried, and where it is not tried any more.
    pub retry_at: Option<Timestamp>,
}
