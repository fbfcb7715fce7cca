//! Texts and bytes.

use super::{Argument, CONTENTS_BYTES_MAX, Unfit, text_of, text_schema};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};
use std::ops::Deref;

/// Any text of at most so many bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<const BYTES_MAX: usize>(pub String);

/// A line, a message, a body of a chat.
pub type Message = Text<{ 64 * 1024 }>;
/// A key, a name, a cursor.
pub type Short = Text<4_096>;
/// A statement, a prompt.
pub type Long = Text<{ 4 * 1024 * 1024 }>;

impl<const BYTES_MAX: usize> Deref for Text<BYTES_MAX> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const BYTES_MAX: usize> Argument for Text<BYTES_MAX> {
    const SHAPE: &'static str = "text";

    fn read(given: Value) -> Result<Self, Unfit> {
        text_of(given, BYTES_MAX).map(Self)
    }

    fn schema() -> Value {
        text_schema(BYTES_MAX)
    }
}

/// Bytes: a text, or `{"base64": …}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents(pub Bytes);

impl Argument for Contents {
    const SHAPE: &'static str = "text or bytes";

    fn read(given: Value) -> Result<Self, Unfit> {
        let bytes = match given {
            Value::String(text) => text.into_bytes(),
            Value::Object(mut map) if map.len() == 1 => {
                let Some(Value::String(text)) = map.remove("base64") else {
                    return Err(Unfit::is_not("is neither a text nor {\"base64\": …}"));
                };
                if text.len() / 4 > CONTENTS_BYTES_MAX / 3 + 1 {
                    return Err(Unfit::Long(CONTENTS_BYTES_MAX));
                }
                STANDARD.decode(text).map_err(|_| Unfit::is_not("is not base64"))?
            }
            _ => return Err(Unfit::is_not("is neither a text nor {\"base64\": …}")),
        };
        if bytes.len() > CONTENTS_BYTES_MAX { Err(Unfit::Long(CONTENTS_BYTES_MAX)) } else { Ok(Self(bytes.into())) }
    }

    fn schema() -> Value {
        json!({ "oneOf": [text_schema(CONTENTS_BYTES_MAX), {
            "type": "object", "properties": { "base64": { "type": "string" } },
            "required": ["base64"], "additionalProperties": false,
        }] })
    }
}
