//! `coalmine demo`: a fleet of three in a root of its own, three ways to end, and what is on record of each.
//!
//! ```text
//! digger   its server is killed                   → recorded by its canary, back up
//! hauler   its server and its canary are killed   → recorded by the daemon, back up
//! lamp     is stopped politely                    → nothing is recorded, stays down
//! ```

mod helper;
mod install;
mod stage;
mod table;

use super::{
    context::Context,
    failure::{Failure, Outcome},
    output,
};
use crate::{Fleet, FleetHandle, io::find};
use coalmine_actors::{error::FleetError, fleet::request::CreatePeer, view::PeerView};
use rustix::process::{Pid, PidfdFlags, Signal};
use stage::{Account, Stage};
use std::{
    collections::BTreeMap,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    time::Duration,
};

/// Longest wait for any one step; all together take a few seconds.
const STEP: Duration = Duration::from_secs(20);

/// Show what a fleet does, in a place of its own that is gone afterwards
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Install tmux with the system's package manager where it is missing
    #[arg(long)]
    yes: bool,
}

/// A peer of the show: its name, and a program that does something visible.
const CAST: [(&str, &str); 3] = [
    ("digger", "n=0; while :; do n=$((n+1)); echo \"$(date +%T)  dug $n m into the seam\"; sleep 0.2; done"),
    ("hauler", "n=0; while :; do n=$((n+1)); echo \"$(date +%T)  hauled cart $n to the shaft\"; sleep 0.2; done"),
    ("lamp", "while :; do echo \"$(date +%T)  the lamp burns\"; sleep 0.2; done"),
];

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    match find::tmux() {
        Err(FleetError::TmuxMissing) => install::tmux(args.yes, |text| context.note(text)).await?,
        found => drop(found?),
    }
    helper::ensure(|text| context.note(text)).await?;
    let root = tempfile::Builder::new()
        .prefix("coalmine-demo-")
        .tempdir()
        .map_err(|error| Failure::failed("can not make a folder for the show", error))?;
    let fleet = Fleet::builder().root(root.path()).start().await?;
    let shown = tokio::select! {
        shown = show(context, &fleet, root.path()) => shown,
        // Ctrl-C ends the show early, and everything that it started.
        _ = tokio::signal::ctrl_c() => Err(Failure::Quiet(130)),
    };
    let ended = fleet.shutdown_all().await;
    let accounts = shown?;
    ended?;
    let left = stage::left_over(root.path());
    context.answer(&accounts, |accounts| table::render(accounts, &left))?;
    if left.is_empty() { Ok(()) } else { Err(Failure::degraded()) }
}

async fn show(context: &Context, fleet: &FleetHandle, folder: &Path) -> Outcome<Vec<Account>> {
    let say = |text: &str| if context.json { Ok(()) } else { output::print(&format!("{text}\n")) };
    say(&format!("A fleet of three, in {}:\n", folder.display()))?;
    let mut stage = Stage::new(fleet);
    let births = CAST.map(|(name, script)| fleet.create(request(name, script, folder)));
    let [digger, hauler, lamp] = births;
    let (digger, hauler, lamp) = tokio::try_join!(digger, hauler, lamp)?;
    let (digger, hauler, lamp) = (digger.peer, hauler.peer, lamp.peer);
    say(&format!("{}\n", super::list::text(&fleet.list(), jiff::Timestamp::now())))?;
    stage.until_lines(&digger, table::SCREEN_LINES, STEP).await?;
    let screen = fleet.capture("digger").await?;
    say(&table::screen(&digger, &screen))?;

    say("Now all three of them end:\n")?;
    say(&format!("  {}   kill -9 of its tmux server, pid {}", digger.identity, pid_of(&digger)))?;
    signal(digger.server_pid, Signal::KILL)?;
    let digger = stage.account(&digger, "server killed", true, STEP).await?;
    say(&format!("  {}   kill -9 of its canary and of its tmux server", hauler.identity))?;
    // Stopped first, so that it does not record; killed last, so that no successor is armed beside a dying server.
    signal(hauler.canary_pid, Signal::STOP)?;
    let server = signal(hauler.server_pid, Signal::KILL)?;
    crate::io::pidfd::dead_within(server.as_fd(), STEP);
    signal(hauler.canary_pid, Signal::KILL)?;
    let hauler = stage.account(&hauler, "canary and server killed", true, STEP).await?;
    say(&format!("  {}     coalmine stop lamp\n", lamp.identity))?;
    fleet.stop("lamp", STEP).await?;
    let lamp = stage.account(&lamp, "stopped politely", false, STEP).await?;
    Ok(vec![digger, hauler, lamp])
}

fn request(name: &str, script: &str, folder: &Path) -> CreatePeer {
    CreatePeer {
        name: name.into(),
        cwd: folder.into(),
        command: ["/bin/sh", "-c", script].map(Into::into).into(),
        env: BTreeMap::new(),
        start: true,
        ..CreatePeer::default()
    }
}

fn pid_of(peer: &PeerView) -> String {
    peer.server_pid.map_or_else(|| "?".into(), |pid| pid.to_string())
}

/// A signal to a process that this show has just started; gives the process.
fn signal(pid: Option<i32>, signal: Signal) -> Outcome<OwnedFd> {
    let pid = pid.and_then(Pid::from_raw).ok_or_else(|| Failure::failed("the show", "a process is missing"))?;
    let failed = |error| Failure::failed("the show can not signal its own process", error);
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(failed)?;
    rustix::process::pidfd_send_signal(&pidfd, signal).map_err(failed)?;
    Ok(pidfd)
}
