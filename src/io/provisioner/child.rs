//! One provider's process, started in the peer's folder.

use super::{Env, under_way::UnderWay};
use crate::io::{
    child::{Drain, Leader, Pipes, Tail, receiver},
    find, life_mark,
    spawn::Spawn,
};
use coalmine_actors::provisioner::{
    ProvisionOutcome,
    errand::{Program, ProvisionCommand},
    outcome::State,
};
use rustix::pipe::{PipeFlags, pipe_with};
use std::{
    io,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

/// A child that was started.
pub(super) struct Child {
    pub(super) leader: Leader,
    pub(super) pipes: Pipes<Tail>,
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
    let drain = |pipe| Ok::<_, io::Error>(Drain::new(receiver(pipe)?, Tail::default()));
    let pipes = Pipes::new(drain(stdout)?, drain(stderr)?);
    let mut spawn = Spawn::new(program)?.folder(folder)?.output(child_stdout.as_fd(), child_stderr.as_fd());
    for arg in &command.args {
        spawn = spawn.arg(arg)?;
    }
    for (name, value) in &env.0 {
        spawn = spawn.env(name, value)?;
    }
    let pid = spawn.env(life_mark::VARIABLE, &mark)?.start()?;
    Ok(Child { leader: Leader::noted(pid, mark, Box::new(under_way))?, pipes })
}
