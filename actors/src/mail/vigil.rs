//! Which messages of one life are awaited in its transcript, when it is looked at, and for how long. Pure.
//!
//! ```text
//! submitted ─▶ awaited ─── entered ─▶ seen
//!                 ├─── somebody else said that it was seen
//!                 └─── VIGIL_MS_MAX ─▶ stays submitted
//! ```
//!
//! Nothing is looked at while nothing is awaited.

use super::{envelope::Opening, id::MessageId};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// How long a message is awaited after it was submitted.
pub const VIGIL_MS_MAX: u64 = 10 * 60 * 1000;
/// Least time before a look: the first one after a message was submitted, doubled each time.
pub const LOOK_MS: u64 = 200;
/// Longest time between two looks.
pub const LOOK_MS_MAX: u64 = 2_000;
/// Messages that are awaited at once. With one more the oldest is given up.
pub const AWAITED_MAX: usize = 256;
/// Entries that are remembered: one may be read before its message is known to be submitted.
const ENTERED_MAX: usize = 256;

/// A message that was submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitted {
    /// How its block begins.
    pub opening: Opening,
    /// When it was typed: no entry is older.
    pub typed_at: Timestamp,
    /// How long ago it was submitted, milliseconds.
    pub age_ms: u64,
}

/// When the transcripts are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// In so many milliseconds.
    pub in_ms: u64,
    /// Files that were written to since then.
    pub since: Timestamp,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Vigil {
    /// Until when, milliseconds since boot, and when each was typed.
    awaited: BTreeMap<Opening, (u64, Timestamp)>,
    entered: BTreeSet<Opening>,
    /// Awaited, entered, and not told yet.
    seen: Vec<MessageId>,
    /// What the last look waited for; 0 before the first.
    waited_ms: u64,
}

impl Vigil {
    /// A message was submitted; its entry may have been read already.
    pub fn submitted(&mut self, message: Submitted, now_ms: u64) {
        if self.entered.contains(&message.opening) {
            self.seen.push(message.opening.id);
            return;
        }
        let left_ms = VIGIL_MS_MAX.saturating_sub(message.age_ms);
        self.awaited.insert(message.opening, (now_ms.saturating_add(left_ms), message.typed_at));
        self.waited_ms = 0;
        keep_last(AWAITED_MAX, &mut self.awaited, BTreeMap::len, BTreeMap::pop_first);
    }

    /// Nobody needs to look for this one any more.
    pub fn over(&mut self, id: MessageId) {
        self.awaited.retain(|opening, _| opening.id != id);
    }

    /// A look found these.
    pub fn entered(&mut self, found: Vec<Opening>) {
        for opening in found {
            if self.awaited.remove(&opening).is_some() {
                self.seen.push(opening.id);
            }
            self.entered.insert(opening);
            keep_last(ENTERED_MAX, &mut self.entered, BTreeSet::len, BTreeSet::pop_first);
        }
    }

    /// The messages that turned out to be seen since this was asked last.
    pub fn take_seen(&mut self) -> Vec<MessageId> {
        std::mem::take(&mut self.seen)
    }

    /// When to look next; nothing where nothing is awaited any more.
    pub fn next(&mut self, now_ms: u64) -> Option<Look> {
        self.awaited.retain(|_, (until_ms, _)| *until_ms > now_ms);
        let since = self.awaited.values().map(|(_, typed_at)| *typed_at).min()?;
        self.waited_ms = (self.waited_ms * 2).clamp(LOOK_MS, LOOK_MS_MAX);
        Some(Look { in_ms: self.waited_ms, since })
    }
}

/// Ids begin with their time: the first ones are the oldest.
fn keep_last<C, T>(most: usize, of: &mut C, len: impl Fn(&C) -> usize, pop: impl Fn(&mut C) -> Option<T>) {
    while len(of) > most {
        drop(pop(of));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn opening(n: u8) -> Opening {
        Opening { id: MessageId::at(i64::from(n), 0), redelivered: false }
    }

    fn submitted(n: u8) -> Submitted {
        Submitted { opening: opening(n), typed_at: Timestamp::from_second(i64::from(n)).unwrap(), age_ms: 0 }
    }

    #[test]
    fn looks_are_ever_further_apart_and_close_again_for_another_message() {
        let mut vigil = Vigil::default();
        assert_eq!(vigil.next(0), None, "nothing is awaited");
        vigil.submitted(submitted(5), 0);
        let waits: Vec<_> = (0..6).map(|_| vigil.next(0).unwrap().in_ms).collect();
        assert_eq!(waits, [200, 400, 800, 1_600, 2_000, 2_000]);
        vigil.submitted(submitted(9), 0);
        assert_eq!(vigil.next(0), Some(Look { in_ms: 200, since: submitted(5).typed_at }));
        vigil.over(opening(5).id);
        assert_eq!(vigil.next(0).unwrap().since, submitted(9).typed_at);
    }

    #[test]
    fn a_message_is_awaited_for_ten_minutes_from_its_submission_on() {
        let mut vigil = Vigil::default();
        vigil.submitted(submitted(1), 1_000);
        vigil.submitted(Submitted { age_ms: VIGIL_MS_MAX - 5, ..submitted(2) }, 1_000);
        vigil.submitted(Submitted { age_ms: VIGIL_MS_MAX, ..submitted(3) }, 1_000);
        assert_eq!(vigil.next(1_004).unwrap().since, submitted(1).typed_at);
        assert_eq!(vigil.awaited.len(), 2);
        assert!(vigil.next(1_000 + VIGIL_MS_MAX - 1).is_some());
        assert_eq!(vigil.next(1_000 + VIGIL_MS_MAX), None);
        vigil.entered(vec![opening(1)]);
        assert_eq!(vigil.take_seen(), [], "it stays submitted");
    }

    #[test]
    fn an_entry_that_is_read_before_its_message_is_known_to_be_submitted_counts() {
        let mut vigil = Vigil::default();
        vigil.entered(vec![opening(1)]);
        assert_eq!(vigil.take_seen(), []);
        vigil.submitted(submitted(1), 0);
        assert_eq!((vigil.take_seen(), vigil.next(0)), (vec![opening(1).id], None));
    }

    #[test]
    fn the_entry_of_an_earlier_life_is_not_that_of_the_message_that_came_again() {
        let mut vigil = Vigil::default();
        let again = Opening { redelivered: true, ..opening(1) };
        vigil.submitted(Submitted { opening: again, ..submitted(1) }, 0);
        vigil.entered(vec![opening(1)]);
        assert_eq!(vigil.take_seen(), []);
        vigil.entered(vec![again]);
        assert_eq!(vigil.take_seen(), [again.id]);
    }

    #[derive(Debug, Clone)]
    enum Op {
        Submitted(u8),
        Entered(Vec<u8>),
        Over(u8),
    }

    proptest! {
        #[test]
        fn a_message_is_seen_as_soon_as_it_was_both_submitted_and_entered(ops in prop::collection::vec(prop_oneof![
            (0..8u8).prop_map(Op::Submitted),
            prop::collection::vec(0..8u8, 0..4).prop_map(Op::Entered),
            (0..8u8).prop_map(Op::Over),
        ], 0..60)) {
            let mut vigil = Vigil::default();
            let (mut awaited, mut entered, mut seen) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
            for op in ops {
                match op {
                    Op::Submitted(n) => {
                        vigil.submitted(submitted(n), 0);
                        if entered.contains(&n) {
                            seen.push(opening(n).id);
                        } else {
                            awaited.insert(n);
                        }
                    }
                    Op::Entered(found) => {
                        vigil.entered(found.iter().map(|n| opening(*n)).collect());
                        for n in found {
                            entered.insert(n);
                            seen.extend(awaited.remove(&n).then(|| opening(n).id));
                        }
                    }
                    Op::Over(n) => {
                        awaited.remove(&n);
                        vigil.over(opening(n).id);
                    }
                }
                prop_assert_eq!(vigil.next(0).is_some(), !awaited.is_empty());
                prop_assert_eq!(vigil.take_seen(), std::mem::take(&mut seen));
            }
        }

        #[test]
        fn however_many_are_submitted_and_entered_no_more_than_the_last_are_kept(many in 1..2_000u32) {
            let mut vigil = Vigil::default();
            for n in 0..many {
                let opening = Opening { id: MessageId::at(i64::from(n), 0), redelivered: false };
                vigil.submitted(Submitted { opening, ..submitted(0) }, 0);
                vigil.entered(vec![Opening { id: MessageId::at(i64::from(n), 1), redelivered: false }]);
                prop_assert!(vigil.awaited.len() <= AWAITED_MAX && vigil.entered.len() <= ENTERED_MAX);
                prop_assert!(vigil.awaited.contains_key(&opening), "the newest is");
            }
        }
    }
}
