//! What a wish changed in a record, part by part. Pure.

use super::document::{Document, PeerSpec};
use crate::names::Personality;

/// What became of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// There was none before.
    pub new: bool,
    /// Which parts of it are others now.
    pub parts: Vec<&'static str>,
}

impl Changes {
    /// How the record of `name` differs between the two.
    pub fn of(name: &Personality, before: &Document, after: &Document) -> Self {
        match (before.peer(name), after.peer(name)) {
            (Some(before), Some(after)) => Self { new: false, parts: differing(before, after) },
            (before, after) => Self { new: before.is_none() && after.is_some(), parts: Vec::new() },
        }
    }
}

/// The parts in which two records differ, by their keys.
pub fn differing(before: &PeerSpec, after: &PeerSpec) -> Vec<&'static str> {
    let parts = [
        ("runtime", before.runtimes != after.runtimes),
        ("description", before.description != after.description),
        ("command", before.command != after.command || before.commands != after.commands),
        ("env", before.env != after.env),
        ("restart", before.restart != after.restart || before.restart_knobs != after.restart_knobs),
        ("idle_after", before.idle_after != after.idle_after),
        ("wake_policy", before.wake_policy != after.wake_policy),
        ("limits", before.limits != after.limits),
        ("policy", before.policy != after.policy),
        ("sandbox", before.sandbox != after.sandbox),
    ];
    parts.into_iter().filter(|(_, differs)| *differs).map(|(part, _)| part).collect()
}
