//! How long a store that can not serve waits before it tries again. Pure.

use std::time::Duration;

/// The first wait.
const BACKOFF_FIRST: Duration = Duration::from_millis(500);
/// The longest wait.
pub const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// The wait after this many failures in a row: 0.5 s, doubled each time, 30 s at most.
pub fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(6); // 0.5 s × 2^6 is past the longest wait
    (BACKOFF_FIRST * 2u32.pow(doublings)).min(BACKOFF_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_from_half_a_second_to_thirty() {
        let waits: Vec<u64> = (0..10).map(|n| backoff(n).as_millis().try_into().expect("at most 30,000 ms")).collect();
        assert_eq!(waits, [500, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        assert_eq!(backoff(u32::MAX), BACKOFF_MAX);
    }
}
