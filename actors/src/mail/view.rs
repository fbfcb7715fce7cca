//! A message as people and programs are shown it.

use super::{
    letter::Message,
    progress::{Progress, Record},
};
use serde::{Deserialize, Serialize};

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
