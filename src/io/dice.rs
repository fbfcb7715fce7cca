//! Chance, for waits that must not fall together.

use coalmine_actors::ports::Dice;
use std::hash::{BuildHasher, RandomState};

/// Seeded by the kernel, once a fleet; good enough to spread waits, and for nothing that is secret.
#[derive(Debug, Clone, Default)]
pub struct HostDice(RandomState);

impl Dice for HostDice {
    fn roll(&self) -> u64 {
        // A keyed hash of what never comes again.
        self.0.hash_one(std::time::Instant::now())
    }
}
