//! Sleep: a peer of whose program nothing was seen for long is ended on purpose, and goes on where it was when it is
//! woken.

use super::{
    ending::{self, BY_FLEET, WHY_IDLE, claim},
    input::Action,
    phase::{Next, Rest, Stage},
    step::Turn,
};
use crate::names::Generation;

/// What is up is watched for signs of life, where its rules let it sleep at all.
pub(super) fn watch(turn: &mut Turn<'_>, generation: Generation) {
    if let Some(after_ms) = turn.rules.idle_after_ms {
        turn.act(Action::WatchIdle { generation, after_ms });
    }
}

/// Whoever watches its screen has seen nothing for as long as the rules say. What was delivered meanwhile, or how
/// lately it woke, only the peer knows: too early is no reason to sleep.
pub(super) fn idle(turn: &mut Turn<'_>, generation: Generation) {
    let now = turn.now.boot_ms;
    let Some(idle_after_ms) = turn.rules.idle_after_ms else { return };
    let Some(live) = turn.live_of(generation) else { return };
    if live.stage != Stage::Up {
        return;
    }
    let quiet_ms = now.saturating_sub(live.active_boot_ms);
    if quiet_ms < idle_after_ms {
        return turn.act(Action::WatchIdle { generation, after_ms: idle_after_ms - quiet_ms });
    }
    let next = Next::Rest(Rest::Asleep);
    turn.state.note = format!("idle for {} s", idle_after_ms / 1000);
    turn.state.file.resume = true;
    ending::end_now(turn, claim(WHY_IDLE, BY_FLEET, next), next);
}

pub(super) fn delivered(turn: &mut Turn<'_>, generation: Generation) {
    let now = turn.now.boot_ms;
    if let Some(live) = turn.live_of(generation) {
        live.active_boot_ms = now;
    }
}
