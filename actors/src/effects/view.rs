//! The effects as people see them.

use serde::{Deserialize, Serialize};

/// The effects in a few numbers, since the daemon began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectsView {
    /// Open sessions.
    pub sessions: u64,
    /// Calls under way.
    pub calls_now: u64,
    /// Calls that were allowed.
    pub allowed: u64,
    /// Calls that the policy or its budget denied.
    pub denied: u64,
    /// Calls that were not understood, or came after their session's end.
    #[serde(default)]
    pub refused: u64,
    /// Policies that can not be read, one text each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}
