//! `coalmine interrupt`: stops what a peer's program is doing, and nothing else.

use super::{context::Context, failure::Outcome};

/// Interrupt what a peer is doing, with its runtime's own keys; the peer stays up
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The peer, by name (its default runtime) or by identity
    name: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let peer = context.client()?.interrupt(&args.name).await?;
    context.answer(&peer, |peer| format!("interrupted {}", peer.identity))
}
