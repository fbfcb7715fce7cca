//! What a program prints about its version, within a deadline: it may be anything, also one that hangs.

use super::pidfd::dead_within;
use coalmine_actors::error::FleetError;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::{
    io::{self, Read},
    os::fd::AsFd,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// How long a program may take to print its version; a busy host needs more than a moment to start one.
pub const VERSION_TIME_MAX: Duration = Duration::from_secs(5);
/// Longest answer that is looked at, bytes.
const ANSWER_BYTES_MAX: u64 = 4096;

/// What `command` prints until it ends. One that does not end in time is killed. Blocks.
///
/// # Errors
/// It can not be run, or does not end in time.
pub fn ask(program: &Path, command: &mut Command) -> Result<String, FleetError> {
    within(program, command, VERSION_TIME_MAX)
}

fn within(program: &Path, command: &mut Command, after: Duration) -> Result<String, FleetError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::TimedOut => FleetError::ProgramSilent { path: program.into(), after },
        _ => FleetError::io("run", program, source),
    };
    let (mut answer, says) = io::pipe().map_err(failed)?;
    // The answer is read when the program has ended: a longer one than the pipe holds is none that we know.
    let started = command.stdin(Stdio::null()).stdout(says).stderr(Stdio::null()).spawn();
    // Our own end of the pipe lies in the command.
    command.stdout(Stdio::null());
    let mut child = started.map_err(failed)?;
    let ended = wait(&child, after);
    if ended.is_err() {
        let _gone = child.kill();
    }
    let _reaped = child.wait();
    ended.map_err(failed)?;
    let mut said = Vec::new();
    // Something that it left behind may still have the pipe: only what is in it is read.
    let _rest = rustix::io::ioctl_fionbio(&answer, true)
        .map(|()| answer.by_ref().take(ANSWER_BYTES_MAX).read_to_end(&mut said));
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// Waits for the end of a child that nobody has waited for, so that its number is still its own.
fn wait(child: &Child, after: Duration) -> io::Result<()> {
    let pid = Pid::from_raw(child.id().cast_signed()).ok_or(io::ErrorKind::InvalidInput)?;
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    if dead_within(process.as_fd(), after) { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, after: Duration) -> Result<String, FleetError> {
        within(Path::new("/bin/sh"), Command::new("/bin/sh").args(["-c", script]), after)
    }

    #[test]
    fn a_program_that_hangs_is_killed_and_named() {
        let error = shell("exec sleep 3600", Duration::from_millis(50)).unwrap_err();
        assert!(matches!(&error, FleetError::ProgramSilent { path, .. } if path == Path::new("/bin/sh")), "{error}");
    }

    #[test]
    fn what_a_program_prints_is_read_also_where_it_leaves_something_behind() {
        assert_eq!(shell("sleep 1 & echo v1", Duration::from_secs(30)).unwrap(), "v1\n");
    }
}
