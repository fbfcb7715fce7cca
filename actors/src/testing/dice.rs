//! Chance that a test decides.

use crate::ports::Dice;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Falls as it was told; 0 by default, which makes every wait between lives none. Clones share it.
#[derive(Clone, Default)]
pub struct FakeDice(Arc<AtomicU64>);

impl FakeDice {
    /// From now on it falls so.
    pub fn fall(&self, number: u64) {
        self.0.store(number, Ordering::Relaxed);
    }
}

impl Dice for FakeDice {
    fn roll(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
