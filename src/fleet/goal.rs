//! Waits until a peer has become something, by its published view: nobody polls, and nobody disturbs the peer.

use super::{handle::FleetHandle, wait::closed};
use coalmine_actors::{
    error::FleetError,
    names::Identity,
    registry::document::RegistryPhase,
    view::{PeerView, PhaseName},
};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// What a peer may be waited for to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// Running and ready.
    Up,
    /// The same, in the word of who thinks of the program in it.
    Ready,
    /// Not running, and started by a wake.
    Asleep,
    /// Ended on purpose, or by its own program.
    Stopped,
    /// The server that lived when the wait began lives no more; without one, at once.
    Dead,
    /// Died too often too fast.
    Quarantined,
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Ready => "ready",
            Self::Asleep => "asleep",
            Self::Stopped => "stopped",
            Self::Dead => "dead",
            Self::Quarantined => "quarantined",
        })
    }
}

impl Goal {
    /// Whether `now` is it, for somebody who began to wait when the peer was `first`.
    fn is_reached(self, first: &PeerView, now: &PeerView) -> bool {
        match self {
            Self::Up | Self::Ready => now.phase == PhaseName::Up,
            Self::Asleep => now.phase == PhaseName::Asleep,
            Self::Stopped => now.phase == PhaseName::Stopped,
            Self::Quarantined => now.phase == PhaseName::Quarantined,
            // A successor may be up before anybody has looked: its generation tells.
            Self::Dead => !now.phase.is_live() || (first.phase.is_live() && now.generation > first.generation),
        }
    }
}

impl FleetHandle {
    /// Waits until NAME (a personality's default runtime, or an identity) has become `goal`. Cancel-safe.
    ///
    /// # Errors
    /// Unknown, or removed meanwhile; not reached within `patience`.
    pub async fn wait(&self, name: &str, goal: Goal, patience: Duration) -> Result<PeerView, FleetError> {
        let identity = self.identity(name)?;
        // Only the receiver is kept: with the peer the view goes, and the wait ends.
        let mut views = self.entry(&identity)?.view.subscribe();
        let first = views.borrow_and_update().clone();
        let reached = async { views.wait_for(|now| goal.is_reached(&first, now)).await.map(|view| view.clone()) };
        let reached = tokio::time::timeout(patience, reached).await;
        match reached {
            Ok(Ok(view)) => Ok(view),
            Ok(Err(gone)) => Err(if self.has_left(&identity) { unknown(name) } else { closed(gone) }),
            Err(_elapsed) => {
                let phase = views.borrow().phase;
                let what = format!("waiting for {identity} to be {goal} (it is {phase})");
                Err(FleetError::TimedOut { what, after: patience })
            }
        }
    }
}

impl FleetHandle {
    /// Whether this peer has been removed, or is being: its view goes before its name does.
    fn has_left(&self, identity: &Identity) -> bool {
        let document = self.inner().registry.snapshot();
        document.peer(identity.personality()).is_none_or(|spec| spec.phase == Some(RegistryPhase::Leaving))
    }
}

fn unknown(name: &str) -> FleetError {
    FleetError::UnknownPeer { name: name.to_owned(), nearest: Vec::new() }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use coalmine_actors::names::Generation;
    use jiff::Timestamp;

    /// A peer in this state, in this life.
    pub(crate) fn view(phase: PhaseName, generation: u64) -> PeerView {
        let identity: Identity = "shell-bob".parse().unwrap();
        PeerView {
            personality: identity.personality().clone(),
            runtime: identity.runtime().clone(),
            identity,
            phase,
            detail: String::new(),
            generation: Generation(generation),
            since: Timestamp::UNIX_EPOCH,
            server_pid: None,
            canary_pid: None,
            unreachable: false,
            unwatched: false,
            deaths_recent: 0,
            restarts: 0,
            last_death: None,
            next_try: None,
            last_end: None,
            records_owed: 0,
            restart: coalmine_actors::peer::restart_policy::RestartPolicy::OnFailure,
            restart_limit: coalmine_actors::peer::restart_policy::RestartLimit::default(),
            idle_after_ms: None,
            wake_policy: Default::default(),
            mail: None,
            limits: coalmine_actors::peer::limits::Limits::default(),
            sandbox: coalmine_actors::peer::sandbox::SandboxView::default(),
            cwd: "/tmp".into(),
            command: vec![],
            next_command: None,
            policy: None,
            helper_version: String::new(),
            wish: coalmine_actors::view::Wish::default(),
        }
    }

    #[test]
    fn a_goal_is_a_state_and_dead_is_the_end_of_the_server_that_was_seen() {
        use PhaseName::{Asleep, Backoff, Blocked, NeedsAttention, Quarantined, Starting, Stopped, Stopping, Up};
        for (goal, first, now, reached) in [
            (Goal::Up, (Starting, 1), (Up, 1), true),
            (Goal::Ready, (Starting, 1), (Up, 2), true),
            (Goal::Ready, (Starting, 1), (NeedsAttention, 1), false),
            (Goal::Asleep, (Up, 1), (Asleep, 1), true),
            (Goal::Stopped, (Up, 1), (Stopping, 1), false),
            (Goal::Stopped, (Up, 1), (Stopped, 1), true),
            (Goal::Stopped, (Up, 1), (Quarantined, 1), false),
            (Goal::Quarantined, (Backoff, 1), (Quarantined, 1), true),
            (Goal::Dead, (Up, 1), (Up, 1), false),
            (Goal::Dead, (Up, 1), (Stopping, 1), false),
            (Goal::Dead, (Up, 1), (Backoff, 1), true),
            (Goal::Dead, (Up, 1), (Starting, 2), true),
            (Goal::Dead, (Up, 1), (Up, 2), true),
            // What is being started is no death, and what can not be looked into is not known to be one.
            (Goal::Dead, (Backoff, 1), (Starting, 2), false),
            (Goal::Dead, (Blocked, 1), (Blocked, 1), false),
            (Goal::Dead, (Asleep, 0), (Asleep, 0), true),
        ] {
            let (first, now) = (view(first.0, first.1), view(now.0, now.1));
            assert_eq!(goal.is_reached(&first, &now), reached, "{goal}: {} then {}", first.phase, now.phase);
        }
    }
}
