//! Waits for what becomes of a request, by watching the peer's published view.

use coalmine_actors::{
    error::FleetError,
    names::{Generation, Identity},
    peer::input::Accepted,
    view::{PeerView, PhaseName},
};
use jiff::Timestamp;
use std::time::Duration;
use tokio::sync::watch;

/// How long a program without a sign of readiness is watched before its start is called a success: a command that
/// fails at once is told to whoever started it, not found out later.
const BIRTH: Duration = Duration::from_millis(200);

/// Waits until the life that was asked for with `verb`, or a later one, is up or needs attention.
pub(super) async fn until_up(
    view: &watch::Sender<PeerView>,
    verb: &'static str,
    accepted: &Accepted,
    patience: Duration,
) -> Result<PeerView, FleetError> {
    let mut views = view.subscribe();
    let is_over = |view: &PeerView| thwarted(view, verb, accepted).is_some() || is_settled(view, accepted.generation);
    let waited = tokio::time::timeout(patience, async {
        loop {
            let view = views.wait_for(is_over).await.map_err(closed)?.clone();
            if let Some(why) = thwarted(&view, verb, accepted) {
                return Err(why);
            }
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

/// Waits until nothing of it lives, as was asked for with `verb`.
pub(super) async fn until_down(
    view: &watch::Sender<PeerView>,
    verb: &'static str,
    accepted: &Accepted,
    patience: Duration,
) -> Result<PeerView, FleetError> {
    let mut views = view.subscribe();
    let is_over = |view: &PeerView| thwarted(view, verb, accepted).is_some() || rests(view);
    // Cloned before anything else is looked at: what `wait_for` gives locks the view, and a second look meanwhile
    // would wait for a writer that waits for the first.
    let over = async { views.wait_for(is_over).await.map(|view| view.clone()) };
    let waited = tokio::time::timeout(patience, over).await;
    let identity = view.borrow().identity.clone();
    let view = waited
        .map_err(|_elapsed| FleetError::TimedOut { what: format!("the end of {identity}"), after: patience })?
        .map_err(closed)?;
    match thwarted(&view, verb, accepted) {
        Some(why) => Err(why),
        None => Ok(view),
    }
}

/// Nothing of it lives, and nothing comes by itself.
pub(super) fn rests(view: &PeerView) -> bool {
    !view.phase.is_live() && view.phase != PhaseName::Backoff
}

/// Why what was accepted will not come about: somebody asked for the contrary later, or it could not be done. Another
/// request for the same is no contradiction: both come about.
fn thwarted(view: &PeerView, verb: &'static str, accepted: &Accepted) -> Option<FleetError> {
    let wish = &view.wish;
    if wish.number < accepted.number {
        return None;
    }
    let contrary = wish.is_an_end() != matches!(verb, "stop" | "remove");
    if contrary {
        return Some(FleetError::Overruled { identity: view.identity.clone(), what: verb, by: wish.verb });
    }
    wish.failed.clone()
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
        // Only what was up falls asleep: its one task was done before anybody had looked.
        PhaseName::Asleep => Ok(view),
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
    use coalmine_actors::view::Wish;
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

    fn accepted(number: u64) -> Accepted {
        Accepted { number, generation: Generation(1), was: PhaseName::Up }
    }

    fn wished(phase: &str, number: u64, verb: &'static str) -> PeerView {
        PeerView { wish: Wish { number, verb, failed: None }, ..view(phase) }
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_overruled_hears_at_once_by_what() {
        const LONG: Duration = Duration::from_secs(60);
        let now = tokio::time::Instant::now();
        // A stop that a start overtook, and a start that a stop overtook, also where the end looks like a content exit.
        let views = watch::Sender::new(wished("stopping", 2, "start"));
        let error = until_down(&views, "stop", &accepted(1), LONG).await.unwrap_err();
        assert_eq!(error.to_string(), "the stop of shell-bob was overruled by a start");
        for phase in ["stopping", "stopped"] {
            let views = watch::Sender::new(wished(phase, 2, "remove"));
            let error = until_up(&views, "start", &accepted(1), LONG).await.unwrap_err();
            assert_eq!(error.to_string(), "the start of shell-bob was overruled by a remove");
        }
        assert_eq!(now.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_request_for_the_same_overrules_nobody() {
        let views = watch::Sender::new(wished("stopped", 3, "remove"));
        until_down(&views, "stop", &accepted(1), BIRTH).await.unwrap();
        let views = watch::Sender::new(wished("stopped", 3, "start"));
        until_up(&views, "start", &accepted(1), BIRTH).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_up_and_sleeps_already_was_started() {
        let views = watch::Sender::new(wished("asleep", 1, "start"));
        let view = until_up(&views, "start", &accepted(1), BIRTH).await.unwrap();
        assert_eq!(view.phase, PhaseName::Asleep);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_with_what_the_request_failed_at() {
        let mut now = wished("up", 1, "stop");
        now.wish.failed = Some(FleetError::io("write", "/x", std::io::ErrorKind::StorageFull.into()));
        let error = until_down(&watch::Sender::new(now), "stop", &accepted(1), BIRTH).await.unwrap_err();
        assert_eq!(error.code(), "io");
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
            move || {
                (0..TIMES).for_each(|_| {
                    drop(runtime.block_on(until_down(&views, "stop", &accepted(0), Duration::from_secs(5))).unwrap())
                })
            }
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
