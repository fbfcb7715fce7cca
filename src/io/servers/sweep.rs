//! Clears away what an ended server left behind: its socket file, and every process that still carries the life's
//! mark (spec 01 §4).

use super::{Shared, confine};
use crate::io::{
    held::{self, Held},
    life_mark, lock, lock_holder,
};
use coalmine_actors::ports::{LifeKey, SweepReport};
use rustix::process::Signal;
use std::{collections::BTreeSet, path::Path, time::Duration};
use tokio::time::Instant;

/// How often it is looked whether a process still holds the lock.
const LOCK_LOOK: Duration = Duration::from_millis(5);
/// How long one of our own tools has to go by itself.
const TOOL_GRACE: Duration = Duration::from_millis(250);
/// How long a process has after TERM, and after KILL.
const TERM_GRACE: Duration = Duration::from_secs(2);
const KILL_GRACE: Duration = Duration::from_millis(250);
/// How long all of it may take: whoever waits for the next life waits for this (spec 01 §4).
const SWEEP_MAX: Duration = Duration::from_secs(3);
/// Looks at the process table: a process may fork between the look and the signal.
const ROUNDS_MAX: usize = 4;

/// Removes the socket and ends every process of this user that carries the life's mark. Our own tools (`helper`: the
/// pane log, a hook) go by themselves when their work is done, and are not worth a word then.
///
/// All of it on a thread of its own: the removal waits for the disk while a canary syncs its record, and on a worker
/// that would hold up the news of this very death.
pub(super) async fn sweep(shared: &Shared, life: &LifeKey) -> SweepReport {
    let (socket, mark, helper) = (shared.socket(life), shared.paths.life_mark(life), shared.helper.clone());
    let lock = shared.paths.server_lock(&life.identity);
    let swept = tokio::task::spawn_blocking(move || {
        let report = blocking(&mark, &helper, &lock);
        // tmux takes it away itself when it can. Whoever holds the lock may be a successor, and listen there.
        if let Ok(_free) = lock::try_lock(&lock) {
            let _ = std::fs::remove_file(socket);
        }
        report
    });
    let report = swept.await.unwrap_or_default();
    confine::release(shared, life).await;
    report
}

fn blocking(mark: &str, helper: &Path, lock: &Path) -> SweepReport {
    let (mut swept, mut spared) = (BTreeSet::new(), BTreeSet::new());
    let deadline = Instant::now() + SWEEP_MAX;
    let mut term_grace = TERM_GRACE;
    let mut left = look(mark, helper, lock, &mut spared);
    for _ in 0..ROUNDS_MAX {
        let (tools, mut others): (Vec<_>, Vec<_>) = left.into_iter().partition(|bearer| bearer.tool);
        held::signal(&others, Signal::TERM);
        held::wait(&tools, TOOL_GRACE);
        let lingering: Vec<_> = tools.into_iter().filter(|bearer| bearer.held.lives()).collect();
        held::signal(&lingering, Signal::TERM);
        others.extend(lingering);
        if others.is_empty() {
            return report(swept, spared);
        }
        held::wait(&others, term_grace);
        held::signal(&others, Signal::KILL);
        held::wait(&others, KILL_GRACE);
        swept.extend(others.iter().map(|bearer| bearer.held.pid));
        left = look(mark, helper, lock, &mut spared);
        // What was forked meanwhile has had its warning.
        term_grace = Duration::ZERO;
        if Instant::now() >= deadline {
            break;
        }
    }
    spared.extend(left.iter().map(|bearer| bearer.held.pid));
    report(swept, spared)
}

fn report(mut swept: BTreeSet<i32>, escaped: BTreeSet<i32>) -> SweepReport {
    swept.retain(|pid| !escaped.contains(pid));
    SweepReport { swept: swept.into_iter().collect(), escaped: escaped.into_iter().collect() }
}

/// What is to be ended. A server that holds the identity's lock is not: it lives, whatever somebody wrote down, and a
/// sweep is for what a dead one left. It is named among those that escaped.
///
/// A child of a server holds its lock too, until it becomes another program: it has a moment to do so.
fn look(mark: &str, helper: &Path, lock: &Path, spared: &mut BTreeSet<i32>) -> Vec<Bearer> {
    let deadline = Instant::now() + TOOL_GRACE;
    loop {
        let (servers, left): (Vec<_>, Vec<_>) =
            bearers(mark, helper).into_iter().partition(|bearer| lock_holder::is_server(bearer.held.pid, lock));
        if servers.is_empty() || Instant::now() >= deadline {
            spared.extend(servers.iter().map(|server| server.held.pid));
            return left;
        }
        held::wait(&servers, LOCK_LOOK);
    }
}

/// A living process that carries the mark.
struct Bearer {
    held: Held,
    /// One of ours.
    tool: bool,
}

impl AsRef<Held> for Bearer {
    fn as_ref(&self) -> &Held {
        &self.held
    }
}

/// Living processes that carry the mark.
fn bearers(mark: &str, helper: &Path) -> Vec<Bearer> {
    let mut buffer = Vec::with_capacity(8 * 1024);
    let bearers = held::find(|pid| life_mark::bears(pid, mark, &mut buffer)).into_iter().map(|held| {
        let tool = std::fs::read_link(format!("/proc/{}/exe", held.pid)).is_ok_and(|program| program == helper);
        Bearer { held, tool }
    });
    bearers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{life_mark::tests::until_it_bears, spawn::Spawn};
    use rustix::process::Pid;
    use std::{os::fd::AsFd, process::Command};

    #[test]
    fn a_process_that_ignores_term_is_ended_and_named_and_a_stranger_is_left_alone() {
        let mark = format!("sweep-test-{}", std::process::id());
        let mut stubborn = Command::new("/bin/sh")
            .args(["-c", "trap '' TERM HUP; while :; do sleep 1; done"])
            .env("COALMINE_LIFE", &mark)
            .spawn()
            .unwrap();
        let mut stranger =
            Command::new("/bin/sleep").arg("60").env("COALMINE_LIFE", format!("{mark}0")).spawn().unwrap();
        let pid = i32::try_from(stubborn.id()).unwrap();
        until_it_bears(pid, &mark);
        let report = blocking(&mark, Path::new("/no/helper"), Path::new("/no/lock"));
        assert!(report.swept.contains(&pid), "{report:?}");
        assert!(report.escaped.is_empty(), "{report:?}");
        assert!(stranger.try_wait().unwrap().is_none(), "a stranger was ended");
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        stubborn.wait().unwrap();
    }

    #[test]
    fn a_server_that_holds_the_lock_lives_and_is_not_hit_but_named() {
        let folder = tempfile::tempdir().unwrap();
        let (lock, mark) = (folder.path().join("server.lock"), format!("sweep-server-{}", std::process::id()));
        let held = lock::try_lock(&lock).unwrap();
        let spawn = Spawn::new(Path::new("/bin/sleep")).unwrap().arg("60").unwrap();
        let pid = spawn.env("COALMINE_LIFE", &mark).unwrap().pass(held.as_fd()).start().unwrap();
        until_it_bears(pid, &mark);
        let report = blocking(&mark, Path::new("/no/helper"), &lock);
        assert_eq!(report, SweepReport { swept: vec![], escaped: vec![pid] });
        // The lock of another identity protects nobody.
        let report = blocking(&mark, Path::new("/no/helper"), Path::new("/no/lock"));
        assert_eq!(report, SweepReport { swept: vec![pid], escaped: vec![] });
        rustix::process::waitpid(Pid::from_raw(pid), rustix::process::WaitOptions::empty()).unwrap();
    }
}
