//! `coalmine attachment`: files that agents pass on; one file a verb. `reach.rs` says who does the work.

mod adopt;
mod forget;
mod gc;
mod get;
mod list;
mod progress;
mod put;
mod reach;
mod stat;
mod verify;

use super::{context::Context, failure::Outcome};
use coalmine_actors::attachments::{AttachmentError, AttachmentId, Session};

/// Store files once, pass them on by reference
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs", disable_help_subcommand = true)]
enum Verb {
    Put(put::Args),
    Get(get::Args),
    List(list::Args),
    Stat(stat::Args),
    Forget(forget::Args),
    Adopt(adopt::Args),
    Verify(verify::Args),
    Gc(gc::Args),
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    match args.verb {
        Verb::Put(args) => put::run(context, args).await,
        Verb::Get(args) => get::run(context, args).await,
        Verb::List(args) => list::run(context, args).await,
        Verb::Stat(args) => stat::run(context, args).await,
        Verb::Forget(args) => forget::run(context, args).await,
        Verb::Adopt(args) => adopt::run(context, args).await,
        Verb::Verify(args) => verify::run(context, args).await,
        Verb::Gc(args) => gc::run(context, args).await,
    }
}

/// Whose references are meant.
#[derive(Debug, Clone, clap::Args)]
struct Of {
    /// Session whose references are meant, as a peer's identity
    #[arg(long, value_name = "NAME", value_parser = str::parse::<Session>)]
    session: Option<Session>,
}

/// An id as an argument; judged by us, so that the refusal is the same as everywhere.
fn id(text: &str) -> Outcome<AttachmentId> {
    let parsed: Result<_, AttachmentError> = text.parse();
    Ok(parsed.map_err(coalmine_actors::error::FleetError::from)?)
}
