//! Sleep: a peer of whose program nothing was seen for long is ended on purpose, and goes on where it was when it is
//! woken.

use super::{
    ending::{self, BY_FLEET, WHY_IDLE, claim},
    phase::{Next, Rest, Stage},
    step::Turn,
};
use crate::names::Generation;

/// Whoever watches its screen has seen nothing for as long as the rules say. What was delivered meanwhile, or how
/// lately it woke, only the peer knows: too early is no reason to sleep.
pub(super) fn idle(turn: &mut Turn<'_>, generation: Generation) {
    let now = turn.now.boot_ms;
    let Some(idle_after_ms) = turn.rules.idle_after_ms else { return };
    let Some(live) = turn.live_of(generation) else { return };
    if live.stage != Stage::Up || now.saturating_sub(live.active_boot_ms) < idle_after_ms {
        return;
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
