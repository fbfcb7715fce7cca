//! `coalmine daemon`: the fleet in the foreground.

use super::{background, failure::Outcome};
use crate::config::{Overrides, parse_policy, place::Place};
use coalmine_actors::peer::restart_policy::RestartPolicy;
use jiff::SignedDuration;
use std::os::fd::AsFd;

/// Run the fleet in the foreground
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// In a session of its own, for `up -d`
    #[arg(long, hide = true)]
    detached: bool,
    /// What happens after a death where a peer does not say: never, on-failure or always
    #[arg(long, value_name = "POLICY", value_parser = parse_policy)]
    restart_policy: Option<RestartPolicy>,
    /// Deaths within the window before a peer is put in quarantine
    #[arg(long, value_name = "N")]
    deaths_max: Option<usize>,
    /// The window, as in 300s or 5m
    #[arg(long, value_name = "TIME")]
    window: Option<SignedDuration>,
}

pub(super) fn run(place: &Place, args: Args, verbose: u8) -> Outcome {
    let flags = Overrides {
        policy: args.restart_policy,
        deaths_max: args.deaths_max,
        window: args.window,
        ..Overrides::default()
    };
    // Held beside the log that takes stdout's place: there whoever started this waits for a word.
    let starter = args.detached.then(|| std::io::stdout().as_fd().try_clone_to_owned());
    let ended = crate::daemon::run(place, flags, args.detached, verbose);
    if let (Err(error), Some(Ok(starter))) = (&ended, starter) {
        background::report(error, starter);
    }
    Ok(ended?)
}
