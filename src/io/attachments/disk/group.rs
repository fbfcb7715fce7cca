//! Group commit of folders: whoever comes first syncs for all who wait, and each folder once.

use super::folders::Folders;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// See the module. Blocks its callers.
#[derive(Debug, Default)]
pub(super) struct Group {
    state: Mutex<State>,
    turned: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Somebody syncs.
    busy: bool,
    /// Folders that somebody waits for.
    waiting: BTreeSet<u8>,
    /// The round that those who wait now are in; it is over once `done` has reached it.
    round: u64,
    done: u64,
    /// The last rounds that failed, with the kernel's number. Whoever waits looks for its own.
    failed: BTreeMap<u64, i32>,
}

/// Failed rounds that are remembered; a waiter looks at its own as soon as it is over.
const FAILED_ROUNDS_MAX: usize = 64;

impl Group {
    /// Returns when the entries of this folder are durable.
    pub(super) fn sync(&self, folders: &Folders, shard: u8) -> io::Result<()> {
        let mut state = self.state();
        state.waiting.insert(shard);
        let mine = state.round + 1;
        while state.done < mine {
            if state.busy {
                state = self.turned.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state = self.lead(state, folders);
        }
        state.failed.get(&mine).map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(*errno)))
    }

    fn lead<'a>(&'a self, mut state: MutexGuard<'a, State>, folders: &Folders) -> MutexGuard<'a, State> {
        state.busy = true;
        state.round += 1;
        let (round, shards) = (state.round, std::mem::take(&mut state.waiting));
        drop(state);
        let synced = shards.into_iter().try_for_each(|shard| Ok(rustix::fs::fsync(folders.shard(shard)?)?));
        let mut state = self.state();
        state.busy = false;
        state.done = round;
        if let Err(error) = synced {
            let error: io::Error = error;
            state.failed.insert(round, error.raw_os_error().unwrap_or(libc::EIO));
            while state.failed.len() > FAILED_ROUNDS_MAX {
                state.failed.pop_first();
            }
        }
        self.turned.notify_all();
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
