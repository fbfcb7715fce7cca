//! Turns ractor's untyped `SupervisionEvent` into a typed verdict, once, at the edge.

use ractor::{ActorId, SupervisionEvent};

/// How a child actor ended.
#[derive(Debug)]
pub enum Exit<E> {
    /// Stopped or drained; `post_stop` ran.
    Clean {
        /// The reason that `stop` was given.
        reason: Option<String>,
    },
    /// Killed, or its task was aborted; `post_stop` did not run.
    Killed,
    /// A handler returned our own error.
    Failed(E),
    /// A handler panicked, or returned an error that is not ours.
    Crashed(String),
}

/// Who died and how; `None` for events that are not a death.
pub fn classify<E: std::error::Error + Send + Sync + 'static>(event: SupervisionEvent) -> Option<(ActorId, Exit<E>)> {
    match event {
        SupervisionEvent::ActorFailed(who, error) => {
            let exit = match error.downcast::<E>() {
                Ok(ours) => Exit::Failed(*ours),
                Err(other) => Exit::Crashed(other.to_string()),
            };
            Some((who.get_id(), exit))
        }
        // The child's state is dropped here, on purpose: what it holds must be free before anything is restarted.
        SupervisionEvent::ActorTerminated(who, _state, reason) => {
            let exit = match reason.as_deref() {
                Some("killed" | "actor_task_cancelled") => Exit::Killed,
                _ => Exit::Clean { reason },
            };
            Some((who.get_id(), exit))
        }
        _ => None,
    }
}
