//! `coalmine reset`: forgives a peer's deaths.

use super::{context::Context, failure::Outcome, output};

/// Forgive a peer's deaths: a quarantined one can be started again
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The peer, by name or by identity
    name: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let peers = context.client()?.reset(&args.name).await?;
    context.answer(&peers, |peers| peers.iter().map(output::sentence).collect::<Vec<_>>().join("\n"))
}
