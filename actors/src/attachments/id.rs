//! What an attachment is called: the SHA-256 of its bytes, checked wherever it comes in as text.

use super::error::AttachmentError;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};

/// Length of an id as text, hex digits.
pub const ID_DIGITS: usize = 64;
const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// Longest piece of a bad id that an error repeats, characters.
const SHOWN_CHARS_MAX: usize = 80;

/// The SHA-256 of an attachment's bytes. As text it is 64 lower-case hex digits and nothing else, so that a name made
/// of it can never lead out of the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttachmentId([u8; 32]);

impl AttachmentId {
    /// The id of these bytes. Takes about a millisecond a megabyte.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The id with this digest.
    pub const fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
    pub fn digest(&self) -> &[u8; 32] {
        &self.0
    }

    /// `sha256:<id>`.
    pub fn canonical_uri(&self) -> String {
        format!("sha256:{self}")
    }
}

impl FromStr for AttachmentId {
    type Err = AttachmentError;

    fn from_str(text: &str) -> Result<Self, AttachmentError> {
        let bad = || AttachmentError::BadId { text: text.chars().take(SHOWN_CHARS_MAX).collect() };
        let digits = text.as_bytes();
        if digits.len() != ID_DIGITS {
            return Err(bad());
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = (digit(pair[0]).ok_or_else(bad)? << 4) | digit(pair[1]).ok_or_else(bad)?;
        }
        Ok(Self(digest))
    }
}

/// Lower case only: two spellings of one id would be two names of one file.
fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for AttachmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not a `write!` a byte: a listing of many intents spent most of its time there.
        let mut digits = [0; ID_DIGITS];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 0xf)];
        }
        f.write_str(str::from_utf8(&digits).expect("hex digits are ASCII"))
    }
}

impl fmt::Debug for AttachmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for AttachmentId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AttachmentId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_is_the_sha_256_of_the_bytes() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(AttachmentId::of(b"abc").to_string(), abc);
        assert_eq!(AttachmentId::of(b"abc").canonical_uri(), format!("sha256:{abc}"));
        assert_eq!(abc.parse(), Ok(AttachmentId::of(b"abc")));
    }

    #[test]
    fn whatever_is_not_64_lower_case_hex_digits_is_no_id() {
        let good = AttachmentId::of(b"abc").to_string();
        let link = "../".repeat(21) + "x";
        for text in [
            "",
            "../../etc/passwd",
            link.as_str(),
            &good[..63],
            &(good.clone() + "0"),
            &good.to_uppercase(),
            &format!("{}g", &good[..63]),
            &format!("{}/", &good[..63]),
            &format!("{}\0", &good[..63]),
            &format!("sha256:{good}"),
            &format!(" {good}"),
            &"é".repeat(32),
        ] {
            assert!(text.parse::<AttachmentId>().is_err(), "{text:?}");
            assert!(serde_json::from_value::<AttachmentId>(text.into()).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_id_is_read_back_and_no_other_text_is_an_id(digest: [u8; 32], text in "\\PC{0,70}") {
            let id = AttachmentId::from_digest(digest);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(serde_json::from_str::<AttachmentId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
            if let Ok(id) = text.parse::<AttachmentId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
