//! What the effects need from the world. `src/io/effects` of the root package implements it, one file a family.
//!
//! A family gets a [`Call`]: the request, and the [`Plan`] that the decision handed over. It opens what the plan names
//! (a root of the policy by its place, a program by its grant) and decides nothing again.

use super::{
    error::EffectError,
    handles::{HandleId, HandleKind, Handles, Held},
    nested::WeakSession,
    op::{Op, Request},
    output::{Done, Output},
    plan::Plan,
    policy::Policy,
    served::{Answered, Asked},
    session::EffectSession,
};
use crate::{
    names::{Identity, Personality},
    ports::{Answer, BoxFuture},
};
use std::{
    any::Any,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};
use tokio::sync::{mpsc, watch};

/// What became of a call.
pub type Outcome = Result<Done, EffectError>;

/// What a policy grants, opened: directory handles, descriptors. Each adapter knows its own type.
pub type Opened = Arc<dyn Any + Send + Sync>;

/// A session as a family sees it.
pub struct Seat {
    /// Whose session.
    pub peer: Identity,
    /// Which session: unique in this daemon's life.
    pub session: u64,
    handles: Mutex<Handles>,
    chance: Arc<dyn Chance>,
    log: Option<Arc<dyn Sink>>,
    ended: watch::Sender<bool>,
    /// The session that sits here.
    sitting: OnceLock<WeakSession>,
}

impl Seat {
    /// A session that holds nothing yet.
    pub fn new(peer: Identity, session: u64, chance: Arc<dyn Chance>) -> Self {
        Self {
            peer,
            session,
            handles: Mutex::default(),
            chance,
            log: None,
            ended: watch::Sender::new(false),
            sitting: OnceLock::new(),
        }
    }

    /// The same with a log for what those say who work for it.
    #[must_use]
    pub fn with_log(self, log: Arc<dyn Sink>) -> Self {
        Self { log: Some(log), ..self }
    }

    /// The session's log, for what those say who work for it: each line is one of level `info`. Nothing where nobody
    /// keeps one. Blocks.
    pub fn log(&self) -> Option<Arc<dyn Sink>> {
        self.log.clone()
    }

    /// The table, for as long as something is looked up: never across an await, and never across I/O.
    fn handles(&self) -> MutexGuard<'_, Handles> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whose seat it is.
    pub(super) fn sits(&self, session: WeakSession) {
        let _the_first_one_sits = self.sitting.set(session);
    }

    /// The session itself, for effects within an effect: decided, counted and written down like all others. Nothing once
    /// nobody has it any more. To be held for as long as a call takes: who holds it keeps the session alive.
    pub fn nested(&self) -> Option<EffectSession> {
        self.sitting.get()?.upgrade()
    }

    /// Unguessable text, for what is no handle.
    ///
    /// # Errors
    /// No chance is to be had.
    pub fn token(&self) -> Result<String, EffectError> {
        let mut bytes = [0; 16];
        self.chance.fill(&mut bytes)?;
        Ok(HandleId::of(bytes).to_string())
    }

    /// Whether there is room for one more handle of this kind.
    ///
    /// # Errors
    /// [`EffectError::TooManyHandles`].
    pub fn room(&self, kind: HandleKind) -> Result<(), EffectError> {
        self.handles().room(kind)
    }

    /// Keeps `held` under a new handle.
    ///
    /// # Errors
    /// [`EffectError::TooManyHandles`]; [`EffectError::Cancelled`] once the session has ended; no chance is to be had.
    pub fn keep(&self, kind: HandleKind, held: Held) -> Result<HandleId, EffectError> {
        let mut bytes = [0; 16];
        self.chance.fill(&mut bytes)?;
        self.handles().open(HandleId::of(bytes), kind, held)
    }

    /// What a handle stands for.
    ///
    /// # Errors
    /// [`EffectError::UnknownHandle`].
    pub fn held<T: Any + Send + Sync>(&self, id: HandleId, kind: HandleKind) -> Result<Arc<T>, EffectError> {
        self.handles().get(id, kind)
    }

    /// All that the session holds of a kind.
    pub fn all<T: Any + Send + Sync>(&self, kind: HandleKind) -> Vec<Arc<T>> {
        self.handles().all(kind)
    }

    /// Closes a handle; what it held is dropped by whoever is given it.
    ///
    /// # Errors
    /// [`EffectError::UnknownHandle`].
    pub fn close(&self, id: HandleId, kind: HandleKind) -> Result<Held, EffectError> {
        self.handles().close(id, kind)
    }

    /// How many handles of a kind are open.
    pub fn count(&self, kind: HandleKind) -> usize {
        self.handles().count(kind)
    }

    /// Resolves when the session has ended: whatever waits for something ends then with [`EffectError::Cancelled`].
    pub async fn ended(&self) {
        let mut ended = self.ended.subscribe();
        let _the_sender_is_ours = ended.wait_for(|ended| *ended).await;
    }

    /// Whether the session has ended.
    pub fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    /// Ends it: all handles are closed, and what they held is dropped by the caller.
    pub(super) fn end(&self) -> Vec<Held> {
        self.ended.send_replace(true);
        self.handles().shut()
    }
}

/// One effect to be carried out.
pub struct Call {
    /// For whom.
    pub seat: Arc<Seat>,
    /// By which policy.
    pub policy: Arc<Policy>,
    /// That policy's roots and programs, as [`EffectHost::open`] opened them.
    pub opened: Opened,
    /// What was asked for.
    pub request: Request,
    /// How it is allowed to happen.
    pub plan: Plan,
    /// How long it may take at most: what is left of the budget's time.
    pub time_left: Option<Duration>,
}

/// Which part of the host carries an operation out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// The core itself: it needs a clock, chance, a sink.
    Core,
    /// Files and folders.
    Files,
    /// Programs.
    Programs,
    /// Connections to others.
    Net,
    /// Connections from others, and their rooms.
    Servers,
    /// Keys and values, SQLite.
    Stores,
    /// Tool servers, models, other peers.
    Agents,
}

impl Op {
    /// Which part of the host carries it out.
    pub fn family(self) -> Family {
        match self {
            Self::IoPrint
            | Self::LogDebug
            | Self::LogInfo
            | Self::LogWarn
            | Self::LogError
            | Self::LogSetLevel
            | Self::LogSetFormat
            | Self::LogSetSink
            | Self::TimeNow
            | Self::DatetimeNow
            | Self::TimeSleepMs
            | Self::RandIntIn
            | Self::CryptoRandom
            | Self::EnvGet
            | Self::BudgetRemaining => Family::Core,
            Self::IoRead
            | Self::IoWrite
            | Self::FsExists
            | Self::FsIsFile
            | Self::FsIsDir
            | Self::FsStat
            | Self::FsListDir
            | Self::FsWalk
            | Self::FsGlob
            | Self::FsMkdirP
            | Self::FsRemove
            | Self::FsCopy => Family::Files,
            Self::ProcSpawn
            | Self::ProcessRun
            | Self::ProcessSpawn
            | Self::ProcessReadStdoutLine
            | Self::ProcessReadStderrLine
            | Self::ProcessWait
            | Self::ProcessKill => Family::Programs,
            Self::NetGet | Self::NetPost | Self::HttpGet | Self::HttpPost | Self::HttpSend => Family::Net,
            Self::NetServe
            | Self::NetServeTls
            | Self::NetServeWs
            | Self::NetAddress
            | Self::NetClose
            | Self::ChatBroadcast
            | Self::ChatSend => Family::Servers,
            Self::KvOpen
            | Self::KvClose
            | Self::KvGet
            | Self::KvPut
            | Self::KvDelete
            | Self::KvContains
            | Self::KvListPrefix
            | Self::SqlOpen
            | Self::SqlClose
            | Self::SqlExec
            | Self::SqlQuery => Family::Stores,
            Self::AgentCallMcp | Self::AgentLocalComplete | Self::AgentCloudComplete | Self::AgentSendA2a => {
                Family::Agents
            }
        }
    }

    /// Whether its decision is made durable before it happens: what it sets going outlives the machine's memory of it.
    pub fn is_grave(self) -> bool {
        self.row().needs.iter().any(|kind| {
            use super::kind::Kind;
            matches!(kind, Kind::Proc | Kind::NetListen | Kind::A2a)
        })
    }
}

/// Carries effects out. A family that is not built answers [`EffectError::Unsupported`], and does nothing.
pub trait EffectHost: Send + Sync + 'static {
    /// Opens what a policy grants; once a policy, on a thread that may block. A root that can not be opened now is no
    /// reason not to have the others.
    fn open(&self, _policy: &Policy) -> Opened {
        Arc::new(())
    }

    /// Files and folders; on a thread that may block.
    fn files(&self, call: Call) -> Outcome {
        unsupported(&call)
    }

    /// Programs.
    fn programs(&self, call: Call) -> BoxFuture<Outcome> {
        not_built(call)
    }

    /// Connections to others.
    fn net(&self, call: Call) -> BoxFuture<Outcome> {
        not_built(call)
    }

    /// Connections from others.
    fn servers(&self, call: Call) -> BoxFuture<Outcome> {
        not_built(call)
    }

    /// Keys and values, SQLite.
    fn stores(&self, call: Call) -> BoxFuture<Outcome> {
        not_built(call)
    }

    /// Tool servers, models, other peers.
    fn agents(&self, call: Call) -> BoxFuture<Outcome> {
        not_built(call)
    }

    /// Opens the file that a session's log goes to from now on, to be appended to; on a thread that may block.
    fn log_sink(&self, call: Call) -> Result<Arc<dyn Sink>, EffectError> {
        unsupported(&call).map(|_| unreachable!("what is not built does not happen"))
    }
}

fn unsupported(call: &Call) -> Outcome {
    Err(EffectError::unsupported(format!("{} is not built into this fleet", call.request.op())))
}

fn not_built(call: Call) -> BoxFuture<Outcome> {
    Box::pin(async move { unsupported(&call) })
}

/// A host without anything: what the core can not do itself is unsupported.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHost;

impl EffectHost for NoHost {}

/// Where a session's lines go.
pub trait Sink: Send + Sync + 'static {
    /// Takes one line, which has no end of its own.
    ///
    /// # Errors
    /// It can not be written.
    fn line(&self, line: &str) -> Result<(), EffectError>;
}

/// Chance that nobody can guess.
pub trait Chance: Send + Sync + 'static {
    /// Fills all of `bytes`.
    ///
    /// # Errors
    /// The system has none.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EffectError>;
}

/// The daemon's own variables.
pub trait Environment: Send + Sync + 'static {
    /// One of them, where it is set and is text.
    fn get(&self, name: &str) -> Option<String>;
}

/// Where a session's lines go where nobody says otherwise.
pub trait Sinks: Send + Sync + 'static {
    /// What a peer prints.
    fn print(&self, peer: &Identity) -> Arc<dyn Sink>;
    /// What a peer logs.
    fn log(&self, peer: &Identity) -> Arc<dyn Sink>;
}

/// Which policies there are, and which peer has which.
pub trait PolicySource: Send + Sync + 'static {
    /// The policy that a peer names; nothing where it names none, or is not there.
    fn name_of(&self, peer: &Personality) -> Option<String>;
    /// The policy of this name, checked.
    fn load(&self, name: String) -> Answer<Arc<Policy>>;
    /// Comes each time that policies may have changed.
    fn changes(&self) -> mpsc::Receiver<()>;
}

/// An operation that an embedder adds, by its own name: `shop.order`.
pub trait Added: Send + Sync + 'static {
    /// Whether this policy allows it with these arguments; the rule's name in the audit log is the operation's.
    fn allows(&self, policy: &Policy, args: &serde_json::Value) -> bool;
    /// Carries it out.
    fn perform(&self, seat: Arc<Seat>, args: serde_json::Value) -> BoxFuture<Result<Output, EffectError>>;
    /// What a call takes of the budget's `calls`.
    fn cost(&self) -> u64 {
        1
    }
}

/// A function of the embedder that answers what comes in at a server: `{"function": name}`.
pub trait Answers: Send + Sync + 'static {
    /// Answers one request. Dropped before it is done, it is called off. Why it failed is for the session's log; whoever
    /// asked sees only its number.
    fn answer(&self, seat: Arc<Seat>, asked: Asked) -> BoxFuture<Result<Answered, EffectError>>;
}
