//! `coalmine policy`: what peers may do; one file a verb. No daemon is asked: policies are files.

mod check;
mod digest;
mod explain;

use super::{
    context::Context,
    failure::{Failure, Outcome},
};
use crate::io::effects::{Keys, Policies};
use coalmine_actors::effects::{Policy, policy::NONE};
use std::path::Path;

/// Check and explain the policies that govern effects
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs", disable_help_subcommand = true)]
enum Verb {
    Check(check::Args),
    Explain(explain::Args),
    Digest(digest::Args),
}

pub(super) fn run(context: &Context, args: Args) -> Outcome {
    match args.verb {
        Verb::Check(args) => check::run(context, &args),
        Verb::Explain(args) => explain::run(context, &args),
        Verb::Digest(args) => digest::run(context, &args),
    }
}

/// The fleet's policies, of which none may reach a key of this configuration.
fn policies(context: &Context) -> Policies {
    Policies::of_root(&context.place.root).keeping(Keys::of(context.config().providers))
}

/// The policy that is meant: a file where a path is given, else the one of this name in the fleet.
fn find(context: &Context, named: &str) -> Outcome<Policy> {
    if named.contains('/') || named.ends_with(".toml") {
        return read_file(context, Path::new(named));
    }
    Ok(policies(context).read(named)?)
}

/// The policy that a peer has, by the fleet's files; `none` where it names none.
fn of_peer(context: &Context, peer: &str) -> Outcome<Policy> {
    // Of several runtimes that one name means, all have the same.
    let named = context.files()?.show(peer)?.into_iter().find_map(|view| view.policy);
    Ok(policies(context).read(named.as_deref().unwrap_or(NONE))?)
}

/// A policy file anywhere.
fn read_file(context: &Context, path: &Path) -> Outcome<Policy> {
    let path = std::path::absolute(path).map_err(|error| Failure::usage(error, "give the path of a policy file"))?;
    Ok(policies(context).read_file(&path)?)
}
