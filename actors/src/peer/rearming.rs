//! What follows a death, or a life that could not be started: whether there is another life, when, and whether it may
//! begin now.
//!
//! A peer that would begin its next life by itself asks first (`Queued`): after a mass death one goes before the
//! others. What a person asks for is asked of nobody.

use super::{
    ending,
    file::Desired,
    input::Action,
    phase::{Next, Phase, Rest},
    restart_policy::{self, Verdict},
    starting,
    step::Turn,
};
use crate::{journal::Draft, names::Generation, view::LastDeath};

/// Counts the end of a life, or a failed boot, and says what comes after it.
pub(super) fn count(turn: &mut Turn<'_>, generation: Generation, why: &str) -> Next {
    forget_other_boots(turn);
    let now = turn.now.boot_ms;
    let limit = turn.rules.limit;
    let file = &mut turn.state.file;
    let up_boot_ms = file.lives.iter().find(|life| life.generation == generation).and_then(|life| life.up_boot_ms);
    if up_boot_ms.is_some_and(|up| now.saturating_sub(up) >= limit.healthy_after_ms) {
        file.deaths_in_a_row = 0;
    }
    file.deaths_in_a_row = file.deaths_in_a_row.saturating_add(1);
    file.last_death = Some(LastDeath { generation, why: why.to_owned() });
    let verdict = restart_policy::decide(turn.rules.restart, limit, &mut file.deaths_boot_ms, now);
    turn.state.note = why.to_owned();
    match verdict {
        Verdict::Rearm => {
            turn.state.file.restarts += 1;
            Next::Rearm { at_boot_ms: now + limit.delay_ms(turn.state.file.deaths_in_a_row, turn.chance) }
        }
        Verdict::StayDown => {
            turn.state.file.desired = Desired::Stopped;
            Next::Rest(Rest::Stopped)
        }
        Verdict::Quarantine => {
            turn.state.file.desired = Desired::Quarantined;
            let (deaths, window_s) = (turn.state.file.deaths_boot_ms.len(), limit.window_ms / 1000);
            let reset = format!("coalmine reset {}", turn.rules.identity);
            turn.state.note = format!("{deaths} deaths in {window_s} s, the last: {why}; `{reset}` frees it");
            turn.tell(Draft::new("quarantined").with("deaths", deaths).with("window_s", window_s).with("fix", reset));
            Next::Rest(Rest::Quarantined)
        }
    }
}

/// Milliseconds since boot mean nothing across boots.
pub(super) fn forget_other_boots(turn: &mut Turn<'_>) {
    let file = &mut turn.state.file;
    if file.boot_id != turn.rules.boot_id {
        file.deaths_boot_ms.clear();
        file.deaths_in_a_row = 0;
        file.boot_id.clone_from(&turn.rules.boot_id);
    }
}

/// The next life by itself: after its wait, and when it may.
pub(super) fn rearm(turn: &mut Turn<'_>, at_boot_ms: u64) {
    if at_boot_ms > turn.now.boot_ms {
        return back_off(turn, at_boot_ms);
    }
    let note = std::mem::take(&mut turn.state.note);
    turn.enter(Phase::Queued { incident: None }, note);
    let generation = turn.state.file.highest.next();
    // Not saved: the plan is on disk since the death, and a save would only make the start wait.
    turn.act(Action::AskToStart(generation));
}

/// Waits until then, also through another daemon.
pub(super) fn back_off(turn: &mut Turn<'_>, until_boot_ms: u64) {
    forget_other_boots(turn);
    turn.state.file.plan(Next::Rearm { at_boot_ms: until_boot_ms });
    let note = std::mem::take(&mut turn.state.note);
    turn.enter(Phase::Backoff { until_boot_ms }, note);
    turn.act(Action::WakeAt { until_boot_ms });
    turn.save();
}

/// A wait is over: for the next life, or for another try to end one.
pub(super) fn due(turn: &mut Turn<'_>, until_boot_ms: u64) {
    match &mut turn.state.phase {
        Phase::Backoff { until_boot_ms: wanted } if *wanted == until_boot_ms => rearm(turn, until_boot_ms),
        Phase::Live(_) => ending::try_again(turn, until_boot_ms),
        _ => {}
    }
}

/// The life that was asked for may begin, unless it has begun, or is not wanted any more.
pub(super) fn go(turn: &mut Turn<'_>, generation: Generation, incident: Option<String>) {
    if is_asked_for(turn, generation) {
        starting::begin(turn, incident);
    }
}

pub(super) fn held(turn: &mut Turn<'_>, generation: Generation, by: String) {
    if is_asked_for(turn, generation) {
        turn.state.phase = Phase::Queued { incident: Some(by) };
    }
}

fn is_asked_for(turn: &Turn<'_>, generation: Generation) -> bool {
    matches!(turn.state.phase, Phase::Queued { .. }) && generation == turn.state.file.highest.next()
}
