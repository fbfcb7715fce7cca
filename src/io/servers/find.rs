//! Finds a life again: in the reaper's table, or by its lock, its socket and its pidfd (spec 01 §3.2).
//!
//! Whatever can not be proved to be this life's server is never killed and never doubled: the peer is blocked.

use super::{Shared, pane, start::words_of};
use crate::io::{
    boot::boot_id,
    late_canary, life_mark,
    lock::{self, NotLocked},
    lock_holder, peer_pidfd,
    pidfd::Pidfd,
    reaper::{Known, Role},
};
use coalmine_actors::{
    peer::file::{Life, LifePhase},
    ports::{Found, FoundSession, LifeKey, Process, ProcessEnd, ProcessId},
};
use std::{io, os::fd::OwnedFd, path::PathBuf, sync::Arc, time::Duration};
use tokio::net::UnixStream;

/// How long a server may take to accept a connection before it counts as one that can not be asked.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

pub(super) async fn find(shared: &Arc<Shared>, life: &LifeKey, known: &Life) -> Found {
    let _turn = shared.turn(&life.identity).await;
    if let Some(server) = shared.reaper.get(life, Role::Server) {
        return match server.end() {
            Some(end) => Found::Dead(end),
            None => {
                let session = pane::look(shared, life).await.session;
                alive(server, shared.reaper.get(life, Role::Canary), session, false)
            }
        };
    }
    // Seen dead before, and written down.
    if known.phase == LifePhase::Dead {
        return Found::Dead(ProcessEnd::Vanished);
    }
    let path = lock_of(shared, life);
    let held = match lock::try_lock(&path) {
        Err(NotLocked::Held) => match adopt(shared, life, known).await {
            Ok(found) => return found,
            // Everything of another boot is gone; this lock is another life's.
            Err(_) if of_another_boot(known) => return Found::Dead(ProcessEnd::Vanished),
            // A lock that was just let go can seem held for a moment.
            Err(why) => lock::lock(&path).await.map_err(|held| (held, why)),
        },
        tried => tried.map_err(|error| (error, String::new())),
    };
    match held {
        Ok(_free) => without_lock(shared, life, known).await,
        Err((NotLocked::Io(error), _)) if error.kind() == io::ErrorKind::NotFound => {
            without_lock(shared, life, known).await
        }
        Err((NotLocked::Io(error), _)) => Found::Blocked(format!("its lock can not be tried: {error}")),
        Err((NotLocked::Held, why)) => {
            Found::Blocked(format!("its lock is held by {}, and {why}", lock::holder(&path)))
        }
    }
}

/// A life whose lock nobody holds is dead, unless its very server lives: then somebody removed the lock's file, and
/// holds nothing by holding its successor. What is proved to live is never taken for dead, and so never swept.
async fn without_lock(shared: &Arc<Shared>, life: &LifeKey, known: &Life) -> Found {
    let server = match known.server {
        Some(id) => proved(id),
        None => lock_holder::find(&lock_of(shared, life), lock_holder::SERVER_FD),
    };
    match server.filter(|server| bears_mark(shared, life, server)) {
        Some(server) => match take(shared, life, known, server, true).await {
            Ok(found) => found,
            Err(why) => Found::Blocked(why),
        },
        None if never_lived(shared, life, known) => Found::NeverLived,
        None => Found::Dead(ProcessEnd::Vanished),
    }
}

fn lock_of(shared: &Shared, life: &LifeKey) -> PathBuf {
    shared.paths.server_lock(&life.identity)
}

fn of_another_boot(known: &Life) -> bool {
    boot_id().is_ok_and(|boot| boot != known.boot_id)
}

/// Whether the daemon that was to start this life's server ended before it did: nobody wrote down a server, and none
/// made its file. A socket would prove nothing: an earlier life may have left it, and a sweep takes it away.
fn never_lived(shared: &Shared, life: &LifeKey, known: &Life) -> bool {
    let words = words_of(&shared.paths.peer(&life.identity), life.generation);
    known.phase == LifePhase::Starting && known.server.is_none() && !words.exists()
}

fn alive(server: Known, canary: Option<Known>, session: FoundSession, lock_lost: bool) -> Found {
    let canary = canary.filter(|canary| canary.end().is_none()).map(|canary| Box::new(canary) as Box<dyn Process>);
    Found::Alive { server: Box::new(server), canary, session, lock_lost }
}

async fn adopt(shared: &Arc<Shared>, life: &LifeKey, known: &Life) -> Result<Found, String> {
    let lock = lock_of(shared, life);
    let holder = || lock_holder::find(&lock, lock_holder::SERVER_FD);
    let server = match known.server.and_then(proved).or_else(holder) {
        Some(server) => server,
        None => at_socket(shared, life).await.map_err(|error| format!("its socket does not lead to it: {error}"))?,
    };
    if !bears_mark(shared, life, &server) {
        return Err("what answers there bears another mark".into());
    }
    take(shared, life, known, server, false).await
}

/// Whether this process bears the mark of this very life.
fn bears_mark(shared: &Shared, life: &LifeKey, process: &Pidfd) -> bool {
    life_mark::bears(process.id().pid, &shared.paths.life_mark(life), &mut Vec::new())
}

/// Takes charge of a life whose server is proved.
async fn take(
    shared: &Arc<Shared>,
    life: &LifeKey,
    known: &Life,
    server: Pidfd,
    lock_lost: bool,
) -> Result<Found, String> {
    let take = |role, pidfd| shared.reaper.take(life, role, pidfd).map_err(|error| error.to_string());
    let server = take(Role::Server, server)?;
    let canary_lock = late_canary::lock_of(&shared.paths.peer(&life.identity), life.generation);
    let holder = || lock_holder::find(&canary_lock, lock_holder::CANARY_FD);
    let canary = known.canary.and_then(proved).or_else(holder).and_then(|canary| take(Role::Canary, canary).ok());
    let session = pane::look_and_watch(shared, life).await;
    Ok(alive(server, canary, session, lock_lost))
}

/// The process with this pid, if it is the very one that was written down.
fn proved(id: ProcessId) -> Option<Pidfd> {
    let pidfd = Pidfd::open(id.pid).ok()?;
    (pidfd.id() == id && !pidfd.is_dead()).then_some(pidfd)
}

/// Whoever listens at the life's socket, by descriptor: no pid is parsed, none can be mistaken (Linux 6.5).
async fn at_socket(shared: &Shared, life: &LifeKey) -> io::Result<Pidfd> {
    let connecting = UnixStream::connect(shared.socket(life));
    let socket =
        tokio::time::timeout(CONNECT_DEADLINE, connecting).await.map_err(|_elapsed| io::ErrorKind::TimedOut)??;
    let peer = rustix::net::sockopt::socket_peercred(&socket)?;
    let pidfd: OwnedFd = peer_pidfd::of(&socket)?;
    Pidfd::adopt(peer.pid.as_raw_nonzero().get(), pidfd)
}
