//! `coalmine ready`: what a peer's own program says when it is ready.

use super::{
    context::Context,
    failure::{Failure, Outcome},
};
use coalmine_actors::{
    error::FleetError,
    names::{Generation, Identity},
};
use serde::Serialize;

/// Say, from inside a peer, that its program is ready
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

#[derive(Serialize)]
struct Said {
    identity: Identity,
    #[serde(rename = "gen")]
    generation: Generation,
}

pub(super) async fn run(context: &Context, _args: Args) -> Outcome {
    let identity: Identity = variable("PEER_IDENTITY")?.parse().map_err(FleetError::from)?;
    let generation = variable("PEER_GENERATION")?;
    let generation = Generation(generation.parse().map_err(|_| outside("PEER_GENERATION is not a number"))?);
    context.client()?.ready(&identity, generation).await?;
    // Its reader is a program, so silence is enough.
    if context.json { super::output::document(&Said { identity, generation }, None) } else { Ok(()) }
}

fn variable(name: &str) -> Outcome<String> {
    std::env::var(name).map_err(|_| outside(&format!("{name} is not set")))
}

fn outside(why: &str) -> Failure {
    Failure::usage(why, "`coalmine ready` is for the program in a peer's pane, which has these variables")
}
