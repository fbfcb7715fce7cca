//! A question as each kind of provider takes it. Pure.

use super::{Question, attached::Shown};
use crate::config::models::ProviderKind;
use coalmine_actors::{
    attachments::AttachmentId,
    effects::{
        argument::chat::{ChatMessage, Part},
        output::base64,
    },
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

type Attached = BTreeMap<AttachmentId, Shown>;

/// Where questions go, behind the provider's address.
pub(super) fn path(kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::Ollama => "/api/chat",
        ProviderKind::Openai => "/chat/completions",
    }
}

/// What is sent there.
pub(super) fn body(kind: ProviderKind, question: &Question, attached: &Attached) -> Vec<u8> {
    let message = match kind {
        ProviderKind::Ollama => to_ollama,
        ProviderKind::Openai => to_openai,
    };
    let messages: Vec<Value> = question.messages.iter().map(|asked| message(asked, attached)).collect();
    let mut body = json!({ "model": question.model, "messages": messages, "stream": false });
    match (kind, question.tokens_max) {
        (_, None) => {}
        (ProviderKind::Ollama, Some(max)) => body["options"] = json!({ "num_predict": max }),
        (ProviderKind::Openai, Some(max)) => body["max_tokens"] = json!(max),
    }
    body.to_string().into_bytes()
}

/// One text, and the images beside it.
fn to_ollama(message: &ChatMessage, attached: &Attached) -> Value {
    let (mut texts, mut images) = (Vec::new(), Vec::new());
    for part in &message.content {
        match seen(part, attached) {
            Seen::Text(text) => texts.push(text),
            Seen::Image(_, data) => images.push(data),
        }
    }
    let mut told = Map::from_iter([
        ("role".to_owned(), json!(message.role.word())),
        ("content".to_owned(), json!(texts.join("\n\n"))),
    ]);
    if !images.is_empty() {
        told.insert("images".into(), json!(images));
    }
    Value::Object(told)
}

/// A text alone as it is, for that is what everybody understands; else parts in their order.
fn to_openai(message: &ChatMessage, attached: &Attached) -> Value {
    let part = |part: &Part| match seen(part, attached) {
        Seen::Text(text) => json!({ "type": "text", "text": text }),
        Seen::Image(mime, data) => {
            json!({ "type": "image_url", "image_url": { "url": format!("data:{mime};base64,{data}") } })
        }
    };
    let content = match message.content.as_slice() {
        [Part::Text(text)] => json!(text),
        parts => parts.iter().map(part).collect(),
    };
    json!({ "role": message.role.word(), "content": content })
}

enum Seen<'a> {
    Text(&'a str),
    /// MIME, and the bytes in base64.
    Image(&'a str, String),
}

fn seen<'a>(part: &'a Part, attached: &'a Attached) -> Seen<'a> {
    match part {
        Part::Text(text) => Seen::Text(text),
        Part::Attachment(id) => match attached.get(id).expect("everything that is referred to was found") {
            Shown::Text(text) => Seen::Text(text),
            Shown::Image(mime, data) => Seen::Image(mime, base64(data)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coalmine_actors::effects::argument::Role;
    use serde_json::from_slice;

    fn question(tokens_max: Option<u64>) -> (Question, Attached) {
        let (image, text) = (AttachmentId::of(b"image"), AttachmentId::of(b"text"));
        let parts = vec![Part::Text("look".into()), Part::Attachment(image), Part::Attachment(text)];
        let messages = vec![
            ChatMessage { role: Role::System, content: vec![Part::Text("short".into())] },
            ChatMessage { role: Role::User, content: parts },
        ];
        let image = (image, Shown::Image("image/png".into(), vec![0, 255].into()));
        let attached = Attached::from([image, (text, Shown::Text("a note".into()))]);
        (Question { model: "m".into(), messages, tokens_max }, attached)
    }

    #[test]
    fn ollama_takes_one_text_and_images_beside_it() {
        let (question, attached) = question(Some(7));
        let body: Value = from_slice(&body(ProviderKind::Ollama, &question, &attached)).unwrap();
        let user = json!({ "role": "user", "content": "look\n\na note", "images": ["AP8="] });
        let messages = json!([{ "role": "system", "content": "short" }, user]);
        let whole = json!({ "model": "m", "messages": messages, "stream": false, "options": { "num_predict": 7 } });
        assert_eq!(body, whole);
    }

    #[test]
    fn openai_takes_parts_and_images_as_urls() {
        let (question, attached) = question(None);
        let body: Value = from_slice(&body(ProviderKind::Openai, &question, &attached)).unwrap();
        let image = json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,AP8=" } });
        let content = json!([{ "type": "text", "text": "look" }, image, { "type": "text", "text": "a note" }]);
        let messages = json!([{ "role": "system", "content": "short" }, { "role": "user", "content": content }]);
        assert_eq!(body, json!({ "model": "m", "messages": messages, "stream": false }));
    }
}
