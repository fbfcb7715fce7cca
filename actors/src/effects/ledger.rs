//! What a peer has used of its budget: one ledger for all that it starts, changed by compare-and-swap alone.
//!
//! A call reserves before it happens and settles afterwards, so that what runs at once can not pass a ceiling together.
//! Time is known only afterwards: a call is refused once it is used up. Tokens are reserved as they are expected, and may
//! turn out to be more.

use super::{
    budget::{Budget, Usage},
    error::EffectError,
};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// What one peer used.
#[derive(Debug, Default)]
pub struct Ledger {
    calls: AtomicU64,
    wall_us: AtomicU64,
    bytes_out: AtomicU64,
    llm_tokens: AtomicU64,
}

impl Ledger {
    /// A ledger in which this much is used already.
    pub fn with(used: Usage) -> Self {
        let ledger = Self::default();
        ledger.add(used);
        ledger
    }

    /// What is used, reservations included.
    pub fn used(&self) -> Usage {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Usage {
            calls: read(&self.calls),
            wall_us: read(&self.wall_us),
            bytes_out: read(&self.bytes_out),
            llm_tokens: read(&self.llm_tokens),
        }
    }

    /// Takes calls, bytes and tokens for one call: all of it, or none. Time can not be wanted, only be there.
    ///
    /// # Errors
    /// [`EffectError::Budget`], with what was asked for, what is used and what there is.
    pub fn reserve(&self, budget: &Budget, wanted: Usage) -> Result<(), EffectError> {
        let used = self.used().wall_us / 1_000;
        if let Some(ceiling) = budget.wall.map(ms).filter(|ceiling| used >= *ceiling) {
            return Err(EffectError::Budget { what: "wall_ms", requested: 1, used, ceiling });
        }
        let Usage { calls, bytes_out, llm_tokens, wall_us: _ } = wanted;
        take(&self.calls, calls, "calls", budget.calls)?;
        take(&self.bytes_out, bytes_out, "bytes_out", budget.bytes_out).inspect_err(|_| give(&self.calls, calls))?;
        take(&self.llm_tokens, llm_tokens, "llm_tokens", budget.llm_tokens).inspect_err(|_| {
            give(&self.calls, calls);
            give(&self.bytes_out, bytes_out);
        })
    }

    /// Puts what a call really took in the place of what it had reserved.
    pub fn settle(&self, reserved: Usage, taken: Usage) {
        self.add(taken);
        give(&self.calls, reserved.calls);
        give(&self.bytes_out, reserved.bytes_out);
        give(&self.llm_tokens, reserved.llm_tokens);
    }

    /// How long a call may take until the budget's time is used up; nothing without a ceiling.
    pub fn time_left(&self, budget: &Budget) -> Option<Duration> {
        budget.wall.map(|wall| wall.saturating_sub(Duration::from_micros(self.used().wall_us)))
    }

    fn add(&self, usage: Usage) {
        for (counter, amount) in [
            (&self.calls, usage.calls),
            (&self.wall_us, usage.wall_us),
            (&self.bytes_out, usage.bytes_out),
            (&self.llm_tokens, usage.llm_tokens),
        ] {
            let _it_always_changes = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                Some(used.saturating_add(amount)) // a wrap would be a new budget
            });
        }
    }
}

fn take(counter: &AtomicU64, amount: u64, what: &'static str, ceiling: Option<u64>) -> Result<(), EffectError> {
    let within = |used: u64| {
        let wanted = used.checked_add(amount)?;
        ceiling.is_none_or(|ceiling| wanted <= ceiling || amount == 0).then_some(wanted)
    };
    let over = |used| EffectError::Budget { what, requested: amount, used, ceiling: ceiling.unwrap_or(u64::MAX) };
    counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).map(drop).map_err(over)
}

fn give(counter: &AtomicU64, amount: u64) {
    let _it_always_changes =
        counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| Some(used.saturating_sub(amount)));
}

/// Whole milliseconds.
pub(super) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::Barrier, thread};

    fn wanted(calls: u64, bytes_out: u64) -> Usage {
        Usage { calls, bytes_out, ..Usage::default() }
    }

    fn calls(ceiling: u64) -> Budget {
        Budget { calls: Some(ceiling), ..Budget::default() }
    }

    #[test]
    fn of_eight_at_once_that_cost_three_of_ten_exactly_three_succeed() {
        for _round in 0..200 {
            let (ledger, budget, begin) = (Ledger::default(), calls(10), Barrier::new(8));
            let succeeded = thread::scope(|scope| {
                let try_one = || {
                    begin.wait();
                    ledger.reserve(&budget, wanted(3, 0)).is_ok()
                };
                let tries: Vec<_> = (0..8).map(|_| scope.spawn(try_one)).collect();
                tries.into_iter().map(|one| one.join().unwrap()).filter(|ok| *ok).count()
            });
            assert_eq!((succeeded, ledger.used().calls), (3, 9));
        }
    }

    #[test]
    fn a_refusal_says_what_was_asked_for_what_is_used_and_what_there_is() {
        let ledger = Ledger::with(Usage { calls: 9, ..Usage::default() });
        let refused = ledger.reserve(&calls(10), wanted(3, 0)).unwrap_err();
        assert_eq!(refused, EffectError::Budget { what: "calls", requested: 3, used: 9, ceiling: 10 });
        ledger.reserve(&calls(10), wanted(1, 0)).unwrap();
    }

    #[test]
    fn a_reservation_that_fails_in_part_takes_nothing() {
        let budget = Budget { calls: Some(10), bytes_out: Some(100), ..Budget::default() };
        let ledger = Ledger::default();
        assert!(ledger.reserve(&budget, wanted(1, 101)).is_err());
        assert_eq!(ledger.used(), Usage::default());
    }

    #[test]
    fn tokens_are_reserved_and_what_needs_none_goes_on_without_them() {
        let budget = Budget { llm_tokens: Some(100), ..Budget::default() };
        let ledger = Ledger::default();
        let tokens = |llm_tokens| Usage { calls: 1, llm_tokens, ..Usage::default() };
        ledger.reserve(&budget, tokens(60)).unwrap();
        let refused = ledger.reserve(&budget, tokens(60)).unwrap_err();
        assert_eq!(refused, EffectError::Budget { what: "llm_tokens", requested: 60, used: 60, ceiling: 100 });
        ledger.settle(tokens(60), tokens(150));
        assert!(ledger.reserve(&budget, tokens(1)).is_err());
        ledger.reserve(&budget, tokens(0)).unwrap();
        assert_eq!(ledger.used(), Usage { calls: 2, llm_tokens: 150, ..Usage::default() });
    }

    #[test]
    fn what_was_really_taken_counts_and_a_refund_is_whole() {
        let budget = Budget { calls: Some(10), bytes_out: Some(100), ..Budget::default() };
        let ledger = Ledger::default();
        let reserved = Usage { calls: 4, bytes_out: 60, ..Usage::default() };
        ledger.reserve(&budget, wanted(4, 60)).unwrap();
        ledger.settle(reserved, Usage { calls: 4, wall_us: 5, bytes_out: 10, llm_tokens: 7 });
        assert_eq!(ledger.used(), Usage { calls: 4, wall_us: 5, bytes_out: 10, llm_tokens: 7 });
        ledger.reserve(&budget, wanted(4, 60)).unwrap();
        ledger.settle(reserved, Usage::default());
        assert_eq!(ledger.used(), Usage { calls: 4, wall_us: 5, bytes_out: 10, llm_tokens: 7 });
    }

    #[test]
    fn time_that_is_used_up_refuses_the_next_call() {
        let budget = Budget { wall: Some(Duration::from_secs(1)), ..Budget::default() };
        let ledger = Ledger::with(Usage { wall_us: 999_000, ..Usage::default() });
        assert_eq!(ledger.time_left(&budget), Some(Duration::from_millis(1)));
        ledger.reserve(&budget, wanted(1, 0)).unwrap();
        ledger.settle(Usage::default(), Usage { wall_us: 5_000, ..Usage::default() });
        let refused = ledger.reserve(&budget, wanted(1, 0)).unwrap_err();
        assert_eq!(refused, EffectError::Budget { what: "wall_ms", requested: 1, used: 1_004, ceiling: 1_000 });
    }
}
