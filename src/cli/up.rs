//! `coalmine up`: the daemon in the background, or the peers that a project declares.

mod peers;

use super::{
    background,
    context::Context,
    create,
    failure::{Failure, Outcome},
};
use crate::{api::client::ClientError, config::project::PROJECT_FILE};
use serde::Serialize;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Start what ./coalmine.toml declares; with -d only the daemon
#[derive(Debug, clap::Args)]
#[command(after_help = peers::HELP)]
pub(super) struct Args {
    /// Start the daemon in the background, and no peer unless a file is named
    #[arg(short, long)]
    detach: bool,
    /// The file that declares the peers [default: ./coalmine.toml]
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Longest wait for each start, as in 90s or 2m
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = create::wait)]
    timeout: Duration,
}

#[derive(Serialize)]
struct Up {
    pid: Option<u32>,
    started: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let file = match args.file {
        None if args.detach && args.dry_run => {
            return Err(Failure::usage("-d alone starts the daemon, of which there is no plan", "add -f FILE"));
        }
        None if args.detach => return daemon(context).await,
        None if !Path::new(PROJECT_FILE).exists() => {
            return Err(Failure::usage(
                format!("there is no {PROJECT_FILE} here"),
                "`coalmine up -d` starts the daemon in the background, `coalmine daemon` runs it here; \
                 `coalmine up -f FILE` starts the peers of a file",
            ));
        }
        file => file.unwrap_or_else(|| PROJECT_FILE.into()),
    };
    peers::run(context, &file, args.dry_run, args.timeout).await
}

async fn daemon(context: &Context) -> Outcome {
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
        // One that starts just now, it may be: it is waited for as if it were ours.
        Err(ClientError::Deaf { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
