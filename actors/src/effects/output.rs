//! What an effect gives back, and what it took.

use super::{handles::HandleId, op::Request};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};

/// What an operation gives. Bytes and texts stay what they are until somebody wants JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Bytes),
    /// Something that the session holds now.
    Handle(HandleId),
    /// Anything else.
    Json(Value),
}

impl Output {
    /// As answers write it: bytes are `{"base64": …}`.
    pub fn into_json(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => flag.into(),
            Self::Int(number) => number.into(),
            Self::Text(text) => text.into(),
            Self::Bytes(bytes) => json!({ "base64": base64(&bytes) }),
            Self::Handle(id) => id.to_string().into(),
            Self::Json(value) => value,
        }
    }

    /// Bytes that came in with it.
    pub fn len(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Bytes(bytes) => bytes.len() as u64,
            _ => 0,
        }
    }

    /// Whether no bytes came in with it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Bytes as text.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// How far a program was confined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox(pub String);

/// An effect that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// What it gives.
    pub output: Output,
    /// Bytes that came in.
    pub bytes_in: u64,
    /// Bytes that left, where that is not what the request said before.
    pub bytes_out: Option<u64>,
    /// Tokens of a model, of the prompt and of the answer.
    pub llm_tokens: u64,
    /// How far a program was confined: `landlock-abi7`, `none`.
    pub sandbox: Option<Sandbox>,
    /// What takes its place: a redirect that is followed. It is decided on, paid and written down as a call of its own.
    pub leads_to: Option<Box<Request>>,
}

impl From<Output> for Done {
    /// With what can be seen of it.
    fn from(output: Output) -> Self {
        Self { bytes_in: output.len(), output, bytes_out: None, llm_tokens: 0, sandbox: None, leads_to: None }
    }
}
