//! What a model is asked: messages in turn, with references to attachments in them.

use super::{Argument, Unfit, text_of, word::Role};
use crate::attachments::AttachmentId;
use serde_json::{Map, Value, json};

/// Most messages of a request.
const MESSAGES_MAX: usize = 1_024;
/// Most parts of a message.
const PARTS_MAX: usize = 256;
/// Longest text of a part, bytes.
const PART_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Tokens that a text of so many bytes is taken for, until the model says how many there were.
const BYTES_A_TOKEN: usize = 4;
/// Tokens that a message is taken for besides its texts.
const MESSAGE_TOKENS: u64 = 8;
/// Tokens that an attachment is taken for.
const ATTACHMENT_TOKENS: u64 = 1_024;

/// Messages, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Messages(pub Vec<ChatMessage>);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMessage {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: Vec<Part>,
}

/// A part of what is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A text.
    Text(String),
    /// What the store of attachments has by this id.
    Attachment(AttachmentId),
}

impl ChatMessage {
    /// What a prompt alone is.
    pub fn prompt(text: String) -> Self {
        Self { role: Role::User, content: vec![Part::Text(text)] }
    }

    /// How many tokens it is taken for before a model has counted them.
    pub fn tokens(&self) -> u64 {
        let part = |part: &Part| match part {
            Part::Text(text) => text_tokens(text),
            Part::Attachment(_) => ATTACHMENT_TOKENS,
        };
        MESSAGE_TOKENS + self.content.iter().map(part).sum::<u64>()
    }
}

/// How many tokens a text is taken for.
pub fn text_tokens(text: &str) -> u64 {
    text.len().div_ceil(BYTES_A_TOKEN) as u64
}

impl Argument for Messages {
    const SHAPE: &'static str = "[{role, content}, …]";

    fn read(given: Value) -> Result<Self, Unfit> {
        let Value::Array(list) = given else { return Err(Unfit::is_not("is not a list of {role, content}")) };
        match list.len() {
            0 => Err(Unfit::is_not("is empty: there is nothing to answer")),
            1..=MESSAGES_MAX => list.into_iter().map(message).collect::<Result<_, _>>().map(Self),
            _ => Err(Unfit::Long(MESSAGES_MAX)),
        }
    }

    fn schema() -> Value {
        let part = json!({ "oneOf": [
            { "type": "string" },
            { "type": "object", "properties": { "text": { "type": "string" } },
              "required": ["text"], "additionalProperties": false },
            { "type": "object", "properties": { "attachment": { "type": "string", "pattern": "^[0-9a-f]{64}$" } },
              "required": ["attachment"], "additionalProperties": false },
        ] });
        let content =
            json!({ "oneOf": [{ "type": "string" }, { "type": "array", "items": part, "maxItems": PARTS_MAX }] });
        json!({ "type": "array", "minItems": 1, "maxItems": MESSAGES_MAX, "items": {
            "type": "object", "properties": { "role": Role::schema(), "content": content },
            "required": ["role", "content"], "additionalProperties": false,
        } })
    }
}

fn message(given: Value) -> Result<ChatMessage, Unfit> {
    let not_one = || Unfit::is_not("holds something that is not {\"role\": …, \"content\": …}");
    let Value::Object(mut given) = given else { return Err(not_one()) };
    let (role, content) = (given.remove("role").ok_or_else(not_one)?, given.remove("content").ok_or_else(not_one)?);
    if !given.is_empty() {
        return Err(not_one());
    }
    let role = Role::read(role).map_err(|_| Unfit::is_not("holds a role that is none of system, user, assistant"))?;
    let content = match content {
        Value::Array(parts) if parts.len() > PARTS_MAX => return Err(Unfit::Long(PARTS_MAX)),
        Value::Array(parts) => parts.into_iter().map(part).collect::<Result<_, _>>()?,
        text => vec![part(text)?],
    };
    Ok(ChatMessage { role, content })
}

fn part(given: Value) -> Result<Part, Unfit> {
    let not_one = || Unfit::is_not("holds content that is no text, {\"text\": …} or {\"attachment\": \"<id>\"}");
    let text = |text: Value| match text_of(text, PART_BYTES_MAX) {
        Err(Unfit::Form(_)) => Err(not_one()),
        text => text.map(Part::Text),
    };
    let single = |mut map: Map<String, Value>| match (map.remove("text"), map.remove("attachment"), map.is_empty()) {
        (Some(given), None, true) => text(given),
        (None, Some(Value::String(id)), true) => {
            let not_id = |_| Unfit::is_not("holds an attachment that is no id of 64 hex digits in lower case");
            id.parse().map(Part::Attachment).map_err(not_id)
        }
        _ => Err(not_one()),
    };
    match given {
        Value::Object(map) => single(map),
        other => text(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_with_their_parts() {
        let id = "0123456789abcdef".repeat(4);
        let given = json!([
            { "role": "system", "content": "short" },
            { "role": "user", "content": ["what is this?", { "text": "tell" }, { "attachment": id }] },
        ]);
        let Messages(read) = Messages::read(given).unwrap();
        assert_eq!(read[0], ChatMessage { role: Role::System, content: vec![Part::Text("short".into())] });
        assert_eq!(read[1].content[2], Part::Attachment(id.parse().unwrap()));
        assert_eq!((read[0].tokens(), read[1].tokens()), (8 + 2, 8 + 4 + 1 + 1_024));
    }

    #[test]
    fn what_is_no_message_says_what_would_be_one() {
        for (given, said) in [
            (json!("hello"), "not a list"),
            (json!([]), "is empty"),
            (json!(["hello"]), "{\"role\": …"),
            (json!([{ "role": "user" }]), "{\"role\": …"),
            (json!([{ "role": "user", "content": "x", "name": "y" }]), "{\"role\": …"),
            (json!([{ "role": "root", "content": "x" }]), "none of system, user, assistant"),
            (json!([{ "role": "user", "content": 7 }]), "content that is no text"),
            (json!([{ "role": "user", "content": null }]), "content that is no text"),
            (json!([{ "role": "user", "content": [{ "attachment": "../x" }] }]), "64 hex digits"),
            (json!([{ "role": "user", "content": [{ "text": "x", "attachment": "y" }] }]), "content that is no text"),
        ] {
            let Err(Unfit::Form(why)) = Messages::read(given.clone()) else { panic!("{given}") };
            assert!(why.contains(said), "{given}: {why}");
        }
        let many = vec![json!({ "role": "user", "content": "x" }); MESSAGES_MAX + 1];
        assert_eq!(Messages::read(json!(many)), Err(Unfit::Long(MESSAGES_MAX)));
    }
}
