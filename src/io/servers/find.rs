//! Finds a life again: in the reaper's table, or by its lock, its socket and its pidfd (spec 01 §3.2).
//!
//! Whatever can not be proved to be this life's server is never killed and never doubled: the peer is blocked.

use super::{Shared, pane};
use crate::io::{
    boot::boot_id,
    lock::{self, NotLocked},
    pidfd::Pidfd,
    reaper::{Known, Role},
};
use coalmine_actors::{
    peer::file::Life,
    ports::{Found, LifeKey, Process, ProcessEnd, ProcessId},
};
use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::Arc,
};

pub(super) async fn find(shared: &Arc<Shared>, life: &LifeKey, known: &Life) -> Found {
    let _turn = shared.turn(&life.identity).await;
    if let Some(server) = shared.reaper.get(life, Role::Server) {
        return match server.end() {
            Some(end) => Found::Dead(end),
            None => alive(shared, life, server, shared.reaper.get(life, Role::Canary)).await,
        };
    }
    if boot_id().is_ok_and(|boot| boot != known.boot_id) {
        return Found::Dead(ProcessEnd::Vanished);
    }
    let path = shared.paths.peer(&life.identity).join("server.lock");
    // A lock that is held by its server is no lock to wait for.
    if let Err(NotLocked::Held(_)) = lock::try_lock(&path)
        && let Ok(found) = adopt(shared, life, known).await
    {
        return found;
    }
    match lock::lock(&path).await {
        Ok(_free) => Found::Dead(ProcessEnd::Vanished),
        Err(NotLocked::Io(error)) if error.kind() == io::ErrorKind::NotFound => Found::Dead(ProcessEnd::Vanished),
        Err(NotLocked::Io(error)) => Found::Blocked(format!("its lock can not be tried: {error}")),
        Err(NotLocked::Held(holder)) => match adopt(shared, life, known).await {
            Ok(found) => found,
            Err(why) => Found::Blocked(format!("its lock is held by {holder}, and {why}")),
        },
    }
}

async fn alive(shared: &Shared, life: &LifeKey, server: Known, canary: Option<Known>) -> Found {
    let canary = canary.filter(|canary| canary.end().is_none()).map(|canary| Box::new(canary) as Box<dyn Process>);
    let session = pane::session(shared, life).await;
    Found::Alive { server: Box::new(server), canary, session }
}

async fn adopt(shared: &Arc<Shared>, life: &LifeKey, known: &Life) -> Result<Found, String> {
    let server = match known.server.and_then(proved) {
        Some(server) => server,
        None => at_socket(shared, life).map_err(|error| format!("its socket does not lead to it: {error}"))?,
    };
    let environ = std::fs::read(format!("/proc/{}/environ", server.id().pid)).map_err(|error| error.to_string())?;
    let mark = format!("COALMINE_LIFE={}", shared.paths.life_mark(life));
    if !environ.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes()) {
        return Err("what answers there bears another mark".into());
    }
    let take = |role, pidfd| shared.reaper.take(life, role, pidfd).map_err(|error| error.to_string());
    let server = take(Role::Server, server)?;
    let canary = known.canary.and_then(proved).and_then(|canary| take(Role::Canary, canary).ok());
    let found = alive(shared, life, server, canary).await;
    // In the background: a server that does not answer must not hold up whoever waits for this.
    let (shared, life) = (Arc::clone(shared), life.clone());
    tokio::spawn(async move { pane::watch_again(&shared, &life).await });
    Ok(found)
}

/// The process with this pid, if it is the very one that was written down.
fn proved(id: ProcessId) -> Option<Pidfd> {
    let pidfd = Pidfd::open(id.pid).ok()?;
    (pidfd.id() == id && !pidfd.is_dead()).then_some(pidfd)
}

/// Whoever listens at the life's socket, by descriptor: no pid is parsed, none can be mistaken (Linux 6.5).
fn at_socket(shared: &Shared, life: &LifeKey) -> io::Result<Pidfd> {
    let socket = UnixStream::connect(shared.socket(life))?;
    let peer = rustix::net::sockopt::socket_peercred(&socket)?;
    let pidfd: OwnedFd = super::super::peer_pidfd::of(&socket)?;
    Pidfd::adopt(peer.pid.as_raw_nonzero().get(), pidfd)
}
