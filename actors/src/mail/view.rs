//! A message as people and programs are shown it.

use super::{
    letter::Message,
    progress::{Progress, Record},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What waits for one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    /// Messages, the one that is on its way among them.
    pub count: u64,
    /// When the first of them was accepted.
    pub since: Timestamp,
}

/// The mailroom in a few numbers; what is over is counted since the daemon started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailroomView {
    /// Messages that wait.
    pub waiting: u64,
    /// Peers for which something waits.
    pub recipients: u64,
    /// When the one that waits longest was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
    /// Messages that their recipients' programs took.
    pub submitted: u64,
    /// Messages that somebody would have to do something for.
    pub refused: u64,
    /// Messages whose time was over.
    pub expired: u64,
    /// Messages of which nobody knows what became, which were cancelled, or whose recipient went.
    pub failed: u64,
}

/// What was sent, how far it is, and what is in its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailView {
    /// What was sent.
    #[serde(flatten)]
    pub message: Message,
    /// Where it stands.
    #[serde(flatten)]
    pub progress: Progress,
    /// What is in the way of the recipient's mail now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_because: Option<String>,
}

impl MailView {
    /// The view of a record.
    pub fn new(Record { message, progress }: Record, waits_because: Option<String>) -> Self {
        Self { message, progress, waits_because }
    }
}
