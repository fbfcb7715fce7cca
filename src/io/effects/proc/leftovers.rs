//! Ends what programs of an earlier daemon left running: it was killed, and nobody waits for them or sees to their deadline.

use super::KIND;
use crate::io::{held, life_mark};
use rustix::process::Signal;
use std::time::Duration;

/// Looks at the process table: a process may fork between the look and the signal.
const ROUNDS_MAX: usize = 4;
const GONE: Duration = Duration::from_millis(250);

/// Ends everything that bears a mark of an effect of the fleet whose root has this hash. Only for whoever holds that
/// root's lock, and before it starts any itself. Blocks.
pub(in crate::io::effects) fn end_leftovers(root_hash: &str) {
    let prefix = format!("{root_hash}-{KIND}-");
    let mut buffer = Vec::with_capacity(8 * 1024);
    for _ in 0..ROUNDS_MAX {
        let left = held::find(|pid| life_mark::begins(pid, &prefix, &mut buffer));
        if left.is_empty() {
            return;
        }
        tracing::info!(count = left.len(), "programs that an earlier daemon had started for effects are ended");
        held::signal(&left, Signal::KILL);
        held::wait(&left, GONE);
    }
}
