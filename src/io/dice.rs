//! Chance, for waits that must not fall together.

use coalmine_actors::ports::Dice;
use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

/// A keyed hash of how often it was rolled, with a key of the kernel's choice: good enough to spread waits, and for
/// nothing that is secret.
#[derive(Debug, Default)]
pub struct HostDice {
    key: RandomState,
    rolls: AtomicU64,
}

impl Dice for HostDice {
    fn roll(&self) -> u64 {
        self.key.hash_one(self.rolls.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolls_are_spread_and_two_fleets_roll_differently() {
        let (one, other) = (HostDice::default(), HostDice::default());
        let rolls: Vec<u64> = (0..1_000).map(|_| one.roll()).collect();
        assert_ne!(rolls, (0..1_000).map(|_| other.roll()).collect::<Vec<_>>());
        // Each tenth of the range is hit about a hundred times; a hundred away from that does not happen.
        for tenth in 0..10u64 {
            let hits = rolls.iter().filter(|roll| **roll / (u64::MAX / 10 + 1) == tenth).count();
            assert!((20..300).contains(&hits), "{hits} in tenth {tenth}");
        }
    }
}
