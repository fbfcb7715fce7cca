//! `agent.send_a2a`: a message to a peer, from the peer whose session it is and nobody else.

use coalmine_actors::{
    effects::{
        decide::reaches,
        error::EffectError,
        kind::Kind,
        op::Request,
        output::Output,
        port::{Call, Outcome},
        rule::Rule,
    },
    error::{FleetError, Kind as ErrorKind},
    mail::{MailError, MailView, NewMessage, State},
    names::Identity,
    ports::Answer,
};
use serde_json::Value;
use std::sync::Arc;

/// What effects need of the mailroom and the registry.
pub trait Post: Send + Sync + 'static {
    /// The peer that a name means.
    ///
    /// # Errors
    /// Nobody has it.
    fn recipient(&self, name: &str) -> Result<Identity, FleetError>;

    /// Sends a message as this peer.
    fn send(&self, from: Identity, message: NewMessage) -> Answer<MailView>;
}

/// Sends it, and gives its id once it is on disk.
pub(super) async fn send(post: Arc<dyn Post>, call: Call) -> Outcome {
    let Call { seat, policy, request, .. } = call;
    let Request::AgentSendA2a { peer, payload, topic } = request else {
        return Err(EffectError::Internal(format!("{} is no message", request.op())));
    };
    let to = post.recipient(&peer.0).map_err(refusal)?;
    // A grant is for a peer, and a name may mean another one than it looks like: `claude-bob` can be bob, or a peer of
    // that name. Only the registry knows.
    if !reaches(&policy, &to) {
        return Err(EffectError::Denied { rule: Rule::NoName(Kind::A2a) });
    }
    let body = match payload.0 {
        Value::String(text) => text,
        json => json.to_string(),
    };
    let message = NewMessage { to: to.to_string(), body, topic: topic.map(|topic| topic.0), ..NewMessage::default() };
    let sent = post.send(seat.peer.clone(), message).await.map_err(refusal)?;
    match (sent.progress.state, sent.progress.reason) {
        (State::Refused, Some(reason)) => Err(EffectError::NotSent { code: reason.code, why: reason.text }),
        _ => Ok(Output::Text(sent.message.id.to_string()).into()),
    }
}

/// Why the mailroom took nothing in.
fn refusal(error: FleetError) -> EffectError {
    match &error {
        FleetError::UnknownPeer { .. } => EffectError::NotFound,
        FleetError::Mail(MailError::TooMuch { part, limit, .. }) => EffectError::limit(argument(part), *limit as u64),
        FleetError::Mail(MailError::Invalid { part, why }) => EffectError::bad(argument(part), *why),
        error if error.kind() == ErrorKind::Usage => EffectError::bad("payload", error.to_string()),
        error => EffectError::NotSent { code: error.code().into(), why: error.to_string() },
    }
}

/// What a part of a message is called by whoever gave it.
fn argument(part: &'static str) -> &'static str {
    if part == "body" { "payload" } else { part }
}
