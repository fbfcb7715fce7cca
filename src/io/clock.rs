//! The host's clocks, and its boot.

use coalmine_actors::ports::{Clock, Moment};
use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// The real clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostClock;

impl Clock for HostClock {
    fn now(&self) -> Moment {
        let boot = clock_gettime(ClockId::Boottime);
        let boot_ms = boot.tv_sec * 1000 + boot.tv_nsec / 1_000_000;
        Moment { wall: Timestamp::now(), boot_ms: u64::try_from(boot_ms).unwrap_or(0) }
    }
}
