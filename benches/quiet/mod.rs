//! The parts of the bench `fleet`: the daemon that is looked at, its idleness, and its list.

mod daemon;
pub mod idle;
pub mod list;

pub use daemon::{Daemon, coalmine};

use crate::support::Args;
use std::time::Duration;

/// Longer than tokio keeps a blocking thread that has nothing to do (10 s): what a burst of starts needed is gone.
const PAUSE: Duration = Duration::from_secs(12);
const PAUSE_QUICK: Duration = Duration::from_secs(1);

/// A time in which nothing happens.
#[derive(Debug, Clone, Copy)]
pub struct Pause(Duration);

/// How long the bench leaves the fleet alone.
pub fn pause(args: &Args) -> Pause {
    Pause(if args.quick { PAUSE_QUICK } else { PAUSE })
}

impl Pause {
    /// Lets it pass.
    pub async fn wait(self) {
        tokio::time::sleep(self.0).await;
    }

    /// Its length, seconds.
    pub fn seconds(self) -> u64 {
        self.0.as_secs()
    }
}
