//! Effects within an effect: what a session's servers run is called by the session itself, by its policy of that moment,
//! from the same ledger, and with lines of its own in the audit log.

use super::{
    argument::Level,
    session::{EffectSession, Inner},
};
use std::sync::{Arc, Weak};

/// A session for what it holds itself: it ends all the same when nobody else has it.
pub(super) struct WeakSession(Weak<Inner>);

impl WeakSession {
    pub(super) fn of(session: &Arc<Inner>) -> Self {
        Self(Arc::downgrade(session))
    }

    pub(super) fn upgrade(&self) -> Option<EffectSession> {
        self.0.upgrade().map(EffectSession)
    }
}

impl EffectSession {
    /// Writes down, in the session's own log, what went wrong within an effect that nobody waits for. Blocks.
    pub fn note(&self, what: &str) {
        let inner = &self.0;
        if let Err(error) = inner.log.write(inner.shared.clock.now().wall, Level::Error, what) {
            tracing::warn!(peer = inner.peer_text, %error, what, "a session's log can not be written");
        }
    }
}
