//! A transcript in memory.

use crate::{
    error::FleetError,
    mail::{Entries, envelope::Opening},
    ports::Answer,
};
use jiff::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard};

/// What is entered is found by the next look. Clones share it.
#[derive(Clone, Default)]
pub struct FakeEntries(Arc<Mutex<Written>>);

#[derive(Default)]
struct Written {
    new: Vec<Opening>,
    failures: u32,
    looks: u32,
}

impl FakeEntries {
    fn written(&self) -> MutexGuard<'_, Written> {
        self.0.lock().expect("nobody panics while holding the lock")
    }

    /// Its user enters a message.
    pub fn enter(&self, opening: Opening) {
        self.written().new.push(opening);
    }

    /// So many looks fail from now on.
    pub fn fail(&self, times: u32) {
        self.written().failures = times;
    }

    /// How often it was looked at.
    pub fn looks(&self) -> u32 {
        self.written().looks
    }
}

impl Entries for FakeEntries {
    fn look(&self, _: Timestamp) -> Answer<Vec<Opening>> {
        let this = self.clone();
        Box::pin(async move {
            let mut written = this.written();
            written.looks += 1;
            if written.failures > 0 {
                written.failures -= 1;
                return Err(FleetError::Unavailable { store: "transcript", why: "it was told to fail".into() });
            }
            Ok(std::mem::take(&mut written.new))
        })
    }
}
