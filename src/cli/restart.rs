//! `coalmine restart`: ends peers and starts their next lives.

use super::{
    context::Context,
    create,
    failure::Outcome,
    many::{Names, each},
};
use crate::api::client::Client;
use std::time::Duration;

/// Restart peers; --all means those that run
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    names: Names,
    /// Longest wait for each, as in 90s or 2m
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = create::wait)]
    timeout: Duration,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let client = context.client()?;
    let names = args.names.resolve(&client, |peer| peer.phase.is_live().then(|| peer.identity.to_string())).await?;
    let wait = args.timeout;
    let ask = move |client: Client, name: String| async move { client.restart(&name, wait).await };
    each(context, &client, names, ask, create::told).await
}
