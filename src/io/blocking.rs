//! Blocking work as a port's answer: off the workers, on tokio's pool for it.

use coalmine_actors::{error::FleetError, ports::Answer};

/// Runs `work` on the blocking pool once the answer is awaited. Dropping the answer does not stop work that has
/// begun: whoever starts it must be able to live with its effect.
pub(crate) fn answer<T: Send + 'static>(work: impl FnOnce() -> Result<T, FleetError> + Send + 'static) -> Answer<T> {
    Box::pin(async move {
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(ended) if ended.is_panic() => Err(FleetError::Internal(format!("a file operation panicked: {ended}"))),
            Err(_the_runtime_is_ending) => Err(FleetError::ShuttingDown),
        }
    })
}
