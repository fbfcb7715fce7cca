//! How much a peer may use in all, and what one operation costs.

use super::op::Op;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// `[budget]`; what is absent has no ceiling.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// Calls, weighted by their cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// Time spent in effects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall: Option<Duration>,
    /// Bytes that leave: written, sent, given to programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_out: Option<u64>,
    /// Tokens of models, of prompts and of answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub llm_tokens: Option<u64>,
    /// What an operation costs where that is not its own cost.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub costs: BTreeMap<Op, u64>,
}

impl Budget {
    /// What one call of this operation costs.
    pub fn cost(&self, op: Op) -> u64 {
        self.costs.get(&op).copied().unwrap_or(op.row().cost)
    }

    /// The lower of both ceilings, and the higher of both costs.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        fn lower<T: Ord + Copy>(mine: Option<T>, theirs: Option<T>) -> Option<T> {
            match (mine, theirs) {
                (Some(mine), Some(theirs)) => Some(mine.min(theirs)),
                (mine, theirs) => mine.or(theirs),
            }
        }
        let priced = self.costs.keys().chain(other.costs.keys());
        Self {
            calls: lower(self.calls, other.calls),
            wall: lower(self.wall, other.wall),
            bytes_out: lower(self.bytes_out, other.bytes_out),
            llm_tokens: lower(self.llm_tokens, other.llm_tokens),
            costs: priced.map(|op| (*op, self.cost(*op).max(other.cost(*op)))).collect(),
        }
    }
}

/// What was used of a budget, or is asked of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Calls, weighted by their cost.
    pub calls: u64,
    /// Time spent in effects, microseconds.
    pub wall_us: u64,
    /// Bytes that left.
    pub bytes_out: u64,
    /// Tokens of models.
    pub llm_tokens: u64,
}
