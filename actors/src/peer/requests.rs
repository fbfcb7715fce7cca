//! What people ask of a peer. Every request is answered at once: accepted, or refused with what would help.

use super::{
    ending::{self, claim},
    file::Desired,
    input::{Accepted, Action},
    phase::{Next, Phase, Rest, Stage},
    starting,
    step::Turn,
};
use crate::{error::FleetError, journal::Draft, names::Generation};

fn accept(turn: &mut Turn<'_>, generation: Generation) {
    let was = turn.state.phase.name();
    turn.act(Action::Answer(Ok(Accepted { generation, was })));
}

fn refuse(turn: &mut Turn<'_>, hint: String) {
    let identity = turn.rules.identity.clone();
    let phase = match turn.state.note.as_str() {
        "" => turn.state.phase.name().to_string(),
        note => format!("{}: {note}", turn.state.phase.name()),
    };
    turn.act(Action::Answer(Err(FleetError::WrongPhase { identity, phase, hint })));
}

pub(super) fn start(turn: &mut Turn<'_>) {
    let highest = turn.state.file.highest;
    match &mut turn.state.phase {
        Phase::Quarantined => {
            let hint = format!("`coalmine reset {}` forgives its deaths", turn.rules.identity);
            refuse(turn, hint);
        }
        Phase::Asleep | Phase::Stopped | Phase::Backoff { .. } | Phase::Blocked => {
            accept(turn, highest.next());
            starting::begin(turn);
        }
        Phase::Clearing { next, .. } => {
            *next = Next::Start;
            turn.state.file.desired = Desired::Up;
            accept(turn, highest.next());
        }
        Phase::Live(live) => match &mut live.stage {
            // The later request wins; its life begins when this one has ended.
            Stage::Stopping { next, .. } => {
                *next = Next::Start;
                accept(turn, highest.next());
            }
            _ => {
                if let Some((_, next)) = &mut live.ending {
                    *next = Next::Start;
                }
                let generation = live.generation;
                accept(turn, generation);
            }
        },
    }
}

pub(super) fn stop(turn: &mut Turn<'_>, why: &'static str) {
    let rest = Rest::Stopped;
    let highest = turn.state.file.highest;
    match &mut turn.state.phase {
        Phase::Blocked => refuse(turn, blocked_hint()),
        Phase::Quarantined => accept(turn, highest),
        Phase::Asleep | Phase::Stopped | Phase::Backoff { .. } => {
            accept(turn, highest);
            turn.state.file.desired = rest.into();
            turn.enter(rest.into(), "");
            turn.save();
        }
        Phase::Clearing { next, .. } => {
            if *next == Next::Start {
                *next = Next::Rest(rest);
                turn.state.file.desired = rest.into();
            }
            accept(turn, highest);
        }
        Phase::Live(live) => {
            let generation = live.generation;
            accept(turn, generation);
            ending::end(turn, claim(why, "operator", Next::Rest(rest)), Next::Rest(rest));
        }
    }
}

pub(super) fn restart(turn: &mut Turn<'_>) {
    if turn.state.live().is_none() {
        return start(turn);
    }
    let following = turn.state.file.highest.next();
    accept(turn, following);
    ending::end(turn, claim("restart", "operator", Next::Start), Next::Start);
}

pub(super) fn reset(turn: &mut Turn<'_>) {
    let highest = turn.state.file.highest;
    accept(turn, highest);
    turn.state.file.deaths_boot_ms.clear();
    turn.state.failed_attempts = 0;
    let stopped = Rest::Stopped;
    match &mut turn.state.phase {
        Phase::Quarantined => turn.enter(stopped.into(), "reset"),
        Phase::Clearing { next: next @ Next::Rest(Rest::Quarantined), .. } => *next = Next::Rest(stopped),
        Phase::Live(live) => {
            if let Stage::Stopping { next: next @ Next::Rest(Rest::Quarantined), .. } = &mut live.stage {
                *next = Next::Rest(stopped);
            }
        }
        _ => {}
    }
    if turn.state.file.desired == Desired::Quarantined {
        turn.state.file.desired = stopped.into();
    }
    turn.tell(Draft::new("reset"));
    turn.save();
}

pub(super) fn blocked_hint() -> String {
    "end the process that it names, or wait until it ends; then `coalmine start` it again".into()
}
