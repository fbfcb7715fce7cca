//! `coalmine daemon`: the fleet in the foreground.

use super::{background, failure::Outcome, restart_flags::RestartFlags};
use crate::config::{Overrides, parse_policy, place::Place};
use coalmine_actors::peer::{restart_knobs::RestartKnobs, restart_policy::RestartPolicy};
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
    #[command(flatten)]
    restarts: RestartFlags,
    /// How many peers come back at once after a mass death
    #[arg(long, value_name = "N")]
    parallel: Option<usize>,
}

pub(super) fn run(place: &Place, args: Args, verbose: u8) -> Outcome {
    let RestartKnobs { deaths_max, window, delay_first, delay_max, healthy_after } = args.restarts.knobs();
    let (policy, parallel) = (args.restart_policy, args.parallel);
    let flags = Overrides { policy, deaths_max, window, delay_first, delay_max, healthy_after, parallel };
    // Held beside the log that takes stdout's place: there whoever started this waits for a word.
    let starter = args.detached.then(|| std::io::stdout().as_fd().try_clone_to_owned());
    let ended = crate::daemon::run(place, flags, args.detached, verbose);
    if let (Err(error), Some(Ok(starter))) = (&ended, starter) {
        background::report(error, starter);
    }
    Ok(ended?)
}
