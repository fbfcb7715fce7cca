//! What is known of an attachment beside its bytes, and what of it travels in messages.

use super::{error::AttachmentError, id::AttachmentId, media::MediaType};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest label, bytes.
pub const LABEL_BYTES_MAX: usize = 256;

/// What somebody says of bytes that are to be stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateMeta {
    /// What they are; found from the bytes where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// Width of an image, pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height of an image, pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// What to call it: one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

impl CreateMeta {
    /// Checks what does not depend on the bytes.
    ///
    /// # Errors
    /// [`AttachmentError::Invalid`].
    pub fn check(&self) -> Result<(), AttachmentError> {
        let Some(label) = &self.label else { return Ok(()) };
        if label.len() > LABEL_BYTES_MAX {
            let what = format!("the label has {} bytes; {LABEL_BYTES_MAX} are the limit", label.len());
            return Err(AttachmentError::invalid(what, "give a shorter one"));
        }
        if let Some(bad) = label.chars().find(|c| c.is_control()) {
            let what = format!("the label holds the control character {bad:?}");
            return Err(AttachmentError::invalid(what, "a label is one line of plain text"));
        }
        Ok(())
    }

    /// The record of bytes with this id and length.
    pub fn into_meta(self, id: AttachmentId, byte_len: u64, media_type: MediaType, created_ms: i64) -> Meta {
        let Self { media_type: _declared, width, height, label } = self;
        let created_at = Timestamp::from_millisecond(created_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        Meta { id, media_type, byte_len, width, height, label, created_at }
    }
}

/// The record of an attachment: what the first one who put it said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Which.
    pub id: AttachmentId,
    /// What the bytes are.
    pub media_type: MediaType,
    /// How many there are.
    pub byte_len: u64,
    /// Width of an image, pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height of an image, pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// When it was first put, to the millisecond.
    pub created_at: Timestamp,
}

impl Meta {
    /// The reference that whoever put it gets.
    pub fn into_ref(self) -> AttachmentRef {
        let Self { id, media_type, byte_len, width, height, label, created_at: _ } = self;
        AttachmentRef { id, media_type, byte_len, width, height, label }
    }
}

/// What travels in messages in place of the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentRef {
    /// Which attachment.
    pub id: AttachmentId,
    /// What the bytes are.
    pub media_type: MediaType,
    /// How many there are.
    pub byte_len: u64,
    /// Width of an image, pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height of an image, pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// What this reference is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_one_short_line() {
        for (label, good) in [("a map", true), ("", true), ("two\nlines", false), (&"x".repeat(257), false)] {
            let create = CreateMeta { label: Some(label.into()), ..CreateMeta::default() };
            assert_eq!(create.check().is_ok(), good, "{label:?}");
        }
    }
}
