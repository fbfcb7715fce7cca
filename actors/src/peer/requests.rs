//! What people ask of a peer. Every request is answered at once: accepted, or refused with what would help.

use super::{
    beginning::Wanted,
    ending::{self, BY_OPERATOR, BY_PEER, claim},
    idling,
    input::{Accepted, Action},
    phase::{Next, Phase, Rest, Stage},
    starting,
    step::Turn,
};
use crate::{error::FleetError, journal::Draft, names::Generation, view::Wish};

fn accept(turn: &mut Turn<'_>, generation: Generation) {
    let (number, was) = (turn.state.wish.number, turn.state.phase.name());
    turn.act(Action::Answer(Ok(Accepted { number, generation, was })));
}

/// Accepts what is wanted from now on: whoever waits for an earlier request sees that this one came after it.
fn accept_wish(turn: &mut Turn<'_>, verb: &'static str, generation: Generation) {
    turn.state.wish = Wish { number: turn.state.wish.number + 1, verb, failed: None };
    accept(turn, generation);
}

fn refuse(turn: &mut Turn<'_>, hint: String) {
    let identity = turn.rules.identity.clone();
    let phase = match turn.state.note.as_str() {
        "" => turn.state.phase.name().to_string(),
        note => format!("{}: {note}", turn.state.phase.name()),
    };
    turn.act(Action::Answer(Err(FleetError::WrongPhase { identity, phase, hint })));
}

/// The request that comes last decides what follows the end that is under way; durable, like every plan.
fn follow_with(turn: &mut Turn<'_>, next: Next) {
    turn.state.follow_with(next);
    turn.save();
}

fn refuse_quarantined(turn: &mut Turn<'_>) {
    let hint = format!("`coalmine reset {}` forgives its deaths", turn.rules.identity);
    refuse(turn, hint);
}

/// Why the next life is wanted: what a person wants is not overruled by a message.
fn want(turn: &mut Turn<'_>, wanted: Wanted) {
    let known = &mut turn.state.file.wanted;
    if !(matches!(wanted, Wanted::ForMessage { .. }) && known.is_some()) {
        *known = Some(wanted);
    }
}

/// What ends on purpose is kept: the next life may go on with it. Not what never was ready, and not what is ending
/// already, of which is known what becomes of it.
fn keep_session(turn: &mut Turn<'_>) {
    let is_up = turn.state.live().is_some_and(|live| live.stage == Stage::Up);
    turn.state.file.resume |= is_up && turn.rules.one_task.is_none();
}

pub(super) fn start(turn: &mut Turn<'_>) {
    start_as(turn, "start", Wanted::ByPerson);
}

fn start_as(turn: &mut Turn<'_>, verb: &'static str, wanted: Wanted) {
    let following = turn.state.file.highest.next();
    if turn.state.quarantined() {
        return refuse_quarantined(turn);
    }
    if turn.state.following().is_some() {
        accept_wish(turn, verb, following);
        want(turn, wanted);
        return follow_with(turn, Next::Start);
    }
    if let Some(generation) = turn.state.live().map(|live| live.generation) {
        idling::delivered(turn, generation); // somebody wants it now: that counts as a sign of life
        return accept_wish(turn, verb, generation);
    }
    // What was in the way may be our own server, silent when it was looked for: never a second one beside it.
    if let Some(life) = turn.state.unsettled_life().cloned() {
        accept_wish(turn, verb, life.generation);
        want(turn, wanted);
        turn.state.file.plan(Next::Start);
        turn.save();
        return turn.act(Action::Find(life));
    }
    accept_wish(turn, verb, following);
    want(turn, wanted);
    starting::begin(turn, None);
}

/// A start, but for what was stopped: a stop wins over a wake, whichever comes first.
pub(super) fn wake(turn: &mut Turn<'_>, wanted: Wanted) {
    let following = turn.state.file.highest.next();
    match (&turn.state.phase, turn.state.following()) {
        (_, Some(Next::Rest(Rest::Stopped))) | (Phase::Stopped | Phase::Blocked, _) => {}
        // It comes by itself, in its time and turn.
        (_, Some(Next::Start | Next::Rearm { .. })) | (Phase::Backoff { .. } | Phase::Queued { .. }, _) => {
            return accept_wish(turn, "wake", following);
        }
        _ => return start_as(turn, "wake", wanted),
    }
    let hint = format!("`coalmine start {}` starts it", turn.rules.identity);
    refuse(turn, hint);
}

pub(super) fn stop(turn: &mut Turn<'_>, why: &'static str) {
    let rest = Next::Rest(Rest::Stopped);
    let highest = turn.state.file.highest;
    // What may be ours, and can not be proved to be, is not ended; a lock that others hold is no reason to wait.
    if turn.state.phase == Phase::Blocked && turn.state.unsettled_life().is_some() {
        return refuse(turn, blocked_hint());
    }
    accept_wish(turn, why, highest);
    if turn.state.quarantined() {
        return; // it stays down, and what it died of is not forgotten by a stop
    }
    keep_session(turn);
    turn.state.file.wanted = None;
    if turn.state.following().is_some() {
        return follow_with(turn, rest);
    }
    match &turn.state.phase {
        Phase::Live(_) => ending::end(turn, claim(why, BY_OPERATOR, rest), rest),
        _ => {
            turn.state.file.plan(rest);
            turn.enter(Rest::Stopped.into(), "");
            turn.save();
        }
    }
}

pub(super) fn restart(turn: &mut Turn<'_>) {
    if turn.state.live().is_none() || turn.state.following().is_some() {
        return start_as(turn, "restart", Wanted::ByPerson);
    }
    let following = turn.state.file.highest.next();
    accept_wish(turn, "restart", following);
    keep_session(turn);
    want(turn, Wanted::ByPerson);
    ending::end(turn, claim("restart", BY_OPERATOR, Next::Start), Next::Start);
}

/// A restart that leaves behind what was said; what waits for the peer is kept elsewhere and stays.
pub(super) fn refresh(turn: &mut Turn<'_>) {
    if !turn.state.quarantined() {
        turn.state.file.resume = false;
    }
    if turn.state.live().is_none() || turn.state.following().is_some() {
        return start_as(turn, "refresh", Wanted::Afresh);
    }
    let following = turn.state.file.highest.next();
    accept_wish(turn, "refresh", following);
    want(turn, Wanted::Afresh);
    ending::end(turn, claim("refresh", BY_OPERATOR, Next::Start), Next::Start);
}

/// The task of the life in hand is done: it sleeps, and the next message gets a life of its own.
pub(super) fn done(turn: &mut Turn<'_>, by: Option<Generation>) {
    let identity = turn.rules.identity.clone();
    if turn.rules.one_task.is_none() {
        let what = format!("{identity} takes whatever comes: a life of it has no one task that could be done");
        let hint = format!("`coalmine stop {identity}` ends it; wake_policy = \"ephemeral\" gives each message a life");
        return turn.act(Action::Answer(Err(FleetError::Unsupported { what, hint })));
    }
    let Some((generation, stage, ends)) =
        turn.state.live().map(|live| (live.generation, live.stage.clone(), live.ending.is_some()))
    else {
        return refuse(turn, format!("there is no task to be done with; `coalmine send {identity}` gives it one"));
    };
    match stage {
        _ if by.is_some_and(|by| by != generation) => {
            refuse(turn, "that life is over; another one has the task of its own".into());
        }
        // It ends already, whoever said so first.
        Stage::Stopping { .. } => accept(turn, generation),
        _ if ends => accept(turn, generation),
        // A program may be done before anybody has seen that it is up.
        stage if stage == Stage::Up || by.is_some() => {
            accept(turn, generation);
            let by = if by.is_some() { BY_PEER } else { BY_OPERATOR };
            idling::fall_asleep(turn, by, "its task is done".into());
        }
        _ => refuse(turn, format!("it is not up yet; `coalmine stop {identity}` ends it all the same")),
    }
}

pub(super) fn reset(turn: &mut Turn<'_>) {
    let highest = turn.state.file.highest;
    accept(turn, highest);
    turn.state.file.deaths_boot_ms.clear();
    turn.state.file.deaths_in_a_row = 0;
    turn.state.file.resume = false;
    turn.state.failed_attempts = 0;
    if turn.state.quarantined() {
        turn.state.follow_with(Next::Rest(Rest::Stopped));
        if turn.state.phase == Phase::Quarantined {
            turn.enter(Rest::Stopped.into(), "");
        }
        turn.state.note = "reset".into();
        turn.state.file.plan(Next::Rest(Rest::Stopped));
    }
    turn.tell(Draft::new("reset"));
    turn.save();
}

pub(super) fn blocked_hint() -> String {
    "end the process that it names, or wait until it ends; then `coalmine start` it again".into()
}
