//! `coalmine attach`: puts this terminal before a peer's screen.

use super::{
    context::Context,
    create,
    failure::{Failure, Outcome},
    output,
};
use crate::paths::Paths;
use coalmine_actors::error::FleetError;
use std::{
    io::{self, IsTerminal},
    os::unix::process::CommandExt,
    process::Command,
    time::Duration,
};

/// Attach this terminal to a peer, waking it first; leave with Ctrl-b d
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The peer, by name or by identity
    name: String,
    /// Longest wait for its start, as in 90s or 2m
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = create::wait)]
    timeout: Duration,
    /// Do not start a daemon where none answers
    #[arg(long)]
    no_daemon: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Failure::usage(
            "attach needs a terminal",
            format!("`coalmine capture {0}` prints the screen, `coalmine logs -f {0}` follows it", args.name),
        ));
    }
    let client = context.client_or_start(args.no_daemon).await?;
    // A start that finds it up answers at once, and says which identity a bare name means.
    let peer = client.start(&args.name, args.timeout).await?;
    if !peer.phase.is_live() {
        return Err(Failure::failed("nothing to attach to", output::sentence(&peer)));
    }
    let socket = Paths::new(&client.status().await?.root)?.peer_socket(&peer.identity);
    // Only returns when tmux could not be started. A terminal inside another tmux may attach here too.
    let error = Command::new("tmux")
        .arg("-S")
        .arg(&socket)
        .args(["attach", "-t", "=main:"])
        .env_remove("TMUX")
        .env_remove("TMUX_PANE")
        .exec();
    match error.kind() {
        io::ErrorKind::NotFound => Err(FleetError::TmuxMissing.into()),
        _ => Err(Failure::failed("can not start tmux", error)),
    }
}
