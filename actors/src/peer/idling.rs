//! Sleep: a peer of whose program nothing was seen for long is ended on purpose, and goes on where it was when it is
//! woken. A life that has one task sleeps when that is done, and leaves nothing to go on with.
//!
//! ```text
//!                  given                replied                          quiet for `after_reply_ms`
//!  ephemeral: Up ────────▶ has its task ────────▶ has replied ──────────────────────────────┐
//!                                │ quiet for `silence_ms`, or `done`                         ▼
//!                                └─────────────────────────────────────────────────────▶ asleep
//! ```

use super::{
    beginning,
    ending::{self, BY_FLEET, WHY_IDLE, WHY_TASK_OVER, claim},
    input::Action,
    phase::{Next, Rest, Stage},
    step::Turn,
};
use crate::names::Generation;

/// What is up is watched for signs of life, where its rules let it sleep at all.
pub(super) fn watch(turn: &mut Turn<'_>, generation: Generation) {
    if let Some(after_ms) = quiet_ms_max(turn, generation) {
        turn.act(Action::WatchIdle { generation, after_ms });
    }
}

/// How long nothing may be seen of this life; nothing where that does not matter.
fn quiet_ms_max(turn: &Turn<'_>, generation: Generation) -> Option<u64> {
    let Some(one_task) = turn.rules.one_task else { return turn.rules.idle_after_ms };
    let replied = turn.state.file.lives.iter().any(|life| life.generation == generation && life.replied);
    Some(if replied { one_task.after_reply_ms } else { one_task.silence_ms })
}

/// Whoever watches its screen has seen nothing for as long as the rules say. What was delivered meanwhile, or how
/// lately it woke, only the peer knows: too early is no reason to sleep.
pub(super) fn idle(turn: &mut Turn<'_>, generation: Generation) {
    let now = turn.now.boot_ms;
    let Some(quiet_ms_max) = quiet_ms_max(turn, generation) else { return };
    let Some(live) = turn.live_of(generation) else { return };
    if live.stage != Stage::Up {
        return;
    }
    let quiet_ms = now.saturating_sub(live.active_boot_ms);
    if quiet_ms < quiet_ms_max {
        return turn.act(Action::WatchIdle { generation, after_ms: quiet_ms_max - quiet_ms });
    }
    fall_asleep(turn, BY_FLEET, format!("idle for {} s", quiet_ms_max / 1000));
}

/// Puts the life in hand to sleep. What has one task a life leaves nothing to go on with.
pub(super) fn fall_asleep(turn: &mut Turn<'_>, by: &str, note: String) {
    let next = Next::Rest(Rest::Asleep);
    let persistent = turn.rules.one_task.is_none();
    turn.state.note = note;
    turn.state.file.resume = persistent;
    ending::end(turn, claim(if persistent { WHY_IDLE } else { WHY_TASK_OVER }, by, next), next);
}

pub(super) fn delivered(turn: &mut Turn<'_>, generation: Generation) {
    let now = turn.now.boot_ms;
    if let Some(live) = turn.live_of(generation) {
        live.active_boot_ms = now;
    }
}

/// A message is about to be typed into it: from now on it is one of this session's matters, and the life's task.
pub(super) fn given(turn: &mut Turn<'_>, generation: Generation, topic: Option<String>) {
    if turn.live_of(generation).is_none() {
        return;
    }
    delivered(turn, generation);
    let is_new = topic.is_some_and(|topic| beginning::remember(&mut turn.state.file.topics, topic));
    let mut had_replied = false;
    turn.mark(generation, |life| had_replied = std::mem::take(&mut life.replied));
    if is_new || had_replied {
        turn.save();
    }
    if had_replied {
        watch(turn, generation);
    }
}

/// It sent a message. Where it has one task, that is its reply.
pub(super) fn replied(turn: &mut Turn<'_>, generation: Generation) {
    delivered(turn, generation);
    let is_up = turn.live_of(generation).is_some_and(|live| live.stage == Stage::Up);
    if turn.rules.one_task.is_none() || !is_up {
        return;
    }
    turn.mark(generation, |life| life.replied = true);
    turn.save();
    watch(turn, generation);
}
