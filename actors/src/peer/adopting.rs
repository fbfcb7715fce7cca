//! Taking up what an earlier actor, daemon or boot of the host left: lives that are found alive, dead, or held by
//! somebody who can not be proved to be ours.

use super::{
    ending::{self, BY_FLEET, WHY_IDLE, WHY_SESSION_EXIT, claim},
    file::{Life, LifePhase},
    input::{Action, Alarm, FoundLife, SessionExit},
    phase::{CanaryWatch, Live, Next, Phase, Rest, Stage},
    rearming, starting,
    step::{self, Turn},
};
use crate::{
    journal::Draft,
    names::Generation,
    ports::{FoundSession, ProcessEnd, ProcessId},
};

/// What is said of a life whose server was found without it.
const LOCK_LOST: &str = "its server.lock was removed; a restart makes another";

/// Nothing of it lives, and it should: what was to come comes, but never ahead of its time or its turn.
pub(super) fn take_up(turn: &mut Turn<'_>) {
    if !turn.state.at_rest() {
        return;
    }
    match turn.state.file.planned(&turn.rules.boot_id) {
        Next::Start => rearming::rearm(turn, turn.now.boot_ms),
        Next::Rearm { at_boot_ms } => rearming::rearm(turn, at_boot_ms),
        Next::Rest(_) => {}
    }
}

/// Takes up one life of the file. A life that is in hand already is known better than it can be found.
pub(super) fn found(turn: &mut Turn<'_>, generation: Generation, found: FoundLife) {
    let Some(life) = turn.state.file.lives.iter().find(|life| life.generation == generation).cloned() else { return };
    let busy = turn.state.live().is_some();
    match found {
        FoundLife::Dead(end) if turn.live_of(generation).is_none() => dead(turn, &life, end),
        // Dead stays dead: this was seen, and written down, before.
        _ if life.phase == LifePhase::Dead => dead(turn, &life, ProcessEnd::Vanished),
        FoundLife::NeverLived if !busy => never_lived(turn, &life),
        FoundLife::Alive { server, canary, session, lock_lost } if !busy => {
            alive(turn, &life, (server, canary), session, lock_lost);
        }
        FoundLife::Blocked(why) if !busy => turn.enter(Phase::Blocked, why),
        _ => {}
    }
}

fn alive(
    turn: &mut Turn<'_>,
    life: &Life,
    (server, canary): (ProcessId, Option<ProcessId>),
    session: FoundSession,
    lock_lost: bool,
) {
    let generation = life.generation;
    let wanted = turn.state.file.planned(&turn.rules.boot_id);
    let stage = match (life.phase, &session) {
        (LifePhase::Up, _) => Stage::Up,
        (LifePhase::NeedsAttention, _) => Stage::NeedsAttention { what: "unknown".into() },
        (_, FoundSession::Missing) => Stage::Session { ready: false },
        (_, FoundSession::Silent) => Stage::Unsure,
        // How far its program came is not known: its screen says.
        _ => Stage::Booting,
    };
    let watch = match canary {
        Some(process) => CanaryWatch::Armed { process, since_boot_ms: turn.now.boot_ms, failures: 0 },
        None => CanaryWatch::Dismissed,
    };
    let live = Live {
        generation,
        stage: stage.clone(),
        started_boot_ms: life.started_boot_ms,
        server: Some(server),
        ended: None,
        canary: watch,
        active_boot_ms: turn.now.boot_ms,
        unreachable: false,
        ending: None,
    };
    turn.enter(Phase::Live(Box::new(live)), if lock_lost { LOCK_LOST } else { "" });
    if let (Stage::Up, Some(up_boot_ms)) = (&stage, life.up_boot_ms) {
        turn.state.since_boot_ms = up_boot_ms;
    }
    turn.mark(generation, |life| {
        life.server = Some(server);
        life.canary = canary.or(life.canary);
    });
    turn.tell(Draft::new("adopted").with("gen", generation).with("server_pid", server.pid));
    if lock_lost {
        turn.tell(Draft::new("lock-lost").with("gen", generation).with("server_pid", server.pid));
    }
    if session == FoundSession::Silent {
        step::reachable(turn, generation, false);
    }
    // Its claim may stand, or a stop that was accepted has not begun: the end that was meant is carried out.
    if life.phase == LifePhase::Stopping || wanted != Next::Start {
        let why = match wanted {
            Next::Rest(Rest::Asleep) => WHY_IDLE,
            Next::Rest(Rest::Stopped | Rest::Quarantined) => "stop",
            Next::Start => "restart",
            Next::Rearm { .. } => WHY_SESSION_EXIT,
        };
        return ending::end_now(turn, claim(why, BY_FLEET, wanted), wanted);
    }
    ending::go_on(turn, generation, stage.clone());
    match session {
        FoundSession::Exited(exit) => ending::session_exited(turn, generation, exit),
        // It had one; a life never gets a second.
        FoundSession::Missing if !matches!(stage, Stage::Session { .. }) => {
            ending::session_exited(turn, generation, SessionExit::Killed);
        }
        _ => {}
    }
}

/// Its daemon died before there was a server: nothing ended, nothing is recorded, nothing counted.
fn never_lived(turn: &mut Turn<'_>, life: &Life) {
    let generation = life.generation;
    turn.state.file.lives.retain(|life| life.generation != generation);
    turn.tell(Draft::new("never-lived").with("gen", generation));
    let next = turn.state.file.planned(&turn.rules.boot_id);
    ending::clear(turn, generation, next);
}

/// A life that was dead when its peer came back. A claimed end is no death: the record's maker looks.
fn dead(turn: &mut Turn<'_>, life: &Life, end: ProcessEnd) {
    let generation = life.generation;
    let host_restarted = life.boot_id != turn.rules.boot_id;
    if host_restarted && life.phase != LifePhase::Dead {
        // Everything on the host ended, and nobody killed it: no death, no record, nothing counted.
        turn.state.file.lives.retain(|life| life.generation != generation);
        turn.act(Action::Alarm(Alarm::HostRestarted));
    } else {
        ending::death(turn, generation, end);
    }
    let meant = matches!(life.phase, LifePhase::Stopping | LifePhase::Dead) || host_restarted;
    if !meant {
        turn.act(Action::Alarm(Alarm::Died));
    }
    if turn.state.live().is_some() || turn.state.unsettled_life().is_some() {
        // Another life is in hand, or is looked at next: what follows is decided there.
        return turn.act(Action::Sweep(generation));
    }
    let next = match turn.state.file.planned(&turn.rules.boot_id) {
        Next::Start if !meant => rearming::count(turn, generation, &starting::describe(end)),
        // They all come back at once: in turn.
        Next::Start if host_restarted => Next::Rearm { at_boot_ms: turn.now.boot_ms },
        wanted => wanted,
    };
    ending::clear(turn, generation, next);
}
