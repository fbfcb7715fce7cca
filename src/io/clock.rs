//! The host's clocks, and its boot.

use super::witness;
use coalmine_actors::ports::{Clock, Moment};
use jiff::Timestamp;

/// The real clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostClock;

impl Clock for HostClock {
    fn now(&self) -> Moment {
        Moment { wall: Timestamp::now(), boot_ms: witness::clock::boot_ms() }
    }
}
