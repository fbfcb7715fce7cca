//! `coalmine mail`: what was sent and how far it is; one file a verb.

mod ack;
mod cancel;
mod list;
mod show;
pub(super) mod told;

use super::{context::Context, failure::Outcome};
use coalmine_actors::{error::FleetError, mail::MessageId};

/// Look at messages, cancel those that still wait, and say which were read
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs", disable_help_subcommand = true)]
enum Verb {
    List(list::Args),
    Show(show::Args),
    Cancel(cancel::Args),
    Ack(ack::Args),
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    match args.verb {
        Verb::List(args) => list::run(context, args).await,
        Verb::Show(args) => show::run(context, args).await,
        Verb::Cancel(args) => cancel::run(context, args).await,
        Verb::Ack(args) => ack::run(context, args).await,
    }
}

/// An id as an argument; judged by us, so that the refusal is the same as everywhere.
fn id(text: &str) -> Outcome<MessageId> {
    Ok(text.parse::<MessageId>().map_err(FleetError::from)?)
}
