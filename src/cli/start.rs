//! `coalmine start`: brings peers up.

use super::{
    context::Context,
    create,
    failure::Outcome,
    many::{Names, each},
};
use std::time::Duration;

/// Start peers and wait until each is up or waits for somebody
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    names: Names,
    /// Longest wait for each, as in 90s or 2m
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = create::wait)]
    timeout: Duration,
    /// Do not start a daemon where none answers
    #[arg(long)]
    no_daemon: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let client = context.client_or_start(args.no_daemon).await?;
    // Of a personality with several runtimes, the default one.
    let names = args.names.resolve(&client, |peer| Some(peer.personality.to_string())).await?;
    let wait = args.timeout;
    let ask = move |client: crate::api::client::Client, name: String| async move { client.start(&name, wait).await };
    each(context, &client, names, ask, create::told).await
}
