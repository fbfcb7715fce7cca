//! How often an actor of ours may fail before its supervisor gives it up: 5 times in 60 s (spec 01 §2). Pure.

use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// Failures that a window may hold.
pub const FAILURES_MAX: usize = 5;
/// The window.
pub const WINDOW: Duration = Duration::from_secs(60);

/// The failures of one actor.
#[derive(Debug, Default)]
pub struct RestartBudget(VecDeque<Instant>);

impl RestartBudget {
    /// Counts a failure at `now`; says whether the actor may be restarted.
    pub fn allows(&mut self, now: Instant) -> bool {
        while self.0.front().is_some_and(|&at| now.duration_since(at) >= WINDOW) {
            self.0.pop_front();
        }
        self.0.push_back(now);
        self.0.len() <= FAILURES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_failure_within_a_minute_is_one_too_many() {
        let start = Instant::now();
        let mut budget = RestartBudget::default();
        assert!((0..5).all(|second| budget.allows(start + Duration::from_secs(second))));
        assert!(!budget.allows(start + Duration::from_secs(59)));
        assert!(budget.allows(start + Duration::from_secs(119)));
    }
}
