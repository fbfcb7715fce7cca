//! What every test stands on: a fleet in a root of its own that is gone when the test ends, and patient waiting.

pub mod bearers;
mod daemon;
mod host;
pub mod http;
mod mount;
mod rig;
mod root;
mod skip;

pub use daemon::{Daemon, Refusal, names_in};
pub use host::{alive, continue_process, gone_within, kill, kill_pidfd, signal, stop_process};
pub use rig::{Rig, helper};
pub use root::{Root, Said};
pub use skip::{is_root, skip};

use std::{future::Future, time::Duration};

/// How long a condition may take to come true on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `probe` gives something, looking every few milliseconds.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut probe: impl FnMut() -> F) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(tokio::time::Instant::now() < deadline, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
