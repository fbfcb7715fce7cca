//! `coalmine memory`: what the fleet remembers; one file a verb.
//!
//! ```text
//! writes ─┬─ a daemon answers                 the daemon writes
//!         └─ none: take the lock for the call  held by another: wait, look for a daemon again, say who
//! reads  ─┬─ a daemon answers                 what it holds
//!         └─ none: the file, without its lock  an unfinished last line is left out
//! ```

mod add;
mod compact;
mod export;
mod forget;
mod get;
mod import;
mod init;
mod list;
mod reach;
mod search;
mod show;
mod stats;
mod verify;

use super::{context::Context, create, failure::Outcome};
use std::time::Duration;

/// Remember, find and forget
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs", disable_help_subcommand = true)]
enum Verb {
    Add(add::Args),
    Forget(forget::Args),
    List(list::Args),
    Get(get::Args),
    Search(search::Args),
    Stats(stats::Args),
    Verify(verify::Args),
    Compact(compact::Args),
    Export(export::Args),
    Import(import::Args),
    Init(init::Args),
}

/// What every verb that writes takes.
#[derive(Debug, Clone, Copy, clap::Args)]
struct Writing {
    /// Longest wait for a lock that another process holds, as in 5s
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = create::wait)]
    wait: Duration,
    /// Write also where locks exclude nobody, as on some network file systems
    #[arg(long)]
    allow_unlocked: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    match args.verb {
        Verb::Add(args) => add::run(context, args).await,
        Verb::Forget(args) => forget::run(context, args).await,
        Verb::List(args) => list::run(context, args).await,
        Verb::Get(args) => get::run(context, args).await,
        Verb::Search(args) => search::run(context, args).await,
        Verb::Stats(args) => stats::run(context, args).await,
        Verb::Verify(args) => verify::run(context, args).await,
        Verb::Compact(args) => compact::run(context, args).await,
        Verb::Export(args) => export::run(context, args).await,
        Verb::Import(args) => import::run(context, args).await,
        Verb::Init(args) => init::run(context, args).await,
    }
}
