//! Sees when a socket file is removed under a live server, and has the server make it again.

use super::Shared;
use crate::io::{
    inotify::{Mask, Watcher},
    reaper::Role,
};
use coalmine_actors::{error::FleetError, names::Identity, ports::LifeKey};

use rustix::process::Signal;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::sync::{broadcast, mpsc};

/// How long a server may take to make its socket again.
const HEAL_DEADLINE: Duration = Duration::from_secs(2);
const HEAL_LOOK: Duration = Duration::from_millis(5);
/// Removals that may wait to be looked at; more at once than sockets there are is one word each.
const LOST_MAX: usize = 1024;

/// The folders of the sockets, watched for removals.
pub(super) struct RunFolder {
    watcher: Arc<Watcher>,
    lost: broadcast::Sender<Identity>,
}

impl RunFolder {
    pub(super) fn new(folder: &Path) -> Result<Self, FleetError> {
        let watcher = Watcher::new().map_err(|source| FleetError::io("watch", folder, source))?;
        let this = Self { watcher: Arc::new(watcher), lost: broadcast::Sender::new(LOST_MAX) };
        this.add(folder)?;
        let (watcher, lost) = (Arc::clone(&this.watcher), this.lost.clone());
        // Ends with the runtime.
        tokio::spawn(async move {
            while let Ok(change) = watcher.next().await {
                let name = change.name.as_deref().and_then(|name| name.to_str());
                if let Some(identity) = name.and_then(|name| name.strip_suffix(".sock")?.parse().ok()) {
                    let _ = lost.send(identity); // nobody listens between two of the supervisor's lives
                }
            }
        });
        Ok(this)
    }

    /// Watches one more folder; one that is watched already stays so.
    pub(super) fn add(&self, folder: &Path) -> Result<(), FleetError> {
        let added = self.watcher.add(folder, Mask::IN_DELETE | Mask::IN_MOVED_FROM);
        added.map(|_| ()).map_err(|source| FleetError::io("watch", folder, source))
    }

    /// Identities whose socket goes away from now on.
    pub(super) fn lost_sockets(&self) -> mpsc::Receiver<Identity> {
        let (sender, receiver) = mpsc::channel(LOST_MAX);
        let mut lost = self.lost.subscribe();
        tokio::spawn(async move {
            loop {
                match lost.recv().await {
                    Ok(identity) => {
                        if sender.send(identity).await.is_err() {
                            return; // the listener has ended
                        }
                    }
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        tracing::warn!(missed, "more sockets were removed than could be looked at");
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        });
        receiver
    }
}

pub(super) async fn heal(shared: &Arc<Shared>, life: &LifeKey) -> Result<bool, FleetError> {
    let socket = shared.socket(life);
    let Some(server) = shared.reaper.get(life, Role::Server) else { return Ok(false) };
    // The removal of a stale socket before a start is heard of too. The server has not made its own yet then, and
    // would die of a signal for which it is not prepared yet.
    if socket.exists() || server.pidfd().is_dead() || !expects(server.pidfd().id().pid, Signal::USR1) {
        return Ok(false);
    }
    server.pidfd().signal(Signal::USR1).map_err(|source| FleetError::io("signal for", &socket, source))?;
    let made = async {
        while !socket.exists() {
            tokio::time::sleep(HEAL_LOOK).await;
        }
    };
    match tokio::time::timeout(HEAL_DEADLINE, made).await {
        Ok(()) => Ok(true),
        Err(_elapsed) => Err(FleetError::TimedOut { what: format!("the socket of {life}"), after: HEAL_DEADLINE }),
    }
}

/// Whether a process has a handler for this signal. Asked of its pid: whoever had it instead would only be left alone.
fn expects(pid: i32, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (signal.as_raw() - 1)) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_would_die_of_a_signal_does_not_expect_it() {
        let own = std::process::id().cast_signed();
        assert!(!expects(own, Signal::USR1));
        assert!(expects(own, Signal::SEGV), "Rust's runtime catches it");
        assert!(!expects(i32::MAX, Signal::USR1));
    }
}
