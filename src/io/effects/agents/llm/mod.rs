//! Models: a question to a provider of the config, and its answer.
//!
//! ```text
//! call ─▶ attached.rs: the peer's own attachments ─▶ wire.rs: a body ─▶ net ─▶ answer.rs: text and usage, or why not
//!                                                     key.rs: read now, and kept nowhere
//! ```
//!
//! The provider's address is the operator's word, so it may be one of the house; nothing else of the way differs from
//! that of any other connection.

mod answer;
mod attached;
mod key;
#[cfg(test)]
mod tests;
mod wire;

use super::super::net::{Limits, Named, Net, Sent};
use crate::config::models::{Provider, Providers};
use coalmine_actors::{
    attachments::Attachments,
    effects::{
        EffectError,
        argument::{Upto, chat::ChatMessage},
        op::Request,
        origin::Target,
        output::{Done, Output},
        plan::Plan,
        port::{Call, Outcome},
    },
    ports::BoxFuture,
};
use hyper::{
    HeaderMap, Method,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// How long a model may think before it says anything: it says nothing before it is done.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(600);

/// The models of a fleet. Clones share what they know.
#[derive(Clone)]
pub(in crate::io::effects) struct Models {
    net: Net,
    providers: watch::Receiver<Arc<Providers>>,
    attachments: Attachments,
}

impl std::fmt::Debug for Models {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Models")
    }
}

/// What is asked of a provider.
#[derive(Debug)]
struct Question {
    model: String,
    messages: Vec<ChatMessage>,
    tokens_max: Option<u64>,
}

impl Models {
    /// Models over `net`, by what the config says of their providers.
    pub(in crate::io::effects) fn new(
        net: Net,
        providers: watch::Receiver<Arc<Providers>>,
        attachments: Attachments,
    ) -> Self {
        Self { net, providers, attachments }
    }

    /// Carries a call out. Dropped, the connection is closed.
    pub(super) fn perform(&self, call: Call) -> BoxFuture<Outcome> {
        Box::pin(perform(self.clone(), call))
    }
}

async fn perform(models: Models, call: Call) -> Outcome {
    let Plan::Llm(name) = &call.plan else {
        return Err(EffectError::Internal("a model by another plan".into()));
    };
    let unknown = || EffectError::bad("provider", format!("the config has no [provider.{name}]"));
    let provider = models.providers.borrow().get(name).cloned().ok_or_else(unknown)?;
    let expected = call.request.llm_tokens();
    let question = question(call.request, name, &provider)?;
    let attached = attached::of(&models.attachments, &call.seat.peer, &question.messages).await?;
    let body = wire::body(provider.kind, &question, &attached);
    let key = key::read(name, &provider.key).await?;
    let sent = sent(name, &provider, body, key.as_ref())?;
    let bytes_out = sent.body.len() as u64;
    let limits = Limits { first_byte: ANSWER_TIME_MAX, total: ANSWER_TIME_MAX, ..Limits::default() };
    let answer = models.net.exchange(sent, limits).await?;
    let said = answer::read(provider.kind, &answer, key.as_ref())?;
    let usage =
        said.usage.map(|(prompt, completion)| json!({ "prompt_tokens": prompt, "completion_tokens": completion }));
    Ok(Done {
        bytes_in: answer.body.len() as u64,
        bytes_out: Some(bytes_out),
        // Whoever does not say what it took has taken what was expected.
        llm_tokens: said.usage.map_or(expected, |(prompt, completion)| prompt.saturating_add(completion)),
        ..Output::Json(json!({ "text": said.text, "usage": usage, "truncated": said.is_cut })).into()
    })
}

fn question(request: Request, name: &str, provider: &Provider) -> Result<Question, EffectError> {
    let (Request::AgentLocalComplete { prompt, messages, model, max_tokens, .. }
    | Request::AgentCloudComplete { prompt, messages, model, max_tokens, .. }) = request
    else {
        return Err(EffectError::Internal(format!("{} is no question to a model", request.op())));
    };
    let messages = match (prompt, messages) {
        (Some(prompt), _) => vec![ChatMessage::prompt(prompt.0)],
        (None, messages) => messages.map(|messages| messages.0).unwrap_or_default(),
    };
    let nameless =
        || EffectError::bad("model", format!("is named neither here nor by provider.{name}.model in the config"));
    let model = model.map(|model| model.0).or_else(|| provider.model.clone()).ok_or_else(nameless)?;
    Ok(Question { model, messages, tokens_max: max_tokens.map(|Upto(tokens)| tokens) })
}

fn sent(name: &str, provider: &Provider, body: Vec<u8>, key: Option<&HeaderValue>) -> Result<Sent, EffectError> {
    let url = format!("{}{}", provider.url, wire::path(provider.kind));
    let target: Target =
        url.parse().map_err(|why| EffectError::unsupported(format!("the address of provider {name}: {why}")))?;
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    if let Some(key) = key {
        headers.insert(AUTHORIZATION, key.clone());
    }
    Ok(Sent { method: Method::POST, target, named: Named::ByOperator, headers, body: body.into() })
}
