//! The hooks of a peer's tmux server: one line that says how the session ended, also while the daemon is down.
//!
//! tmux runs `hook pane-died` when the program in the pane has ended (the pane stays, dead), and
//! `hook session-closed` when somebody closed the session under a live program. Only the life's own pane `%0` and
//! session `$0` count; a person may open more. A claimed end leaves no line, and a life has at most one.

use super::{
    args::{Usage, required, text},
    fault::{self, FaultPoint},
    logfmt,
    witness::{
        LifePaths, claim, clock,
        exits_log::{self, LineKey},
        oom, pidfd,
    },
};
use jiff::Timestamp;
use nix::sys::signal::SigSet;
use rustix::process::{Pid, PidfdFlags, getppid, pidfd_open};
use std::{env, ffi::OsString, io, os::fd::OwnedFd, process::ExitCode};

/// As tmux says it.
const SIGKILL: &str = "9";
const SESSION_EXIT: &str = "session-exit";
/// How long a server whose session closed is given to end too: then this is a server's death, which others record.
const SERVER_ENDS_MS_MAX: u64 = 150;
/// The first pause after a line that could not be written, milliseconds; each next one is twice as long.
const RETRY_MS_MIN: u64 = 250;
/// The longest pause, milliseconds.
const RETRY_MS_MAX: u64 = 15_000;
/// How long the line is tried, milliseconds.
const RETRY_TOTAL_MS_MAX: u64 = 10 * 60 * 1_000;

/// Writes the line, where one is due.
///
/// # Errors
/// Wrong arguments, or an environment that is not that of a peer's server.
pub(crate) fn run(mut args: impl Iterator<Item = OsString>) -> Result<ExitCode, Usage> {
    // The server ends its jobs with TERM when it ends itself; whether it does is told by its pidfd, and a line that is
    // begun is finished.
    let _default_handling_stays = SigSet::all().thread_block();
    let mut next = |name: &str| required(name, args.next()).and_then(|value| text(name, value));
    let exit = match next("the hook's name")?.as_str() {
        "pane-died" => {
            let (pane, status, signal) = (next("PANE")?, next("STATUS")?, next("SIGNAL")?);
            (pane == "%0").then(|| SessionExit::of_program(status, signal))
        }
        "session-closed" => (next("SESSION")? == "$0").then(SessionExit::closed),
        other => return Err(Usage(format!("there is no hook {other:?}"))),
    };
    if args.next().is_some() {
        return Err(Usage("the hook was given too many arguments".into()));
    }
    let Some(mut exit) = exit else { return Ok(ExitCode::SUCCESS) };
    let life = life()?;
    exit.blame_oom(taken_by_oom);
    if exit.cause == "session-killed" && server_ends() {
        return Ok(ExitCode::SUCCESS);
    }
    Ok(write(&life, &exit))
}

/// How a session ended.
#[derive(Debug, PartialEq, Eq)]
struct SessionExit {
    /// The program's status; empty where it had none.
    status: String,
    /// The signal that ended the program; empty where none did.
    signal: String,
    cause: &'static str,
}

impl SessionExit {
    fn of_program(status: String, signal: String) -> Self {
        let cause = if signal.is_empty() { "exited" } else { "signaled" };
        Self { status, signal, cause }
    }

    /// A program that SIGKILL ended, in a group where the OOM killer was at work.
    fn blame_oom(&mut self, oom: impl FnOnce() -> bool) {
        if self.signal == SIGKILL && oom() {
            self.cause = "oom-killed";
        }
    }

    fn closed() -> Self {
        Self { status: String::new(), signal: String::new(), cause: "session-killed" }
    }

    fn line(&self, life: &LifePaths, now: Timestamp) -> String {
        let mut line = logfmt::line([
            ("ts", clock::timestamp(now).as_str()),
            ("ev", SESSION_EXIT),
            ("identity", &life.identity),
            ("gen", &life.generation.to_string()),
        ]);
        for (key, value) in [("dead_status", &self.status), ("dead_signal", &self.signal)] {
            if value.is_empty() {
                // Bare, as the format of this line has it (spec 01 §5).
                line.extend([" ", key, "="]);
            } else {
                logfmt::push(&mut line, key, value);
            }
        }
        logfmt::push(&mut line, "cause", self.cause);
        line
    }
}

/// The life in whose server's environment this process runs.
fn life() -> Result<LifePaths, Usage> {
    let var = |name: &str| required(name, env::var_os(name).filter(|value| !value.is_empty()));
    let generation = text("PEER_GENERATION", var("PEER_GENERATION")?)?;
    Ok(LifePaths {
        journal: var("COALMINE_JOURNAL")?.into(),
        peer_dir: var("COALMINE_PEER_DIR")?.into(),
        identity: text("PEER_IDENTITY", var("PEER_IDENTITY")?)?,
        generation: generation.parse().map_err(|_| Usage(format!("PEER_GENERATION {generation:?} is not a number")))?,
    })
}

/// Whether the server ends within a moment: then its sessions closed because of that.
fn server_ends() -> bool {
    match server() {
        Some(server) => pidfd::wait_ended(server, SERVER_ENDS_MS_MAX).unwrap_or(false),
        // It is gone already.
        None => true,
    }
}

/// Whether the OOM killer took a process of this very life, as far as its server's group can tell.
fn taken_by_oom() -> bool {
    let server = server_pid().map(|pid| pid.as_raw_nonzero().get());
    server.zip(env::var("COALMINE_LIFE").ok()).is_some_and(|(server, mark)| oom::took_of_life(server, &mark))
}

fn server() -> Option<OwnedFd> {
    pidfd_open(server_pid()?, PidfdFlags::empty()).ok()
}

/// The server, as tmux names it to its jobs: `TMUX` is `socket,pid,session`. Not simply the parent: a shell may stand
/// between, and whoever lost his parent has a new one.
fn server_pid() -> Option<Pid> {
    let named = env::var("TMUX").ok().and_then(|tmux| Pid::from_raw(tmux.split(',').nth(1)?.parse().ok()?));
    named.or_else(getppid)
}

/// Appends the line once; while the disk refuses, again and again for ten minutes.
fn write(life: &LifePaths, exit: &SessionExit) -> ExitCode {
    let line = exit.line(life, Timestamp::now());
    let key = LineKey { ev: SESSION_EXIT, identity: &life.identity, generation: life.generation };
    let give_up_ms = clock::boot_ms() + RETRY_TOTAL_MS_MAX;
    fault::reached(FaultPoint::HookDue);
    let mut pause_ms = RETRY_MS_MIN;
    loop {
        let written = claim::exists(life).and_then(|claimed| {
            if claimed { Ok(false) } else { exits_log::append_once(&life.exits_log(), key, &line, None) }
        });
        match written {
            Ok(_) => {
                fault::reached(FaultPoint::HookTold);
                return ExitCode::SUCCESS;
            }
            // The fleet's folder is gone: there is nobody left to tell.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !life.journal.exists() => {
                return ExitCode::FAILURE;
            }
            Err(_) if clock::boot_ms() + pause_ms > give_up_ms => return ExitCode::FAILURE,
            Err(_) => clock::pause_ms(pause_ms),
        }
        pause_ms = (2 * pause_ms).min(RETRY_MS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_the_one_that_the_specification_shows() {
        let life =
            LifePaths { journal: "/j".into(), peer_dir: "/p".into(), identity: "claude-bob".into(), generation: 7 };
        let head = "ts=1970-01-01T00:00:00.000000Z ev=session-exit identity=claude-bob gen=7";
        let program = |status: &str, signal: &str| SessionExit::of_program(status.into(), signal.into());
        let mut blamed = program("", "9");
        blamed.blame_oom(|| true);
        for (exit, tail) in [
            (program("0", ""), "dead_status=0 dead_signal= cause=exited"),
            (program("", "9"), "dead_status= dead_signal=9 cause=signaled"),
            (SessionExit::closed(), "dead_status= dead_signal= cause=session-killed"),
            (blamed, "dead_status= dead_signal=9 cause=oom-killed"),
            (program("0 cause=x", ""), "dead_status=\"0 cause=x\" dead_signal= cause=exited"),
        ] {
            assert_eq!(exit.line(&life, Timestamp::UNIX_EPOCH), format!("{head} {tail}"));
        }
    }
}
