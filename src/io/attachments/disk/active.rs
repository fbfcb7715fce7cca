//! The names of staged files that this process works on: no sweep takes those, however old they are.

use super::folders::now_nanos;
use std::{
    collections::HashSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Active {
    names: Mutex<HashSet<String>>,
    last: AtomicU64,
}

impl Active {
    /// A new name: when it was given, in nanoseconds since the epoch, and a number.
    pub(super) fn enter(&self) -> String {
        let name = format!("{}-{}", now_nanos(), self.last.fetch_add(1, Ordering::Relaxed));
        self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        name
    }

    /// It is not worked on any more.
    pub(super) fn leave(&self, name: &str) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Whether it is.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }
}

/// When a staged file of this name was begun, milliseconds since the epoch; nothing where it is none of ours.
pub(super) fn begun_ms(name: &str) -> Option<i64> {
    let (nanos, number) = name.split_once('-')?;
    number.parse::<u64>().ok()?;
    i64::try_from(nanos.parse::<u64>().ok()? / 1_000_000).ok()
}
