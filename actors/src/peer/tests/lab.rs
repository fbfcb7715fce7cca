//! Rows of `what happens => what is decided`: the one place in which these tests touch the API of `step`.
//!
//! A life is named by its generation. What happens: `start`, `server 1`, `died 1`, `exit 1 3`, `wait 500`, … (see
//! `Lab::input`). What is decided: the actions in order, without the story that is told, and the state after them.

use crate::{
    error::FleetError,
    names::Generation,
    peer::{
        beginning::Wanted,
        file::{Life, LifePhase, PeerFile},
        input::{Action, Alarm, FoundLife, Input, PeerRules, SessionExit},
        phase::PeerState,
        restart_policy::{RestartLimit, RestartPolicy},
        step::step,
    },
    ports::{EndReport, FoundSession, LifeEnd, Moment, ProcessEnd, ProcessId, Settlement, SweepReport, WitnessedBy},
};
use jiff::Timestamp;

pub(super) const KILLED: ProcessEnd = ProcessEnd::Signaled { signal: 9, core: false };
/// A reading of the clock that no computation ends at by accident.
const START_MS: u64 = 1_000_000;
pub(super) const BOOT: &str = "this-boot";

/// One peer between two decisions.
pub(super) struct Lab {
    pub(super) state: PeerState,
    pub(super) rules: PeerRules,
    pub(super) now_ms: u64,
    /// The words of the story, in order.
    pub(super) told: Vec<String>,
    /// What concerned more peers than this one.
    pub(super) alarms: Vec<Alarm>,
    /// The last `WakeAt`.
    wake_ms: u64,
    /// What chance decides: nothing waits unless a test wants it to.
    pub(super) chance: u64,
    /// Others died with it: who asks has to wait for `go`.
    pub(super) held: bool,
}

pub(super) fn rules(restart: RestartPolicy) -> PeerRules {
    let identity = "claude-bob".parse().unwrap();
    let command = vec!["claude".into()];
    PeerRules {
        identity,
        command,
        held_by: "none".into(),
        restart,
        limit: RestartLimit::default(),
        idle_after_ms: None,
        can_resume: true,
        one_task: None,
        boot_id: BOOT.into(),
    }
}

/// A process that can be told from others by this number.
pub(super) fn process(number: u64) -> ProcessId {
    ProcessId { pid: i32::try_from(number).unwrap(), start_ticks: number, pidfd_inode: None }
}

/// A life of the file, in this boot.
pub(super) fn life(generation: u64, phase: LifePhase) -> Life {
    Life {
        generation: Generation(generation),
        boot_id: BOOT.into(),
        phase,
        started_boot_ms: START_MS - 60_000,
        up_boot_ms: None,
        command: Vec::new(),
        held_by: String::new(),
        resumed: false,
        replied: false,
        server: Some(process(10 * generation)),
        canary: Some(process(10 * generation + 1)),
    }
}

/// A peer that was never started.
pub(super) fn lab() -> Lab {
    lab_with(PeerFile::default(), RestartPolicy::OnFailure)
}

pub(super) fn lab_with(file: PeerFile, restart: RestartPolicy) -> Lab {
    let state = PeerState::resting(file, START_MS);
    Lab {
        state,
        rules: rules(restart),
        now_ms: START_MS,
        told: Vec::new(),
        alarms: Vec::new(),
        wake_ms: 0,
        chance: 0,
        held: false,
    }
}

/// A peer whose first life is up.
pub(super) fn up() -> Lab {
    up_with(RestartPolicy::OnFailure)
}

pub(super) fn up_with(restart: RestartPolicy) -> Lab {
    let mut lab = lab_with(PeerFile::default(), restart);
    lab.run("start; server 1; canary 1; session 1; ready 1");
    assert_eq!(lab.phase(), "up");
    lab
}

impl Lab {
    /// Lets these things happen one after the other, whatever is decided.
    #[track_caller]
    pub(super) fn run(&mut self, happenings: &str) -> &mut Self {
        for happening in happenings.split("; ") {
            self.decide(happening);
        }
        self
    }

    /// Rows of what happens and what is decided: `("stop", "answer 1, save, end 1 stop => stopping")`.
    #[track_caller]
    pub(super) fn check(&mut self, rows: &[(&str, &str)]) -> &mut Self {
        for (happening, decided) in rows {
            let actions = self.decide(happening);
            let found = format!("{} => {}", actions.join(", "), self.phase());
            assert_eq!(found.trim_start_matches(" => "), *decided, "after {happening:?}");
        }
        self
    }

    pub(super) fn phase(&self) -> String {
        self.state.phase.name().to_string()
    }

    pub(super) fn lives(&self) -> Vec<u64> {
        self.state.file.lives.iter().map(|life| life.generation.0).collect()
    }

    fn decide(&mut self, happening: &str) -> Vec<String> {
        let words: Vec<&str> = happening.split(' ').collect();
        if let ["wait", ms] = words[..] {
            self.now_ms += ms.parse::<u64>().unwrap();
            return Vec::new();
        }
        let input = self.input(&words);
        let now = Moment { wall: Timestamp::UNIX_EPOCH, boot_ms: self.now_ms };
        let (state, actions) = step(self.state.clone(), input, now, self.chance, &self.rules);
        self.state = state;
        let asked = actions.iter().find_map(|action| match action {
            Action::AskToStart(generation) => Some(*generation),
            _ => None,
        });
        let mut words: Vec<String> = actions.into_iter().filter_map(|action| self.word(action)).collect();
        // Without an incident whoever asks may go, at once: rows that are not about one do not speak of it.
        if let Some(generation) = asked.filter(|_| !self.held) {
            words.extend(self.decide(&format!("go {generation}")));
        }
        words
    }

    fn input(&self, words: &[&str]) -> Input {
        let g = Generation(words.get(1).and_then(|word| word.parse().ok()).unwrap_or_default());
        let server = process(10 * g.0);
        let canary = process(10 * g.0 + 1);
        let internal = || FleetError::Internal("as ordered".into());
        match *words {
            ["start"] => Input::Start,
            ["wake"] => Input::Wake(Wanted::ByPerson),
            ["mail"] => Input::Wake(Wanted::ForMessage { topic: None }),
            ["mail", topic] => Input::Wake(Wanted::ForMessage { topic: Some(topic.into()) }),
            ["given", _] => Input::Given(g, None),
            ["given", _, topic] => Input::Given(g, Some(topic.into())),
            ["replied", _] => Input::Replied(g),
            ["done"] => Input::Done(None),
            ["done", _] => Input::Done(Some(g)),
            ["refresh"] => Input::Refresh,
            ["take-up"] => Input::TakeUp,
            ["go", _] => Input::Go(g, None),
            ["go", _, incident] => Input::Go(g, Some(incident.into())),
            ["held", _, incident] => Input::Held(g, incident.into()),
            ["idle", _] => Input::Idle(g),
            ["delivered", _] => Input::Delivered(g),
            ["stop"] => Input::Stop { why: "stop" },
            ["restart"] => Input::Restart,
            ["reset"] => Input::Reset,
            ["server", _] => Input::ServerStarted(g, server),
            ["start-failed", _] => Input::StartFailed(g, internal()),
            ["busy", _] => Input::StartFailed(g, FleetError::Busy { what: "tmux".into() }),
            ["disk-full", _] => {
                Input::StartFailed(g, FleetError::Unavailable { store: "state.json", why: "disk full".into() })
            }
            ["lock-held", _] => {
                let identity = self.rules.identity.clone();
                Input::StartFailed(g, FleetError::LockHeld { identity, holder: "pid 7".into() })
            }
            ["canary", _] => Input::CanaryArmed(g, canary),
            ["canary-failed", _] => Input::CanaryFailed(g, internal()),
            ["canary-died", _] => Input::CanaryEnded(g),
            ["session", _] => Input::SessionOpened(g),
            ["ready", _] => Input::Ready(g),
            ["attention", _, what] => Input::Attention(g, what.into()),
            ["answered", _, what] => Input::Answered(g, what.into()),
            ["died", _] => Input::ServerEnded(g, KILLED),
            ["exit", _, "killed"] => Input::SessionExited(g, SessionExit::Killed),
            ["exit", _, "signal"] => Input::SessionExited(g, SessionExit::Signal(15)),
            ["exit", _, status] => Input::SessionExited(g, SessionExit::Status(status.parse().unwrap())),
            ["ended", _] => Input::Ended(g, Ok(LifeEnd::Claimed(EndReport::default()))),
            ["already-dead", _] => Input::Ended(g, Ok(LifeEnd::AlreadyDead)),
            ["end-failed", _] => Input::Ended(g, Err(internal())),
            ["swept", _] => Input::Swept(g, SweepReport::default()),
            ["settled", _] => {
                Input::Settled(g, Settlement::Recorded { witness: WitnessedBy::Canary, cause: "killed".into() })
            }
            ["settled-claimed", _] => Input::Settled(g, Settlement::Claimed),
            ["owed", _] => Input::RecordOwed(g, "disk full".into()),
            ["silent", _] => Input::Reachable(g, false),
            ["silent-session", _] => {
                Input::StartFailed(g, FleetError::ServerSilent { identity: self.rules.identity.clone() })
            }
            ["seen", _, session] => Input::SessionSeen(g, found_session(session)),
            ["answers", _] => Input::Reachable(g, true),
            ["socket-lost"] => Input::SocketLost,
            ["due"] => Input::Due { until_boot_ms: self.wake_ms },
            ["due", ms] => Input::Due { until_boot_ms: ms.parse().unwrap() },
            ["found", _, "never-lived"] => Input::Found(g, FoundLife::NeverLived),
            ["found", _, "dead"] => Input::Found(g, FoundLife::Dead(KILLED)),
            ["found", _, "blocked"] => Input::Found(g, FoundLife::Blocked("a stranger".into())),
            ["found", _, session, ref more @ ..] => {
                let session = found_session(session);
                let canary = (!more.contains(&"no-canary")).then_some(canary);
                let lock_lost = more.contains(&"lock-lost");
                Input::Found(g, FoundLife::Alive { server, canary, session, lock_lost })
            }
            _ => panic!("no such happening: {words:?}"),
        }
    }

    fn word(&mut self, action: Action) -> Option<String> {
        Some(match action {
            Action::Tell(draft) => {
                self.told.push(draft.ev);
                return None;
            }
            Action::Answer(Ok(accepted)) => format!("answer {} was={}", accepted.generation, accepted.was),
            Action::Answer(Err(error)) => format!("refuse {}", error.code()),
            Action::Save(_) => "save".into(),
            Action::StartServer(g, _) => format!("start {g}"),
            Action::Find(life) => format!("find {}", life.generation),
            Action::ArmCanary(g, _) => format!("arm {g}"),
            Action::LookAtSession(g) => format!("look {g}"),
            Action::OpenSession { generation, resume: false } => format!("open {generation}"),
            Action::OpenSession { generation, resume: true } => format!("open {generation} resumed"),
            Action::Alarm(alarm) => {
                self.alarms.push(alarm);
                return None;
            }
            Action::AskToStart(_) if !self.held => return None,
            Action::AskToStart(g) => format!("ask {g}"),
            Action::WatchIdle { generation, after_ms } => format!("idle-watch {generation} +{after_ms}"),
            Action::WatchScreen(g) => format!("watch {g}"),
            Action::EndLife(g, claim) => format!("end {g} {}", claim.why),
            Action::Sweep(g) => format!("sweep {g}"),
            Action::Settle { generation, end, .. } => format!("settle {generation} {end}"),
            Action::ProbeUntilReachable(g) => format!("probe {g}"),
            Action::HealSocket(g) => format!("heal {g}"),
            Action::WakeAt { until_boot_ms } => {
                self.wake_ms = until_boot_ms;
                format!("wake +{}", until_boot_ms - self.now_ms)
            }
        })
    }
}

fn found_session(word: &str) -> FoundSession {
    match word {
        "open" => FoundSession::Open,
        "missing" => FoundSession::Missing,
        "silent" => FoundSession::Silent,
        exited => FoundSession::Exited(SessionExit::Status(exited.parse().unwrap())),
    }
}
