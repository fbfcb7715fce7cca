//! How far a message is: every state with its time, and which follows which. Pure.
//!
//! ```text
//!              Admit           Type             Submit            See
//!  accepting ────────▶ queued ──────▶ typed ────────────▶ submitted ─────▶ seen
//!                        │  │           │ │ ▲ Type, in another life: redelivered
//!                        │  │ Expire    │ └─┘
//!                        │  └▶ expired  │
//!                        ├─ Refuse ─────┼──▶ refused      nobody will deliver it, and a verb would change that
//!                        └─ Fail, Cancel┴──▶ failed       nobody will deliver it (a typed one is not cancelled)
//! ```
//!
//! `typed` is on disk before the terminal is touched: from then on the message may be in the composer, so that within
//! the same life it is never pasted again, and in the next one it bears a mark.

use super::{error::MailError, id::MessageId, letter::Message};
use crate::names::Generation;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Its attachments are being made the recipient's; nobody was told that it is accepted.
    Accepting,
    /// Accepted; waits for its recipient.
    Queued,
    /// In the recipient's composer, or about to be.
    Typed,
    /// The recipient's program took it.
    Submitted,
    /// The recipient said so.
    Seen,
    /// Not delivered: somebody must do something first.
    Refused,
    /// Not delivered in its time.
    Expired,
    /// Not delivered.
    Failed,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Accepting,
        Self::Queued,
        Self::Typed,
        Self::Submitted,
        Self::Seen,
        Self::Refused,
        Self::Expired,
        Self::Failed,
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepting => "accepting",
            Self::Queued => "queued",
            Self::Typed => "typed",
            Self::Submitted => "submitted",
            Self::Seen => "seen",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }

    /// The state of this name.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether somebody still has to deliver it.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Typed)
    }

    /// Whether it landed.
    pub fn has_landed(self) -> bool {
        matches!(self, Self::Submitted | Self::Seen)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a message will not be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// A stable word: `no-composer`, `stopped`, `quarantined`, `removed`, `cancelled`, `not-taken`, `not-submitted`.
    pub code: String,
    /// What happened, and the verb that would change it.
    pub text: String,
}

impl Reason {
    /// A reason.
    pub fn new(code: &str, text: impl Into<String>) -> Self {
        Self { code: code.into(), text: text.into() }
    }
}

/// What happens to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is accepted.
    Admit,
    /// It is about to be typed in this life of its recipient; `woke` says that the life was begun for it.
    Type {
        /// Which life.
        generation: Generation,
        /// It was woken for this message.
        woke: bool,
    },
    /// The program took it.
    Submit,
    /// The recipient says that it has it.
    See,
    /// It can not be delivered before somebody does something.
    Refuse(Reason),
    /// Its time is over.
    Expire,
    /// It can not be delivered.
    Fail(Reason),
    /// Its sender does not want it to be delivered any more.
    Cancel,
}

impl Step {
    /// What it would be, in words.
    fn what(&self) -> &'static str {
        match self {
            Self::Admit => "admitted",
            Self::Type { .. } => "typed",
            Self::Submit => "submitted",
            Self::See => "seen",
            Self::Refuse(_) => "refused",
            Self::Expire => "expired",
            Self::Fail(_) => "given up",
            Self::Cancel => "cancelled",
        }
    }
}

/// Where a message stands, and when it came there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Where it stands.
    pub state: State,
    /// Why it will not be delivered, where it will not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The life that it was typed in last.
    #[serde(rename = "gen", default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// It was typed in an earlier life already, which ended before the program was seen to take it.
    #[serde(default)]
    pub redelivered: bool,
    /// The recipient was woken for it.
    #[serde(default)]
    pub woke: bool,
    /// When it was accepted.
    pub queued_at: Timestamp,
    /// When it was typed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed_at: Option<Timestamp>,
    /// When the program took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted_at: Option<Timestamp>,
    /// When the recipient said that it has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<Timestamp>,
    /// When it was refused, expired or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

impl Progress {
    /// A message that just came in.
    pub fn begin(state: State, now: Timestamp) -> Self {
        Self {
            state,
            reason: None,
            generation: None,
            redelivered: false,
            woke: false,
            queued_at: now,
            typed_at: None,
            submitted_at: None,
            seen_at: None,
            ended_at: None,
        }
    }

    /// One that is refused at the door.
    pub fn refused(reason: Reason, now: Timestamp) -> Self {
        Self { reason: Some(reason), ended_at: Some(now), ..Self::begin(State::Refused, now) }
    }

    /// When it came to where it stands.
    pub fn since(&self) -> Timestamp {
        let last = self.ended_at.or(self.seen_at).or(self.submitted_at).or(self.typed_at);
        last.unwrap_or(self.queued_at)
    }

    /// What follows.
    ///
    /// # Errors
    /// It does not follow from where the message stands.
    pub fn step(&self, id: MessageId, step: Step, now: Timestamp) -> Result<Self, MailError> {
        let mut next = self.clone();
        match (self.state, step) {
            (State::Accepting, Step::Admit) => {
                next.state = State::Queued;
                next.queued_at = now;
            }
            (State::Queued, Step::Type { generation, woke }) => next.typed(generation, woke, now),
            (State::Typed, Step::Type { generation, woke }) if self.generation != Some(generation) => {
                next.redelivered = true;
                next.typed(generation, woke, now);
            }
            (State::Typed, Step::Submit) => {
                next.state = State::Submitted;
                next.submitted_at = Some(now);
            }
            (State::Typed | State::Submitted, Step::See) => {
                next.state = State::Seen;
                next.submitted_at.get_or_insert(now);
                next.seen_at = Some(now);
            }
            (State::Queued, Step::Expire) => next.end(State::Expired, None, now),
            (State::Queued | State::Typed, Step::Refuse(reason)) => next.end(State::Refused, Some(reason), now),
            (State::Queued | State::Typed, Step::Fail(reason)) => next.end(State::Failed, Some(reason), now),
            (State::Queued, Step::Cancel) => {
                next.end(State::Failed, Some(Reason::new("cancelled", "its sender cancelled it")), now);
            }
            (state, step) => return Err(MailError::WrongState { id, state, what: step.what() }),
        }
        Ok(next)
    }

    fn typed(&mut self, generation: Generation, woke: bool, now: Timestamp) {
        self.state = State::Typed;
        self.generation = Some(generation);
        self.woke |= woke;
        self.typed_at = Some(now);
    }

    fn end(&mut self, state: State, reason: Option<Reason>, now: Timestamp) {
        self.state = state;
        self.reason = reason;
        self.ended_at = Some(now);
    }
}

/// A message, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What was sent.
    pub message: Message,
    /// Where it stands.
    pub progress: Progress,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id() -> MessageId {
        MessageId::at(1, 1)
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Admit),
            (1..4u64, any::<bool>()).prop_map(|(life, woke)| Step::Type { generation: Generation(life), woke }),
            Just(Step::Submit),
            Just(Step::See),
            Just(Step::Refuse(Reason::new("stopped", "x"))),
            Just(Step::Expire),
            Just(Step::Fail(Reason::new("removed", "x"))),
            Just(Step::Cancel),
        ]
    }

    proptest! {
        /// Whatever is asked in whatever order.
        #[test]
        fn a_message_never_goes_back_and_is_typed_once_a_life(steps in prop::collection::vec(any_step(), 0..20)) {
            let mut now = Timestamp::UNIX_EPOCH;
            let mut progress = Progress::begin(State::Accepting, now);
            let mut lives = Vec::new();
            for step in steps {
                now += jiff::SignedDuration::from_secs(1);
                let Ok(next) = progress.step(id(), step.clone(), now) else { continue };
                if let Step::Type { generation, .. } = step {
                    prop_assert!(lives.last() != Some(&generation), "typed twice in one life");
                    prop_assert_eq!(next.redelivered, !lives.is_empty(), "the mark says whether it was typed before");
                    lives.push(generation);
                }
                prop_assert_eq!(next.since(), now);
                prop_assert!(progress.state.is_open() || progress.state == State::Accepting
                    || (progress.state, next.state) == (State::Submitted, State::Seen), "{:?}", progress.state);
                prop_assert_eq!(next.ended_at.is_some(), !next.state.is_open() && !next.state.has_landed());
                progress = next;
            }
        }
    }

    #[test]
    fn what_does_not_follow_is_refused_by_name() {
        let progress = Progress::begin(State::Queued, Timestamp::UNIX_EPOCH);
        let error = progress.step(id(), Step::See, Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(error.to_string(), format!("the message {} is queued, and can not be seen", id()));
        let typed = Step::Type { generation: Generation(1), woke: false };
        let typed = progress.step(id(), typed, Timestamp::UNIX_EPOCH).unwrap();
        assert!(typed.step(id(), Step::Cancel, Timestamp::UNIX_EPOCH).is_err(), "it may be in the composer");
    }

    #[test]
    fn every_state_is_read_back_from_its_word() {
        for state in State::ALL {
            assert_eq!(State::of(state.as_str()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
