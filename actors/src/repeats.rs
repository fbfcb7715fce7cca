//! One thing that fails again and again: which of its failures are worth a word. Pure.

use std::sync::atomic::{AtomicU32, Ordering};

/// Counts failures in a row. The first is worth a word, then the second, the fourth, the eighth: whoever reads the log
/// sees that it goes on, and a disk that is full all night fills no log.
#[derive(Debug, Default)]
pub struct Repeats(AtomicU32);

impl Repeats {
    /// It failed once more: how often in a row, where that is worth a word.
    pub fn failed(&self) -> Option<u32> {
        let times = self.0.load(Ordering::Relaxed).saturating_add(1);
        self.0.store(times, Ordering::Relaxed);
        times.is_power_of_two().then_some(times)
    }

    /// It works: the next failure is the first of a row again.
    pub fn over(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ever_fewer_failures_of_a_row_are_told_and_the_first_of_the_next_one_is() {
        let repeats = Repeats::default();
        let told = |n: usize| (0..n).filter_map(|_| repeats.failed()).collect::<Vec<_>>();
        assert_eq!(told(1_000), [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
        repeats.over();
        assert_eq!(told(3), [1, 2]);
    }
}
