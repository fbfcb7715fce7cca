//! `coalmine refresh`: the next life of a peer begins afresh.

use super::{context::Context, create, failure::Outcome};
use std::time::Duration;

/// Restart a peer that is to leave behind what was said: its next life begins afresh
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Its program is ended in its runtime's own way. What is queued for it stays and is delivered to the next life; its folder and \
the fleet's memory stay too. `coalmine restart` goes on with the last conversation where the runtime can.")]
pub(super) struct Args {
    /// The peer, by name (its default runtime) or by identity
    name: String,
    /// Longest wait, as in 90s or 2m
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = create::wait)]
    timeout: Duration,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let peer = context.client()?.refresh(&args.name, args.timeout).await?;
    context.answer(&peer, create::told)
}
