//! The names of the fleet, parsed once and then trusted: personality, runtime, identity, generation.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, sync::Arc};

/// Longest personality or runtime, in bytes (spec 01 §1).
pub const NAME_BYTES_MAX: usize = 32;

/// A name that does not fit the grammar: which kind, what was given, and why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {given:?} {why}")]
pub struct BadName {
    /// `personality`, `runtime` or `identity`.
    pub kind: &'static str,
    /// What was given, cut to 64 characters.
    pub given: String,
    /// What is wrong with it.
    pub why: &'static str,
}

fn bad(kind: &'static str, given: &str, why: &'static str) -> BadName {
    BadName { kind, given: given.chars().take(64).collect(), why }
}

/// Checks `^[a-z][a-z0-9]{0,31}$`, with the dash allowed after the first character when `dash` is set.
fn check(kind: &'static str, given: &str, dash: bool) -> Result<Arc<str>, BadName> {
    let first = given.bytes().next().ok_or_else(|| bad(kind, given, "is empty"))?;
    if given.len() > NAME_BYTES_MAX {
        return Err(bad(kind, given, "is longer than 32 characters"));
    }
    if !first.is_ascii_lowercase() {
        return Err(bad(kind, given, "does not start with a lower-case letter a-z"));
    }
    if given.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || (dash && b == b'-')) {
        Ok(given.into())
    } else if dash {
        Err(bad(kind, given, "may hold only a-z, 0-9 and dashes"))
    } else {
        Err(bad(kind, given, "may hold only a-z and 0-9"))
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, dash: $dash:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadName;
            fn from_str(given: &str) -> Result<Self, BadName> {
                check($kind, given, $dash).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(given: String) -> Result<Self, BadName> {
                given.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A peer's name, `^[a-z][a-z0-9-]{0,31}$`, unique in a fleet.
    Personality, "personality", dash: true
}

name! {
    /// How a peer is present, `^[a-z][a-z0-9]{0,31}$`: `claude`, `codex`, `shell`. No dash, so that an
    /// identity splits at its first one.
    Runtime, "runtime", dash: false
}

/// `<runtime>-<personality>`: one tmux server, one Peer actor, one canary.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Identity {
    runtime: Runtime,
    personality: Personality,
}

impl Identity {
    /// The identity of `personality` under `runtime`.
    pub fn new(runtime: Runtime, personality: Personality) -> Self {
        Self { runtime, personality }
    }

    /// How the peer is present.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Whose presence this is.
    pub fn personality(&self) -> &Personality {
        &self.personality
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.runtime, self.personality)
    }
}

impl FromStr for Identity {
    type Err = BadName;
    fn from_str(given: &str) -> Result<Self, BadName> {
        let (runtime, personality) =
            given.split_once('-').ok_or_else(|| bad("identity", given, "is not <runtime>-<personality>"))?;
        Ok(Self { runtime: runtime.parse()?, personality: personality.parse()? })
    }
}

impl TryFrom<String> for Identity {
    type Error = BadName;
    fn try_from(given: String) -> Result<Self, BadName> {
        given.parse()
    }
}

impl From<Identity> for String {
    fn from(identity: Identity) -> String {
        identity.to_string()
    }
}

/// Counts the lives of an identity from 1, and never starts again at 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl Generation {
    /// The life after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_follow_the_grammar() {
        for good in ["a", "bob", "b-o-b", "a1", &"a".repeat(32)] {
            assert!(good.parse::<Personality>().is_ok(), "{good}");
        }
        for (given, why) in [
            ("", "is empty"),
            ("Bob", "does not start"),
            ("-bob", "does not start"),
            ("1bob", "does not start"),
            ("bOb", "may hold only"),
            ("bob!", "may hold only"),
            ("#(touch x)", "does not start"),
            ("bob\n", "may hold only"),
            ("büb", "may hold only"),
            (&"a".repeat(33), "longer than 32"),
        ] {
            let err = given.parse::<Personality>().unwrap_err().to_string();
            assert!(err.contains(why), "{given:?}: {err}");
        }
    }

    #[test]
    fn an_identity_splits_at_its_first_dash() {
        let identity: Identity = "claude-bob-the-builder".parse().unwrap();
        assert_eq!(identity.runtime().as_str(), "claude");
        assert_eq!(identity.personality().as_str(), "bob-the-builder");
        assert!("claude".parse::<Identity>().is_err());
        assert!("claude--bob".parse::<Identity>().is_err());
    }

    proptest! {
        #[test]
        fn an_identity_survives_the_round_trip(runtime in "[a-z][a-z0-9]{0,31}", personality in "[a-z][a-z0-9-]{0,31}") {
            let identity = Identity::new(runtime.parse().unwrap(), personality.parse().unwrap());
            prop_assert_eq!(identity.to_string().parse::<Identity>().unwrap(), identity);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>()) {
            let _ = text.parse::<Identity>();
            let _ = text.parse::<Runtime>();
        }
    }
}
