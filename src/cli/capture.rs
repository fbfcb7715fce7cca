//! `coalmine capture`: the text on a peer's screen.

use super::{context::Context, failure::Outcome};
use crate::api::wire::Screen;

/// Print what is on a peer's screen
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The peer, by name or by identity
    name: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let text = context.client()?.capture(&args.name).await?;
    // Cleaned again: the terminal is ours to guard, whoever cleaned before.
    let screen = Screen { text: crate::text::harmless(&text) };
    context.answer(&screen, |screen| {
        // The rows below a tall screen's last line are nothing that anybody wants to scroll through.
        screen.text.trim_end_matches('\n').to_owned()
    })
}
