//! What happens after a death: the three policies, the budget of deaths in a window, and the wait before the next
//! life. Pure.

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

/// How often a peer may die, and how long it waits between its lives.
///
/// More than `deaths_max` deaths within `window_ms` put it in quarantine. Below that the first restart comes at once;
/// each further one waits up to `delay_first_ms`, doubled each time, up to `delay_max_ms`. A life that was up for
/// `healthy_after_ms` starts the row anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartLimit {
    /// Deaths that a window may hold.
    pub deaths_max: usize,
    /// The window's length, milliseconds.
    pub window_ms: u64,
    /// The longest wait before the second restart in a row, milliseconds.
    pub delay_first_ms: u64,
    /// The longest wait before any restart, milliseconds.
    pub delay_max_ms: u64,
    /// How long a life must be up before its death is the first of a row again, milliseconds.
    pub healthy_after_ms: u64,
}

impl Default for RestartLimit {
    /// 5 deaths in 300 s; at once, then 1 s, doubled up to 60 s; 10 minutes (spec 01 §6).
    fn default() -> Self {
        Self {
            deaths_max: 5,
            window_ms: 300_000,
            delay_first_ms: 1_000,
            delay_max_ms: 60_000,
            healthy_after_ms: 600_000,
        }
    }
}

impl RestartLimit {
    /// The longest wait before the restart that follows the `in_a_row`th death, milliseconds: none after the first.
    pub fn delay_ceiling_ms(&self, in_a_row: u32) -> u64 {
        let Some(doublings) = in_a_row.checked_sub(2) else { return 0 };
        let factor = 1u64.checked_shl(doublings).unwrap_or(u64::MAX);
        self.delay_first_ms.saturating_mul(factor).min(self.delay_max_ms)
    }

    /// The wait itself: anything up to its ceiling, by `chance`, which is any number. Peers that died together of
    /// one cause do not come back together.
    pub fn delay_ms(&self, in_a_row: u32, chance: u64) -> u64 {
        let ceiling = u128::from(self.delay_ceiling_ms(in_a_row));
        let share = ((ceiling + 1) * u128::from(chance)) >> u64::BITS;
        u64::try_from(share).expect("at most the ceiling, which is a u64")
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

    #[test]
    fn the_ceiling_is_nothing_then_a_second_doubled_up_to_a_minute() {
        let limit = RestartLimit::default();
        let ceilings: Vec<u64> = (0..=10).map(|deaths| limit.delay_ceiling_ms(deaths)).collect();
        assert_eq!(ceilings, [0, 0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
        assert_eq!(limit.delay_ceiling_ms(u32::MAX), 60_000);
    }

    #[test]
    fn chance_reaches_both_ends_of_the_wait() {
        let limit = RestartLimit::default();
        assert_eq!([0, u64::MAX].map(|chance| limit.delay_ms(4, chance)), [0, 4_000]);
        assert_eq!([0, u64::MAX].map(|chance| limit.delay_ms(1, chance)), [0, 0]);
    }

    proptest! {
        #[test]
        fn a_wait_is_never_longer_than_its_ceiling_and_chance_only_lengthens_it(
            first in 0u64..=u64::MAX, max in 0u64..=u64::MAX, in_a_row: u32, chance: u64,
        ) {
            let limit = RestartLimit { delay_first_ms: first, delay_max_ms: max, ..RestartLimit::default() };
            let wait = limit.delay_ms(in_a_row, chance);
            prop_assert!(wait <= limit.delay_ceiling_ms(in_a_row) && wait <= max);
            prop_assert!(limit.delay_ms(in_a_row, chance / 2) <= wait);
            prop_assert!(limit.delay_ceiling_ms(in_a_row) <= limit.delay_ceiling_ms(in_a_row.saturating_add(1)));
        }

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
