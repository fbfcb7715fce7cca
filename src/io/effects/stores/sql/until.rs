//! How long a statement may run: until its time is over, or nobody waits for it any more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Looked at while a statement runs.
#[derive(Debug, Clone)]
pub(super) struct Until {
    end: Instant,
    called_off: Arc<AtomicBool>,
}

/// Held by who waits: with it, nobody does.
#[derive(Debug)]
pub(super) struct Waiting(Arc<AtomicBool>);

impl Until {
    /// Over already.
    pub(super) fn now() -> Self {
        Self { end: Instant::now(), called_off: Arc::default() }
    }

    /// At the end of `time`, or with the one who waits.
    pub(super) fn after(time: Duration) -> (Self, Waiting) {
        let called_off = Arc::default();
        (Self { end: Instant::now() + time, called_off: Arc::clone(&called_off) }, Waiting(called_off))
    }

    /// Whether it is over.
    pub(super) fn is_over(&self) -> bool {
        self.called_off.load(Ordering::Relaxed) || Instant::now() >= self.end
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
