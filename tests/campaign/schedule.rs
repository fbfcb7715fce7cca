//! A schedule: what is done to a fleet, in which order, drawn from a seed. Pure.

use coalmine::io::fault::FaultPoint;
use fastrand::Rng;
use std::{fmt, time::Duration};

/// Peers of one schedule.
pub const PEERS: [&str; 3] = ["anna", "bob", "carl"];
/// Steps of one schedule.
const STEPS: std::ops::Range<usize> = 4..11;
/// Longest pause after a step, milliseconds; most are far shorter.
const PAUSE_MS_MAX: u64 = 250;
/// The how-manieth passing of a fault point strikes.
const FAULT_COUNTS: [u32; 8] = [1, 1, 1, 2, 2, 3, 4, 6];

/// A process of one peer, or the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Daemon,
    Server,
    Canary,
    Program,
}

/// What is asked of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Create,
    Start,
    Stop,
    Restart,
    Remove,
}

/// A fault that a daemon is started with.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub point: FaultPoint,
    pub count: u32,
}

/// One thing that is done.
#[derive(Debug, Clone)]
pub enum Step {
    /// SIGKILL to all of these, one right after the other.
    Kill(usize, Vec<Target>),
    /// SIGKILL to the servers of all peers.
    KillAll,
    /// SIGSTOP.
    Freeze(usize, Target),
    /// SIGCONT.
    Thaw(usize, Target),
    /// A daemon is started where none runs.
    Daemon(Option<Fault>),
    /// Asked, and not waited for.
    Ask(usize, Verb),
}

/// Steps, each with a pause after it.
#[derive(Debug)]
pub struct Schedule {
    pub seed: u64,
    /// How the first daemon may die.
    pub fault: Option<Fault>,
    pub steps: Vec<(Step, Duration)>,
}

impl Schedule {
    /// The schedule of this seed: always the same.
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let fault = rng.bool().then(|| fault(&mut rng));
        let count = rng.usize(STEPS);
        let steps = (0..count).map(|_| (step(&mut rng), pause(&mut rng))).collect();
        Self { seed, fault, steps }
    }
}

fn pause(rng: &mut Rng) -> Duration {
    // Most steps follow at once, or while the one before is still under way.
    let longest = [0, 4, 20, 60, PAUSE_MS_MAX][rng.usize(..5)];
    Duration::from_millis(rng.u64(..=longest))
}

fn fault(rng: &mut Rng) -> Fault {
    // Peers pass on no attachments and no mail here; those steps have tests of their own.
    let of_a_store = |name: &str| ["attachment-", "mail-"].iter().any(|store| name.starts_with(store));
    let points: Vec<_> = FaultPoint::ALL.iter().filter(|point| !of_a_store(point.name())).collect();
    Fault { point: *points[rng.usize(..points.len())], count: FAULT_COUNTS[rng.usize(..FAULT_COUNTS.len())] }
}

fn step(rng: &mut Rng) -> Step {
    let peer = rng.usize(..PEERS.len());
    match rng.u32(..100) {
        0..30 => Step::Kill(peer, targets(rng)),
        30..34 => Step::KillAll,
        34..44 => Step::Freeze(peer, target(rng)),
        44..50 => Step::Thaw(peer, target(rng)),
        50..65 => Step::Daemon(rng.bool().then(|| fault(rng))),
        _ => Step::Ask(peer, verb(rng)),
    }
}

fn verb(rng: &mut Rng) -> Verb {
    [Verb::Create, Verb::Start, Verb::Stop, Verb::Restart, Verb::Remove][rng.usize(..5)]
}

fn target(rng: &mut Rng) -> Target {
    [Target::Daemon, Target::Server, Target::Canary, Target::Program][rng.usize(..4)]
}

/// One to four of them, in any order.
fn targets(rng: &mut Rng) -> Vec<Target> {
    let mut all = [Target::Daemon, Target::Server, Target::Canary, Target::Program];
    rng.shuffle(&mut all);
    let count = [1, 1, 1, 2, 2, 3, 4][rng.usize(..7)];
    all[..count].to_vec()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.point.name(), self.count)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(peer, targets) => write!(f, "kill {targets:?} of {}", PEERS[*peer]),
            Self::KillAll => f.write_str("kill all servers"),
            Self::Freeze(peer, target) => write!(f, "stop {target:?} of {}", PEERS[*peer]),
            Self::Thaw(peer, target) => write!(f, "continue {target:?} of {}", PEERS[*peer]),
            Self::Daemon(None) => f.write_str("start the daemon where none runs"),
            Self::Daemon(Some(fault)) => write!(f, "start the daemon where none runs, to die at {fault}"),
            Self::Ask(peer, verb) => write!(f, "ask: {verb:?} {}", PEERS[*peer]),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        if let Some(fault) = self.fault {
            writeln!(f, "  the first daemon is to die at {fault}")?;
        }
        self.steps.iter().try_for_each(|(step, pause)| writeln!(f, "  {step}; then {pause:?}"))
    }
}
