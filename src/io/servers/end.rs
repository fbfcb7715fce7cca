//! The ladder of a deliberate end (spec 01 §4): claim, canary, program, server, sweep, socket.
//!
//! ```text
//! claim on disk ─▶ server dead already? ─yes─▶ claim taken back: the death is unclaimed
//!       │no
//!       ▼
//! dismiss the canary ─▶ the program's own exit ─▶ kill-server ─▶ TERM ─▶ KILL ─▶ sweep ─▶ socket
//! ```

use super::{Shared, sweep};
use crate::io::{
    fault::{self, FaultPoint},
    late_canary,
    reaper::{Known, Role},
    tmux::CALL_DEADLINE,
    witness::{
        claim::{self, ClaimWritten},
        life::LifePaths,
    },
};
use coalmine_actors::{
    error::FleetError,
    journal::logfmt,
    ports::{Claim, EndReport, LifeEnd, LifeKey, Then},
    runtime::StopRecipe,
};
use rustix::process::Signal;
use std::{io, sync::Arc, time::Duration};

/// How long a canary may take to go after TERM.
const DISMISS_GRACE: Duration = Duration::from_millis(500);
/// How long a server may take to go after `kill-server`, after TERM, and after KILL.
const KILL_SERVER_GRACE: Duration = Duration::from_secs(2);
const TERM_GRACE: Duration = Duration::from_secs(1);
const KILL_GRACE: Duration = Duration::from_secs(10);

pub(super) async fn end(
    shared: &Arc<Shared>,
    life: &LifeKey,
    claim: &Claim,
    recipe: &StopRecipe,
) -> Result<LifeEnd, FleetError> {
    let _turn = shared.turn(&life.identity).await;
    shared.starting.remove(life);
    let Some(server) = shared.reaper.get(life, Role::Server) else { return Ok(LifeEnd::AlreadyDead) };
    let paths = shared.life_paths(life);
    let written = write_claim(&paths, claim).await.map_err(|source| FleetError::io("write", paths.claim(), source))?;
    fault::reached(FaultPoint::ClaimWritten);
    if written == ClaimWritten::Ours && server.pidfd().is_dead() {
        // Nobody meant this death: a claim that came after it must not silence its witness.
        claim::remove(&paths).map_err(|source| FleetError::io("remove", paths.claim(), source))?;
        return Ok(LifeEnd::AlreadyDead);
    }
    if let Some(canary) = shared.reaper.get(life, Role::Canary) {
        // First of all: a canary that is gone can not take our own kill for a death.
        dismiss(&canary).await;
    }
    // And whoever else watches this life: one that nobody wrote down. One that can not be found is kept quiet by the
    // claim, which stays until it is gone.
    late_canary::dismiss(&paths.peer_dir, life.generation).await;
    fault::reached(FaultPoint::CanaryDismissed);
    let mut report = EndReport::default();
    for rung in [Rung::ProgramExit, Rung::KillServer, Rung::Term, Rung::Kill] {
        if server.pidfd().is_dead() {
            break;
        }
        if rung.climb(shared, life, &server, recipe).await {
            report.rungs.push(rung.name().into());
        }
    }
    if !ended_within(&server, Duration::ZERO).await && !server.pidfd().is_dead() {
        return Err(FleetError::TimedOut { what: format!("the end of the server of {life}"), after: KILL_GRACE });
    }
    fault::reached(FaultPoint::ServerEnded);
    report.sweep = sweep::sweep(shared, life).await;
    fault::reached(FaultPoint::Swept);
    shared.reaper.forget(life);
    Ok(LifeEnd::Claimed(report))
}

async fn write_claim(paths: &LifePaths, claim: &Claim) -> io::Result<ClaimWritten> {
    let then = if claim.then == Then::Start { "start" } else { "stop" };
    let text = logfmt::line([("why", claim.why.as_str()), ("by", claim.by.as_str()), ("then", then)]);
    let paths = paths.clone();
    tokio::task::spawn_blocking(move || claim::write(&paths, &text)).await.map_err(io::Error::other)?
}

async fn dismiss(canary: &Known) {
    for signal in [Signal::TERM, Signal::KILL] {
        let _ = canary.pidfd().signal(signal); // gone is what we want
        if ended_within(canary, DISMISS_GRACE).await {
            return;
        }
    }
}

/// Waits for the end and its status, so that nothing that follows meets a zombie.
async fn ended_within(process: &Known, wait: Duration) -> bool {
    tokio::time::timeout(wait, process.wait()).await.is_ok()
}

/// The steps down, gentlest first.
#[derive(Debug, Clone, Copy)]
enum Rung {
    ProgramExit,
    KillServer,
    Term,
    Kill,
}

impl Rung {
    fn name(self) -> &'static str {
        match self {
            Self::ProgramExit => "program-exit",
            Self::KillServer => "kill-server",
            Self::Term => "term",
            Self::Kill => "kill",
        }
    }

    /// Tries this step; says whether it was one at all.
    async fn climb(self, shared: &Shared, life: &LifeKey, server: &Known, recipe: &StopRecipe) -> bool {
        match self {
            Self::ProgramExit => return program_exit(shared, life, recipe).await,
            Self::KillServer => {
                let _ = shared.tmux.call(&shared.socket(life), ["kill-server"], CALL_DEADLINE).await;
                ended_within(server, KILL_SERVER_GRACE).await;
            }
            Self::Term => {
                // A stopped process takes TERM only when it goes on.
                let _ = server.pidfd().signal(Signal::TERM);
                let _ = server.pidfd().signal(Signal::CONT);
                ended_within(server, TERM_GRACE).await;
            }
            Self::Kill => {
                let _ = server.pidfd().signal(Signal::KILL);
                ended_within(server, KILL_GRACE).await;
            }
        }
        true
    }
}

/// Asks the program itself, by keys or a signal, and gives it its grace.
async fn program_exit(shared: &Shared, life: &LifeKey, recipe: &StopRecipe) -> bool {
    let grace = recipe.grace();
    if grace.is_zero() {
        return false;
    }
    let socket = shared.socket(life);
    let Some(pane) = super::pane::main_pane(shared, life).await else { return false };
    if let Some(signal) = recipe.signal.as_deref().and_then(signal_named) {
        let _ = pane.signal(signal);
    }
    for key in &recipe.keys {
        let _ = shared.tmux.call(&socket, ["send-keys", "-t", "%0", key.as_str()], CALL_DEADLINE).await;
    }
    let _ = tokio::time::timeout(grace, pane.ended()).await;
    true
}

fn signal_named(name: &str) -> Option<Signal> {
    Some(match name {
        "SIGHUP" => Signal::HUP,
        "SIGINT" => Signal::INT,
        "SIGQUIT" => Signal::QUIT,
        "SIGTERM" => Signal::TERM,
        "SIGUSR1" => Signal::USR1,
        "SIGUSR2" => Signal::USR2,
        _ => return None,
    })
}
