//! What a provider says: a text and what it took, or why there is none. Pure.

use super::super::super::net::Answer;
use crate::config::models::ProviderKind;
use coalmine_actors::effects::EffectError;
use hyper::header::{HeaderValue, RETRY_AFTER};
use jiff::{Timestamp, fmt::rfc2822};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// Most of what a provider says of a failure that is passed on, characters.
const TOLD_CHARS_MAX: usize = 500;

/// What a model said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) text: String,
    /// Tokens of the question and of the answer.
    pub(super) usage: Option<(u64, u64)>,
    /// It ended because it was as long as it may be.
    pub(super) is_cut: bool,
}

#[derive(Deserialize)]
struct OllamaAnswer {
    message: Message,
    done: bool,
    done_reason: Option<String>,
    prompt_eval_count: Option<u64>,
    eval_count: Option<u64>,
}

#[derive(Deserialize)]
struct OpenaiAnswer {
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    content: String,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
}

/// Reads it; nothing of `key` gets into an error.
///
/// # Errors
/// [`EffectError::Auth`], [`EffectError::RateLimited`], [`EffectError::Upstream`], [`EffectError::Protocol`].
pub(super) fn read(kind: ProviderKind, answer: &Answer, key: Option<&HeaderValue>) -> Result<Said, EffectError> {
    match answer.status.as_u16() {
        200..300 => match kind {
            ProviderKind::Ollama => of_ollama(&answer.body),
            ProviderKind::Openai => of_openai(&answer.body),
        },
        401 | 403 => Err(EffectError::Auth),
        429 => Err(EffectError::RateLimited { retry_after: retry_after(answer, Timestamp::now()) }),
        status => Err(EffectError::Upstream { status, what: told(&answer.body, key) }),
    }
}

fn of_ollama(body: &[u8]) -> Result<Said, EffectError> {
    let OllamaAnswer { message, done, done_reason, prompt_eval_count, eval_count } = parsed(body)?;
    if !done {
        return Err(EffectError::Protocol { what: "the model's answer is not whole".into() });
    }
    // What it has in its cache it does not count.
    let usage = eval_count.map(|answer| (prompt_eval_count.unwrap_or(0), answer));
    Ok(Said { text: message.content, usage, is_cut: done_reason.as_deref() == Some("length") })
}

fn of_openai(body: &[u8]) -> Result<Said, EffectError> {
    let OpenaiAnswer { choices, usage } = parsed(body)?;
    let none = || EffectError::Protocol { what: "the provider's answer holds no choice".into() };
    let Choice { message, finish_reason } = choices.into_iter().next().ok_or_else(none)?;
    let usage = usage.map(|usage| (usage.prompt_tokens, usage.completion_tokens));
    Ok(Said { text: message.content, usage, is_cut: finish_reason.as_deref() == Some("length") })
}

fn parsed<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, EffectError> {
    serde_json::from_slice(body).map_err(|error| EffectError::Protocol {
        what: format!(
            "the provider's answer is not what its kind says (line {}, column {})",
            error.line(),
            error.column()
        ),
    })
}

/// Seconds, or a date.
fn retry_after(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let text = answer.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

/// What it says itself, on one line: `{"error": "…"}` or `{"error": {"message": "…"}}`.
fn told(body: &[u8], key: Option<&HeaderValue>) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &body["error"];
    let told = error.as_str().or_else(|| error["message"].as_str()).unwrap_or("it says nothing that can be read");
    let key = key.and_then(|key| key.to_str().ok()).and_then(|header| header.strip_prefix("Bearer "));
    let told = match key {
        Some(key) if !key.is_empty() => told.replace(key, "…"),
        _ => told.to_owned(),
    };
    told.chars().map(|c| if c.is_control() { ' ' } else { c }).take(TOLD_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::{HeaderMap, StatusCode};

    fn answer(status: u16, header: Option<&str>, body: &str) -> Answer {
        let headers = header.map(|text| (RETRY_AFTER, HeaderValue::from_str(text).unwrap()));
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers: HeaderMap::from_iter(headers), body: body.to_owned().into() }
    }

    #[test]
    fn each_kind_is_read_as_it_speaks() {
        let ollama = r#"{"message":{"role":"assistant","content":"hi"},"done":true,"done_reason":"length","prompt_eval_count":5,"eval_count":2}"#;
        let said = read(ProviderKind::Ollama, &answer(200, None, ollama), None).unwrap();
        assert_eq!(said, Said { text: "hi".into(), usage: Some((5, 2)), is_cut: true });
        let openai = r#"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#;
        let said = read(ProviderKind::Openai, &answer(200, None, openai), None).unwrap();
        assert_eq!(said, Said { text: "hi".into(), usage: Some((5, 2)), is_cut: false });
    }

    #[test]
    fn what_is_no_answer_is_an_error_of_the_protocol() {
        for (kind, body) in [
            (ProviderKind::Openai, "<html>"),
            (ProviderKind::Openai, "{\"choices\":"),
            (ProviderKind::Openai, "{\"choices\":[]}"),
            (ProviderKind::Openai, "{\"choices\":[{\"message\":{\"content\":null}}]}"),
            (ProviderKind::Openai, ""),
            (ProviderKind::Ollama, "{\"message\":{\"content\":\"half\"},\"done\":false}"),
            (ProviderKind::Ollama, "{\"error\":\"x\"}"),
        ] {
            assert_eq!(read(kind, &answer(200, None, body), None).unwrap_err().code(), "protocol", "{body}");
        }
    }

    #[test]
    fn when_to_come_again_is_said_in_seconds_or_by_a_date() {
        let now: Timestamp = "2026-01-05T12:00:00Z".parse().unwrap();
        for (text, seconds) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Mon, 05 Jan 2026 12:01:00 GMT", Some(60)),
            ("Mon, 05 Jan 2026 11:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(retry_after(&answer(429, Some(text), ""), now), seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&answer(429, None, ""), now), None);
    }

    #[test]
    fn a_failure_is_told_without_the_key() {
        let key = HeaderValue::from_static("Bearer sk-secret");
        let body = r#"{"error":{"message":"model x\nof sk-secret is not there"}}"#;
        let error = read(ProviderKind::Openai, &answer(404, None, body), Some(&key)).unwrap_err();
        assert_eq!(error.to_string(), "the provider failed with status 404: model x of … is not there");
        for body in ["<html>sk-secret", "", "[]", "{\"error\":7}"] {
            let error = read(ProviderKind::Openai, &answer(500, None, body), Some(&key)).unwrap_err();
            assert!(error.to_string().ends_with("it says nothing that can be read"), "{body}");
        }
    }
}
