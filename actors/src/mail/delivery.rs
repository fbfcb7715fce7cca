//! One message on its way into a terminal: what is to be done next, from what was seen. Pure.
//!
//! ```text
//!          nothing in the way?            note `typed`      paste             the composer holds it?   press
//!  Look ──────────────────────▶ (not yet) ───────────▶ ─────────▶ (pasted) ─────────────────────▶ ────────▶ (pressed)
//!    ▲  no: wait for output                                          │ not in 120 s                            │ │
//!    └───────────────────────────────────────────────────────────────┼── holds it still: press again ◀─────────┘ │
//!                                                                    ▼                                           ▼
//!                                                                 failed                          it is empty: submitted
//! ```
//!
//! Where a delivery stands is not remembered here: the terminal's server remembers what was pasted and what was pressed
//! ([`Marks`](super::composer::Marks)), together with the act. So a daemon that died anywhere goes on where it was, and
//! nothing is pasted twice; only how long something lasts is counted here.

use super::{
    composer::{Holds, Sight},
    id::MessageId,
    progress::Reason,
};

/// How long a composer may take to show what was pasted. A program that loads something takes over a minute.
pub const TAKEN_MS_MAX: u64 = 120_000;
/// How long a program may take to submit what its composer holds, however often the keys are pressed.
pub const SUBMITTED_MS_MAX: u64 = 600_000;
/// After how long the keys are pressed again the first time; doubled each time.
pub const PRESS_AGAIN_MS: u64 = 1_000;
/// Longest time between two presses.
pub const PRESS_AGAIN_MS_MAX: u64 = 30_000;
/// Least and longest time between two looks while something is in the way.
const LOOK_MS: u64 = 50;
const LOOK_MS_MAX: u64 = 1_000;
/// After how long it is looked again though nothing was written: a person who leaves writes nothing.
const QUIET_MS_MAX: u64 = 5_000;
/// Time between two looks while an echo is awaited: at least after output, and at most.
const ECHO_MS: u64 = 2;
const ECHO_MS_MAX: u64 = 250;

/// Why what takes one message a life gets no second one.
const HAS_ITS_TASK: &str = "it is at another message: one a life";

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A look found this.
    Seen(Sight),
    /// `typed` is on disk.
    Noted,
    /// The last act was carried out, or may have been: a look will tell, once there is something to see.
    Acted,
    /// A wait is over.
    Waited,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Look at the terminal.
    Look,
    /// Look again when something was written, not before `least_ms`, and after `most_ms` in any case.
    LookAgain {
        /// Milliseconds.
        least_ms: u64,
        /// Milliseconds.
        most_ms: u64,
        /// What is in the way, for people.
        why: Option<String>,
    },
    /// Write down that it is about to be typed.
    Note,
    /// Paste it.
    Paste,
    /// Press the keys that submit it.
    Press,
    /// The program took it.
    Submitted,
    /// Nobody will know what became of it.
    Failed(Reason),
}

/// One message on its way into one life's terminal.
#[derive(Debug, Clone)]
pub struct Delivery {
    id: MessageId,
    /// `typed` of this life is on disk.
    noted: bool,
    /// A life of its recipient takes one message.
    one_task: bool,
    /// How long looks are apart while something is in the way, milliseconds.
    pause_ms: u64,
    /// Since when it is known to be pasted, milliseconds since boot.
    pasted_ms: Option<u64>,
    /// When the keys were pressed first and last, and how often.
    pressed: Option<Pressed>,
}

#[derive(Debug, Clone, Copy)]
struct Pressed {
    first_ms: u64,
    last_ms: u64,
    times: u32,
}

impl Delivery {
    /// A message that is to be delivered; `noted` says that it was typed in this very life before,
    /// `one_task` that this life takes one message, whichever was pasted first.
    pub fn new(id: MessageId, noted: bool, one_task: bool) -> Self {
        Self { id, noted, one_task, pause_ms: LOOK_MS, pasted_ms: None, pressed: None }
    }

    /// What is to be done next.
    pub fn step(&mut self, event: Event, now_ms: u64) -> Effect {
        match event {
            Event::Noted => {
                self.noted = true;
                Effect::Paste
            }
            Event::Acted => Effect::LookAgain { least_ms: 0, most_ms: ECHO_MS_MAX, why: None },
            Event::Waited => Effect::Look,
            Event::Seen(sight) => self.seen(&sight, now_ms),
        }
    }

    fn seen(&mut self, sight: &Sight, now_ms: u64) -> Effect {
        if sight.marks.pasted != Some(self.id) {
            return self.not_pasted(sight);
        }
        let pasted_ms = *self.pasted_ms.get_or_insert(now_ms);
        if sight.marks.pressed == Some(self.id) {
            self.after_press(sight, now_ms)
        } else if sight.composer == Holds::Something {
            // It is there. Who is in the way of the keys may stay as long as they like.
            if free_to_press(sight) { self.press(now_ms) } else { echo(sight.obstacle()) }
        } else if now_ms.saturating_sub(pasted_ms) >= TAKEN_MS_MAX {
            let text = format!("it was pasted, and the composer did not show it within {} s", TAKEN_MS_MAX / 1000);
            Effect::Failed(Reason::new("not-taken", text))
        } else {
            echo(None)
        }
    }

    fn not_pasted(&mut self, sight: &Sight) -> Effect {
        // The terminal's server knows it as long as the life lasts, whichever daemon asks.
        let has_its_task = (self.one_task && sight.marks.pasted.is_some()).then(|| HAS_ITS_TASK.to_owned());
        match has_its_task.or_else(|| sight.obstacle()) {
            None if self.noted => Effect::Paste,
            None => Effect::Note,
            why => {
                let least_ms = self.pause_ms;
                self.pause_ms = (self.pause_ms * 2).min(LOOK_MS_MAX);
                Effect::LookAgain { least_ms, most_ms: QUIET_MS_MAX, why }
            }
        }
    }

    fn press(&mut self, now_ms: u64) -> Effect {
        let pressed = self.pressed.get_or_insert(Pressed { first_ms: now_ms, last_ms: now_ms, times: 0 });
        pressed.last_ms = now_ms;
        pressed.times = pressed.times.saturating_add(1);
        Effect::Press
    }

    fn after_press(&mut self, sight: &Sight, now_ms: u64) -> Effect {
        // Pressed by an earlier daemon: its time begins anew.
        let Pressed { first_ms, last_ms, times } =
            *self.pressed.get_or_insert(Pressed { first_ms: now_ms, last_ms: now_ms, times: 1 });
        // Some programs hide their composer while they work.
        if sight.composer == Holds::Nothing || (sight.composer == Holds::Absent && sight.busy) {
            return Effect::Submitted;
        }
        if now_ms.saturating_sub(first_ms) >= SUBMITTED_MS_MAX {
            let text = format!("it was pasted, and not submitted by {times} presses in {} s", SUBMITTED_MS_MAX / 1000);
            return Effect::Failed(Reason::new("not-submitted", text));
        }
        let pause_ms = PRESS_AGAIN_MS.saturating_mul(1 << (times - 1).min(10)).min(PRESS_AGAIN_MS_MAX);
        if sight.composer == Holds::Something && free_to_press(sight) && now_ms.saturating_sub(last_ms) >= pause_ms {
            self.press(now_ms)
        } else {
            echo(sight.dialog.clone())
        }
    }
}

/// Never into a dialog, whose default nobody chose, and never what a person is writing.
fn free_to_press(sight: &Sight) -> bool {
    sight.dialog.is_none() && !sight.person
}

fn echo(why: Option<String>) -> Effect {
    Effect::LookAgain { least_ms: ECHO_MS, most_ms: ECHO_MS_MAX, why }
}

#[cfg(test)]
mod tests;
