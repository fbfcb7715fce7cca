//! How long an exchange may take, and how much may come of it.

use coalmine_actors::effects::EffectError;
use std::{future::Future, time::Duration};
use tokio::time::{Instant, timeout_at};

/// Most headers of an answer.
pub(super) const HEADERS_MAX: usize = 128;
/// Longest head of an answer, bytes.
pub(super) const HEAD_BYTES_MAX: usize = 64 * 1024;

/// What one exchange is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::io::effects) struct Limits {
    /// Until the connection stands: the name's addresses, the connection itself, TLS.
    pub(in crate::io::effects) connect: Duration,
    /// From then on until an answer begins; the request is sent within it.
    pub(in crate::io::effects) first_byte: Duration,
    /// Between two pieces of a body.
    pub(in crate::io::effects) idle: Duration,
    /// All of it.
    pub(in crate::io::effects) total: Duration,
    /// Longest body of an answer.
    pub(in crate::io::effects) body_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            total: Duration::from_secs(120),
            body_bytes_max: 10 * 1024 * 1024,
        }
    }
}

/// Does `work` within `most`, and never beyond `end`; which of both was over is told.
pub(super) async fn within<T>(
    end: Instant,
    most: Duration,
    phase: &'static str,
    work: impl Future<Output = Result<T, EffectError>>,
) -> Result<T, EffectError> {
    let due = Instant::now() + most;
    let (due, phase) = if due < end { (due, phase) } else { (end, "total") };
    timeout_at(due, work).await.unwrap_or(Err(EffectError::Timeout { phase }))
}
