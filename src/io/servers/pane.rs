//! The process in a peer's one pane.

use super::Shared;
use crate::io::{pidfd::Pidfd, tmux::CALL_DEADLINE};
use coalmine_actors::ports::LifeKey;

/// The pane's process, proved to be of this life; nothing where it can not be proved.
pub(super) async fn main_pane(shared: &Shared, life: &LifeKey) -> Option<Pidfd> {
    let args = ["display-message", "-p", "-t", "%0", "#{pane_pid}"];
    let pid = shared.tmux.call(&shared.socket(life), args, CALL_DEADLINE).await.ok()?;
    let pidfd = Pidfd::open(pid.trim().parse().ok()?).ok()?;
    // Opened first, read then: what is signalled is what bears the mark.
    let environ = std::fs::read(format!("/proc/{}/environ", pidfd.id().pid)).ok()?;
    let mark = format!("COALMINE_LIFE={}", shared.paths.life_mark(life));
    environ.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes()).then_some(pidfd)
}
