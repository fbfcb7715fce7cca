//! How much a campaign did: so that a clean one is not mistaken for one in which nothing happened.

use super::{checker::Files, checker::field};
use std::{collections::BTreeMap, fmt};

/// Counts by name; those of many schedules add up.
#[derive(Debug, Default)]
pub struct Tally(BTreeMap<String, usize>);

impl Tally {
    pub fn count(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what.clone()).or_default() += count;
        }
    }

    /// What the files tell of.
    pub fn take_in(&mut self, files: &Files) {
        for line in files.told.values().flatten() {
            self.count(format!("record: witness={} status={}", field(line, "witness"), field(line, "status")));
        }
        for event in &files.events {
            if matches!(
                field(event, "ev"),
                "starting" | "adopted" | "never-lived" | "session-exit" | "ended" | "start-failed"
            ) {
                self.count(format!("event: {}", field(event, "ev")));
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(what, count)| writeln!(f, "{count:8} {what}"))
    }
}
