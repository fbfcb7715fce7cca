//! The clocks that a witness reads: wall time for people, time since boot for spans.

use jiff::Timestamp;
use rustix::{
    event::poll,
    time::{ClockId, Timespec, clock_gettime},
};
use std::{fs, io};

/// Milliseconds since the host booted, time asleep included.
pub fn boot_ms() -> u64 {
    millis(ClockId::Boottime)
}

/// Milliseconds that the host was awake since it booted: the clock of the kernel log.
pub fn awake_ms() -> u64 {
    millis(ClockId::Monotonic)
}

/// RFC 3339 in UTC with microseconds, as all records write it.
pub fn timestamp(at: Timestamp) -> String {
    format!("{at:.6}")
}

/// What tells this boot from every other.
///
/// # Errors
/// Whatever /proc says.
pub fn boot_id() -> io::Result<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim_end().to_owned())
}

/// Waits. For a process without threads and timers; a signal may cut it short.
pub fn pause_ms(ms: u64) {
    // A poll of nothing: only the timeout can end it, and a failure ends it early, which every caller's loop bears.
    let _early = poll(&mut [], Some(&timespec(ms)));
}

/// `ms` as the kernel takes it.
pub fn timespec(ms: u64) -> Timespec {
    let seconds = i64::try_from(ms / 1_000).unwrap_or(i64::MAX);
    Timespec { tv_sec: seconds, tv_nsec: i64::try_from(ms % 1_000).unwrap_or(0) * 1_000_000 }
}

fn millis(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_has_six_digits_and_a_z() {
        let at = Timestamp::new(1_795_000_000, 678_901_234).unwrap();
        assert!(timestamp(at).ends_with(".678901Z"));
        assert_eq!(timestamp(Timestamp::UNIX_EPOCH), "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn the_boot_id_is_a_uuid_and_the_clocks_run() {
        assert_eq!(boot_id().unwrap().len(), 36);
        let before = boot_ms();
        pause_ms(2);
        assert!(boot_ms() > before);
        assert!(awake_ms() <= boot_ms() + 1);
    }
}
