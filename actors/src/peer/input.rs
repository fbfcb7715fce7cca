//! What can happen to a peer, and what it can decide to do about it.

use super::{
    beginning::Wanted,
    file::{Life, PeerFile},
    one_task::{OneTask, WakePolicy},
    restart_policy::{RestartLimit, RestartPolicy},
};
use crate::{
    error::FleetError,
    journal::Draft,
    names::{Generation, Identity},
    ports::{Claim, FoundSession, LifeEnd, ProcessEnd, ProcessId, Settlement, SweepReport},
    view::PhaseName,
};

/// What a peer's decisions follow; fixed for the life of its actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRules {
    /// Which peer.
    pub identity: Identity,
    /// What its next life runs, but for what makes it go on.
    pub command: Vec<String>,
    /// By what a program that begins now is held: `landlock-abi7`, `none`.
    pub held_by: String,
    /// What happens after a death.
    pub restart: RestartPolicy,
    /// How often it may die, and how long it waits.
    pub limit: RestartLimit,
    /// It is put to sleep after so long without a sign of life, milliseconds; nothing where it never is.
    pub idle_after_ms: Option<u64>,
    /// Its program can go on with its last conversation.
    pub can_resume: bool,
    /// A life of it has one task, and ends then; nothing where it takes whatever comes.
    pub one_task: Option<OneTask>,
    /// This boot of the host.
    pub boot_id: String,
}

impl PeerRules {
    /// Whether a life takes whatever comes, or one task.
    pub fn wake_policy(&self) -> WakePolicy {
        if self.one_task.is_some() { WakePolicy::Ephemeral } else { WakePolicy::Persistent }
    }
}

/// What a life that was found again turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundLife {
    /// Its server lives.
    Alive {
        /// The server.
        server: ProcessId,
        /// Its canary, where one lives.
        canary: Option<ProcessId>,
        /// What became of its session.
        session: FoundSession,
        /// The file of its lock was removed.
        lock_lost: bool,
    },
    /// Its server is gone.
    Dead(ProcessEnd),
    /// It never had one.
    NeverLived,
    /// Its lock is held by somebody who can not be proved to be ours.
    Blocked(String),
}

/// What can happen to a peer.
#[derive(Debug)]
pub enum Input {
    /// A person, or the fleet, wants it up.
    Start,
    /// Somebody has something for it, and wants it up if it sleeps: less than a start, which also undoes a stop.
    Wake(Wanted),
    /// A person wants it down.
    Stop {
        /// `stop`, `remove`.
        why: &'static str,
    },
    /// A person wants a new life.
    Restart,
    /// A person wants a new life that begins afresh.
    Refresh,
    /// The task of the life in hand is done; said by that very life where one is named.
    Done(Option<Generation>),
    /// A person forgives its deaths.
    Reset,
    /// Its file says that it should run, and nothing of it does.
    TakeUp,
    /// A life of its file was looked for.
    Found(Generation, FoundLife),
    /// The server was started.
    ServerStarted(Generation, ProcessId),
    /// The session is open and its program runs.
    SessionOpened(Generation),
    /// A server that had been silent was asked for its session.
    SessionSeen(Generation, FoundSession),
    /// A step of the start failed.
    StartFailed(Generation, FleetError),
    /// The canary watches.
    CanaryArmed(Generation, ProcessId),
    /// The canary could not be started.
    CanaryFailed(Generation, FleetError),
    /// The program is ready.
    Ready(Generation),
    /// The program waits for a person.
    Attention(Generation, String),
    /// It asked something, and was answered as its runtime says.
    Answered(Generation, String),
    /// The server's process ended.
    ServerEnded(Generation, ProcessEnd),
    /// The canary's process ended.
    CanaryEnded(Generation),
    /// The program ended, or somebody closed its session.
    SessionExited(Generation, SessionExit),
    /// A deliberate end was carried out, or could not be.
    Ended(Generation, Result<LifeEnd, FleetError>),
    /// What a dead server left behind was ended.
    Swept(Generation, SweepReport),
    /// A death was settled.
    Settled(Generation, Settlement),
    /// A record could not be written yet.
    RecordOwed(Generation, String),
    /// The server did, or did not, answer a call.
    Reachable(Generation, bool),
    /// The server's socket file is gone.
    SocketLost,
    /// The server made its socket again.
    SocketHealed(Generation),
    /// The life that it asked for may begin; part of this incident.
    Go(Generation, Option<String>),
    /// The life that it asked for has to wait for others of this incident.
    Held(Generation, String),
    /// Nothing has been seen of its program for as long as its rules allow.
    Idle(Generation),
    /// Something was delivered to it.
    Delivered(Generation),
    /// A message on this topic is about to be typed into it.
    Given(Generation, Option<String>),
    /// It sent a message.
    Replied(Generation),
    /// A wait is over. The instant is the one that `WakeAt` named: another one is stale.
    Due {
        /// Milliseconds since boot.
        until_boot_ms: u64,
    },
}

impl Input {
    /// Whether somebody asks for a life.
    pub fn wants_life(&self) -> bool {
        matches!(self, Self::Start | Self::Wake(_) | Self::Restart | Self::Refresh)
    }
}

/// How a program left its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionExit {
    /// It exited with this status.
    Status(i32),
    /// This signal ended it.
    Signal(i32),
    /// Its session, window or pane was closed from outside.
    Killed,
}

impl std::fmt::Display for SessionExit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "its program exited with status {status}"),
            Self::Signal(signal) => write!(f, "its program was ended by signal {signal}"),
            Self::Killed => f.write_str("its session was closed from outside"),
        }
    }
}

/// What a request is answered with at once; the rest is seen in the peer's view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its number among the requests that this peer accepted; [`Wish`](crate::view::Wish) tells what became of it.
    pub number: u64,
    /// The life that the request is about: the one that lives, is ended, or begins.
    pub generation: Generation,
    /// The state before.
    pub was: PhaseName,
}

/// What concerns more than one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// Its server died, and nobody meant it.
    Died,
    /// It ended with the host.
    HostRestarted,
}

/// What a peer decides to do. The actor carries it out and reports back with an [`Input`].
#[derive(Debug)]
pub enum Action {
    /// Answer the request that is in hand.
    Answer(Result<Accepted, FleetError>),
    /// Tell the story.
    Tell(Draft),
    /// Make this state durable; nobody waits for it.
    Save(PeerFile),
    /// Look for a life whose server may live, with what the file knows of it.
    Find(Life),
    /// Make this state durable, then start the server.
    StartServer(Generation, PeerFile),
    /// Start a canary beside the server.
    ArmCanary(Generation, ProcessId),
    /// Open the session.
    OpenSession {
        /// Of which life.
        generation: Generation,
        /// The program goes on with its last conversation.
        resume: bool,
    },
    /// Ask the server for its session, which it may have or not.
    LookAtSession(Generation),
    /// Tell whoever paces restarts that its server died and nobody meant it.
    Alarm(Alarm),
    /// Ask whether this life may begin now; answered with `Go`.
    AskToStart(Generation),
    /// Judge the screen until the program is ready.
    WatchScreen(Generation),
    /// Report `Idle` once nothing was seen of its program for so long.
    WatchIdle {
        /// Of which life.
        generation: Generation,
        /// How long, milliseconds.
        after_ms: u64,
    },
    /// End the life on purpose.
    EndLife(Generation, Claim),
    /// End what a dead server left behind.
    Sweep(Generation),
    /// Find or make the record of a death.
    Settle {
        /// Whose death.
        generation: Generation,
        /// The server, where it was known.
        server: Option<ProcessId>,
        /// The canary, which gets a moment to finish.
        canary: Option<ProcessId>,
        /// How it ended.
        end: ProcessEnd,
        /// When its life began, milliseconds since boot.
        started_boot_ms: u64,
    },
    /// Ask the server until it answers again.
    ProbeUntilReachable(Generation),
    /// Make the server create its socket again.
    HealSocket(Generation),
    /// Send `Due` at this instant.
    WakeAt {
        /// Milliseconds since boot.
        until_boot_ms: u64,
    },
}
