//! `coalmine up -d`: the daemon in the background.

use super::{
    background,
    context::Context,
    failure::{Failure, Outcome},
};
use serde::Serialize;

/// Start the daemon in the background
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// In the background
    #[arg(short, long)]
    detach: bool,
}

#[derive(Serialize)]
struct Up {
    pid: Option<u32>,
    started: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    if !args.detach {
        return Err(Failure::usage(
            "up without -d",
            "`coalmine up -d` starts the daemon in the background, `coalmine daemon` runs it here",
        ));
    }
    let up = match running(context).await? {
        Some(up) => up,
        None => {
            let (_, pid) = background::start(&context.place, context.verbose).await?;
            Up { pid: Some(pid), started: true }
        }
    };
    context.answer(&up, |up| {
        let pid = up.pid.map_or("unknown".into(), |pid| pid.to_string());
        format!("the daemon {} (pid {pid})", if up.started { "runs now" } else { "runs already" })
    })
}

/// The daemon that answers already. One that does not answer in time runs too, and must not get a rival.
async fn running(context: &Context) -> Outcome<Option<Up>> {
    let Ok(client) = context.client() else { return Ok(None) };
    match client.status().await {
        Ok(status) => Ok(Some(Up { pid: status.daemon_pid, started: false })),
        Err(error) if error.is_unreachable() => Ok(None),
        Err(error) => Err(error.into()),
    }
}
