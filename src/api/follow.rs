//! Joins what the journal holds and what happens now into one sequence, without a gap or a double. Pure.

use coalmine_actors::view::{Event, Streamed};

/// Where a reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Follow {
    /// The last number that the reader got; nothing before the first of a reader who only wants what comes.
    last: Option<u64>,
}

/// What to do with an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The reader has it.
    Double,
    /// It is the next one.
    Next,
    /// This many events before it are missing.
    Gap(u64),
}

impl Follow {
    /// A reader who has everything up to `after`.
    pub(super) fn new(after: Option<u64>) -> Self {
        Self { last: after }
    }

    /// After which number the journal is asked; nothing where the reader wants no past.
    pub(super) fn last(self) -> Option<u64> {
        self.last
    }

    /// Where `seq` stands. A reader from 0 starts wherever the journal does: what was turned over is no gap.
    pub(super) fn judge(self, seq: u64) -> Step {
        match self.last {
            Some(last) if seq <= last => Step::Double,
            Some(last) if last > 0 && seq > last + 1 => Step::Gap(seq - last - 1),
            _ => Step::Next,
        }
    }

    /// What the reader gets for an event that the journal can not complete: perhaps a mark, then the event.
    pub(super) fn take(&mut self, event: Event) -> Vec<Streamed> {
        let step = self.judge(event.seq);
        if step != Step::Double {
            self.last = Some(event.seq);
        }
        match step {
            Step::Double => vec![],
            Step::Next => vec![Streamed::Event(event)],
            Step::Gap(lagged) => vec![Streamed::Lagged { lagged }, Streamed::Event(event)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn event(seq: u64) -> Event {
        Event { ts: Timestamp::UNIX_EPOCH, seq, ev: "up".into(), fields: vec![] }
    }

    #[test]
    fn a_double_is_dropped_and_a_gap_is_marked() {
        let mut follow = Follow::new(Some(3));
        assert_eq!(follow.take(event(3)), []);
        assert_eq!(follow.take(event(4)), [Streamed::Event(event(4))]);
        assert_eq!(follow.take(event(7)), [Streamed::Lagged { lagged: 2 }, Streamed::Event(event(7))]);
    }

    #[test]
    fn a_journal_that_was_turned_over_begins_without_a_mark() {
        assert_eq!(Follow::new(Some(0)).take(event(500)), [Streamed::Event(event(500))]);
        assert_eq!(Follow::new(None).take(event(500)), [Streamed::Event(event(500))]);
    }

    proptest! {
        #[test]
        fn every_number_is_accounted_for_once(seqs in prop::collection::vec(1u64..50, 0..60)) {
            let mut follow = Follow::new(None);
            let (mut first, mut next) = (None, 0);
            for seq in seqs {
                for item in follow.take(event(seq)) {
                    match item {
                        Streamed::Event(got) => {
                            first.get_or_insert_with(|| { next = got.seq; got.seq });
                            prop_assert_eq!(got.seq, next);
                            next += 1;
                        }
                        Streamed::Lagged { lagged } => next += lagged,
                    }
                }
            }
        }
    }
}
