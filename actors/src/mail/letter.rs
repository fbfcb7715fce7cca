//! A message: what its sender says, what it is once it was accepted, and how much of each there may be.

use super::{error::MailError, id::MessageId};
use crate::{
    attachments::{AttachmentId, AttachmentRef, Owner},
    names::Identity,
    peer::beginning::Wanted,
    registry::document::Intelligence,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest body, characters (code points).
pub const BODY_CHARS_MAX: usize = 16_000;
/// Longest topic, characters.
pub const TOPIC_CHARS_MAX: usize = 200;
/// Most attachments of one message.
pub const ATTACHMENTS_MAX: usize = 20;
/// Longest idempotency key, characters.
pub const KEY_CHARS_MAX: usize = 200;

/// What a sender gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// For whom: a personality, or an identity.
    pub to: String,
    /// As which of its runtimes; its default one where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// Who the sender says it is; refused where that is not proved. Whoever it is proved to be where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What is said.
    pub body: String,
    /// What it is about, one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Files that go with it; the sender must have put them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachmentId>,
    /// Whoever sends again with the same key gets what became of the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Not worth delivering any more after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl NewMessage {
    /// Checks all that does not depend on the fleet.
    ///
    /// # Errors
    /// The part, what is wrong with it, and the limit.
    pub fn check(&self, now: Timestamp) -> Result<(), MailError> {
        at_most("body", self.body.chars().count(), BODY_CHARS_MAX, "characters")?;
        at_most("message", self.attachments.len(), ATTACHMENTS_MAX, "attachments")?;
        if plain(&self.body).trim().is_empty() {
            return Err(MailError::Invalid { part: "body", why: "is empty" });
        }
        one_line("topic", self.topic.as_deref(), TOPIC_CHARS_MAX)?;
        one_line("idempotency key", self.idempotency_key.as_deref(), KEY_CHARS_MAX)?;
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(MailError::Invalid { part: "time of expiry", why: "has passed" });
        }
        Ok(())
    }
}

fn at_most(part: &'static str, found: usize, limit: usize, unit: &'static str) -> Result<(), MailError> {
    if found > limit { Err(MailError::TooMuch { part, found, limit, unit }) } else { Ok(()) }
}

fn one_line(part: &'static str, text: Option<&str>, limit: usize) -> Result<(), MailError> {
    let Some(text) = text else { return Ok(()) };
    at_most(part, text.chars().count(), limit, "characters")?;
    if text.trim().is_empty() {
        return Err(MailError::Invalid { part, why: "is empty" });
    }
    if text.chars().any(char::is_control) {
        return Err(MailError::Invalid { part, why: "holds a control character" });
    }
    Ok(())
}

/// A text without its control characters but newline and tab: all that a terminal is ever given of it.
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect()
}

/// Who sends, as far as that was proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// A peer's personality, or `operator`.
    pub name: String,
    /// What kind of mind that is.
    pub kind: Intelligence,
}

impl Sender {
    /// Whoever may use the daemon's socket and proves no more than that.
    pub fn operator() -> Self {
        Self { name: "operator".into(), kind: Intelligence::Natural }
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A message that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Which.
    pub id: MessageId,
    /// Who sent it, as far as that was proved.
    pub from: String,
    /// What kind of mind that is.
    pub from_kind: Intelligence,
    /// For whom.
    pub to: Identity,
    /// What is said, as it was given.
    pub body: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// What goes with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachmentRef>,
    /// What its sender calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// Not worth delivering any more after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl Message {
    /// Why its recipient is woken for it.
    pub fn wanted(&self) -> Wanted {
        match self.from_kind {
            Intelligence::Natural => Wanted::ByPerson,
            Intelligence::Artificial | Intelligence::Absent => Wanted::ForMessage { topic: self.topic.clone() },
        }
    }

    /// Who holds its attachments in the recipient's session: `mail:<id>`.
    pub fn owner(&self) -> Owner {
        owner_of(self.id)
    }
}

/// Who holds the attachments of this message.
pub fn owner_of(id: MessageId) -> Owner {
    format!("mail:{id}").parse().expect("an id is letters and digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> NewMessage {
        NewMessage { to: "bob".into(), body: body.into(), ..NewMessage::default() }
    }

    #[test]
    fn what_is_over_a_limit_is_refused_with_the_limit() {
        let now = Timestamp::UNIX_EPOCH;
        let crate_of = |n| vec![AttachmentId::of(b"x"); n];
        let rows: [(NewMessage, Option<&str>); 14] = [
            (message(&"𝒙".repeat(BODY_CHARS_MAX)), None),
            (message(&"𝒙".repeat(16_001)), Some("the body has 16001 characters; 16000 are the limit")),
            (message(""), Some("the body is empty")),
            (message(" \n\t\u{1b}\u{7f}"), Some("the body is empty")),
            (message("-h"), None),
            (NewMessage { topic: Some("t".repeat(200)), ..message("x") }, None),
            (
                NewMessage { topic: Some("t".repeat(201)), ..message("x") },
                Some("the topic has 201 characters; 200 are the limit"),
            ),
            (NewMessage { topic: Some("a\nb".into()), ..message("x") }, Some("the topic holds a control character")),
            (NewMessage { topic: Some("  ".into()), ..message("x") }, Some("the topic is empty")),
            (NewMessage { attachments: crate_of(20), ..message("x") }, None),
            (
                NewMessage { attachments: crate_of(21), ..message("x") },
                Some("the message has 21 attachments; 20 are the limit"),
            ),
            (NewMessage { idempotency_key: Some(String::new()), ..message("x") }, Some("the idempotency key is empty")),
            (NewMessage { expires_at: Some(now), ..message("x") }, Some("the time of expiry has passed")),
            (NewMessage { expires_at: Some(now + jiff::SignedDuration::from_secs(1)), ..message("x") }, None),
        ];
        for (message, refusal) in rows {
            let found = message.check(now).err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), refusal);
        }
    }
}
