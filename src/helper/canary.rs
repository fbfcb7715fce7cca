//! The canary: one process that sleeps until its server dies, and leaves the record if nobody claimed the death.
//!
//! ```text
//! armed ──TERM, INT, HUP──► dismissed: exit 0
//!   │server dead
//!   ▼
//! settle: claim? record? ──► exit 0
//!   │disk full, …
//!   └──► again after 0.5 s, 1 s, … 8 s; after a minute exit 1: the record is the daemon's then
//! ```
//!
//! It never wakes, ends or changes anything, and fires at most once. Two descriptors come from the daemon: 3 is the
//! server's pidfd, 4 the locked `canary-g<n>.lock`, which is held just by staying open, so that a second canary of
//! the same life can not be armed, and is free again however this process ends.

use super::{
    args::{Usage, number, required, text, value_of},
    fault::{self, FaultPoint},
    witness::{
        Death, EndStatus, LifePaths, WitnessedBy, clock,
        death::Usage as ResourceUsage,
        forensics::KernelLog,
        oom::OomBaseline,
        pidfd, proc_stat,
        settle::{Step, settle_watched},
    },
};
use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use std::{
    ffi::OsString,
    io,
    os::fd::{OwnedFd, RawFd},
    path::PathBuf,
    process::ExitCode,
};

/// The server's pidfd.
const SERVER_FD: RawFd = 3;
/// The lock of this life's canary.
const LOCK_FD: RawFd = 4;
/// The first pause after a record that could not be written, milliseconds; each next one is twice as long.
const RETRY_MS_MIN: u64 = 500;
/// The longest pause, milliseconds.
const RETRY_MS_MAX: u64 = 8_000;
/// How long the canary keeps trying, milliseconds; the daemon owes the record too, and keeps it longer.
const RETRY_TOTAL_MS_MAX: u64 = 60_000;

/// Runs a canary to its end.
///
/// # Errors
/// Wrong arguments, or descriptors that are not what they should be.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> Result<ExitCode, Usage> {
    // Before anything else: a dismissal from now on is read from a descriptor and interrupts no record. Broken pipes
    // are ignored already: Rust's runtime does that.
    let dismissals: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect();
    let blocked = dismissals.thread_block();
    let orders = Orders::parse(args)?;
    let server = inherited(SERVER_FD, "the server's pidfd")?;
    let _lock = inherited(LOCK_FD, "the lock")?;
    let dismissals = blocked
        .and_then(|()| SignalFd::with_flags(&dismissals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK))
        .map_err(|error| Usage(format!("can not wait for signals: {error}")))?;
    match pidfd::pid_of(&server) {
        // Reaped already: then there is nothing to compare, and the death is still ours to tell.
        Ok(pid) if pid.is_none_or(|pid| pid == orders.server_pid) => {}
        Ok(_) => return Err(Usage("descriptor 3 is the pidfd of another process".into())),
        Err(error) => return Err(Usage(format!("descriptor 3: {error}"))),
    }
    // A canary that sleeps for weeks must not keep a file system from being unmounted.
    let _stays_where_it_is = rustix::process::chdir("/");
    Ok(watch(orders, &server, &dismissals))
}

fn inherited(fd: RawFd, what: &str) -> Result<OwnedFd, Usage> {
    pidfd::inherited(fd).map_err(|error| Usage(format!("descriptor {fd} ({what}) was not passed: {error}")))
}

/// What a canary is told when it is armed.
struct Orders {
    life: LifePaths,
    server_pid: i32,
    started_boot_ms: u64,
    pane_log: Option<PathBuf>,
}

impl Orders {
    fn parse(mut args: impl Iterator<Item = OsString>) -> Result<Self, Usage> {
        let (mut journal, mut peer_dir, mut identity, mut generation) = (None, None, None, None);
        let (mut server_pid, mut started_boot_ms, mut pane_log) = (None, None, None);
        while let Some(name) = args.next() {
            let name = text("option", name)?;
            let value = value_of(&name, &mut args)?;
            match name.as_str() {
                "--journal" => journal = Some(absolute(&name, value)?),
                "--peer-dir" => peer_dir = Some(absolute(&name, value)?),
                "--identity" => identity = Some(text(&name, value)?),
                "--gen" => generation = Some(number(&name, value)?),
                "--server-pid" => server_pid = Some(number(&name, value)?),
                "--started-boot-ms" => started_boot_ms = Some(number(&name, value)?),
                "--pane-log" => pane_log = Some(absolute(&name, value)?),
                _ => return Err(Usage(format!("canary does not know {name}"))),
            }
        }
        let life = LifePaths {
            journal: required("--journal", journal)?,
            peer_dir: required("--peer-dir", peer_dir)?,
            identity: required("--identity", identity)?,
            generation: required("--gen", generation)?,
        };
        let server_pid = required("--server-pid", server_pid)?;
        Ok(Self { life, server_pid, started_boot_ms: required("--started-boot-ms", started_boot_ms)?, pane_log })
    }
}

fn absolute(name: &str, value: OsString) -> Result<PathBuf, Usage> {
    let path = PathBuf::from(value);
    if path.is_absolute() { Ok(path) } else { Err(Usage(format!("{name} {} is not absolute", path.display()))) }
}

fn watch(orders: Orders, server: &OwnedFd, dismissals: &SignalFd) -> ExitCode {
    let start_ticks = proc_stat::read(orders.server_pid).map(|stat| stat.start_ticks).ok();
    let oom = OomBaseline::of(orders.server_pid);
    let mut kernel_log = KernelLog::from_now_on();
    if wait(server, dismissals) == Woken::Dismissed {
        return ExitCode::SUCCESS;
    }
    let mut death = Death::noticed_now(Some(orders.server_pid), EndStatus::Unknown, orders.started_boot_ms);
    // First what is gone once the daemon reaps the server, then the status, which is there only after that.
    death.usage = start_ticks.and_then(|start_ticks| ResourceUsage::of_zombie(orders.server_pid, start_ticks));
    death.status = pidfd::end_status(server);
    death.oom = oom;
    death.pane_log = orders.pane_log;
    record(&orders.life, &death, &mut kernel_log)
}

#[derive(Debug, PartialEq, Eq)]
enum Woken {
    Dismissed,
    ServerDied,
}

/// Sleeps. Of both at once the dismissal wins: whoever dismisses a canary has claimed, or watches himself.
fn wait(server: &OwnedFd, dismissals: &SignalFd) -> Woken {
    loop {
        let mut fds = [PollFd::new(dismissals, PollFlags::IN), PollFd::new(server, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) if fds[0].revents().contains(PollFlags::IN) => return Woken::Dismissed,
            Ok(_) if fds[1].revents().contains(PollFlags::IN) => return Woken::ServerDied,
            // Interrupted or short of memory; a pause keeps a lasting failure from spinning.
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => clock::pause_ms(RETRY_MS_MIN),
        }
    }
}

/// Settles the death; while the disk refuses, again and again for a minute.
fn record(life: &LifePaths, death: &Death, kernel_log: &mut KernelLog) -> ExitCode {
    let give_up_ms = clock::boot_ms() + RETRY_TOTAL_MS_MAX;
    let mut pause_ms = RETRY_MS_MIN;
    loop {
        match settle_watched(life, death, WitnessedBy::Canary, kernel_log, &mut fault_point) {
            Ok(_) => return ExitCode::SUCCESS,
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

/// Where a test may stop a canary.
fn fault_point(step: Step) -> io::Result<()> {
    fault::reached(match step {
        Step::TempWritten => FaultPoint::CanaryWritten,
        Step::Linked => FaultPoint::CanaryLinked,
        Step::LineWritten => FaultPoint::CanaryTold,
        Step::Marked => FaultPoint::CanaryMarked,
    });
    Ok(())
}
