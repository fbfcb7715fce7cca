//! The numbers of restarts as flags: of the whole fleet for `daemon`, of one peer for `create` and `init`.

use coalmine_actors::peer::restart_knobs::RestartKnobs;
use jiff::SignedDuration;

/// What is left out is as the config has it.
#[derive(Debug, clap::Args)]
pub(super) struct RestartFlags {
    /// Deaths within the window before quarantine
    #[arg(long, value_name = "N")]
    deaths_max: Option<usize>,
    /// The window, as in 300s or 5m
    #[arg(long, value_name = "TIME")]
    window: Option<SignedDuration>,
    /// Longest wait before the second restart in a row; it doubles with each further one
    #[arg(long, value_name = "TIME")]
    delay_first: Option<SignedDuration>,
    /// Longest wait before any restart
    #[arg(long, value_name = "TIME")]
    delay_max: Option<SignedDuration>,
    /// Up for so long, and the next restart is the first of a row again
    #[arg(long, value_name = "TIME")]
    healthy_after: Option<SignedDuration>,
}

impl RestartFlags {
    /// The same as values.
    pub(super) fn knobs(&self) -> RestartKnobs {
        let Self { deaths_max, window, delay_first, delay_max, healthy_after } = *self;
        RestartKnobs { deaths_max, window, delay_first, delay_max, healthy_after }
    }
}
