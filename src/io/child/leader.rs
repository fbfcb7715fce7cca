//! The process that leads a run: its own session and group. Let go of, it is ended with all that is of it.

use super::end::Run;
use crate::io::pidfd::{Pidfd, dead_within};
use coalmine_actors::ports::ProcessEnd;
use rustix::process::Signal;
use std::{io, time::Duration};

/// The process itself; nothing once it is reaped.
pub(crate) struct Leader(Option<Process>);

struct Process {
    pidfd: Pidfd,
    mark: String,
    /// Gone with the process, which is reaped then.
    _note: Option<Note>,
}

/// What says, until it is dropped, that a run is under way.
type Note = Box<dyn Send + Sync>;

impl Process {
    fn run(&self) -> io::Result<Run> {
        let (leader, mark) = (self.pidfd.id().pid, self.mark.clone());
        Ok(Run { leader, pidfd: self.pidfd.as_fd().try_clone_to_owned()?, mark })
    }
}

impl Leader {
    /// Takes charge of a child that was just started and leads its session; what it starts bears `mark`.
    ///
    /// # Errors
    /// No descriptor to be had for it; it is ended then, and reaped.
    pub(crate) fn of(pid: i32, mark: String) -> io::Result<Self> {
        Self::take(pid, mark, None)
    }

    /// The same, with a note that is kept until it is reaped.
    ///
    /// # Errors
    /// As [`Leader::of`].
    pub(crate) fn noted(pid: i32, mark: String, note: Note) -> io::Result<Self> {
        Self::take(pid, mark, Some(note))
    }

    fn take(pid: i32, mark: String, note: Option<Note>) -> io::Result<Self> {
        match Pidfd::open(pid) {
            Ok(pidfd) => Ok(Self(Some(Process { pidfd, mark, _note: note }))),
            Err(error) => {
                // Nobody could hear of its end, or end it by a descriptor; it is ours and not reaped, so its number is too.
                abandon(pid);
                Err(error)
            }
        }
    }

    /// Waits until it ends.
    pub(crate) async fn ended(&self) {
        match &self.0 {
            Some(process) => process.pidfd.ended().await,
            None => std::future::pending().await,
        }
    }

    /// Everything of it, to be ended; it must not be reaped meanwhile.
    pub(crate) fn run(&self) -> io::Result<Run> {
        self.0.as_ref().ok_or(io::ErrorKind::NotFound)?.run()
    }

    /// Signals its group, at once. One that has ended is no error.
    pub(crate) fn signal_group(&self, signal: Signal) {
        if let Ok(run) = self.run() {
            run.signal_group(signal);
        }
    }

    /// Takes its status. One that can not be ended is reaped whenever it ends.
    pub(crate) fn reap(&mut self) -> ProcessEnd {
        let Some(process) = self.0.take() else { return ProcessEnd::Vanished };
        if process.pidfd.is_dead() {
            return process.pidfd.reap();
        }
        tokio::spawn(async move {
            process.pidfd.ended().await;
            process.pidfd.reap()
        });
        ProcessEnd::Vanished
    }
}

#[allow(clippy::disallowed_methods, reason = "an unreaped child of ours, for which no pidfd is to be had")]
fn abandon(pid: i32) {
    use rustix::process::{Pid, WaitOptions, kill_process_group, waitpid};
    let pid = Pid::from_raw(pid);
    let _ = pid.map(|pid| kill_process_group(pid, Signal::KILL));
    let _ = waitpid(pid, WaitOptions::empty());
}

/// Nobody waits for it any more: who started it was dropped, with an actor, a session or the fleet.
impl Drop for Leader {
    fn drop(&mut self) {
        const GONE: Duration = Duration::from_secs(5);
        let Some(process) = self.0.take() else { return };
        let run = match process.run() {
            Ok(run) => run,
            Err(error) => return tracing::error!(%error, "a command runs on"),
        };
        // Here and now, for this process may be ending; the rest on a thread and no task, for the runtime may be too.
        run.signal_group(Signal::KILL);
        let rest = std::thread::Builder::new().name("child-end".into()).spawn(move || {
            run.kill();
            dead_within(process.pidfd.as_fd(), GONE);
            process.pidfd.reap();
        });
        if let Err(error) = rest {
            tracing::error!(%error, "what left a command's group runs on");
        }
    }
}
