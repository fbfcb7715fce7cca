//! `coalmine wait`: returns when a peer has become something, for scripts.

use super::{
    context::Context,
    create,
    failure::{Failure, Outcome},
    output,
};
use crate::{
    Goal,
    api::{
        WAIT_TIME_MAX,
        client::{Client, ClientError},
    },
};
use coalmine_actors::view::PeerView;
use std::time::Duration;
use tokio::time::Instant;

/// Wait until a peer has become something
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The peer, by name (its default runtime) or by identity
    name: String,
    /// What it is to become; `dead`: the server that lives now lives no more
    #[arg(long = "for", value_name = "STATE", value_enum)]
    goal: Goal,
    /// Longest wait, as in 90s or 2m; then the exit code is 5
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = create::wait)]
    timeout: Duration,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let view = until(&context.client()?, &args).await.map_err(|error| advised(error, &args.name))?;
    context.answer(&view, output::sentence)
}

/// A request may wait only so long, so a longer wait is several.
async fn until(client: &Client, args: &Args) -> Result<PeerView, ClientError> {
    let deadline = Instant::now() + args.timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match client.wait(&args.name, args.goal, left.min(WAIT_TIME_MAX)).await {
            Err(ClientError::Refused(error)) if error.code == "timed-out" && left > WAIT_TIME_MAX => {}
            answer => return answer,
        }
    }
}

fn advised(error: ClientError, name: &str) -> Failure {
    match Failure::from(error) {
        Failure::Error(mut error) if error.code == "timed-out" => {
            error.hint = format!("`coalmine explain {name}` says why");
            Failure::Error(error)
        }
        other => other,
    }
}
