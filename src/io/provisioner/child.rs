//! One provider's process: leads its own session, and is ended when it is let go of.

use super::{Env, end::Run, pipes::Pipes, under_way::UnderWay};
use crate::io::{
    find, life_mark,
    pidfd::{Pidfd, dead_within},
    spawn::Spawn,
};
use coalmine_actors::{
    ports::ProcessEnd,
    provisioner::{
        ProvisionOutcome,
        errand::{Program, ProvisionCommand},
        outcome::State,
    },
};
use rustix::{
    fd::OwnedFd,
    pipe::{PipeFlags, pipe_with},
    process::Signal,
};
use std::{
    io,
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::net::unix::pipe;

/// A child that was started.
pub(super) struct Child {
    pub(super) leader: Leader,
    pub(super) pipes: Pipes,
}

/// The process itself; nothing once it is reaped.
pub(super) struct Leader(Option<Process>);

struct Process {
    pidfd: Pidfd,
    mark: String,
    /// Gone with the process, which is reaped then.
    _under_way: UnderWay,
}

impl Process {
    fn run(&self) -> io::Result<Run> {
        let (leader, mark) = (self.pidfd.id().pid, self.mark.clone());
        Ok(Run { leader, pidfd: self.pidfd.as_fd().try_clone_to_owned()?, mark })
    }
}

/// Starts it, or says why not. Blocks as long as the file system does.
pub(super) fn start(
    command: &ProvisionCommand,
    env: &Env,
    mark: String,
    other_folder: &Path,
    notes: &Path,
) -> Result<Child, ProvisionOutcome> {
    let program = program(&command.program, env)?;
    let folder = if command.cwd.is_dir() { &command.cwd } else { other_folder };
    let under_way = UnderWay::note(notes, &mark);
    let child = launch(&program, command, env, mark, folder, under_way);
    child.map_err(|error| {
        let errno = rustix::io::Errno::from_io_error(&error);
        let state = match errno {
            // A script without `#!`, one whose interpreter is missing, a file of another machine.
            Some(rustix::io::Errno::NOEXEC | rustix::io::Errno::NOENT | rustix::io::Errno::ACCESS) => {
                State::NotExecutable
            }
            _ => State::Failed,
        };
        let what = if state == State::Failed { "can not start" } else { NOT_EXECUTABLE };
        refused(state, &format!("{what}: {}: {error}", program.display()), command)
    })
}

const NOT_EXECUTABLE: &str = "command not found or not executable";

fn refused(state: State, why: &str, command: &ProvisionCommand) -> ProvisionOutcome {
    ProvisionOutcome { argv: command.argv(), ..ProvisionOutcome::not_run(state, why) }
}

fn program(program: &Program, env: &Env) -> Result<PathBuf, ProvisionOutcome> {
    let (found, state, why) = match program {
        Program::At(path) => {
            let found = Some(PathBuf::from(path)).filter(|path| find::is_program(path));
            (found, State::NotExecutable, format!("{NOT_EXECUTABLE}: {path}"))
        }
        Program::InPath(name) => {
            let found = find::in_path_of(name, env.get("PATH").unwrap_or_default().as_ref());
            (found, State::RuntimeMissing, format!("the runtime's program {name} is not in PATH"))
        }
    };
    found.ok_or_else(|| ProvisionOutcome::not_run(state, why))
}

fn launch(
    program: &Path,
    command: &ProvisionCommand,
    env: &Env,
    mark: String,
    folder: &Path,
    under_way: UnderWay,
) -> io::Result<Child> {
    let (stdout, child_stdout) = pipe_with(PipeFlags::CLOEXEC)?;
    let (stderr, child_stderr) = pipe_with(PipeFlags::CLOEXEC)?;
    let pipes = Pipes::new(receiver(stdout)?, receiver(stderr)?);
    let mut spawn = Spawn::new(program)?.folder(folder)?.output(child_stdout.as_fd(), child_stderr.as_fd());
    for arg in &command.args {
        spawn = spawn.arg(arg)?;
    }
    for (name, value) in &env.0 {
        spawn = spawn.env(name, value)?;
    }
    let pid = spawn.env(life_mark::VARIABLE, &mark)?.start()?;
    match Pidfd::open(pid) {
        Ok(pidfd) => Ok(Child { leader: Leader(Some(Process { pidfd, mark, _under_way: under_way })), pipes }),
        Err(error) => {
            // Nobody could hear of its end, or end it by a descriptor; it is ours and not reaped, so its number is too.
            abandon(pid);
            Err(error)
        }
    }
}

fn receiver(pipe: OwnedFd) -> io::Result<pipe::Receiver> {
    rustix::io::ioctl_fionbio(&pipe, true)?;
    pipe::Receiver::from_owned_fd(pipe)
}

#[allow(clippy::disallowed_methods, reason = "an unreaped child of ours, for which no pidfd is to be had")]
fn abandon(pid: i32) {
    use rustix::process::{Pid, WaitOptions, kill_process_group, waitpid};
    let pid = Pid::from_raw(pid);
    let _ = pid.map(|pid| kill_process_group(pid, Signal::KILL));
    let _ = waitpid(pid, WaitOptions::empty());
}

impl Leader {
    /// Waits until it ends.
    pub(super) async fn ended(&self) {
        match &self.0 {
            Some(process) => process.pidfd.ended().await,
            None => std::future::pending().await,
        }
    }

    /// Everything of it, to be ended; it must not be reaped meanwhile.
    pub(super) fn run(&self) -> io::Result<Run> {
        self.0.as_ref().ok_or(io::ErrorKind::NotFound)?.run()
    }

    /// Takes its status. One that can not be ended is reaped whenever it ends.
    pub(super) fn reap(&mut self) -> ProcessEnd {
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

/// Nobody waits for it any more: the visit was dropped, with its actor or with the fleet.
impl Drop for Leader {
    fn drop(&mut self) {
        const GONE: Duration = Duration::from_secs(5);
        let Some(process) = self.0.take() else { return };
        let run = match process.run() {
            Ok(run) => run,
            Err(error) => return tracing::error!(%error, "a provider's command runs on"),
        };
        // Here and now, for this process may be ending; the rest on a thread and no task, for the runtime may be too.
        run.signal_group(Signal::KILL);
        let rest = std::thread::Builder::new().name("provider-end".into()).spawn(move || {
            run.kill();
            dead_within(process.pidfd.as_fd(), GONE);
            process.pidfd.reap();
        });
        if let Err(error) = rest {
            tracing::error!(%error, "what left a provider's group runs on");
        }
    }
}
