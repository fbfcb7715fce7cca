//! Why a server is given up, as whoever notices it first says.

use coalmine_actors::effects::error::EffectError;
use std::sync::{Arc, OnceLock};

/// The first fault of one server; clones share it.
#[derive(Clone, Default)]
pub(super) struct Fault(Arc<OnceLock<EffectError>>);

impl Fault {
    /// Tells it; the first one counts.
    pub(super) fn tell(&self, error: EffectError) {
        let _an_earlier_one_counts = self.0.set(error);
    }

    /// What was told.
    pub(super) fn told(&self) -> Option<EffectError> {
        self.0.get().cloned()
    }
}
