//! One line of the audit log.

use super::books::Open;
use crate::effects::budget::Usage;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap};

/// One line: when, its number, and what it says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record<'a> {
    /// When it was written.
    pub ts: Timestamp,
    /// Its number: one more than that of the line before it.
    pub seq: u64,
    /// What it says.
    #[serde(flatten)]
    pub entry: Entry<'a>,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ev", rename_all = "kebab-case")]
pub enum Entry<'a> {
    /// A call was decided. Nothing has happened yet.
    Decision(Decided<'a>),
    /// What became of a call that was allowed.
    Outcome(Ended<'a>),
    /// What is used by whom, up to here.
    Checkpoint {
        /// By peer.
        used: BTreeMap<String, Usage>,
        /// Calls under way.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        open: Vec<Open>,
    },
    /// A peer is gone: a namesake begins with nothing used.
    Forgotten {
        /// Its name.
        peer: Cow<'a, str>,
    },
}

/// A call, as every line about it names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About<'a> {
    /// Whose call: an identity.
    pub peer: Cow<'a, str>,
    /// In which session.
    pub session: u64,
    /// Which operation.
    pub op: Cow<'a, str>,
    /// On what; no contents, and escaped by being JSON.
    pub resource: Cow<'a, str>,
    /// Which rule decided.
    pub rule: Cow<'a, str>,
    /// How.
    pub verdict: Verdict,
}

/// How a call was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It may happen.
    Allowed,
    /// It may not, by the policy or by its budget.
    Denied,
    /// Nobody could tell what was asked for.
    Refused,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decided<'a> {
    /// Of which call.
    #[serde(flatten)]
    pub about: About<'a>,
    /// What it takes of the budget's calls.
    #[serde(default)]
    pub calls: u64,
    /// Bytes that will leave.
    #[serde(default)]
    pub bytes_out: u64,
    /// Tokens of a model that are expected.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub llm_tokens: u64,
    /// The code of the refusal, where it is one: nothing follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Cow<'a, str>>,
}

/// An end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended<'a> {
    /// The number of the decision's line.
    pub call: u64,
    /// Of which call.
    #[serde(flatten)]
    pub about: About<'a>,
    /// `ok`, or the error's code.
    pub outcome: Cow<'a, str>,
    /// How long it took, milliseconds to the microsecond.
    pub ms: f64,
    /// Bytes that came in.
    pub bytes_in: u64,
    /// Bytes that left.
    pub bytes_out: u64,
    /// What it took of the budget's calls: nothing where it did not happen.
    pub calls: u64,
    /// Tokens of a model.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub llm_tokens: u64,
    /// How far a program was confined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Cow<'a, str>>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Ended<'_> {
    /// What it took in all.
    pub fn usage(&self) -> Usage {
        Usage {
            calls: self.calls,
            // Never negative, and far below where a float loses a microsecond.
            wall_us: (self.ms * 1_000.0).round() as u64,
            bytes_out: self.bytes_out,
            llm_tokens: self.llm_tokens,
        }
    }
}

impl Record<'_> {
    /// The line, with its end.
    pub fn line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("a record has text keys only");
        line.push(b'\n');
        line
    }

    /// Reads a line without its end.
    ///
    /// # Errors
    /// What is wrong with it: it was torn by a kill, or somebody else wrote it.
    pub fn read(line: &[u8]) -> Result<Record<'static>, serde_json::Error> {
        serde_json::from_slice(line)
    }
}
