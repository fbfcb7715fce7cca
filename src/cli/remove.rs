//! `coalmine remove`: takes a peer out of the fleet.

use super::{context::Context, failure::Outcome, provisioned};
use crate::api::WAIT_TIME_MAX;
use coalmine_actors::fleet::request::Removed;

/// Remove a peer with all that the fleet knows of it; its folder is kept
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The peer, by name or by identity
    name: String,
    /// Also when it runs: it is stopped first
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let removed = context.client()?.remove(&args.name, args.force, WAIT_TIME_MAX).await?;
    context.answer(&removed, text)
}

fn text(removed: &Removed) -> String {
    let mut text = match (&removed.kept_folder, removed.existed) {
        (_, false) => format!("no peer is named {}: nothing to remove", removed.name),
        (Some(folder), true) => format!("{} is removed; its folder {} is kept", removed.name, folder.display()),
        (None, true) => format!("{} is removed", removed.name),
    };
    if !removed.unprovision.is_empty() {
        text.push_str(&format!("\nmemory unprovision: {}", provisioned::short(&removed.unprovision)));
    }
    text
}
