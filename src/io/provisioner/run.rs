//! The run of one command: every way in which it can go is an outcome (spec 03 §3).

use super::{
    Env,
    child::{self, Child},
};
use crate::io::child::end;
use coalmine_actors::{
    ports::ProcessEnd,
    provisioner::{ProvisionOutcome, errand::ProvisionCommand, outcome::State, port::Deadlines},
};
use nix::sys::signal::Signal;
use std::{future::pending, path::PathBuf, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout, timeout_at},
};

/// How long the pipes are read after the child's end: a grandchild may hold them for ever.
const REST_MAX: Duration = Duration::from_millis(500);

/// What is to be run.
pub(super) struct Order {
    pub(super) command: ProvisionCommand,
    pub(super) env: Env,
    pub(super) mark: String,
    /// Where it starts if its own folder is not there.
    pub(super) other_folder: PathBuf,
    /// Where it is noted as long as it runs.
    pub(super) notes: PathBuf,
}

/// Why a command is ended.
enum Why {
    Deadline,
    Idle,
    Cancelled,
}

impl Why {
    fn outcome(&self, limits: &Deadlines) -> (State, String) {
        match (self, limits.idle) {
            (Self::Cancelled, _) => (State::Cancelled, "called off".into()),
            (Self::Idle, Some(idle)) => {
                (State::Timeout, format!("timed out after {} ms without a word", idle.as_millis()))
            }
            (Self::Deadline | Self::Idle, _) => {
                (State::Timeout, format!("timed out after {} ms", limits.total.as_millis()))
            }
        }
    }
}

/// Runs it. Dropped, it ends what it started.
pub(super) async fn run(order: Order, limits: Deadlines, cancel: watch::Receiver<bool>) -> ProvisionOutcome {
    let began = Instant::now();
    let outcome = go(order, &limits, began + limits.total, cancel).await;
    ProvisionOutcome { duration_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX), ..outcome }
}

async fn go(
    order: Order,
    limits: &Deadlines,
    deadline: Instant,
    mut cancel: watch::Receiver<bool>,
) -> ProvisionOutcome {
    let argv = order.command.argv();
    let Order { command, env, mark, other_folder, notes } = order;
    // On a thread for it: a file system that hangs holds up nobody else. A child that is there too late finds nobody
    // to take it, and is ended by its drop.
    let starting = tokio::task::spawn_blocking(move || child::start(&command, &env, mark, &other_folder, &notes));
    let mut child = match timeout_at(deadline, starting).await {
        Ok(Ok(Ok(child))) => child,
        Ok(Ok(Err(refused))) => return refused,
        Ok(Err(ended)) => return ProvisionOutcome::not_run(State::Failed, format!("can not start: {ended}")),
        Err(_elapsed) => {
            let (state, why) = Why::Deadline.outcome(limits);
            return ProvisionOutcome::stopped(state, argv, &why, b"it had not even started", Vec::new());
        }
    };
    match until_over(&mut child, limits.idle, deadline, &mut cancel).await {
        None => {
            let _grandchildren_hold_them = timeout(REST_MAX, child.pipes.rest()).await;
            let end = child.leader.reap();
            told(&child);
            ProvisionOutcome::ended(argv, end, signal_name(end), child.pipes.stderr.kept.last())
        }
        Some(why) => {
            let escaped = end(&child.leader, &mut child.pipes).await;
            let _escaped_ones_hold_them = timeout(REST_MAX, child.pipes.rest()).await;
            child.leader.reap();
            told(&child);
            let (state, why) = why.outcome(limits);
            ProvisionOutcome::stopped(state, argv, &why, child.pipes.stderr.kept.last(), escaped)
        }
    }
}

/// Drains until the child has ended by itself (nothing), or must be.
async fn until_over(
    child: &mut Child,
    idle: Option<Duration>,
    deadline: Instant,
    cancel: &mut watch::Receiver<bool>,
) -> Option<Why> {
    let mut heard = Instant::now();
    loop {
        let silence = async {
            match idle {
                Some(idle) => sleep_until(heard + idle).await,
                None => pending().await,
            }
        };
        // A flood is always ready to be read, so everything else is asked first. All branches are cancel-safe: they
        // wait for a state, or keep what they have read.
        tokio::select! {
            biased;
            () = sleep_until(deadline) => return Some(Why::Deadline),
            () = called_off(cancel) => return Some(Why::Cancelled),
            () = child.leader.ended() => return None,
            () = silence => return Some(Why::Idle),
            () = child.pipes.some() => heard = Instant::now(),
        }
    }
}

/// Resolves when the run is called off; never where nobody can any more.
async fn called_off(cancel: &mut watch::Receiver<bool>) {
    if cancel.wait_for(|called_off| *called_off).await.is_err() {
        pending().await
    }
}

/// What it said, for whoever reads the daemon's notes in full.
fn told(child: &Child) {
    let text = |bytes| coalmine_actors::provisioner::outcome::said(bytes, 2_000);
    let (stdout, stderr) = (child.pipes.stdout.kept.last(), child.pipes.stderr.kept.last());
    tracing::debug!(stdout = text(stdout), stderr = text(stderr), "a provider's command is over");
}

fn signal_name(end: ProcessEnd) -> Option<String> {
    let ProcessEnd::Signaled { signal, .. } = end else { return None };
    Some(Signal::try_from(signal).map_or_else(|_unknown| format!("signal {signal}"), |signal| signal.as_str().into()))
}
