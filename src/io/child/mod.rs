//! Programs that run for somebody and are to leave nothing behind: what providers' commands and effects share.
//!
//! ```text
//! leader.rs  the process that leads the run; let go of, all of the run is ended
//! pipes.rs   both of its pipes drained, a bounded part of each kept
//! end.rs     TERM, 2 s, KILL: its group, then whatever else is of it
//! ```

mod end;
mod leader;
mod pipes;

pub(super) use leader::Leader;
pub(super) use pipes::{Drain, Keep, Pipes, Tail, grow, receiver};

use std::pin::pin;

/// Ends everything that `leader` leads, and reads on meanwhile: whoever wants to say something on TERM must not block on
/// a full pipe. Gives those that could not be ended.
pub(super) async fn end<K: Keep>(leader: &Leader, pipes: &mut Pipes<K>) -> Vec<i32> {
    let run = match leader.run() {
        Ok(run) => run,
        Err(error) => {
            tracing::error!(%error, "a command can not be ended");
            return Vec::new();
        }
    };
    let mut ending = pin!(tokio::task::spawn_blocking(move || run.end()));
    loop {
        tokio::select! {
            ended = &mut ending => return ended.unwrap_or_default(),
            () = pipes.some() => {}
        }
    }
}

/// What tells all runs of this process from those of every other: `<root hash>-<kind>-<16 hex digits>`, borne in the
/// environment by whatever a run starts, unless it takes it off. No life has it: theirs end in a generation.
#[derive(Debug, Default)]
pub(super) struct Marks {
    key: std::hash::RandomState,
    runs: std::sync::atomic::AtomicU64,
}

impl Marks {
    /// The next mark.
    pub(super) fn next(&self, root_hash: &str, kind: &str) -> String {
        use std::{hash::BuildHasher, sync::atomic::Ordering};
        let run = self.key.hash_one(self.runs.fetch_add(1, Ordering::Relaxed));
        format!("{root_hash}-{kind}-{run:016x}")
    }
}
