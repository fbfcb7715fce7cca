//! The same work by hand, as directly as it can be done: what the fleet is compared with.
//!
//! Two steps, from the same process and by the same `posix_spawn` as the fleet: `tmux -D` in its own session, then,
//! as soon as inotify says that its socket is there, one client with `new-session ; pipe-pane`. No state on disk, no
//! lock, no canary, no log helper, no sweep.

use super::{Outcome, PATIENCE, ShellCanary, root};
use coalmine::io::{find, pidfd::dead_within, spawn::Spawn, tmux};
use nix::{
    errno::Errno,
    sys::inotify::{AddWatchFlags, InitFlags, Inotify},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::OwnedFd,
    process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid},
};
use std::{
    fs,
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tokio::time::Instant;

/// A folder for servers by hand, and what they all need.
#[derive(Clone)]
pub struct Workshop {
    folder: PathBuf,
    conf: PathBuf,
    tmux: PathBuf,
    mark: String,
}

impl Workshop {
    /// In `root`, whose end ends them.
    pub fn new(root: &Path) -> Outcome<Self> {
        let folder = root.join("hand");
        fs::create_dir(&folder)?;
        // The fleet's own configuration: reading it is part of a start.
        let conf = folder.join("tmux.conf");
        fs::write(&conf, tmux::CONF)?;
        Ok(Self { folder, conf, tmux: find::tmux()?, mark: root::mark(root) })
    }

    /// A file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn client(&self, socket: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(&self.tmux);
        command.arg("-S").arg(socket).args(args).env_clear().env("TERM", "screen-256color").env("LC_ALL", "C.UTF-8");
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("COALMINE_LIFE", &self.mark);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// One bare `tmux new-session -d`, which starts its own server in the background: the time that it takes, and
    /// the server ended again.
    pub fn bare_new_session(&self) -> Outcome<std::time::Duration> {
        let socket = self.file("bare.sock");
        let conf = self.conf.to_string_lossy().into_owned();
        let before = Instant::now();
        let mut new = self.client(&socket, &["-f", &conf, "new-session", "-d", "-s", "main", "sleep 36000"]);
        if !new.status()?.success() {
            return Err("new-session -d failed".into());
        }
        let took = before.elapsed();
        self.client(&socket, &["kill-server"]).status()?;
        let _tmux_took_it = fs::remove_file(&socket);
        Ok(took)
    }
}

/// A server by hand, with one session.
pub struct Hand {
    pidfd: OwnedFd,
    socket: PathBuf,
}

impl Hand {
    /// Both steps, one after the other. Blocks.
    pub fn start(workshop: &Workshop, name: &str) -> Outcome<Self> {
        let socket = workshop.file(&format!("{name}.sock"));
        let _fresh = fs::remove_file(&socket);
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        inotify.add_watch(&workshop.folder, AddWatchFlags::IN_CREATE)?;
        let server = Spawn::new(&workshop.tmux)?
            .arg("-D")?
            .arg("-S")?
            .arg(&socket)?
            .arg("-f")?
            .arg(&workshop.conf)?
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")?
            .env("LC_ALL", "C.UTF-8")?
            .env("COALMINE_LIFE", &workshop.mark)?;
        let pid = Pid::from_raw(server.start()?).ok_or("no pid")?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        while !socket.exists() {
            wait_for_more(&inotify)?;
        }
        let log = workshop.file(&format!("{name}.log"));
        let pipe = format!("exec cat >>'{}'", log.display());
        let args =
            ["-N", "new-session", "-d", "-x", "220", "-y", "50", "sleep 36000", ";", "pipe-pane", "-t", "%0", &pipe];
        let until = Instant::now() + PATIENCE;
        // Bound and not yet listening is over in microseconds.
        while !workshop.client(&socket, &args).status()?.success() {
            if Instant::now() > until {
                return Err("a session by hand did not open".into());
            }
        }
        Ok(Self { pidfd, socket })
    }

    /// SIGKILL, and the wait for the pidfd: when it was sent, and when `poll` came back. Blocks.
    pub fn kill(self) -> Outcome<(Instant, Instant)> {
        let killed = Instant::now();
        pidfd_send_signal(&self.pidfd, Signal::KILL)?;
        if !dead_within(self.pidfd.as_fd(), PATIENCE) {
            return Err("a server by hand did not end".into());
        }
        let woken = Instant::now();
        waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED)?;
        Ok((killed, woken))
    }

    /// The original's canary beside this server, its line going to `log`. Blocks.
    pub fn shell_canary(&self, workshop: &Workshop, log: &Path) -> Outcome<ShellCanary> {
        ShellCanary::arm(&self.socket, log, &workshop.mark)
    }
}

/// Waits until the folder changes.
fn wait_for_more(inotify: &Inotify) -> Outcome<()> {
    let wait = Timespec::try_from(PATIENCE)?;
    if poll(&mut [PollFd::new(inotify, PollFlags::IN)], Some(&wait))? == 0 {
        return Err("a server by hand made no socket".into());
    }
    match inotify.read_events() {
        Ok(_) | Err(Errno::EAGAIN) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
