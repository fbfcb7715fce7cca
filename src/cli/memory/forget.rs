//! `coalmine memory forget`: forgets items.

use super::{Writing, reach};
use crate::cli::{
    context::Context,
    failure::{self, Failure, Outcome},
};
use coalmine_actors::memory::Added;
use serde::Serialize;

/// Forget items, by the ids that `list` shows
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The items
    #[arg(required = true, value_name = "ID")]
    ids: Vec<u64>,
    #[command(flatten)]
    writing: Writing,
}

#[derive(Serialize)]
struct Forgotten {
    id: u64,
    /// The id of the mark.
    mark: u64,
    durable: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let (mut forgotten, mut refused) = (Vec::new(), Vec::new());
    for id in args.ids {
        let done = reach::write(
            context,
            args.writing,
            async |client| client.memory_forget(id).await,
            async |memory| memory.forget(id).await,
        );
        match done.await {
            Ok(Added { id: mark, durable }) => forgotten.push(Forgotten { id, mark, durable }),
            Err(Failure::Error(error)) => refused.push(error),
            Err(quiet) => return Err(quiet),
        }
    }
    // One refusal alone is the answer; several are told one by one.
    if forgotten.is_empty() && refused.len() == 1 {
        return Err(refused.pop().map_or(Failure::degraded(), Failure::Error));
    }
    context.answer(&forgotten, |forgotten| {
        forgotten.iter().map(|Forgotten { id, .. }| format!("{id} is forgotten")).collect::<Vec<_>>().join("\n")
    })?;
    let some_refused = !refused.is_empty();
    refused.into_iter().for_each(|error| failure::tell(error, context.json));
    if some_refused { Err(Failure::degraded()) } else { Ok(()) }
}
