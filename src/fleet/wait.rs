//! Waits for what becomes of a request, by watching the peer's published view.

use coalmine_actors::{
    error::FleetError,
    names::{Generation, Identity},
    view::{PeerView, PhaseName},
};
use jiff::Timestamp;
use std::time::Duration;
use tokio::sync::watch;

/// How long a program without a sign of readiness is watched before its start is called a success: a command that
/// fails at once is told to whoever started it, not found out later.
const BIRTH: Duration = Duration::from_millis(200);

/// Waits until life `generation`, or a later one, is up or needs attention.
pub(super) async fn until_up(
    view: &watch::Sender<PeerView>,
    generation: Generation,
    patience: Duration,
) -> Result<PeerView, FleetError> {
    let mut views = view.subscribe();
    let waited = tokio::time::timeout(patience, async {
        loop {
            let view = views.wait_for(|view| is_settled(view, generation)).await.map_err(closed)?.clone();
            if view.phase != PhaseName::Up || !leaves(&mut views, PhaseName::Up, BIRTH).await {
                return outcome(view);
            }
        }
    });
    let identity = view.borrow().identity.clone();
    waited
        .await
        .map_err(|_elapsed| FleetError::TimedOut { what: format!("the start of {identity}"), after: patience })?
}

/// Waits until nothing of it lives.
pub(super) async fn until_down(view: &watch::Sender<PeerView>, patience: Duration) -> Result<PeerView, FleetError> {
    let mut views = view.subscribe();
    let is_down = |view: &PeerView| !view.phase.is_live() && view.phase != PhaseName::Backoff;
    // Cloned before anything else is looked at: what `wait_for` gives locks the view, and a second look meanwhile
    // would wait for a writer that waits for the first.
    let down = async { views.wait_for(is_down).await.map(|view| view.clone()) };
    let waited = tokio::time::timeout(patience, down).await;
    let identity = view.borrow().identity.clone();
    waited
        .map_err(|_elapsed| FleetError::TimedOut { what: format!("the end of {identity}"), after: patience })?
        .map_err(closed)
}

pub(super) fn closed(_: watch::error::RecvError) -> FleetError {
    FleetError::ShuttingDown
}

/// A request is answered after its decision is published, so a view of an older life that rests was overruled.
fn is_settled(view: &PeerView, generation: Generation) -> bool {
    match view.phase {
        PhaseName::Up | PhaseName::NeedsAttention => view.generation >= generation,
        PhaseName::Starting | PhaseName::Stopping => false,
        // Between two lives that follow each other at once nothing is settled; a wait says that it did not work.
        PhaseName::Backoff => view.next_try.is_some(),
        PhaseName::Asleep | PhaseName::Stopped | PhaseName::Quarantined | PhaseName::Blocked => true,
    }
}

/// Whether the peer leaves `phase` within `patience`.
async fn leaves(views: &mut watch::Receiver<PeerView>, phase: PhaseName, patience: Duration) -> bool {
    tokio::time::timeout(patience, views.wait_for(|view| view.phase != phase)).await.is_ok()
}

fn outcome(view: PeerView) -> Result<PeerView, FleetError> {
    match view.phase {
        PhaseName::Up | PhaseName::NeedsAttention => Ok(view),
        // Its program did what it had to do, and ended content.
        PhaseName::Stopped if view.deaths_recent == 0 => Ok(view),
        // Nothing died: it could not be started at all, or somebody else is in the way.
        PhaseName::Backoff if view.deaths_recent == 0 => refused(view, |identity| {
            format!("the fleet tries again by itself; `coalmine show {identity}` says how it goes")
        }),
        PhaseName::Blocked => refused(view, |identity| {
            format!("end what is in the way, or wait until it ends; then `coalmine start {identity}`")
        }),
        _ => Err(FleetError::StartFailed { identity: view.identity.clone(), why: with_detail(&view) }),
    }
}

fn refused(view: PeerView, hint: impl FnOnce(&Identity) -> String) -> Result<PeerView, FleetError> {
    let hint = hint(&view.identity);
    Err(FleetError::WrongPhase { phase: with_detail(&view), identity: view.identity, hint })
}

/// `backoff, in 4 s: its server was killed by signal 9`, or the state alone.
pub(super) fn with_detail(view: &PeerView) -> String {
    let state = view.state(Timestamp::now());
    if view.detail.is_empty() { state } else { format!("{state}: {}", view.detail) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn view(phase: &str) -> PeerView {
        let process = json!({"server_pid": null, "canary_pid": null, "unreachable": false, "unwatched": false});
        let mut view = json!({
            "identity": "shell-bob", "personality": "bob", "runtime": "shell", "phase": phase, "gen": 1,
            "since": "2026-01-01T00:00:00Z", "deaths_recent": 0, "restarts": 0, "records_owed": 0,
            "restart": "never", "cwd": "/", "command": [], "policy": null, "helper_version": "",
        });
        view.as_object_mut().unwrap().extend(process.as_object().unwrap().clone());
        serde_json::from_value(view).unwrap()
    }

    /// Both look at the view at once, again and again: a wait that held it while it looked a second time would stop
    /// the peer, and itself, for good.
    #[tokio::test]
    async fn a_wait_never_keeps_a_peer_from_publishing() {
        const TIMES: usize = 300_000;
        let views = std::sync::Arc::new(watch::Sender::new(view("stopped")));
        let waiting = std::thread::spawn({
            let views = std::sync::Arc::clone(&views);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            move || (0..TIMES).for_each(|_| drop(runtime.block_on(until_down(&views, Duration::from_secs(5))).unwrap()))
        });
        let publishing = std::thread::spawn(move || {
            let stopped = view("stopped");
            (0..TIMES).for_each(|_| drop(views.send_replace(stopped.clone())));
        });
        let both = async {
            while !(waiting.is_finished() && publishing.is_finished()) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), both).await.expect("they stand in each other's way");
    }
}
