//! The process in a peer's one pane, and a second look at its end.
//!
//! tmux sometimes misses the end of a pane's program: the signal that its child has ended is lost between two of its
//! own (3.3a under load: about one end in fifty), the pane stays half dead, and no hook runs. So the daemon hears of
//! the end by itself and has the server look again; a server that still says nothing is asked, and the hook is run
//! for it. Whoever comes second finds the line written.

use super::{Shared, environment};
use crate::io::{
    fault,
    pidfd::Pidfd,
    reaper::{Known, Role},
    tmux::{CALL_DEADLINE, TmuxError},
    witness::proc_stat,
};
use coalmine_actors::{
    backoff::backoff,
    peer::input::SessionExit,
    ports::{FoundSession, LifeKey},
};
use rustix::process::Signal;
use std::{process::Stdio, sync::Arc, time::Duration};

/// When the server is told to look again, after the program's end: most often it has looked before the first time.
const LOOK_AGAIN: [Duration; 4] =
    [Duration::from_millis(20), Duration::from_millis(80), Duration::from_millis(400), Duration::from_millis(1500)];

/// The pane, whether its program has left, and how.
///
/// Where there is no such pane tmux does not refuse: every field is empty then, the id too.
const ASK_PANE: [&str; 5] = [
    "display-message",
    "-p",
    "-t",
    "%0",
    "#{pane_id},#{pane_dead},#{pane_dead_status},#{pane_dead_signal},#{pane_pid}",
];

/// The pane's process, proved to be of this life; nothing where it can not be proved.
pub(super) async fn main_pane(shared: &Shared, life: &LifeKey) -> Option<Pidfd> {
    let args = ["display-message", "-p", "-t", "%0", "#{pane_pid}"];
    let pid = shared.tmux.call(&shared.socket(life), args, CALL_DEADLINE).await.ok()?;
    let server = shared.reaper.get(life, Role::Server)?;
    child_of(&server, &pid)
}

/// The process that tmux names, if it is a child of this server. Opened first, looked at then: what is watched or
/// signalled is what was proved.
fn child_of(server: &Known, pid: &str) -> Option<Pidfd> {
    let pidfd = Pidfd::open(pid.trim().parse().ok()?).ok()?;
    let parent = proc_stat::read(pidfd.id().pid).ok()?.ppid;
    (parent == server.pidfd().id().pid).then_some(pidfd)
}

/// What a live server says of the one session of its life.
pub(super) struct Seen {
    pub(super) session: FoundSession,
    /// The pane's process, as tmux names it; empty where there is none.
    pub(super) pane_pid: String,
}

/// Asks a live server for its session.
pub(super) async fn look(shared: &Shared, life: &LifeKey) -> Seen {
    match shared.tmux.call(&shared.socket(life), ASK_PANE, CALL_DEADLINE).await {
        Ok(said) => understood(&said),
        // It answers, and has no such pane.
        Err(TmuxError::Refused(why)) if why.contains("can't find") => understood(""),
        Err(_) => Seen { session: FoundSession::Silent, pane_pid: String::new() },
    }
}

/// The same for a life whose program nobody watches yet: its end is heard of from now on, also one that has passed.
pub(super) async fn look_and_watch(shared: &Arc<Shared>, life: &LifeKey) -> FoundSession {
    let seen = look(shared, life).await;
    if matches!(seen.session, FoundSession::Open | FoundSession::Exited(_)) {
        watch(shared, life, &seen.pane_pid);
    }
    seen.session
}

/// What [`ASK_PANE`] was answered with.
fn understood(said: &str) -> Seen {
    let (session, pane_pid) = match said.trim_end().split(',').collect::<Vec<_>>()[..] {
        ["%0", "1", status, signal, pid] => {
            let exit = match (status.parse(), signal.parse()) {
                (_, Ok(signal)) => SessionExit::Signal(signal),
                (Ok(status), Err(_)) => SessionExit::Status(status),
                // The server missed how: an end without a status is no content one.
                (Err(_), Err(_)) => SessionExit::Killed,
            };
            (FoundSession::Exited(exit), pid)
        }
        ["%0", _, _, _, pid] => (FoundSession::Open, pid),
        _ => (FoundSession::Missing, ""),
    };
    Seen { session, pane_pid: pane_pid.to_owned() }
}

/// Watches the program that `pane_pid` names until it, or its server, ends; then sees to it that its end is told. A
/// program that somebody has put in its place (`respawn-pane`) is watched in the same way: the session goes on with it.
pub(super) fn watch(shared: &Arc<Shared>, life: &LifeKey, pane_pid: &str) {
    let Some(server) = shared.reaper.get(life, Role::Server) else { return };
    // A process that is gone already has ended: there is nothing to wait for.
    let pane = child_of(&server, pane_pid);
    let (shared, life, pane_pid) = (Arc::clone(shared), life.clone(), pane_pid.to_owned());
    tokio::spawn(async move {
        tokio::select! {
            _ = server.wait() => {}
            () = until_over(&shared, &life, &server, pane, pane_pid) => {}
        }
    });
}

/// Until no program is left in the pane, and that is told.
async fn until_over(shared: &Shared, life: &LifeKey, server: &Known, mut pane: Option<Pidfd>, mut pane_pid: String) {
    loop {
        if let Some(pane) = &pane {
            pane.ended().await;
        }
        match see_to_it(shared, life, server).await {
            Some(next) if next != pane_pid => (pane, pane_pid) = (child_of(server, &next), next),
            _ => return,
        }
    }
}

/// Sees to it that the end of a pane's program is told; where the pane is alive, gives the process that it names.
async fn see_to_it(shared: &Shared, life: &LifeKey, server: &Known) -> Option<String> {
    for pause in LOOK_AGAIN {
        tokio::time::sleep(pause).await;
        // What the kernel sends anyway: the server looks for children that have ended.
        let _ = server.pidfd().signal(Signal::CHILD);
    }
    let Seen { session, pane_pid } = look(shared, life).await;
    match session {
        FoundSession::Exited(exit) => {
            let (status, signal) = match exit {
                SessionExit::Status(status) => (status.to_string(), String::new()),
                SessionExit::Signal(signal) => (String::new(), signal.to_string()),
                SessionExit::Killed => (String::new(), String::new()),
            };
            run_hook(shared, life, server, &["pane-died", "%0", &status, &signal]).await;
        }
        // Somebody closed it. Where it was the last one its session closed with it, which the server told; where
        // another window keeps the session open, the server has no word for it.
        FoundSession::Missing => run_hook(shared, life, server, &["session-closed", "$0"]).await,
        // Another program runs there, or one that has left its first process.
        FoundSession::Open => return Some(pane_pid),
        // Looked at when its server answers again, or when it is adopted.
        FoundSession::Silent => {}
    }
    None
}

/// Runs the hook that the server did not: it looks for a claim and writes the line once. Again and again where it can
/// not be run: the helper may just be exchanged for another, and the end of a program must not stay untold for that.
async fn run_hook(shared: &Shared, life: &LifeKey, server: &Known, hook: &[&str]) {
    let mut failures = 0;
    while let Err(why) = try_hook(shared, life, server, hook).await {
        failures += 1;
        tracing::warn!(%life, why, "the end of a program could not be written down");
        tokio::time::sleep(backoff(failures)).await;
    }
}

async fn try_hook(shared: &Shared, life: &LifeKey, server: &Known, hook: &[&str]) -> Result<(), String> {
    let ended = tokio::process::Command::new(&shared.helper)
        .arg("hook")
        .args(hook)
        .env_clear()
        .envs(environment::tools(shared, life))
        // A fault that was meant for the server's hooks struck there.
        .env_remove(fault::VARIABLE)
        .envs(environment::marks(shared, life))
        // As tmux names itself to its jobs: whether the server ends too decides whether this is a session's end.
        .env("TMUX", format!("{},{},0", shared.socket(life).display(), server.pidfd().id().pid))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await;
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pane_says_is_understood() {
        for (said, means) in [
            ("%0,0,,,7\n", FoundSession::Open),
            ("%0,1,3,,7\n", FoundSession::Exited(SessionExit::Status(3))),
            ("%0,1,,9,7\n", FoundSession::Exited(SessionExit::Signal(9))),
            ("%0,1,,,7\n", FoundSession::Exited(SessionExit::Killed)),
            (",,,,\n", FoundSession::Missing),
            ("", FoundSession::Missing),
        ] {
            assert_eq!(understood(said).session, means, "{said:?}");
        }
    }
}
