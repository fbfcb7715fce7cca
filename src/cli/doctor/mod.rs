//! `coalmine doctor`: whether this host and this state folder can carry a fleet, and what to run where not.

mod daemon;
mod folders;
mod helper;
mod kernel;
mod limits;
mod provider;
mod sandbox;
mod tmux;

use super::{
    context::Context,
    failure::Outcome,
    findings::{self, Finding},
};
use crate::config::{self, Overrides};

/// Check the host and the state folder, and say what to run for each finding
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) async fn run(context: &Context, _args: Args) -> Outcome {
    let mut found = vec![tmux::check()];
    found.extend(kernel::check());
    found.push(limits::check());
    found.push(sandbox::check());
    found.push(helper::check());
    found.push(config(context));
    found.extend(folders::check(&context.place.root));
    found.extend(provider::check(&context.place.root));
    found.push(daemon::check(context).await);
    findings::report(context, &found)
}

fn config(context: &Context) -> Finding {
    let path = &context.place.config;
    match config::load(path, &|name| std::env::var(name).ok(), &Overrides::default()) {
        Ok(_) if path.exists() => Finding::ok("config", path.display()),
        Ok(_) => Finding::ok("config", format!("{} is not there; the defaults serve", path.display())),
        Err(error) => Finding::bad("config", error.chain(), format!("edit {}", path.display())),
    }
}
