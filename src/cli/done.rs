//! `coalmine done`: the one task of an ephemeral peer's life is finished.

use super::{
    context::Context,
    failure::{Failure, Outcome},
};
use crate::io::session_token;

/// Say that the task of an ephemeral peer is finished: this life ends, and the next message gets another one
#[derive(Debug, clap::Args)]
#[command(after_help = "\
From inside a peer's session without a name: its COALMINE_TOKEN says which life speaks. From outside with the peer's name. \
What is still queued for the peer stays, and wakes it again.")]
pub(super) struct Args {
    /// The peer, by name or by identity [default: the one in whose session this runs]
    #[arg(value_name = "PEER")]
    name: Option<String>,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let client = context.client()?;
    let peer = match args.name {
        Some(name) => client.done(&name).await?,
        None => {
            let token = std::env::var(session_token::VARIABLE).map_err(|_| outside("is not set"))?;
            let identity = token.split('.').next().filter(|identity| !identity.is_empty());
            let identity = identity.ok_or_else(|| outside("is no token"))?.to_owned();
            client.with_token(Some(token)).done(&identity).await?
        }
    };
    context.answer(&peer, |peer| format!("the task of {} is done; this life ends", peer.identity))
}

fn outside(why: &str) -> Failure {
    let hint = "`coalmine done` without a name is for the program in a peer's pane; from outside: `coalmine done PEER`";
    Failure::usage(format!("{} {why}", session_token::VARIABLE), hint)
}
