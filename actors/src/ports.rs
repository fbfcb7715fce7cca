//! What the actors need from the world. `src/io` of the root package implements these traits.
//!
//! Every method returns at once with a future; an actor spawns the future and gets its result back as a
//! message, so no handler waits for a process, a disk or a lock.

use crate::{
    error::FleetError,
    names::{Generation, Identity},
    peer::{file::PeerFile, input::SessionExit, limits::Limits, sandbox::Sandbox},
    registry::document::Document,
    runtime::{Attention, Readiness, StopRecipe},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, future::Future, path::PathBuf, pin::Pin, sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// A boxed future that borrows nothing.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a port answers.
pub type Answer<T> = BoxFuture<Result<T, FleetError>>;

/// One reading of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// For people and records; may jump.
    pub wall: Timestamp,
    /// Milliseconds since the host booted, sleep included; never jumps, survives the daemon. Decisions use this.
    pub boot_ms: u64,
}

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// Both clocks, now.
    fn now(&self) -> Moment;
}

/// Where chance comes from.
pub trait Dice: Send + Sync + 'static {
    /// Any number; each as likely as every other.
    fn roll(&self) -> u64;
}

/// How a process ended, as far as could be learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessEnd {
    /// It exited with this status.
    Exited(i32),
    /// A signal ended it.
    Signaled {
        /// The signal's number.
        signal: i32,
        /// Whether it left a core dump.
        core: bool,
    },
    /// It is gone, and the kernel could not tell how.
    Vanished,
}

impl fmt::Display for ProcessEnd {
    /// `exit:0`, `signal:9`, `signal:11+core` or `unknown`, as records write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exit:{status}"),
            Self::Signaled { signal, core: false } => write!(f, "signal:{signal}"),
            Self::Signaled { signal, core: true } => write!(f, "signal:{signal}+core"),
            Self::Vanished => f.write_str("unknown"),
        }
    }
}

/// What tells one process from every other of this boot, its pid's next owner included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// The process id.
    pub pid: i32,
    /// Start time in clock ticks since boot (`/proc/<pid>/stat`, field 22).
    pub start_ticks: u64,
    /// The pidfd's inode, where the kernel has pidfs (6.9 and later).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pidfd_inode: Option<u64>,
}

/// A process that somebody else owns and reaps, borrowed to hear of its end.
pub trait Process: Send + 'static {
    /// Which process.
    fn id(&self) -> ProcessId;
    /// Resolves once, when it has ended. Dropping the future ends nothing.
    fn ended(&mut self) -> BoxFuture<ProcessEnd>;
}

/// One life of one identity: the key of every record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LifeKey {
    /// Whose life.
    pub identity: Identity,
    /// Which of its lives.
    #[serde(rename = "gen")]
    pub generation: Generation,
}

impl fmt::Display for LifeKey {
    /// `claude-bob-g7`, as file names write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-g{}", self.identity, self.generation)
    }
}

/// What runs in a peer's pane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Program and arguments; the program is found in the pane's PATH.
    pub argv: Vec<String>,
    /// Variables on top of the fleet's clean environment.
    pub env: BTreeMap<String, String>,
    /// Where it starts.
    pub cwd: PathBuf,
    /// Whether the kernel holds it to its policy.
    pub sandbox: Sandbox,
    /// Its policy, by name; none where absent.
    pub policy: Option<String>,
}

/// How a peer's screen is judged while it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScreenRules {
    /// When it counts as ready.
    pub readiness: Readiness,
    /// Dialogs that need a person.
    pub attention: Vec<Attention>,
    /// How long it may take before somebody should look.
    pub deadline: Duration,
}

/// When a program that is up counts as idle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdleRules {
    /// After so long without a sign of life.
    pub after: Duration,
    /// Matches the last lines of the screen while it works, also where nothing of that changes. None where that is no
    /// sign.
    pub busy: Option<String>,
}

/// What the screen showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScreenSign {
    /// Ready as the runtime's definition says.
    Ready,
    /// A known dialog, or `slow` when the deadline passed.
    Attention(String),
    /// A known dialog, whose answer was pressed.
    Answered(String),
}

/// Why a life is ended on purpose: the text of its claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// `stop`, `restart`, `remove`, `session-exit`, `idle`.
    pub why: String,
    /// Who asked: `operator`, `fleet`.
    pub by: String,
    /// What follows: `start` or `stop`.
    pub then: Then,
}

/// What follows a deliberate end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// A new life.
    Start,
    /// Nothing, until somebody asks.
    Stop,
}

/// How a deliberate end went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LifeEnd {
    /// The claim came first, and the server is gone.
    Claimed(EndReport),
    /// The server was dead before the claim could hold: the claim was taken back, the death is unclaimed.
    AlreadyDead,
}

/// The rungs that a deliberate end went down, and what the sweep found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndReport {
    /// In order, those that were needed: `program-exit`, `kill-server`, `term`, `kill`.
    pub rungs: Vec<String>,
    /// What the sweep did.
    pub sweep: SweepReport,
}

/// What was left of a life after its server, and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepReport {
    /// Processes that were ended.
    pub swept: Vec<i32>,
    /// Processes that could not be ended.
    pub escaped: Vec<i32>,
}

/// Who saw a death.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WitnessedBy {
    /// The canary beside the server.
    Canary,
    /// The daemon, when the canary was gone too.
    Daemon,
    /// The next daemon, when both were gone.
    Recovery,
}

/// What the look at the files of an ended life found, or made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// A claim exists: no record is due.
    Claimed,
    /// Exactly one record is on disk, and its line in exits.log.
    Recorded {
        /// Who wrote it.
        witness: WitnessedBy,
        /// `killed`, `oom-killed`, `crashed`, `exited` or `unwitnessed`.
        cause: String,
    },
}

/// What is known of an ended server when its life is settled.
#[derive(Debug, Clone)]
pub struct DeathNotice {
    /// Whose death.
    pub life: LifeKey,
    /// The server, where it was known.
    pub server: Option<ProcessId>,
    /// Its exact status, where it was known.
    pub end: ProcessEnd,
    /// When its life began, milliseconds since boot.
    pub started_boot_ms: u64,
    /// The canary's process, where one was armed: the witness gets 500 ms to finish.
    pub canary: Option<ProcessId>,
}

/// What a live server says of the one session of its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundSession {
    /// There is none: not opened yet, or closed from outside.
    Missing,
    /// Open, and its program runs.
    Open,
    /// Its program has left (`#{pane_dead}`).
    Exited(SessionExit),
    /// The server does not answer in time: nothing is known, and nothing is decided.
    Silent,
}

/// What a restarted actor finds of a life that its predecessor knew.
pub enum Found {
    /// The server lives, perhaps with its canary.
    Alive {
        /// The server, borrowed again.
        server: Box<dyn Process>,
        /// The canary, borrowed again.
        canary: Option<Box<dyn Process>>,
        /// What became of its session.
        session: FoundSession,
        /// The file of its lock was removed: the server holds it, and it keeps nobody out any more.
        lock_lost: bool,
    },
    /// The server is gone.
    Dead(ProcessEnd),
    /// There never was a server: whoever was to start it ended before.
    NeverLived,
    /// Somebody holds the life's lock and can not be proved to be ours: never killed, never doubled.
    Blocked(String),
}

/// What a peer is on disk: `peers/<identity>/`.
pub trait PeerStore: Send + Sync + 'static {
    /// Reads `state.json`; a missing file is a peer that never lived, with the highest generation that
    /// any trace of it names. Its revision is the last one that this store was given for the identity, so that
    /// what the reader saves next is newer.
    fn load(&self, identity: &Identity) -> Answer<PeerFile>;
    /// Replaces `state.json` atomically and durably, unless a later revision was written before.
    fn save(&self, identity: &Identity, file: PeerFile) -> Answer<()>;
    /// Removes everything of a dead identity, so that a namesake inherits nothing.
    fn purge(&self, identity: &Identity) -> Answer<()>;
}

/// Peers' tmux servers and what runs in them.
pub trait Servers: Send + Sync + 'static {
    /// Takes the identity's lock and starts its server. `file` (which names the life as starting) is durable
    /// before anything is started.
    /// Where `limits` can not be applied nothing is left running, and the error is [`FleetError::Unsupported`].
    fn start(&self, life: &LifeKey, file: PeerFile, limits: Limits) -> Answer<Box<dyn Process>>;
    /// Opens the one session of this life, with `program` in it and its pane log running. After
    /// [`FleetError::ServerSilent`] there may be one, or one may come: ask for [`Servers::session`] first.
    fn open_session(&self, life: &LifeKey, program: Program) -> Answer<()>;
    /// What became of the session of a live server; where it has one, its program's end is heard of from now on.
    fn session(&self, life: &LifeKey) -> BoxFuture<FoundSession>;
    /// Judges the screen of a starting peer until it is ready. The sender is dropped when nothing more will come.
    fn watch_screen(&self, life: &LifeKey, rules: ScreenRules) -> mpsc::Receiver<ScreenSign>;
    /// Resolves when nothing has been seen of this life's program for so long: no output but of its last line, which
    /// may be a clock, no sign that it works, and nobody attached. Never where its server has ended, or can not be asked.
    fn idle(&self, life: &LifeKey, rules: IdleRules) -> BoxFuture<()>;
    /// Ends a life on purpose: claim, canary, program, server, sweep, socket (spec 01 §4). A claim that stands
    /// already is carried out. An error means that no claim stands, written or taken back: nothing was killed but
    /// perhaps the canary, and the life goes on.
    fn end(&self, life: &LifeKey, claim: Claim, recipe: StopRecipe) -> Answer<LifeEnd>;
    /// Ends what an ended server left behind.
    fn sweep(&self, life: &LifeKey) -> BoxFuture<SweepReport>;
    /// Finds a life again after the actor that knew it has died.
    fn find(&self, life: &LifeKey, known: &crate::peer::file::Life) -> BoxFuture<Found>;
    /// Identities whose socket file was removed by somebody; called once.
    fn lost_sockets(&self) -> mpsc::Receiver<Identity>;
    /// Whether the server answers within its deadline.
    fn answers(&self, life: &LifeKey) -> BoxFuture<bool>;
    /// Makes a live server create its socket again; `false` where the socket is there.
    fn heal_socket(&self, life: &LifeKey) -> Answer<bool>;
    /// The text on the peer's screen, made harmless.
    fn capture(&self, life: &LifeKey) -> Answer<String>;
}

/// The canary, and the record of a death.
pub trait Witness: Send + Sync + 'static {
    /// Starts a canary beside a live server.
    fn arm(&self, life: &LifeKey, server: ProcessId) -> Answer<Box<dyn Process>>;
    /// Looks for claim, record and mark, in that order, and does what is missing.
    fn settle(&self, notice: DeathNotice) -> Answer<Settlement>;
}

/// `fleet.json`.
pub trait RegistryFile: Send + Sync + 'static {
    /// Reads the document; a missing file is an empty fleet.
    fn load(&self) -> Answer<Document>;
    /// Replaces the file atomically and durably, keeping the last good one as `.bak`.
    fn save(&self, document: Document) -> Answer<()>;
}

/// `journal/lifecycle.log`, and the lines that others write into `journal/exits.log`.
pub trait JournalFile: Send + Sync + 'static {
    /// The last sequence number on disk, 0 in an empty journal; called once, before anything else.
    fn open(&self) -> Answer<u64>;
    /// Appends whole lines, each ending in `\n`, turning the file over where it is full.
    fn append(&self, lines: String) -> Answer<()>;
    /// Makes what was appended durable.
    fn sync(&self) -> Answer<()>;
    /// The lines of exits.log that were not imported before, each time some come; those written while nobody
    /// looked come first. How far the import went is durable once [`JournalFile::imported`] is called.
    fn foreign_lines(&self) -> mpsc::Receiver<ForeignLines>;
    /// Notes that lines up to this offset are in the journal.
    fn imported(&self, up_to: u64) -> Answer<()>;
}

/// Lines of exits.log, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignLines {
    /// Whole lines, without their `\n`.
    pub lines: Vec<String>,
    /// The file offset after the last one, bytes.
    pub up_to: u64,
}

/// All ports of a fleet.
#[derive(Clone)]
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub dice: Arc<dyn Dice>,
    /// Peers on disk.
    pub store: Arc<dyn PeerStore>,
    /// Peers' servers.
    pub servers: Arc<dyn Servers>,
    /// Canaries and records.
    pub witness: Arc<dyn Witness>,
    /// `fleet.json`.
    pub registry: Arc<dyn RegistryFile>,
    /// The journal.
    pub journal: Arc<dyn JournalFile>,
}
