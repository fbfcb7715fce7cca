//! What a peer is at one moment: a phase in which every wrong combination has no spelling.
//!
//! ```text
//!              start                     program ready
//!   Asleep ───────────▶ Live(Server → Canary → Session → Booting) ───────▶ Live(Up)
//!   Stopped ──────────▶   │        │                          │  ▲               │
//!      ▲                  │        │ a dialog, or too slow    ▼  │ ready         │ stop, restart,
//!      │                  │        └──────────▶ Live(NeedsAttention)             │ session exit, idle
//!      │                  │ server dies unclaimed          │                     ▼
//!      │                  ▼                                └──────────▶ Live(Stopping)
//!      ├──── Clearing (what the dead server left is swept)                       │
//!      │          ├─ too many deaths ─▶ Quarantined ── reset ─▶ Stopped          │
//!      │          └─▶ Backoff (until its time) ─▶ Queued (until it is let go) ─▶ next life
//!      └──────────────────────────────────────────────────────── claimed ────────┘
//! ```

use super::file::{Desired, Life, LifePhase, PeerFile};
use crate::{
    names::Generation,
    ports::{Claim, EndReport, ProcessEnd, ProcessId},
    view::{PhaseName, Wish},
};
use std::collections::BTreeMap;

/// Everything that a peer's decisions rest on.
#[derive(Debug, Clone)]
pub struct PeerState {
    /// What is on disk, or about to be.
    pub file: PeerFile,
    /// Where it is.
    pub phase: Phase,
    /// Since when, milliseconds since boot.
    pub since_boot_ms: u64,
    /// Why it is where it is, one short text for people; empty where the phase says it all.
    pub note: String,
    /// Records that could not be written yet, with the reason.
    pub owed: BTreeMap<Generation, String>,
    /// How the last deliberate end went.
    pub last_end: Option<EndReport>,
    /// Failed attempts to start anything at all, in a row.
    pub failed_attempts: u32,
    /// What was asked of it last.
    pub wish: Wish,
}

/// Where a peer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Not running; a wake starts it.
    Asleep,
    /// Ended on purpose, or by its own program.
    Stopped,
    /// Died too often too fast.
    Quarantined,
    /// A server lives, or is being started.
    Live(Box<Live>),
    /// The server died; what it left behind is being ended.
    Clearing {
        /// The dead life.
        generation: Generation,
        /// What comes then.
        next: Next,
    },
    /// It died, or nothing could be started; tried again at `until`.
    Backoff {
        /// Milliseconds since boot.
        until_boot_ms: u64,
    },
    /// It would begin its next life now and has asked whether it may: after a mass death one goes first.
    Queued {
        /// The incident that holds it back, where one does.
        incident: Option<String>,
    },
    /// Somebody who can not be proved to be ours holds this identity's lock.
    Blocked,
}

/// A life whose server lives, or is being started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// Which life.
    pub generation: Generation,
    /// How far it is.
    pub stage: Stage,
    /// When it began, milliseconds since boot.
    pub started_boot_ms: u64,
    /// Its server, once started.
    pub server: Option<ProcessId>,
    /// How its server ended, where that was heard before the report of a deliberate end.
    pub ended: Option<ProcessEnd>,
    /// Its canary.
    pub canary: CanaryWatch,
    /// When something was last delivered to it, or it became ready, milliseconds since boot.
    pub active_boot_ms: u64,
    /// The server did not answer a call in time; it is not dead.
    pub unreachable: bool,
    /// An end that was asked for during a step that can not be interrupted; carried out after it.
    pub ending: Option<(Claim, Next)>,
}

/// The state of the witness beside a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CanaryWatch {
    /// Not armed yet, or being armed.
    Arming {
        /// How many armings failed or ended at once, in a row.
        failures: u32,
    },
    /// Watching.
    Armed {
        /// The canary's process.
        process: ProcessId,
        /// Since when, milliseconds since boot.
        since_boot_ms: u64,
        /// As in `Arming`, when it was armed.
        failures: u32,
    },
    /// Gone while its server was being ended on purpose.
    Dismissed,
    /// It could not be armed: the daemon alone watches this server.
    Failed,
}

/// How far a life is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The server is being started.
    Server,
    /// The canary is being armed.
    Canary,
    /// The session is being opened.
    Session {
        /// Its program said already that it is ready: a program may be faster than the report of its session.
        ready: bool,
    },
    /// The server did not answer when its session was asked for. It may have one: looked at once it answers.
    Unsure,
    /// The program runs; it is not ready yet.
    Booting,
    /// Ready.
    Up,
    /// Alive, and waits for a person.
    NeedsAttention {
        /// For what: `sign-in`, `trust`, `slow`.
        what: String,
    },
    /// Being ended on purpose.
    Stopping {
        /// What comes then.
        next: Next,
        /// Where it goes back to if the claim can not be written: without a claim nothing is killed.
        back: Box<Stage>,
        /// The claim, for another try of an end that the fleet itself decided.
        claim: Claim,
        /// When that try is due, milliseconds since boot; nothing while the end is being carried out.
        retry_boot_ms: Option<u64>,
    },
}

/// What comes after an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The next life, because somebody asked for it.
    Start,
    /// The next life by itself, at this instant or later, as soon as it may.
    Rearm {
        /// Milliseconds since boot.
        at_boot_ms: u64,
    },
    /// This rest.
    Rest(Rest),
}

/// The ways to be down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// A wake starts it.
    Asleep,
    /// A start starts it.
    Stopped,
    /// A reset frees it.
    Quarantined,
}

impl From<Rest> for Phase {
    fn from(rest: Rest) -> Self {
        match rest {
            Rest::Asleep => Self::Asleep,
            Rest::Stopped => Self::Stopped,
            Rest::Quarantined => Self::Quarantined,
        }
    }
}

impl From<Rest> for Desired {
    fn from(rest: Rest) -> Self {
        match rest {
            Rest::Asleep => Self::Asleep,
            Rest::Stopped => Self::Stopped,
            Rest::Quarantined => Self::Quarantined,
        }
    }
}

impl Next {
    /// Whether another life follows.
    pub fn is_life(self) -> bool {
        !matches!(self, Self::Rest(_))
    }
}

impl Rest {
    /// The state's name.
    pub fn name(self) -> PhaseName {
        match self {
            Self::Asleep => PhaseName::Asleep,
            Self::Stopped => PhaseName::Stopped,
            Self::Quarantined => PhaseName::Quarantined,
        }
    }
}

impl Phase {
    /// The state's name.
    pub fn name(&self) -> PhaseName {
        match self {
            Self::Asleep => PhaseName::Asleep,
            Self::Stopped => PhaseName::Stopped,
            Self::Quarantined => PhaseName::Quarantined,
            Self::Clearing { next: Next::Rest(rest), .. } => rest.name(),
            Self::Clearing { .. } | Self::Backoff { .. } | Self::Queued { .. } => PhaseName::Backoff,
            Self::Blocked => PhaseName::Blocked,
            Self::Live(live) => match live.stage {
                Stage::Server | Stage::Canary | Stage::Session { .. } | Stage::Unsure | Stage::Booting => {
                    PhaseName::Starting
                }
                Stage::Up => PhaseName::Up,
                Stage::NeedsAttention { .. } => PhaseName::NeedsAttention,
                Stage::Stopping { .. } => PhaseName::Stopping,
            },
        }
    }
}

impl Live {
    /// Whether its program runs and is not ready yet.
    pub fn awaits_its_program(&self) -> bool {
        matches!(self.stage, Stage::Booting | Stage::NeedsAttention { .. })
    }
}

impl PeerState {
    /// A peer as its file describes it, before anything of its lives was found again.
    pub fn resting(file: PeerFile, now_boot_ms: u64) -> Self {
        let phase = match file.desired {
            Desired::Asleep => Phase::Asleep,
            // What should run and does not is taken up by whoever spawned this peer, with a `TakeUp`.
            Desired::Up | Desired::Stopped => Phase::Stopped,
            Desired::Quarantined => Phase::Quarantined,
        };
        Self {
            file,
            phase,
            since_boot_ms: now_boot_ms,
            note: String::new(),
            owed: BTreeMap::new(),
            last_end: None,
            failed_attempts: 0,
            wish: Wish::default(),
        }
    }

    /// The life whose server lives, or is being started.
    pub fn live(&self) -> Option<&Live> {
        match &self.phase {
            Phase::Live(live) => Some(live),
            _ => None,
        }
    }

    /// A life of the file whose server may live, as far as the file knows.
    pub fn unsettled_life(&self) -> Option<&Life> {
        self.file.lives.iter().find(|life| life.phase != LifePhase::Dead)
    }

    /// Whether the record of this life's death is still to be found or made.
    pub fn owes_record_of(&self, generation: Generation) -> bool {
        self.file.lives.iter().any(|life| life.generation == generation && life.phase == LifePhase::Dead)
    }

    /// What comes after the end that is under way, or that waits for a step of the start.
    pub fn following(&self) -> Option<Next> {
        match &self.phase {
            Phase::Clearing { next, .. } => Some(*next),
            Phase::Live(live) => match &live.stage {
                Stage::Stopping { next, .. } => Some(*next),
                _ => live.ending.as_ref().map(|(_, next)| *next),
            },
            _ => None,
        }
    }

    /// Lets something else come after the end that is under way; where none is, nothing changes.
    pub fn follow_with(&mut self, wanted: Next) {
        let next = match &mut self.phase {
            Phase::Clearing { next, .. } => next,
            Phase::Live(live) => match (&mut live.stage, &mut live.ending) {
                (Stage::Stopping { next, .. }, _) | (_, Some((_, next))) => next,
                _ => return,
            },
            _ => return,
        };
        *next = wanted;
        self.file.plan(wanted);
    }

    /// Whether it died too often, also while its last end is still under way: only a reset leads out.
    pub fn quarantined(&self) -> bool {
        self.file.desired == Desired::Quarantined
    }

    /// Down, with every death accounted for: nothing of this peer is under way.
    pub fn at_rest(&self) -> bool {
        matches!(self.phase, Phase::Asleep | Phase::Stopped | Phase::Quarantined) && self.file.lives.is_empty()
    }
}
