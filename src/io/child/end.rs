//! Ends all that is of one run: TERM, 2 s, KILL, and again for what was forked meanwhile (spec 03 §3).
//!
//! A group kill reaches what stayed in the group. What made a session of its own is known by the run's mark in its
//! environment, by its session, or by its parent.

use crate::io::{
    held::{self, Held},
    life_mark,
    pidfd::dead_within,
    witness::proc_stat,
};
use rustix::{
    fd::OwnedFd,
    process::{Pid, Signal},
};
use std::{os::fd::AsFd, time::Duration};
use tokio::time::Instant;

/// How long a process has after TERM, and after KILL.
const TERM_GRACE: Duration = Duration::from_secs(2);
const KILL_GRACE: Duration = Duration::from_millis(250);
/// Looks at the process table: a process may fork between the look and the signal.
const ROUNDS_MAX: usize = 4;

/// A run, by the process that leads it. Only for a leader that nobody has reaped: its number, which is also its group's
/// and its session's, can not be another's then.
pub(crate) struct Run {
    pub(super) leader: i32,
    pub(super) pidfd: OwnedFd,
    pub(super) mark: String,
}

impl Run {
    /// Ends everything; gives those that could not be. Blocks.
    pub(crate) fn end(&self) -> Vec<i32> {
        // Before anything is signalled: who loses its parent may lose the only trace to us.
        let family = self.look();
        let apart: Vec<_> = family.iter().filter(|held| !self.in_group(held.pid)).collect();
        self.signal_group(Signal::TERM);
        held::signal(&apart, Signal::TERM);
        let deadline = Instant::now() + TERM_GRACE;
        dead_within(self.pidfd.as_fd(), TERM_GRACE);
        held::wait(&family, deadline.saturating_duration_since(Instant::now()));
        self.kill_all(family)
    }

    /// Ends everything at once. Blocks.
    pub(crate) fn kill(&self) -> Vec<i32> {
        self.kill_all(self.look())
    }

    fn kill_all(&self, mut family: Vec<Held>) -> Vec<i32> {
        for round in 0..=ROUNDS_MAX {
            family.retain(Held::lives);
            self.grow(&mut family);
            let leader_lives = !dead_within(self.pidfd.as_fd(), Duration::ZERO);
            if family.is_empty() && !leader_lives {
                break;
            }
            if round == ROUNDS_MAX {
                return leader_lives
                    .then_some(self.leader)
                    .into_iter()
                    .chain(family.iter().map(|held| held.pid))
                    .collect();
            }
            self.signal_group(Signal::KILL);
            held::signal(&family, Signal::KILL);
            dead_within(self.pidfd.as_fd(), KILL_GRACE);
            held::wait(&family, KILL_GRACE);
        }
        Vec::new()
    }

    #[allow(clippy::disallowed_methods, reason = "the leader is not reaped: the group's number is its own")]
    pub(crate) fn signal_group(&self, signal: Signal) {
        if let Some(group) = Pid::from_raw(self.leader) {
            let _ = rustix::process::kill_process_group(group, signal); // nobody is left in it
        }
    }

    fn in_group(&self, pid: i32) -> bool {
        proc_stat::read(pid).is_ok_and(|stat| stat.group == self.leader)
    }

    /// All that lives of it but the leader.
    fn look(&self) -> Vec<Held> {
        let mut family = Vec::new();
        self.grow(&mut family);
        family
    }

    /// Adds those that are not known yet, and their children, until there are no more.
    fn grow(&self, family: &mut Vec<Held>) {
        let mut buffer = Vec::with_capacity(8 * 1024);
        loop {
            let is_new = |pid| pid != self.leader && family.iter().all(|known| known.pid != pid);
            let more = held::find(|pid| is_new(pid) && self.is_family(pid, family, &mut buffer));
            if more.is_empty() {
                return;
            }
            family.extend(more);
        }
    }

    fn is_family(&self, pid: i32, family: &[Held], buffer: &mut Vec<u8>) -> bool {
        let Ok(stat) = proc_stat::read(pid) else { return false };
        let leader = self.leader;
        [stat.ppid, stat.group, stat.session].contains(&leader)
            // A dead parent's number may be another's by now.
            || family.iter().any(|known| known.pid == stat.ppid && known.lives())
            || life_mark::bears(pid, &self.mark, buffer)
    }
}
