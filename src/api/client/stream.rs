//! Reads server-sent events off an answer's body.

use super::{ClientError, broken};
use crate::api::wire::ErrorEnvelope;
use coalmine_actors::view::Streamed;
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// Longest message, bytes.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Events as they come. Dropping it hangs up.
#[derive(Debug)]
pub struct EventStream {
    body: Incoming,
    buffer: Vec<u8>,
}

impl EventStream {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, buffer: Vec::new() }
    }

    /// The next item; nothing when the stream has ended. Cancel-safe: what has come stays in the buffer.
    ///
    /// # Errors
    /// The connection broke, or the fleet could not go on.
    pub async fn next(&mut self) -> Result<Option<Streamed>, ClientError> {
        loop {
            if let Some(message) = self.take_message()? {
                match parse(&message)? {
                    Some(item) => return Ok(Some(item)),
                    None => continue,
                }
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(broken(error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
            }
        }
    }

    /// A message ends with an empty line.
    fn take_message(&mut self) -> Result<Option<String>, ClientError> {
        let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") else {
            return if self.buffer.len() > MESSAGE_BYTES_MAX {
                Err(broken("an event without an end"))
            } else {
                Ok(None)
            };
        };
        let message: Vec<u8> = self.buffer.drain(..end + 2).collect();
        String::from_utf8(message).map(Some).map_err(broken)
    }
}

/// The item of a message; nothing for a comment.
fn parse(message: &str) -> Result<Option<Streamed>, ClientError> {
    let data = values(message, "data:").join("\n");
    match values(message, "event:").first().copied() {
        _ if data.is_empty() => Ok(None),
        Some("error") => {
            let envelope: ErrorEnvelope = serde_json::from_str(&data).map_err(broken)?;
            Err(ClientError::Refused(envelope.error))
        }
        _ => serde_json::from_str(&data).map(Some).map_err(broken),
    }
}

/// The values of all lines of one field.
fn values<'a>(message: &'a str, field: &str) -> Vec<&'a str> {
    let lines = message.lines().filter_map(|line| line.strip_prefix(field));
    lines.map(|value| value.strip_prefix(' ').unwrap_or(value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_an_event_a_mark_an_error_or_nothing() {
        let event = r#"data: {"ts":"2026-11-21T01:23:45Z","seq":3,"ev":"up","fields":[]}"#;
        assert!(matches!(parse(event).unwrap(), Some(Streamed::Event(event)) if event.seq == 3));
        let mark = "event: lagged\ndata: {\"lagged\":7}\n\n";
        assert_eq!(parse(mark).unwrap(), Some(Streamed::Lagged { lagged: 7 }));
        assert_eq!(parse(": keep-alive\n\n").unwrap(), None);
        let error =
            r#"{"schema_version":1,"error":{"code":"io","message":"m","hint":"","retryable":false,"exit_code":1}}"#;
        let error = parse(&format!("event: error\ndata: {error}\n\n")).unwrap_err();
        assert!(matches!(error, ClientError::Refused(body) if body.code == "io"));
    }
}
