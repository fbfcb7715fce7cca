//! Who refers to an attachment: a session, and in it a set of owners.

use super::{error::AttachmentError, id::AttachmentId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{fmt, str::FromStr, sync::Arc};

/// Longest name of a session or an owner, bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// Declares a checked name.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = AttachmentError;
            fn from_str(text: &str) -> Result<Self, AttachmentError> {
                checked(text, $what).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(D::Error::custom)
            }
        }
    };
}

name! {
    /// Whose references these are: a peer's identity, `operator`, or what an embedder calls its own.
    Session, "session"
}
name! {
    /// Who in a session: a turn, a request, a process. Each has a claim of its own, so that nobody gives up another's.
    Owner, "owner"
}

impl Session {
    /// The session of whoever uses the command line or the API by hand. It never ends by itself.
    pub fn operator() -> Self {
        Self("operator".into())
    }
}

impl Owner {
    /// The owner where a session does not tell several apart.
    pub fn whole() -> Self {
        Self("all".into())
    }
}

fn checked(text: &str, what: &str) -> Result<Arc<str>, AttachmentError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:@/".contains(&byte);
    if (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(good) {
        return Ok(text.into());
    }
    let shown: String = text.chars().take(NAME_BYTES_MAX).collect();
    let hint = "use letters, digits and -_.:@/, at most 128; a peer's session is its identity, as in claude-bob";
    Err(AttachmentError::invalid(format!("{shown:?} is no name of a {what}"), hint))
}

/// One owner's claim to one attachment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    /// In which session.
    pub session: Session,
    /// To what.
    pub id: AttachmentId,
    /// Whose.
    pub owner: Owner,
}

/// A claim that was not committed yet: what stands on disk before the bytes do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// To what.
    pub attachment_id: AttachmentId,
    /// In which session.
    pub session_id: Session,
    /// Whose.
    pub owner: Owner,
    /// `sha256:<id>`.
    pub canonical_uri: String,
    /// Since when, milliseconds since the epoch.
    pub intent_at_epoch_ms: i64,
}

impl Intent {
    /// The intent of this claim.
    pub fn of(claim: &Claim, at_ms: i64) -> Self {
        Self {
            attachment_id: claim.id,
            session_id: claim.session.clone(),
            owner: claim.owner.clone(),
            canonical_uri: claim.id.canonical_uri(),
            intent_at_epoch_ms: at_ms,
        }
    }

    /// The claim that it is.
    pub fn claim(&self) -> Claim {
        Claim { session: self.session_id.clone(), id: self.attachment_id, owner: self.owner.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for good in ["operator", "claude-bob", "turn:7", "a@b/c_d.e"] {
            assert_eq!(good.parse::<Session>().unwrap().as_str(), good);
        }
        for bad in ["", "two words", "é", "a\nb", &"x".repeat(129)] {
            assert!(bad.parse::<Owner>().is_err(), "{bad:?}");
        }
    }
}
