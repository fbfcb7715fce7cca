//! A server that is about to be born gets its limits: before its session is opened, so that the program is born inside.

use super::Shared;
use crate::io::{
    limits::{self, Group, Mechanism, Scope},
    lock,
    pidfd::Pidfd,
    reaper::Role,
    spawn::Spawn,
};
use coalmine_actors::{error::FleetError, names::Identity, peer::limits::Limits, ports::LifeKey};
use rustix::process::Signal;
use std::{io, time::Duration};
use tokio::time::Instant;

/// How long a canary may take to read the counters of a group whose server has ended.
const WITNESS_GRACE: Duration = Duration::from_millis(500);
/// How long the groups of an ended life may take to be empty.
const EMPTY_GRACE: Duration = Duration::from_millis(500);

/// How one server is limited.
pub(super) enum Confinement {
    /// Not at all.
    None,
    /// It is started through systemd.
    Scope(Scope, Limits),
    /// It is put into groups that stand ready.
    Group(Group),
}

impl Confinement {
    /// Gets everything ready that a server under these limits needs.
    pub(super) fn prepare(shared: &Shared, life: &LifeKey, limits: Limits) -> Result<Self, FleetError> {
        match shared.limits_host.choose(&limits)? {
            None => Ok(Self::None),
            Some(Mechanism::Systemd(scope)) => {
                Scope::passes(&[&shared.socket(life), &shared.paths.tmux_conf()])?;
                Ok(Self::Scope(scope, limits))
            }
            Some(Mechanism::Cgroup(hierarchies)) => {
                let (folder, mark) = (shared.paths.peer(&life.identity), shared.paths.life_mark(life));
                let made = Group::make(&hierarchies, &folder, life.generation, &mark, &limits);
                if made.is_err() {
                    limits::release_empty(&folder, life.generation);
                }
                made.map(Self::Group)
            }
        }
    }

    /// The beginning of the server's command: tmux itself, or what becomes tmux.
    pub(super) fn command(&self, shared: &Shared, life: &LifeKey) -> io::Result<Spawn<'static>> {
        let Self::Scope(scope, limits) = self else { return Spawn::new(shared.tmux.program()) };
        let mut spawn = Spawn::new(scope.program())?;
        for arg in scope.args(&shared.paths.life_mark(life), limits) {
            spawn = spawn.arg(arg)?;
        }
        for (key, value) in scope.env() {
            spawn = spawn.env(key, value)?;
        }
        spawn.arg(shared.tmux.program())
    }

    /// Confines the server. One that can not be is ended at once: nothing of it was told to anybody yet, and it must
    /// never run without its limits.
    pub(super) async fn confine(&self, shared: &Shared, life: &LifeKey, server: &Pidfd) -> Result<(), FleetError> {
        let confined = match self {
            Self::None => Ok(()),
            Self::Scope(scope, _) => scope.joined(server, &shared.paths.life_mark(life)).await,
            Self::Group(group) => group.enter(server.id().pid),
        };
        if confined.is_err() {
            let _ = server.signal(Signal::KILL); // gone is what we want
            server.ended().await;
            server.reap();
            limits::release(&shared.paths.peer(&life.identity), life.generation, EMPTY_GRACE).await;
        }
        confined
    }
}

/// Puts a server that an earlier daemon started into its groups: that daemon may have died before it did so. Nothing
/// runs in it yet.
pub(super) fn confine_again(shared: &Shared, life: &LifeKey) -> Result<(), FleetError> {
    let group = Group::noted(&shared.paths.peer(&life.identity), life.generation);
    let server = shared.reaper.get(life, Role::Server);
    match group.zip(server) {
        Some((group, server)) if !server.pidfd().is_dead() => group.enter(server.pidfd().id().pid),
        _ => Ok(()),
    }
}

/// Removes the groups of all lives that are over: those of a daemon that was killed, and those whose removal waits for
/// a canary when this one ends.
pub(super) async fn release_all(shared: &Shared) {
    let deadline = Instant::now() + EMPTY_GRACE;
    let folders = std::fs::read_dir(shared.paths.peers()).into_iter().flatten().flatten();
    let names = folders.filter_map(|folder| folder.file_name().to_str()?.parse().ok());
    for identity in names.collect::<Vec<Identity>>() {
        let folder = shared.paths.peer(&identity);
        let noted = limits::noted(&folder);
        if noted.is_empty() {
            continue;
        }
        // What is under way clears up after itself, or leaves it to the next start.
        let Ok(_turn) = tokio::time::timeout_at(deadline, shared.turn(&identity)).await else { continue };
        // A server that lives may not have entered its groups yet.
        let Ok(_free) = lock::try_lock(&shared.paths.server_lock(&identity)) else { continue };
        for generation in noted {
            limits::release(&folder, generation, deadline.saturating_duration_since(Instant::now())).await;
        }
    }
}

/// Removes the groups of a life that was swept. Its canary, where it is still at work, reads their counters first.
pub(super) async fn release(shared: &Shared, life: &LifeKey) {
    let (folder, generation) = (shared.paths.peer(&life.identity), life.generation);
    if !limits::is_noted(&folder, generation) {
        return;
    }
    let canary = shared.reaper.get(life, Role::Canary).filter(|canary| canary.end().is_none());
    let release = async move { limits::release(&folder, generation, EMPTY_GRACE).await };
    match canary {
        // The next life does not wait for a witness; what this leaves undone, the next start does.
        Some(canary) => drop(tokio::spawn(async move {
            let _ = tokio::time::timeout(WITNESS_GRACE, canary.wait()).await;
            release.await;
        })),
        None => release.await,
    }
}
