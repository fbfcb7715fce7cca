//! `coalmine stop`: ends peers on purpose.

use super::{
    context::Context,
    create,
    failure::Outcome,
    many::{Names, each_of},
};
use crate::api::client::Client;
use coalmine_actors::fleet::request::Stopped;
use std::time::Duration;

/// Stop peers; they stay down until somebody starts them
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    names: Names,
    /// Longest wait for each, as in 90s or 2m
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = create::wait)]
    timeout: Duration,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let client = context.client()?;
    let names = args.names.resolve(&client, |peer| Some(peer.identity.to_string())).await?;
    let wait = args.timeout;
    let ask = move |client: Client, name: String| async move { client.stop(&name, wait).await };
    each_of(context, &client, names, ask, told).await
}

fn told(stopped: &Stopped) -> String {
    let identity = &stopped.identity;
    let is = format!("{identity} is {}", stopped.phase);
    let report = match &stopped.report {
        None if stopped.was.is_live() => {
            return format!("{is}; its server was dead already: `coalmine deaths {identity}`");
        }
        None => return format!("{is}; it did not run"),
        Some(report) => report,
    };
    // A server that died between the claim and its end needed none of what the fleet does.
    let how = if report.rungs.is_empty() { "its server ended by itself".into() } else { report.rungs.join(", ") };
    let mut text = format!("{is} ({how})");
    for (what, pids) in [("swept", &report.sweep.swept), ("escaped", &report.sweep.escaped)] {
        if !pids.is_empty() {
            let pids = pids.iter().map(i32::to_string).collect::<Vec<_>>().join(", ");
            text.push_str(&format!("; {what} pid {pids}"));
        }
    }
    text
}
