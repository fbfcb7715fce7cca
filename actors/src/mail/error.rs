//! What the mailroom can refuse.

use super::{id::MessageId, progress::State};
use crate::error::Kind;

/// Why the mailroom does not do what was asked. Part of [`crate::error::FleetError`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// No id.
    #[error("{text:?} is no message's id")]
    BadId {
        /// What was given.
        text: String,
    },
    /// There is no such message, or it was kept long enough and went.
    #[error("there is no message {0}")]
    NotFound(MessageId),
    /// A part is longer, or more, than it may be.
    #[error("the {part} has {found} {unit}; {limit} are the limit")]
    TooMuch {
        /// `body`, `topic`, …
        part: &'static str,
        /// How much there is.
        found: usize,
        /// How much there may be.
        limit: usize,
        /// Of what: `characters`, `attachments`.
        unit: &'static str,
    },
    /// A part holds what it must not.
    #[error("the {part} {why}")]
    Invalid {
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Who sends could not be proved to be who it says.
    #[error("nothing proves that {claimed} sends this")]
    NotAttested {
        /// Whom it says.
        claimed: String,
    },
    /// Somebody speaks for a session that does not live.
    #[error("nothing proves that this comes from a session of {claimed} that lives")]
    NotInSession {
        /// For whose.
        claimed: String,
    },
    /// A session answers for what another peer was sent.
    #[error("the message {id} is for {recipient}")]
    NotYours {
        /// Which message.
        id: MessageId,
        /// Whose it is.
        recipient: String,
    },
    /// The message is in a state in which this can not be done.
    #[error("the message {id} is {state}, and can not be {what}")]
    WrongState {
        /// Which message.
        id: MessageId,
        /// Its state.
        state: State,
        /// What was asked for: `cancelled`, `seen`.
        what: &'static str,
    },
    /// Too many messages wait for one recipient.
    #[error("{limit} messages wait for {recipient} already")]
    QueueFull {
        /// For whom.
        recipient: String,
        /// How many may wait.
        limit: usize,
    },
}

impl MailError {
    /// The class of the failure.
    pub fn kind(&self) -> Kind {
        use MailError as E;
        match self {
            E::BadId { .. } | E::TooMuch { .. } | E::Invalid { .. } => Kind::Usage,
            E::NotFound(_) => Kind::NotFound,
            E::NotAttested { .. } | E::NotInSession { .. } | E::NotYours { .. } => Kind::Refused,
            E::WrongState { .. } => Kind::Failed,
            E::QueueFull { .. } => Kind::Held,
        }
    }

    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        use MailError as E;
        match self {
            E::BadId { .. } => "bad-message-id",
            E::NotFound(_) => "no-message",
            E::TooMuch { .. } => "message-too-large",
            E::Invalid { .. } => "invalid-message",
            E::NotAttested { .. } => "not-attested",
            E::NotInSession { .. } => "not-in-session",
            E::NotYours { .. } => "not-yours",
            E::WrongState { .. } => "wrong-state",
            E::QueueFull { .. } => "queue-full",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        use MailError as E;
        match self {
            E::BadId { .. } => "an id has 26 letters and digits; `coalmine mail list` shows them".into(),
            E::NotFound(_) => "`coalmine mail list` shows those that are kept".into(),
            E::TooMuch { part: "body", .. } => "send what is long as a file, with --attachment FILE".into(),
            E::TooMuch { unit: "attachments", .. } => "send the rest with another message, or pack them first".into(),
            E::TooMuch { .. } => "shorten it".into(),
            E::Invalid { part: "body", .. } => "say something, with --message TEXT or --message-file FILE".into(),
            E::Invalid { .. } => "leave it out, or give plain text on one line".into(),
            E::NotAttested { .. } => {
                "only a peer's own session can act as that peer, by the token in its COALMINE_TOKEN; anybody else leaves \
                 token and --from out, and is the operator"
                    .into()
            }
            E::NotInSession { .. } => {
                "COALMINE_TOKEN is good as long as the life that it was given to; from outside name the peer instead".into()
            }
            E::NotYours { .. } => "only its recipient can say that it has it".into(),
            E::WrongState { id, .. } => format!("`coalmine mail show {id}` says what became of it"),
            E::QueueFull { recipient, .. } => {
                format!("`coalmine explain {recipient}` says why it takes none; `coalmine mail list {recipient}` shows them")
            }
        }
    }
}
