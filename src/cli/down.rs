//! `coalmine down`: ends the daemon, and with `--all` the peers.

use super::{
    context::{Context, Offline},
    failure::{Failure, Outcome},
    output,
};
use crate::{
    api::wire::ShutDown,
    count::{peers, still_run},
    io::pidfd::dead_within,
    text::harmless,
};
use coalmine_actors::error::Kind;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::{
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

/// Longest wait for all peers to end.
const PEERS_TIME_MAX: Duration = Duration::from_secs(120);
/// Longest wait for the daemon's process to end.
const DAEMON_END_MAX: Duration = Duration::from_secs(15);

/// End the daemon; the peers run on
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// End the peers too
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let client = context.client();
    let Ok(client) = client else { return nobody(context, args.all) };
    let daemon = match client.status().await {
        Ok(status) => status.daemon_pid.and_then(open),
        Err(error) if error.is_unreachable() => return nobody(context, args.all),
        Err(error) => return Err(error.into()),
    };
    let done = client.shutdown(args.all, PEERS_TIME_MAX).await?;
    if daemon.is_some_and(|daemon| !ended(&daemon)) {
        return Err(Failure::new(
            Kind::TimedOut,
            "timed-out",
            format!("the daemon has not ended after {DAEMON_END_MAX:?}"),
            "its log is daemon.log in the state folder",
        ));
    }
    context.answer(&done, ended_with)?;
    if done.failed.is_empty() { Ok(()) } else { Err(Failure::degraded()) }
}

fn ended_with(done: &ShutDown) -> String {
    let mut text = match (done.ended, done.running) {
        (0, 0) => "the daemon has ended; no peer runs".into(),
        (0, running) => format!(
            "the daemon has ended; {}: `coalmine up -d`, then `coalmine down --all`, ends what runs",
            still_run(running)
        ),
        (ended, 0) => format!("the daemon has ended, and {} with it", peers(ended)),
        (ended, running) => format!("the daemon has ended, and {} with it; {}", peers(ended), still_run(running)),
    };
    for failed in &done.failed {
        text.push_str(&harmless(&format!("\n{} could not be ended: {}", failed.identity, failed.error.message)));
    }
    text
}

/// No daemon: that is what `down` wanted, but peers can only be ended by one.
fn nobody(context: &Context, all: bool) -> Outcome {
    let running = context.files()?.list().iter().filter(|peer| peer.server_pid.is_some()).count();
    if all && running > 0 {
        return Err(Failure::new(
            Kind::Unreachable,
            "unreachable",
            format!("no daemon runs, and {}", still_run(running)),
            "`coalmine up -d`, then `coalmine down --all`",
        ));
    }
    let done = ShutDown { running, ..ShutDown::default() };
    if context.json {
        return output::document(&done, Some(Offline::NotRunning));
    }
    output::print(&match running {
        0 => "no daemon runs, and no peer".into(),
        running => format!("no daemon runs; {}", still_run(running)),
    })
}

/// Held from before the request, so that it is the daemon's end that is seen and not a successor's life.
fn open(pid: u32) -> Option<OwnedFd> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

fn ended(daemon: &OwnedFd) -> bool {
    dead_within(daemon.as_fd(), DAEMON_END_MAX)
}
