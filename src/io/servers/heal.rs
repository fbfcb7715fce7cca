//! Sees when a socket file is removed under a live server, and has the server make it again.

use super::Shared;
use crate::io::{
    inotify::{Mask, Watcher},
    reaper::Role,
};
use coalmine_actors::{error::FleetError, names::Identity, ports::LifeKey};

use rustix::process::Signal;
use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::mpsc;

/// How long a server may take to make its socket again.
const HEAL_DEADLINE: Duration = Duration::from_secs(2);
const HEAL_LOOK: Duration = Duration::from_millis(5);
/// Removals that may wait to be looked at; more at once than sockets there are is one word each.
const LOST_MAX: usize = 1024;

/// The folder of the sockets, watched for removals.
pub(super) struct RunFolder(Mutex<Option<Watcher>>);

impl RunFolder {
    pub(super) fn new(folder: &Path) -> Result<Self, FleetError> {
        let failed = |source| FleetError::io("watch", folder, source);
        let watcher = Watcher::new().map_err(failed)?;
        let removals = Mask::IN_DELETE | Mask::IN_MOVED_FROM;
        watcher.add(folder, removals).map_err(failed)?;
        Ok(Self(Mutex::new(Some(watcher))))
    }

    /// Identities whose socket went away. The first caller gets them all.
    pub(super) fn lost_sockets(&self) -> mpsc::Receiver<Identity> {
        let (sender, receiver) = mpsc::channel(LOST_MAX);
        let watcher = self.0.lock().expect("nobody panics while holding this").take();
        if let Some(watcher) = watcher {
            tokio::spawn(async move {
                while let Ok(event) = watcher.next().await {
                    let name = event.name.as_deref().and_then(|name| name.to_str());
                    let identity = name.and_then(|name| name.strip_suffix(".sock")?.parse().ok());
                    if let Some(identity) = identity
                        && sender.send(identity).await.is_err()
                    {
                        return; // the fleet has ended
                    }
                }
            });
        }
        receiver
    }
}

pub(super) async fn heal(shared: &Arc<Shared>, life: &LifeKey) -> Result<bool, FleetError> {
    let socket = shared.socket(life);
    let Some(server) = shared.reaper.get(life, Role::Server) else { return Ok(false) };
    if socket.exists() || server.pidfd().is_dead() {
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
