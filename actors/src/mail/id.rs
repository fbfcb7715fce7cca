//! What a message is called: a ULID, checked wherever it comes in as text.

use super::error::MailError;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{fmt, str::FromStr};
use ulid::Ulid;

/// Longest piece of a bad id that an error repeats, characters.
const SHOWN_CHARS_MAX: usize = 40;

/// A message's id: 26 characters, of which the first ten are the time at which it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Ulid);

impl MessageId {
    /// The id of a message that is sent at this time, milliseconds since the epoch; `chance` tells it from others.
    pub fn at(sent_ms: i64, chance: u128) -> Self {
        Self(Ulid::from_parts(u64::try_from(sent_ms).unwrap_or(0), chance))
    }
}

impl FromStr for MessageId {
    type Err = MailError;

    fn from_str(text: &str) -> Result<Self, MailError> {
        let bad = |_| MailError::BadId { text: text.chars().take(SHOWN_CHARS_MAX).collect() };
        Ulid::from_string(text).map(Self).map_err(bad)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

impl Serialize for MessageId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MessageId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_survives_the_round_trip_and_later_ones_sort_later(ms in 0..1i64 << 40, chance: u128, other: u128) {
            let id = MessageId::at(ms, chance);
            prop_assert_eq!(id.to_string().len(), 26);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert!(id.to_string() < MessageId::at(ms + 1, other).to_string());
        }

        #[test]
        fn no_other_text_is_an_id(text in any::<String>()) {
            if let Ok(id) = text.parse::<MessageId>() {
                prop_assert_eq!(id.to_string(), text.to_uppercase());
            }
        }
    }
}
