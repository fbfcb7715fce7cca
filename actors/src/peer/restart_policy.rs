//! What happens after a death: the three policies, and the budget of deaths in a window. Pure.

use serde::{Deserialize, Serialize};

/// Whether an ended peer is started again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Recorded, never started again.
    Never,
    /// Started again after a death or a failed exit; an exit with status 0 stops it.
    #[default]
    OnFailure,
    /// Started again whatever its program said.
    Always,
}

/// More than `deaths_max` deaths within `window_ms` put a peer in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartLimit {
    /// Deaths that a window may hold.
    pub deaths_max: usize,
    /// The window's length, milliseconds.
    pub window_ms: u64,
}

impl Default for RestartLimit {
    /// 5 deaths in 300 s (spec 01 §6).
    fn default() -> Self {
        Self { deaths_max: 5, window_ms: 300_000 }
    }
}

/// What a death leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Start the next life.
    Rearm,
    /// Stay down: policy.
    StayDown,
    /// Too often, too fast.
    Quarantine,
}

/// Counts one death at `now_boot_ms` in `deaths` (oldest first, trimmed to the window) and decides.
pub fn decide(policy: RestartPolicy, limit: RestartLimit, deaths: &mut Vec<u64>, now_boot_ms: u64) -> Verdict {
    deaths.retain(|&at| now_boot_ms.saturating_sub(at) < limit.window_ms);
    deaths.push(now_boot_ms);
    match policy {
        RestartPolicy::Never => Verdict::StayDown,
        _ if deaths.len() > limit.deaths_max => Verdict::Quarantine,
        RestartPolicy::OnFailure | RestartPolicy::Always => Verdict::Rearm,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(policy: RestartPolicy, at: &[u64]) -> Verdict {
        let mut deaths = Vec::new();
        at.iter().map(|&ms| decide(policy, RestartLimit::default(), &mut deaths, ms)).last().unwrap()
    }

    #[test]
    fn the_sixth_death_in_five_minutes_puts_a_peer_in_quarantine() {
        let always = RestartPolicy::Always;
        assert_eq!(run(always, &[0, 1, 2, 3, 4]), Verdict::Rearm);
        assert_eq!(run(always, &[0, 1, 2, 3, 4, 299_999]), Verdict::Quarantine);
        assert_eq!(run(always, &[0, 1, 2, 3, 4, 300_000]), Verdict::Rearm);
    }

    #[test]
    fn a_peer_that_is_never_restarted_is_never_quarantined() {
        assert_eq!(run(RestartPolicy::Never, &[0, 1, 2, 3, 4, 5, 6]), Verdict::StayDown);
    }

    proptest! {
        #[test]
        fn the_ring_never_holds_more_than_its_window(times in prop::collection::vec(0u64..2_000_000, 1..200)) {
            let mut times = times;
            times.sort_unstable();
            let mut deaths = Vec::new();
            for now in times {
                let verdict = decide(RestartPolicy::OnFailure, RestartLimit::default(), &mut deaths, now);
                prop_assert!(deaths.iter().all(|&at| now - at < 300_000));
                prop_assert_eq!(verdict == Verdict::Quarantine, deaths.len() > 5);
            }
        }
    }
}
