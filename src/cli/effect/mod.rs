//! `coalmine effect`: what peers do to the world; one file a verb.

mod call;
mod log;
mod ops;

use super::{context::Context, failure::Outcome};

/// Call effects as a peer, and see what peers do to the world
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs", disable_help_subcommand = true)]
enum Verb {
    Call(call::Args),
    Log(log::Args),
    Ops(ops::Args),
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    match args.verb {
        Verb::Call(args) => call::run(context, args).await,
        Verb::Log(args) => log::run(context, args).await,
        Verb::Ops(args) => ops::run(context, &args),
    }
}
