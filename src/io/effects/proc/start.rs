//! Starts a program behind walls: a thread of its own goes behind them, starts it from there, and ends.
//!
//! Landlock, seccomp, capabilities and `no_new_privs` are a thread's, and a child has those of the thread that started it.
//! So nothing lies between us and the program: its errors are the kernel's own, and one program is started, not two.

use super::file::ProgramFile;
use crate::io::{
    child::{Leader, receiver},
    life_mark,
    sandbox::{name_of, rules::Rules, walls::Walls},
    spawn::Spawn,
};
use coalmine_actors::effects::error::EffectError;
use rustix::{
    fd::OwnedFd,
    io::Errno,
    pipe::{PipeFlags, pipe_with},
    process::{Pid, Resource, Rlimit, prlimit},
};
use std::{collections::BTreeMap, io, os::fd::AsFd};
use tokio::net::unix::pipe;

/// Most descriptors that a program has, at first and at most.
const DESCRIPTORS: Rlimit = Rlimit { current: Some(1_024), maximum: Some(4_096) };
/// A core dump would hold what the program was told, in a place that no policy names.
const CORE: Rlimit = Rlimit { current: Some(0), maximum: Some(0) };
/// How often a program is started again that somebody holds open to write: between its birth and its program every child
/// of this process has all of our descriptors.
const BUSY_MAX: usize = 50;

/// What is to be started.
pub(super) struct Order {
    /// Argument 0.
    pub(super) name: String,
    pub(super) file: ProgramFile,
    pub(super) args: Vec<String>,
    /// All of its environment, but for the mark.
    pub(super) env: BTreeMap<String, String>,
    /// Where it starts; `/` where nobody says.
    pub(super) folder: Option<OwnedFd>,
    /// Whether it has an input; else that is empty.
    pub(super) has_input: bool,
    pub(super) rules: Rules,
    pub(super) mark: String,
}

/// A program that runs.
pub(in crate::io::effects) struct Started {
    pub(in crate::io::effects) leader: Leader,
    pub(in crate::io::effects) stdin: Option<pipe::Sender>,
    pub(in crate::io::effects) stdout: pipe::Receiver,
    pub(in crate::io::effects) stderr: pipe::Receiver,
    /// By what it is held: `landlock-abi7`, `none`.
    pub(in crate::io::effects) sandbox: String,
}

/// Starts it. Blocks as long as the file system does; in a runtime.
pub(super) fn start(order: &Order) -> Result<Started, EffectError> {
    let walls = Walls::build(&order.rules)?;
    walls.open_for_program(order.file.file.as_fd())?;
    let (stdout, child_stdout) = pipe_with(PipeFlags::CLOEXEC).map_err(io::Error::from)?;
    let (stderr, child_stderr) = pipe_with(PipeFlags::CLOEXEC).map_err(io::Error::from)?;
    let (child_stdin, stdin) = match order.has_input {
        true => {
            pipe_with(PipeFlags::CLOEXEC).map(|(child, ours)| (Some(child), Some(ours))).map_err(io::Error::from)?
        }
        false => (None, None),
    };
    let (stdout, stderr, stdin) = (receiver(stdout)?, receiver(stderr)?, stdin.map(sender).transpose()?);
    let mut spawn = Spawn::open(&order.name, order.file.file.as_fd(), order.file.is_script)?
        .output(child_stdout.as_fd(), child_stderr.as_fd())
        .env(life_mark::VARIABLE, &order.mark)?;
    spawn = match &order.folder {
        Some(folder) => spawn.open_folder(folder.as_fd()),
        None => spawn.folder("/".as_ref())?,
    };
    if let Some(stdin) = &child_stdin {
        spawn = spawn.input(stdin.as_fd());
    }
    for arg in &order.args {
        spawn = spawn.arg(arg)?;
    }
    for (name, value) in &order.env {
        spawn = spawn.env(name, value)?;
    }
    let leader = Leader::of(behind(&walls, &spawn)?, order.mark.clone())?;
    Ok(Started { leader, stdin, stdout, stderr, sandbox: name_of(walls.abi()) })
}

/// Starts it on a thread that is behind the walls, and that ends with this.
fn behind(walls: &Walls, spawn: &Spawn<'_>) -> Result<i32, EffectError> {
    let pid = std::thread::scope(|scope| {
        let inside = std::thread::Builder::new().name("behind-walls".into()).spawn_scoped(scope, || {
            walls.enter()?;
            start_when_idle(spawn)
        });
        inside?.join().unwrap_or_else(|_panic| Err(io::ErrorKind::Other.into()))
    });
    let pid = pid.map_err(|error| match Errno::from_io_error(&error) {
        // A file of another machine, or a script without `#!`.
        Some(Errno::NOEXEC) => EffectError::bad("program", "what the policy names can not be executed"),
        Some(Errno::TOOBIG) => EffectError::bad("args", "they are longer than the system takes"),
        _ => error.into(),
    })?;
    limit(pid);
    Ok(pid)
}

fn start_when_idle(spawn: &Spawn<'_>) -> io::Result<i32> {
    for _ in 0..BUSY_MAX {
        match spawn.start() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            done => return done,
        }
    }
    spawn.start()
}

/// Bounds what is no thread's but a process's. It is in its first instructions by now: what it starts has the same.
fn limit(pid: i32) {
    for (resource, bound) in [(Resource::Core, CORE), (Resource::Nofile, DESCRIPTORS)] {
        // It may have ended. Nobody has reaped it, so the number is its own.
        let _ended = prlimit(Pid::from_raw(pid), resource, bound);
    }
}

fn sender(pipe: OwnedFd) -> io::Result<pipe::Sender> {
    rustix::io::ioctl_fionbio(&pipe, true)?;
    pipe::Sender::from_owned_fd(pipe)
}
