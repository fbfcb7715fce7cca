//! What a tool gave, as the outcome of an effect.

use coalmine_actors::{
    effects::{
        error::EffectError,
        output::{Done, Output, Sandbox},
        port::Outcome,
    },
    journal::event::cut,
};
use rmcp::model::{CallToolResponse, CallToolResult};
use serde_json::Value;

/// How much of what a tool says of its failure is told, bytes.
const SAID_BYTES_MAX: usize = 16 * 1024;

/// Its structured content where it has some, else the list of its contents; its own failure is an error.
pub(super) fn done(given: CallToolResponse, sandbox: Option<Sandbox>) -> Outcome {
    let result = match given {
        CallToolResponse::Complete(result) => result,
        CallToolResponse::InputRequired(_) => {
            return Err(EffectError::unsupported(
                "the tool asks for something meanwhile, and nobody is here to answer",
            ));
        }
        _ => return Err(EffectError::unsupported("the tool answers later, by a task")),
    };
    if result.is_error == Some(true) {
        return Err(EffectError::Tool { said: said(&result) });
    }
    let told = |error: serde_json::Error| EffectError::Internal(format!("what a tool gave is no JSON: {error}"));
    let value = match result.structured_content {
        Some(structured) => structured,
        None => serde_json::to_value(result.content).map_err(told)?,
    };
    let bytes_in = serde_json::to_vec(&value).map_err(told)?.len() as u64;
    Ok(Done { bytes_in, sandbox, ..Output::Json(value).into() })
}

/// What it says in texts, one line after the other; else its structured content.
fn said(result: &CallToolResult) -> String {
    let texts: Vec<_> = result.content.iter().filter_map(|block| Some(block.as_text()?.text.as_str())).collect();
    let said = match &result.structured_content {
        Some(structured) if texts.is_empty() && *structured != Value::Null => structured.to_string(),
        _ => texts.join("\n"),
    };
    if said.is_empty() { "and says no more".into() } else { cut(said, SAID_BYTES_MAX) }
}
