//! Starts a server and opens its one session (spec 01 §3).

use super::{
    Shared,
    confine::{self, Confinement},
    environment, pane, walls,
};
use crate::io::{
    fault::{self, FaultPoint},
    late_canary, limits,
    lock::{self, NotLocked},
    pidfd::Pidfd,
    private_file,
    reaper::Role,
    session_token, socket_folder,
    tmux::{PANE_LOG_COMMAND, TmuxError},
};
use coalmine_actors::{
    error::FleetError,
    names::Generation,
    peer::{file::PeerFile, limits::Limits},
    ports::{LifeKey, PeerStore, Process, Program},
};
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// How long a server may take to make its socket, and to open its session.
const START_DEADLINE: Duration = Duration::from_secs(5);
/// How often the socket is looked for while a server starts.
const SOCKET_LOOK: Duration = Duration::from_millis(1);
/// Most of a failed server's words that become part of the error, bytes.
const WORDS_BYTES_MAX: usize = 400;

pub(super) async fn start(
    shared: &Arc<Shared>,
    life: &LifeKey,
    file: PeerFile,
    limits: Limits,
) -> Result<Box<dyn Process>, FleetError> {
    let permit = Arc::clone(&shared.starts).acquire_owned().await.map_err(|_closed| FleetError::ShuttingDown)?;
    let _turn = shared.turn(&life.identity).await;
    // On disk before anything exists: whoever finds the process later finds the life that it belongs to.
    let unsettled: Vec<Generation> = file.lives.iter().map(|life| life.generation).collect();
    shared.files.save(&life.identity, file).await?;
    fault::reached(FaultPoint::LifeSaved);
    let folder = shared.paths.peer(&life.identity);
    let lock = shared.paths.server_lock(&life.identity);
    let lock = take_lock(&lock).await.map_err(|why| blocked(life, &lock, why))?;
    let socket = shared.socket(life);
    if socket_folder::ensure(&shared.paths, &socket)? {
        shared.watcher.add(shared.paths.short_run())?;
    }
    // Nobody holds the lock, so nobody listens: what lies there is stale.
    remove_stale(&socket).map_err(|source| FleetError::io("remove", &socket, source))?;
    forget_old_lives(&folder, &unsettled).await;
    let log_before = std::fs::metadata(shared.paths.pane_log(&life.identity)).map_or(0, |log| log.len());
    shared.log_before.insert(life.identity.clone(), log_before);
    fault::reached(FaultPoint::ServerDue);
    let failed = |source| FleetError::io("start", shared.tmux.program(), source);
    let confinement = Confinement::prepare(shared, life, limits)?;
    let server = spawn(shared, life, &lock, &confinement).map_err(failed)?;
    fault::reached(FaultPoint::ServerBorn);
    confinement.confine(shared, life, &server).await?;
    let known = shared.reaper.take(life, Role::Server, server).map_err(failed)?;
    fault::reached(FaultPoint::ServerSpawned);
    // Ours closes here; from now on the lock is held exactly as long as the server lives.
    drop(lock);
    shared.starting.insert(life.clone(), permit);
    Ok(Box::new(known))
}

/// Removes what lives that are settled left in the peer's folder: their claims, locks and pane files. Not before the
/// last canary of a life is gone: nothing else than its claim would keep it from telling of an end that was meant.
async fn forget_old_lives(folder: &Path, unsettled: &[Generation]) {
    for generation in limits::noted(folder).into_iter().filter(|old| !unsettled.contains(old)) {
        limits::release_empty(folder, generation);
    }
    for generation in late_canary::generations(folder).into_iter().filter(|old| !unsettled.contains(old)) {
        if !late_canary::dismiss(folder, generation).await {
            continue; // the next start tries again
        }
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        for file in files {
            if file.file_name().to_str().and_then(late_canary::generation) == Some(generation) {
                let _ = std::fs::remove_file(file.path()); // the same
            }
        }
    }
}

async fn take_lock(path: &Path) -> Result<OwnedFd, NotLocked> {
    lock::lock(path).await
}

fn blocked(life: &LifeKey, path: &Path, why: NotLocked) -> FleetError {
    match why {
        NotLocked::Held => FleetError::LockHeld { identity: life.identity.clone(), holder: lock::holder(path) },
        NotLocked::Io(source) => FleetError::io("lock", format!("peers/{}/server.lock", life.identity), source),
    }
}

fn remove_stale(socket: &Path) -> io::Result<()> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// `tmux -D` as a direct child in its own session: exact exit status, no double fork. The one descriptor that it
/// inherits is its lock, which it keeps for life and passes to nobody.
fn spawn(shared: &Shared, life: &LifeKey, lock: &OwnedFd, confinement: &Confinement) -> io::Result<Pidfd> {
    let mut spawn = confinement
        .command(shared, life)?
        .arg("-D")?
        .arg("-S")?
        .arg(shared.socket(life))?
        .arg("-f")?
        .arg(shared.paths.tmux_conf())?
        .errors_to(&words_of(&shared.paths.peer(&life.identity), life.generation))?
        .pass(lock.as_fd());
    for (key, value) in shared.base_env().iter() {
        spawn = spawn.env(key, value)?;
    }
    for (key, value) in environment::tools(shared, life).into_iter().chain(environment::marks(shared, life)) {
        spawn = spawn.env(key, value)?;
    }
    Pidfd::open(spawn.start()?)
}

/// The first call that this server ever gets: one session, the pane entry in it, the pane log on it.
pub(super) async fn open_session(shared: &Arc<Shared>, life: &LifeKey, program: &Program) -> Result<(), FleetError> {
    let _turn = shared.turn(&life.identity).await;
    // Given back when the session is open, or could not be opened.
    let permit = shared.starting.remove(life);
    fault::reached(FaultPoint::SessionDue);
    if permit.is_none() {
        confine::confine_again(shared, life)?;
    }
    let deadline = Instant::now() + START_DEADLINE;
    let failed = |why: String| FleetError::StartFailed { identity: life.identity.clone(), why };
    let folder = shared.paths.peer(&life.identity);
    let walls = walls::rules(shared, program).await?;
    let pane_file = folder.join(format!("pane-g{}", life.generation));
    let token = session_token::issue(&shared.paths, life);
    let token = token.map_err(|source| FleetError::io("write the token of", &folder, source))?;
    private_file::write(&pane_file, &environment::pane_file(shared, life, program, walls.as_ref(), &token))
        .map_err(|source| FleetError::io("write", &pane_file, source))?;
    let socket = shared.socket(life);
    if !wait_for_socket(shared, life, &socket, deadline).await {
        return Err(match dead(shared, life) {
            true => failed(with_words("its tmux server ended at once".into(), &folder, life.generation)),
            // Slow is not dead.
            false => FleetError::ServerSilent { identity: life.identity.clone() },
        });
    }
    loop {
        let args = [
            "new-session".as_ref(),
            "-d".as_ref(),
            "-P".as_ref(),
            "-F".as_ref(),
            "#{pane_pid}".as_ref(),
            "-s".as_ref(),
            "main".as_ref(),
            "-x".as_ref(),
            "220".as_ref(),
            "-y".as_ref(),
            "50".as_ref(),
            shared.helper.as_os_str(),
            "pane".as_ref(),
            pane_file.as_os_str(),
            ";".as_ref(),
            "pipe-pane".as_ref(),
            "-t".as_ref(),
            "%0".as_ref(),
            PANE_LOG_COMMAND.as_ref(),
        ];
        match shared.tmux.call(&socket, args, START_DEADLINE).await {
            Ok(pane_pid) => {
                fault::reached(FaultPoint::SessionOpened);
                pane::watch(shared, life, &pane_pid);
                return Ok(());
            }
            // Bound and not listening yet: the moment between the two is over in microseconds.
            Err(TmuxError::Refused(why)) if is_absent(&why) && Instant::now() < deadline => {
                tokio::time::sleep(SOCKET_LOOK).await;
                if dead(shared, life) {
                    return Err(failed(with_words("its tmux server ended at once".into(), &folder, life.generation)));
                }
            }
            Err(TmuxError::Silent(_)) if !dead(shared, life) => {
                return Err(FleetError::ServerSilent { identity: life.identity.clone() });
            }
            Err(error) => return Err(failed(with_words(error.to_string(), &folder, life.generation))),
        }
    }
}

fn is_absent(why: &str) -> bool {
    why.contains("no server running") || why.contains("error connecting")
}

fn dead(shared: &Shared, life: &LifeKey) -> bool {
    shared.reaper.get(life, Role::Server).is_none_or(|server| server.pidfd().is_dead())
}

/// Whether the server made its socket in time.
async fn wait_for_socket(shared: &Shared, life: &LifeKey, socket: &Path, deadline: Instant) -> bool {
    while !socket.exists() {
        if dead(shared, life) || Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(SOCKET_LOOK).await;
    }
    true
}

/// What a life's server writes to its standard error. The server's process makes the file before it is tmux, so where
/// the file is missing there was no server.
pub(super) fn words_of(folder: &Path, generation: Generation) -> PathBuf {
    folder.join(format!("server-g{generation}.err"))
}

/// Adds what the server wrote to its standard error.
fn with_words(why: String, folder: &Path, generation: Generation) -> String {
    let words = std::fs::read(words_of(folder, generation)).unwrap_or_default();
    let words = String::from_utf8_lossy(&words[..words.len().min(WORDS_BYTES_MAX)]).trim().to_owned();
    if words.is_empty() { why } else { format!("{why} ({words})") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::lock_holder::CANARY_FD;
    use crate::io::spawn::Spawn;
    use rustix::process::Signal;

    #[tokio::test]
    async fn a_claim_stays_as_long_as_somebody_may_watch_as_its_lifes_canary() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["claim-g1", "pane-g1", "server-g1.err", "claim-g2", "pane-g3", "state.json"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let lock_of = |life| late_canary::lock_of(folder.path(), Generation(life));
        // The canary of the first is stopped and nobody knows its pid; the second's is held by who knows whom.
        let (first, _second) = (lock::try_lock(&lock_of(1)).unwrap(), lock::try_lock(&lock_of(2)).unwrap());
        let null = std::fs::File::open("/dev/null").unwrap();
        let spawn = Spawn::new(Path::new("/bin/sleep")).unwrap().arg("60").unwrap();
        let canary = Pidfd::open(spawn.pass(null.as_fd()).pass(first.as_fd()).start().unwrap()).unwrap();
        canary.signal(Signal::STOP).unwrap();
        drop(first);
        forget_old_lives(folder.path(), &[Generation(3)]).await;
        assert!(canary.is_dead(), "it holds descriptor {CANARY_FD} of a life that is over");
        canary.reap();
        let left = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name());
        let mut left: Vec<_> = left.map(|name| name.into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, ["canary-g2.lock", "claim-g2", "pane-g3", "state.json"]);
    }
}
