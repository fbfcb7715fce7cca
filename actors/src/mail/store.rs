//! What the mailroom needs of its store: changes in transactions, and questions beside them.

use super::{
    error::MailError,
    id::MessageId,
    progress::{Progress, Record, State, Step},
};
use crate::{
    attachments::Session,
    names::Identity,
    ports::{Answer, BoxFuture},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Most messages of one page.
pub const PAGE_MESSAGES_MAX: usize = 200;

/// Something to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A message comes in, unless its sender sent one with its key before.
    Insert(Box<Record>),
    /// A message that is kept already is accepted, at this time.
    Admit(Box<Record>, Timestamp),
    /// Something happens to a message.
    Step {
        /// To which.
        id: MessageId,
        /// What.
        step: Step,
        /// When.
        at: Timestamp,
    },
    /// These are kept no longer.
    Forget(Vec<MessageId>),
}

/// What a change came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// The message is kept.
    Inserted,
    /// This one came before it.
    Known(Box<Record>),
    /// It stands here now.
    Stands(Progress),
    /// Nothing more to say.
    Done,
    /// Nothing of it was written.
    Refused(MailError),
}

/// What is to be listed, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailQuery {
    /// Only for these recipients; all where it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<Identity>,
    /// Only those that stand here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Only those that were sent before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<MessageId>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

impl MailQuery {
    /// The limit, within what a page may hold.
    pub fn limit(&self) -> usize {
        self.limit.unwrap_or(PAGE_MESSAGES_MAX).clamp(1, PAGE_MESSAGES_MAX)
    }
}

/// Every message that is kept. A change is durable when it is answered. It is opened by the first call that needs it, and
/// again after one that found it closed to us.
pub trait MailStore: Send + Sync + 'static {
    /// Carries out changes in one transaction, in their order; an answer for each. On an error none was made. A step is
    /// what [`Progress::step`] says of where the message stands.
    fn apply(&self, changes: Arc<Vec<Change>>) -> BoxFuture<Result<Vec<Changed>, crate::error::FleetError>>;
    /// Every message that somebody has to deliver, or to accept, in the order in which they came.
    fn open(&self) -> Answer<Vec<Record>>;
    /// One message.
    fn get(&self, id: MessageId) -> Answer<Option<Record>>;
    /// Some messages, newest first.
    fn list(&self, query: MailQuery) -> Answer<Vec<Record>>;
    /// Messages that are over, and stand where they stand since before `before`, the oldest first; with the session in
    /// which they hold attachments, where they do.
    fn stale(&self, before: Timestamp, limit: usize) -> Answer<Vec<(MessageId, Option<Session>)>>;
}
