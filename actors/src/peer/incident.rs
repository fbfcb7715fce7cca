//! Mass death: servers that die together are one incident, and come back one first, then the others in turn. Pure.
//!
//! ```text
//!            3 peers' servers die within 2 s,            one is up, or 10 s           nobody is down, waits
//!            or the host has restarted                   have passed                  or is on its way
//!   (none) ────────────────────────────────▶ one first ───────────────▶ the others ──────────────────────▶ (none)
//!                                                          at most `parallel` at once
//! ```
//!
//! Without an incident whoever asks may go, at once. While one is open everybody asks in vain until it is their turn:
//! whatever took so many down may not be over.

use crate::{
    journal::Draft,
    names::{Generation, Identity},
    ports::Moment,
    view::PhaseName,
};
use std::collections::{BTreeMap, VecDeque};

/// This many peers whose servers die within [`TOGETHER_MS`] are one incident.
pub const INCIDENT_PEERS_MIN: usize = 3;
/// How far apart their deaths may lie, milliseconds.
pub const TOGETHER_MS: u64 = 2_000;
/// How long one that was let go holds its place without a word, milliseconds.
pub const ON_ITS_WAY_MS_MAX: u64 = 10_000;
/// How long an incident waits for one that is down to ask, milliseconds: its policy may keep it down.
const DOWN_MS_MAX: u64 = 10_000;
/// How long after the last of them the peers of a restarted host are told, milliseconds.
const GATHER_MS: u64 = 1_000;
/// Most names that one event lists.
const NAMES_MAX: usize = 100;

/// What a pacer hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Its server died, and nobody meant it.
    Died(Identity),
    /// It ended with the host.
    HostRestarted(Identity),
    /// It would begin this life now.
    Asks(Identity, Generation),
    /// It is in this state now.
    Stands(Identity, PhaseName),
    /// The instant that `WakeAt` named has come, milliseconds since boot.
    Due(u64),
}

/// What a pacer wants done.
#[derive(Debug)]
pub enum Action {
    /// This life may begin; part of this incident.
    Go(Identity, Generation, Option<String>),
    /// It has to wait for its turn.
    Hold(Identity, Generation, String),
    /// Tell the story.
    Tell(Draft),
    /// Send `Due` at this instant, milliseconds since boot.
    WakeAt(u64),
}

/// What is remembered of deaths, and who waits.
#[derive(Debug, Default)]
pub struct Pacer {
    /// The last deaths, oldest first, each no older than [`TOGETHER_MS`] when the last one came; and where each of
    /// them is by now.
    recent: VecDeque<(u64, Identity, Member)>,
    incident: Option<Incident>,
}

#[derive(Debug)]
struct Incident {
    id: String,
    /// When the last server died, milliseconds since boot.
    last_boot_ms: u64,
    began_boot_ms: u64,
    /// Until when the peers of a restarted host are gathered before they are told.
    untold: bool,
    members: BTreeMap<Identity, Member>,
    /// Counts those that asked: who asked first goes first.
    asked: u64,
    /// One of them came back, or took its time: the others may follow.
    proven: bool,
    wake_boot_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Member {
    /// Dead; has not asked yet.
    Down { until_boot_ms: u64 },
    /// Asked, as the `place`th.
    Waiting { place: u64, generation: Generation },
    /// Let go.
    OnItsWay { until_boot_ms: u64 },
    /// Back, or down for good.
    Done,
}

impl Pacer {
    /// Decides what `input` means at `now`; at most `parallel` may be on their way at once.
    pub fn step(&mut self, input: Input, now: Moment, parallel: usize) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Died(who) => self.died(who, now, &mut actions),
            Input::HostRestarted(who) => self.host_restarted(who, now),
            Input::Asks(who, generation) => match &mut self.incident {
                None => {
                    self.place_of(&who, Member::OnItsWay { until_boot_ms: now.boot_ms + ON_ITS_WAY_MS_MAX });
                    actions.push(Action::Go(who, generation, None));
                }
                Some(incident) => incident.asks(who, generation, &mut actions),
            },
            Input::Stands(who, phase) => match &mut self.incident {
                None if phase != PhaseName::Starting && phase != PhaseName::Backoff => {
                    self.place_of(&who, Member::Done);
                }
                None => {}
                Some(incident) => incident.stands(&who, phase, now.boot_ms),
            },
            Input::Due(at) => {
                if let Some(incident) = &mut self.incident {
                    incident.wake_boot_ms.take_if(|wanted| *wanted == at);
                }
            }
        }
        if let Some(incident) = &mut self.incident
            && incident.go_on(now.boot_ms, parallel.max(1), &mut actions)
        {
            self.incident = None;
        }
        actions
    }

    fn died(&mut self, who: Identity, now: Moment, actions: &mut Vec<Action>) {
        self.recent.retain(|(at, other, _)| now.boot_ms.saturating_sub(*at) <= TOGETHER_MS && *other != who);
        self.recent.push_back((now.boot_ms, who.clone(), Member::down(now.boot_ms)));
        match &mut self.incident {
            Some(incident) => incident.joins(who, now.boot_ms, Member::down(now.boot_ms)),
            None if self.recent.len() >= INCIDENT_PEERS_MIN => {
                let mut incident = Incident::new(now);
                for (at, who, member) in self.recent.drain(..) {
                    incident.joins(who, at, member);
                }
                actions.push(Action::Tell(incident.told("incident")));
                self.incident = Some(incident);
            }
            None => {}
        }
    }

    fn host_restarted(&mut self, who: Identity, now: Moment) {
        let incident = self.incident.get_or_insert_with(|| Incident { untold: true, ..Incident::new(now) });
        incident.joins(who, now.boot_ms, Member::down(now.boot_ms));
    }

    /// Where one is by now that died a moment ago.
    fn place_of(&mut self, who: &Identity, place: Member) {
        if let Some((.., member)) = self.recent.iter_mut().find(|(_, other, _)| other == who) {
            *member = place;
        }
    }
}

impl Member {
    fn down(at_boot_ms: u64) -> Self {
        Self::Down { until_boot_ms: at_boot_ms + DOWN_MS_MAX }
    }
}

impl Incident {
    fn new(now: Moment) -> Self {
        Self {
            // By the second: an incident lasts longer.
            id: format!("incident-{}", now.wall.strftime("%Y%m%dT%H%M%SZ")),
            last_boot_ms: now.boot_ms,
            began_boot_ms: now.boot_ms,
            untold: false,
            members: BTreeMap::new(),
            asked: 0,
            proven: false,
            wake_boot_ms: None,
        }
    }

    fn told(&self, ev: &str) -> Draft {
        let names: Vec<_> = self.members.keys().take(NAMES_MAX).map(ToString::to_string).collect();
        Draft::new(ev).with("id", &self.id).with("count", self.members.len()).with("peers", names.join(","))
    }

    fn joins(&mut self, who: Identity, at_boot_ms: u64, member: Member) {
        self.last_boot_ms = self.last_boot_ms.max(at_boot_ms);
        self.members.insert(who, member);
    }

    fn asks(&mut self, who: Identity, generation: Generation, actions: &mut Vec<Action>) {
        // Who asks again keeps its place.
        let place = match self.members.get(&who) {
            Some(Member::Waiting { place, .. }) => *place,
            _ => {
                self.asked += 1;
                self.asked
            }
        };
        actions.push(Action::Hold(who.clone(), generation, self.id.clone()));
        self.members.insert(who, Member::Waiting { place, generation });
    }

    fn stands(&mut self, who: &Identity, phase: PhaseName, now_boot_ms: u64) {
        let Some(member) = self.members.get_mut(who) else { return };
        match (phase, &*member) {
            (PhaseName::Up | PhaseName::NeedsAttention, before) => {
                self.proven |= *before != Member::Done;
                *member = Member::Done;
            }
            // Somebody started it meanwhile.
            (PhaseName::Starting, Member::Down { .. } | Member::Waiting { .. }) => {
                *member = Member::OnItsWay { until_boot_ms: now_boot_ms + ON_ITS_WAY_MS_MAX };
            }
            (PhaseName::Starting | PhaseName::Backoff, _) => {}
            (
                PhaseName::Asleep
                | PhaseName::Stopping
                | PhaseName::Stopped
                | PhaseName::Quarantined
                | PhaseName::Blocked,
                _,
            ) => *member = Member::Done,
        }
    }

    /// Lets go who may, and says whether it is over.
    fn go_on(&mut self, now_boot_ms: u64, parallel: usize, actions: &mut Vec<Action>) -> bool {
        self.expire(now_boot_ms);
        let places = if self.proven { parallel } else { 1 };
        let on_their_way = |members: &BTreeMap<Identity, Member>| {
            members.values().filter(|member| matches!(member, Member::OnItsWay { .. })).count()
        };
        while on_their_way(&self.members) < places {
            let Some((who, generation)) = self.next() else { break };
            // Held a moment ago, if at all: it hears only that it may go.
            actions.retain(|action| !matches!(action, Action::Hold(held, ..) if *held == who));
            let until_boot_ms = now_boot_ms + ON_ITS_WAY_MS_MAX;
            self.members.insert(who.clone(), Member::OnItsWay { until_boot_ms });
            actions.push(Action::Go(who, generation, Some(self.id.clone())));
        }
        if self.untold && now_boot_ms >= self.last_boot_ms + GATHER_MS {
            self.untold = false;
            actions.push(Action::Tell(self.told("host-restart")));
        }
        let quiet = now_boot_ms > self.last_boot_ms + TOGETHER_MS;
        if quiet && self.members.values().all(|member| *member == Member::Done) {
            let took_ms = now_boot_ms.saturating_sub(self.began_boot_ms);
            actions.push(Action::Tell(self.told("incident-over").with("ms", took_ms)));
            return true;
        }
        self.wake(now_boot_ms, actions);
        false
    }

    fn expire(&mut self, now_boot_ms: u64) {
        for member in self.members.values_mut() {
            match *member {
                Member::Down { until_boot_ms } if until_boot_ms <= now_boot_ms => *member = Member::Done,
                Member::OnItsWay { until_boot_ms } if until_boot_ms <= now_boot_ms => {
                    *member = Member::Done;
                    self.proven = true;
                }
                _ => {}
            }
        }
    }

    /// Who has waited longest.
    fn next(&self) -> Option<(Identity, Generation)> {
        let waiting = self.members.iter().filter_map(|(who, member)| match member {
            Member::Waiting { place, generation } => Some((place, who, generation)),
            _ => None,
        });
        waiting.min().map(|(_, who, &generation)| (who.clone(), generation))
    }

    /// Looks again when the next of its waits is over.
    fn wake(&mut self, now_boot_ms: u64, actions: &mut Vec<Action>) {
        let ends = self.members.values().filter_map(|member| match member {
            Member::Down { until_boot_ms } | Member::OnItsWay { until_boot_ms } => Some(*until_boot_ms),
            Member::Waiting { .. } | Member::Done => None,
        });
        let told = self.untold.then_some(self.last_boot_ms + GATHER_MS);
        let quiet = Some(self.last_boot_ms + TOGETHER_MS + 1).filter(|&at| at > now_boot_ms);
        let Some(next) = ends.chain(told).chain(quiet).min() else { return };
        if self.wake_boot_ms.is_none_or(|wake| next < wake) {
            self.wake_boot_ms = Some(next);
            actions.push(Action::WakeAt(next));
        }
    }
}
