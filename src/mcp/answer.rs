//! What a tool gives back: a value, or a refusal that a model can act on.

use super::RESULT_BYTES_MAX;
use crate::api::wire::ErrorBody;
use coalmine_actors::{
    attachments::AttachmentError,
    effects::{EffectError, output::Output},
    error::FleetError,
    mail::MailError,
    memory::MemoryError,
};
use rmcp::model::{CallToolResult, ContentBlock};
use serde::Serialize;
use serde_json::{Value, json};

/// What a tool comes to.
pub(crate) type Given = Result<CallToolResult, Refusal>;

/// Why a tool did not do what was asked: `{"code", "message", "hint", …}`. An answer as any other, never an error of the
/// protocol: those a model does not get to see.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal(Value);

impl Refusal {
    /// Something is wrong with an argument.
    pub(crate) fn argument(which: &str, why: impl AsRef<str>) -> Self {
        let mut refusal = Self::new(
            "bad-argument",
            format!("the argument `{which}` {}", why.as_ref()),
            "its schema says what it takes",
        );
        refusal.0["argument"] = which.into();
        refusal
    }

    /// A refusal of our own.
    pub(crate) fn new(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self(json!({ "code": code, "message": message.into(), "hint": hint.into(), "retryable": false }))
    }

    /// What was wrong.
    #[cfg(test)]
    pub(crate) fn message(&self) -> String {
        self.0["message"].as_str().unwrap_or_default().to_owned()
    }

    /// As a result: the same for programs and, in words, for a model.
    pub(crate) fn into_result(self) -> CallToolResult {
        let part = |key: &str| self.0[key].as_str().unwrap_or_default();
        let mut text = format!("{} ({})", part("message"), part("code"));
        if !part("hint").is_empty() {
            text.push_str(&format!("\nhint: {}", part("hint")));
        }
        let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
        result.structured_content = Some(json!({ "error": self.0 }));
        result
    }
}

impl From<ErrorBody> for Refusal {
    fn from(body: ErrorBody) -> Self {
        let ErrorBody { code, message, hint, retryable, exit_code: _ } = body;
        Self(json!({ "code": code, "message": message, "hint": hint, "retryable": retryable }))
    }
}

impl From<FleetError> for Refusal {
    fn from(error: FleetError) -> Self {
        ErrorBody::from(&error).into()
    }
}

impl From<EffectError> for Refusal {
    fn from(error: EffectError) -> Self {
        Self(error.to_json())
    }
}

macro_rules! by_the_fleets_own {
    ($($error:ty),*) => {$(
        impl From<$error> for Refusal {
            fn from(error: $error) -> Self {
                FleetError::from(error).into()
            }
        }
    )*};
}
by_the_fleets_own!(MailError, MemoryError, AttachmentError);

/// A value, as itself and as text.
pub(crate) fn value(value: &impl Serialize) -> Given {
    let value = serde_json::to_value(value).map_err(unwritable)?;
    let text = value.to_string();
    Ok(told(value, text))
}

/// A value, with a text of its own.
pub(crate) fn told(value: Value, text: String) -> CallToolResult {
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.structured_content = Some(value);
    result
}

/// What an effect gives: a text as it is, anything else as JSON.
pub(crate) fn output(output: Output) -> CallToolResult {
    let is_text = matches!(output, Output::Text(_));
    let value = output.into_json();
    let text = match &value {
        Value::String(text) if is_text => text.clone(),
        other => other.to_string(),
    };
    if text.len() <= RESULT_BYTES_MAX {
        return told(json!({ "ok": value }), text);
    }
    let whole = (0..=RESULT_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let kept = &text[..whole];
    let cut = json!({ "cut": true, "bytes": text.len(), "bytes_max": RESULT_BYTES_MAX });
    told(cut, format!("{kept}\n[cut: {RESULT_BYTES_MAX} of {} bytes]", text.len()))
}

fn unwritable(error: serde_json::Error) -> Refusal {
    FleetError::Internal(format!("a result can not be written: {error}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_for_a_context_is_cut_and_says_so() {
        let given = output(Output::Text("é".repeat(RESULT_BYTES_MAX)));
        assert_eq!(given.structured_content.unwrap()["cut"], true);
        let text = given.content[0].as_text().unwrap().text.clone();
        assert!(text.len() < RESULT_BYTES_MAX + 64 && text.ends_with("bytes]"), "{}", text.len());
        let given = output(Output::Text("a\nb".into()));
        assert_eq!(
            (given.structured_content.unwrap(), given.content[0].as_text().unwrap().text.as_str()),
            (json!({ "ok": "a\nb" }), "a\nb")
        );
    }

    #[test]
    fn a_refusal_is_an_answer_with_code_message_and_hint() {
        let result = Refusal::from(MailError::QueueFull { recipient: "claude-bob".into(), limit: 3 }).into_result();
        let error = result.structured_content.unwrap()["error"].clone();
        assert_eq!(
            (result.is_error, &error["code"], &error["retryable"]),
            (Some(true), &json!("queue-full"), &json!(true))
        );
        let text = &result.content[0].as_text().unwrap().text;
        assert!(text.starts_with("3 messages wait for claude-bob already (queue-full)\nhint: "), "{text}");
    }
}
