//! A clock that follows tokio's, paused or not.

use crate::ports::{Clock, Moment};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Starts at 2026-11-21 01:23:45 UTC, 1,000 s after a boot, and goes on as tokio's clock does.
#[derive(Debug, Clone, Copy)]
pub struct FakeClock {
    origin: Instant,
}

const WALL_AT_ORIGIN_S: i64 = 1_795_224_225;
const BOOT_AT_ORIGIN_MS: u64 = 1_000_000;

impl FakeClock {
    /// A clock whose origin is now.
    #[allow(clippy::new_without_default, reason = "a clock that starts now is no default value")]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Moment {
        let elapsed = self.origin.elapsed();
        let wall = Timestamp::from_second(WALL_AT_ORIGIN_S).expect("a time in 2026");
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        Moment {
            wall: wall.saturating_add(SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::MAX)).unwrap_or(wall),
            boot_ms: BOOT_AT_ORIGIN_MS.saturating_add(elapsed_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn both_readings_follow_the_paused_clock() {
        let clock = FakeClock::new();
        assert_eq!(clock.now().wall.to_string(), "2026-11-21T01:23:45Z");
        tokio::time::advance(Duration::from_millis(2_500)).await;
        assert_eq!(clock.now().wall.to_string(), "2026-11-21T01:23:47.5Z");
        assert_eq!(clock.now().boot_ms, 1_002_500);
    }
}
