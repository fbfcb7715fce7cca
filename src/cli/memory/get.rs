//! `coalmine memory get`: one item, whole.

use super::{reach, show};
use crate::cli::{context::Context, failure::Outcome};
use coalmine_actors::memory::query;

/// Show one item, whole
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The item
    #[arg(value_name = "ID")]
    id: u64,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let id = args.id;
    let look = |index: &_| Ok(query::get(index, id)?);
    let read = reach::read(context, async |client| client.memory_get(id).await, look).await?;
    context.answer_read(&read, |items| items.iter().map(show::card).collect::<Vec<_>>().join("\n\n"))
}
